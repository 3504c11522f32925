"""Which files of a music library are taken, and what of it is left out by name."""

from pathlib import PurePath

import av
import numpy as np
import pytest

from genre_assets.audio.probe import probe
from genre_assets.audio.status import Status
from genre_assets.labels.taxonomy import is_genre
from genre_assets.lake.schemas import TRACKS
from genre_assets.sources.folder import read_catalogue
from genre_assets.sources.folder_walk import AUDIO_EXTENSIONS, OTHER_SOUND_EXTENSIONS

ENCODED = {
    ".wv": ("wv", "wavpack"), ".tta": ("tta", "tta"), ".mka": ("matroska", "pcm_s16le"),
    ".webm": ("webm", "libopus"), ".m4b": ("mp4", "aac"), ".mp2": ("mp2", "mp2"),
    ".caf": ("caf", "pcm_s16be"), ".w64": ("w64", "pcm_s16le"),
    ".au": ("au", "pcm_s16be"), ".ac3": ("ac3", "ac3"),
    ".voc": ("voc", "pcm_s16le"), ".eac3": ("eac3", "eac3"),
}  # fmt: skip
"""Container and codec of endings for which there is an encoder at hand."""


def write(path, container, codec):
    with av.open(str(path), "w", format=container) as file:
        rate = 48_000 if codec == "libopus" else 44_100
        stream = file.add_stream(codec, rate=rate, layout="stereo")
        samples = np.random.default_rng(1).normal(0, 3000, (2 * rate, 1)).astype("<i2").repeat(2, 1)
        resampler = av.AudioResampler(
            format=stream.format, layout="stereo", rate=rate, frame_size=stream.frame_size or 1024
        )
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate = rate
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))


@pytest.mark.parametrize("ending", ENCODED)
def test_an_ending_that_is_taken_is_one_that_the_decoders_read(tmp_path, ending):
    assert ending in AUDIO_EXTENSIONS
    path = tmp_path / f"song{ending.upper()}"
    write(path, *ENCODED[ending])
    found = probe(path)
    assert found.status == Status.OK, found.reason
    assert found.duration_s == pytest.approx(2, abs=0.2)


def test_the_endings_of_a_real_library_are_taken_or_named(tmp_path):
    taken = [
        *(".ape", ".wv", ".mpc", ".dsf", ".tta", ".m4b", ".mka", ".webm", ".spx", ".mp2", ".mp1"),
        *(".oggflac", ".mp3", ".flac", ".ogg", ".opus", ".wav", ".aiff", ".m4a", ".aac", ".wma"),
    ]
    left_out = [".mid", ".dff", ".aax", ".xm", ".ra", ".shn"]
    for number, ending in enumerate([*taken, *left_out, ".jpg", ".jpg", ".cue", ""]):
        (tmp_path / f"{number}{ending}").write_bytes(bytes([number]))

    catalogue = read_catalogue(tmp_path, TRACKS.empty())

    assert {PurePath(path).suffix for path in catalogue.tracks["path"].to_pylist()} == set(taken)
    by_kind = {}
    for row in catalogue.rejected.to_pylist():
        by_kind.setdefault(row["kind"], []).append((row["place"], row["reason"]))
    assert {PurePath(place).suffix for place, _ in by_kind["sound"]} == set(left_out)
    assert all("are not read" in reason for _, reason in by_kind["sound"])
    assert by_kind["other"] == [
        ("*.cue", "Not audio: 1 file."),
        ("*.jpg", "Not audio: 2 files."),
        ("files without an ending", "Not audio: 1 file."),
    ]
    assert not AUDIO_EXTENSIONS & OTHER_SOUND_EXTENSIONS


SYSTEM_FOLDERS = [
    "$RECYCLE.BIN", "$Recycle.Bin", "#recycle", ".Trash-1000", ".Trashes", "@eaDir", "RECYCLER",
    "System Volume Information", "lost+found", "@Recycle", "#snapshot", "__MACOSX",
]  # fmt: skip


def test_what_was_deleted_is_passed_over_and_counted(tmp_path):
    for name in [*SYSTEM_FOLDERS, "Trash Talk", "Lost and Found"]:
        folder = tmp_path / "Albums" / name
        folder.mkdir(parents=True)
        (folder / "song.mp3").write_bytes(name.encode())

    catalogue = read_catalogue(tmp_path, TRACKS.empty())

    folders = {PurePath(path).parent.name for path in catalogue.tracks["path"].to_pylist()}
    assert folders == {"Trash Talk", "Lost and Found"}
    (note,) = catalogue.skipped
    assert note.startswith(f"Skipped {len(SYSTEM_FOLDERS)} system folders: 1 #recycle, ")
    rows = catalogue.rejected.to_pylist()
    assert {PurePath(row["place"]).name for row in rows} == set(SYSTEM_FOLDERS)
    assert {row["kind"] for row in rows} == {"other"}


def test_a_file_named_like_a_wastebasket_is_just_a_file(tmp_path):
    (tmp_path / "#recycle").write_bytes(b"x")
    catalogue = read_catalogue(tmp_path, TRACKS.empty())
    assert catalogue.rejected["place"].to_pylist() == ["files without an ending"]


@pytest.mark.parametrize(
    ("path", "artist", "album"),
    [
        ("Lena Vega/Nights/song.mp3", "Lena Vega", "Nights"),
        ("Rock/Lena Vega/song.mp3", "Lena Vega", None),
        ("Rock/Lena Vega/Nights/song.mp3", "Lena Vega", "Nights"),
        ("Rock/song.mp3", None, None),
        ("Lena Vega/song.mp3", None, None),
        ("Rock/A/B/C/song.mp3", None, None),
    ],
)
def test_a_folder_named_like_a_genre_is_no_artist(tmp_path, path, artist, album):
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_bytes(b"song")
    (row,) = read_catalogue(tmp_path, TRACKS.empty(), is_genre=is_genre).tracks.to_pylist()
    assert (row["artist"], row["album"]) == (artist, album)


@pytest.mark.parametrize(
    ("path", "genres"),
    [
        ("hiphop/hiphop.00001.wav", ["hiphop"]),
        ("Rock/Punk/Band/Album/song.mp3", ["Punk", "Rock"]),
        ("Drum & Bass/song.mp3", ["Drum & Bass"]),
        ("Lena Vega/Nights/song.mp3", []),
        ("17/CD 2/1999/song.mp3", []),
        ("(17)/song.mp3", []),
        ("song.mp3", []),
    ],
)
def test_folders_named_like_genres_give_them_where_that_is_asked_for(tmp_path, path, genres):
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_bytes(b"song")
    named = read_catalogue(tmp_path, TRACKS.empty(), genres=True, is_genre=is_genre)
    (row,) = named.tracks.to_pylist()
    assert row["genres"] == genres
    (row,) = read_catalogue(tmp_path, TRACKS.empty()).tracks.to_pylist()
    assert row["genres"] == []
