import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genre_assets.demo.artists import sound_of
from genre_assets.demo.corpus import MANIFEST, render_file, write_corpus
from genre_assets.demo.mixing import PEAK, mix
from genre_assets.demo.plan import plan_corpus
from genre_assets.demo.styles import STYLES, compose
from genre_assets.errors import UserError


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder, tracks_per_style=2, seconds=1.0, workers=2)
    return folder


def test_the_same_seed_gives_the_same_bytes_with_or_without_workers(small, tmp_path):
    summary = write_corpus(tmp_path, tracks_per_style=2, seconds=1.0, workers=1)
    assert contents(tmp_path) == contents(small)
    assert (summary.files, summary.written) == (16, 16)
    assert summary.tracks == dict.fromkeys(STYLES, 2)


def test_another_seed_gives_other_music(small):
    track = plan_corpus(1, seed=0)[0]
    assert render_file(track, 1.0, seed=1) != (small / track.path).read_bytes()


def test_a_corpus_that_is_there_is_left_alone(small):
    before = {path: path.stat().st_mtime_ns for path in small.rglob("*")}
    assert write_corpus(small, tracks_per_style=2, seconds=1.0).written == 0
    assert {path: path.stat().st_mtime_ns for path in small.rglob("*")} == before


def test_an_interrupted_corpus_is_completed(small, tmp_path):
    counts = {"House": 2}
    write_corpus(tmp_path, counts, seconds=1.0)
    whole = contents(tmp_path)
    first, second = (track.path for track in plan_corpus(counts, seed=0))
    (tmp_path / first).unlink()
    half_written = (tmp_path / first).with_name(f".{Path(first).name}.{'0' * 32}.tmp")
    half_written.write_bytes(b"half")
    (tmp_path / second).write_bytes(b"retagged by its owner")
    assert write_corpus(tmp_path, counts, seconds=1.0).written == 1
    assert contents(tmp_path) == {**whole, second: b"retagged by its owner"}


def test_another_recipe_replaces_the_files_and_touches_no_others(tmp_path):
    counts = {"Techno": 2}
    corpus = tmp_path / "corpus"
    write_corpus(corpus, counts, seconds=1.0)
    own = corpus / "My Own/Record/01 Mine.mp3"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    outside = tmp_path / "outside.mp3"
    outside.write_bytes(b"outside")
    manifest = json.loads((corpus / MANIFEST).read_text(encoding="utf-8"))
    manifest["damaged"] += [{"path": "../outside.mp3"}, {"path": str(outside)}]
    (corpus / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")

    summary = write_corpus(corpus, {"Techno": 1}, seconds=1.5)

    assert summary.written == 2
    track, second = plan_corpus(counts, seed=0)
    assert soundfile.info(corpus / track.path).duration == pytest.approx(1.5)
    assert not (corpus / second.path).exists()
    assert (own.read_bytes(), outside.read_bytes()) == (b"mine", b"outside")


def test_a_strange_manifest_is_named(tmp_path):
    (tmp_path / MANIFEST).write_text("[]")
    with pytest.raises(UserError, match=MANIFEST):
        write_corpus(tmp_path, 1, seconds=1.0)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    place = tmp_path / "file"
    place.write_text("no folder")
    with pytest.raises(UserError, match="cannot be written"):
        write_corpus(place, 1, seconds=1.0)


def test_files_are_stereo_mp3_at_44100(small):
    for track in plan_corpus(2, seed=0):
        info = soundfile.info(small / track.path)
        assert (info.format, info.samplerate, info.channels) == ("MP3", 44_100, 2)
        assert info.frames == 44_100


def test_damaged_files_are_what_the_manifest_says(small):
    truth = json.loads((small / MANIFEST).read_text(encoding="utf-8"))
    files = {entry["mess"]: entry for entry in truth["damaged"]}
    content = {mess: (small / entry["path"]).read_bytes() for mess, entry in files.items()}
    assert content["duplicate"] == (small / files["duplicate"]["origin"]).read_bytes()
    whole = (small / files["truncated"]["origin"]).read_bytes()
    assert whole.startswith(content["truncated"]) and len(content["truncated"]) < len(whole) / 2
    assert content["empty"] == b""
    assert content["text"].decode("ascii")


@pytest.mark.parametrize("style", STYLES)
def test_music_is_neither_silent_nor_clipped_nor_off_centre(style):
    for number in range(3):
        rng = np.random.default_rng([number, len(style)])
        song = compose(STYLES[style], sound_of(rng), 4.0, rng)
        clip = mix(song)
        assert clip.shape == (4 * 44_100, 2)
        assert clip.dtype == np.float32
        assert np.isfinite(clip).all()
        assert np.abs(clip).max() <= PEAK
        assert 0.05 < clip.std() < 0.35
        assert np.abs(clip.mean(axis=0)).max() < 0.05 * clip.std()
        assert not np.array_equal(clip[:, 0], clip[:, 1])
        low, high = STYLES[style].tempo
        assert low <= song.tempo <= high


def test_tracks_of_an_artist_sound_more_alike_than_those_of_others():
    tracks = [t for t in plan_corpus(14, seed=0) if t.style == "House"]
    spectra = {t.number: log_spectrum(render_file(t, 4.0, seed=0)) for t in tracks}
    distances = {True: [], False: []}
    for a in tracks:
        for b in tracks:
            if a.number < b.number:
                distance = np.sqrt(np.mean((spectra[a.number] - spectra[b.number]) ** 2))
                distances[a.artist == b.artist].append(distance)
    assert np.mean(distances[True]) < np.mean(distances[False])


def log_spectrum(mp3: bytes) -> np.ndarray:
    samples, _ = soundfile.read(BytesIO(mp3))
    power = np.abs(np.fft.rfft(samples.mean(axis=1))[: 2 * 43_000]) ** 2
    bands = np.add.reduceat(power, np.unique(np.geomspace(100, 80_000, 24).astype(int)))
    level = np.log(bands + 1e-9)
    return level - level.mean()


def test_importing_the_corpus_is_light():
    code = (
        "import sys, genre_assets.demo.corpus; "
        "print(sorted({'soundfile', 'mutagen', 'scipy', 'librosa', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
