import struct

import mutagen
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutagen.apev2 import APEv2
from mutagen.flac import FLAC
from mutagen.id3 import ID3, TALB, TBPM, TCON, TDRC, TENC, TIT2, TPE1, TSSE
from mutagen.mp4 import MP4
from mutagen.oggvorbis import OggVorbis

from genre_assets.audio.status import Status
from genre_assets.audio.workers import WorkerPool
from genre_assets.lake.schemas import AUDIO, ID3_TAGS, TRACKS
from genre_assets.lake.tables import Lake, write_parquet
from genre_assets.tags import reading as module
from genre_assets.tags.fields import MAX_TEXT
from genre_assets.tags.probing import probe_shard
from genre_assets.tags.reading import READER_VERSION, read_tags, read_tags_of_shard
from genre_assets_tests.audio.clips import write, write_m4a


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for suffix in ("mp3", "flac", "ogg", "wav", "aiff"):
        write(folder / f"clip.{suffix}", 0.2)
    write_m4a(folder / "clip.m4a", 0.2)
    return folder


@pytest.fixture
def clip(clips, tmp_path):
    def copy(suffix):
        path = tmp_path / f"clip.{suffix}"
        path.write_bytes((clips / path.name).read_bytes())
        return path

    return copy


def said(tags):
    return tags.title, tags.artist, tags.album, tags.genres, tags.year, tags.bpm, tags.encoder


def id3_v1(title, artist, year, genre):
    text = [field.encode("latin1") for field in (title, artist, "Album", year)]
    return struct.pack("3s30s30s30s4s28sBBB", b"TAG", *text, b"", 0, 7, genre)


def id3_v22(**frames):
    body = b"".join(
        name.encode() + (len(text) + 1).to_bytes(3, "big") + b"\0" + text
        for name, text in frames.items()
    )
    return b"ID3\2\0\0" + bytes([0, 0, len(body) >> 7, len(body) & 127]) + body


def test_real_clips_say_what_their_tags_hold(real_data):
    folder = real_data / "fma" / "fma_medium" / "000"
    tags = read_tags(folder / "000002.mp3")
    assert tags.tag_version == "ID3v2.4"
    assert said(tags)[:5] == ("Food", "AWOL", "AWOL - A Way Of Life", ("Hip-Hop",), 2008)
    assert (tags.bitrate, tags.encoder, tags.status) == (256_000, "Lavf57.63.100", Status.OK)
    assert read_tags(folder / "000190.mp3").artist == "Askew Ed"
    assert read_tags(folder / "000633.mp3").artist == "El Jesus De Mágico"


@pytest.mark.parametrize("version", [3, 4])
def test_id3v2_with_all_fields(clip, version):
    path = clip("mp3")
    tags = ID3()
    for frame in (
        TIT2(text=" Title\0"),
        TPE1(text=["One", "Two"]),
        TALB(text="Album"),
        TDRC(text="1999-03-02"),
        TBPM(text="128"),
        TSSE(text="LAME 3.100"),
        TENC(text="someone"),
    ):
        tags.add(frame)
    tags.add(TCON(text="(17)(18)Very Hard"))
    if version == 3:
        tags.update_to_v23()
    tags.save(path, v2_version=version, v23_sep=None)
    found = read_tags(path)
    assert found.tag_version == f"ID3v2.{version}"
    assert said(found) == (
        "Title",
        "One; Two",
        "Album",
        ("Rock", "Techno", "Very Hard"),
        1999,
        128.0,
        "LAME 3.100",
    )
    assert found.bitrate > 0


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["(17)"], ("Rock",)),
        (["17"], ("Rock",)),
        (["(17)Rock"], ("Rock",)),
        (["(4)Eurodisco"], ("Disco", "Eurodisco")),
        (["17", "Dub", "17"], ("Rock", "Dub")),
        (["(RX)", "CR"], ("Remix", "Cover")),
        (["((Weird)"], ("(Weird)",)),
        (["Hip-Hop/Rap"], ("Hip-Hop/Rap",)),
        (["255", "(254)", " "], None),
    ],
)
def test_genres_are_spelled_out(clip, texts, expected):
    path = clip("mp3")
    tags = ID3()
    tags.add(TCON(encoding=3, text=texts))
    tags.add(TIT2(text="Title"))
    tags.save(path)
    assert read_tags(path).genres == expected


def test_id3v22(clip):
    path = clip("mp3")
    header = id3_v22(TT2=b"Title", TP1=b"Artist", TCO=b"(17)", TYE=b"1987")
    path.write_bytes(header + path.read_bytes())
    tags = read_tags(path)
    assert tags.tag_version == "ID3v2.2"
    assert said(tags)[:5] == ("Title", "Artist", None, ("Rock",), 1987)


def test_id3v1_alone(clip):
    path = clip("mp3")
    path.write_bytes(path.read_bytes() + id3_v1("Title", "Artist", "1987", 17))
    tags = read_tags(path)
    assert tags.tag_version == "ID3v1.1"
    assert said(tags)[:5] == ("Title", "Artist", "Album", ("Rock",), 1987)


def test_id3v1_without_any_audio(tmp_path):
    path = tmp_path / "tags only.mp3"
    path.write_bytes(bytes(500) + id3_v1("Title", "Artist", "0000", 255))
    tags = read_tags(path)
    assert (tags.status, tags.bitrate) == (Status.OK, None)
    assert said(tags)[:5] == ("Title", "Artist", "Album", None, None)


def test_mp4(clip):
    path = clip("m4a")
    file = MP4(path)
    file["\xa9nam"] = ["Title"]
    file["\xa9gen"] = ["Hip-Hop/Rap", "(17)"]
    file["\xa9day"] = ["2011-04-05T07:00:00Z"]
    file["tmpo"] = [128]
    file["\xa9too"] = ["iTunes 10.5"]
    file.save()
    tags = read_tags(path)
    assert tags.tag_version == "MP4"
    assert said(tags) == (
        "Title",
        None,
        None,
        ("Hip-Hop/Rap", "Rock"),
        2011,
        128.0,
        "iTunes 10.5",
    )


@pytest.mark.parametrize(("suffix", "kind"), [("flac", FLAC), ("ogg", OggVorbis)])
def test_vorbis_comments(clip, suffix, kind):
    path = clip(suffix)
    file = kind(path)
    file["TITLE"] = "Title"
    file["genre"] = ["Dub", "Reggae", "dub "]
    file["date"] = "c. 1975"
    file["bpm"] = "128,5 bpm"
    file.save()
    tags = read_tags(path)
    assert tags.tag_version == "Vorbis"
    assert said(tags)[:1] + said(tags)[3:6] == ("Title", ("Dub", "Reggae", "dub"), 1975, 128.5)
    assert tags.encoder


@pytest.mark.parametrize("suffix", ["wav", "aiff"])
def test_id3_in_wave_and_aiff(clip, suffix):
    path = clip(suffix)
    file = mutagen.File(path)
    file.add_tags()
    file.tags.add(TIT2(text="Title"))
    file.save()
    tags = read_tags(path)
    assert (tags.tag_version, tags.title) == ("ID3v2.4", "Title")


def test_apev2_on_mp3(clip):
    path = clip("mp3")
    tags = APEv2()
    tags.update({"Title": "Title", "Artist": ["One", "Two"], "Genre": "(17)", "Year": "1999"})
    tags["BPM"] = "fast"
    tags.save(path)
    found = read_tags(path)
    assert found.tag_version == "APEv2"
    assert said(found)[:6] == ("Title", "One; Two", None, ("Rock",), 1999, None)


def test_wild_text_becomes_plain_text_and_the_file_stays_as_it_is(clip):
    path = clip("mp3")
    tags = ID3()
    tags.add(TIT2(encoding=3, text="a\nb\x00\x07c"))
    tags.add(TALB(encoding=1, text="x" * 100_000))
    tags.save(path)
    raw = path.read_bytes()
    found = read_tags(path)
    assert found.title == "a b; c"
    assert found.album == "x" * MAX_TEXT
    assert raw == path.read_bytes()


def test_no_tags_and_no_file_are_said(clip, tmp_path):
    path = clip("mp3")
    tags = read_tags(path)
    assert (tags.status, tags.reason) == (Status.NO_TAGS, f"{path} carries no tags.")
    assert tags.bitrate > 0
    assert read_tags(tmp_path / "none.mp3").status is Status.MISSING


def test_cut_off_tags_are_bad_tags(clip):
    path = clip("mp3")
    path.write_bytes(b"ID3\4\0\0\0\0\1\0TIT2")
    found = read_tags(path)
    assert found.status is Status.BAD_TAGS
    assert found.reason == f"The ID3v2 tags of {path} are cut off or damaged."


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_ends_in_tags_that_the_lake_takes(clips, tmp_path_factory, data):
    suffix = data.draw(st.sampled_from(["mp3", "flac", "ogg", "m4a", "wav", "aiff"]))
    content = bytearray((clips / f"clip.{suffix}").read_bytes())
    head = data.draw(st.sampled_from([b"", id3_v22(TT2=b"Title", TCO=b"(17)Rock", TBP=b"12")]))
    tail = data.draw(st.sampled_from([b"", id3_v1("Title", "Artist", "1987", 17)]))
    content = bytearray(head) + content + tail
    for place in data.draw(st.lists(st.integers(0, 400), max_size=8)):
        content[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / f"damaged.{suffix}"
    path.write_bytes(content)
    tags = read_tags(path)
    assert tags.status in (Status.OK, Status.NO_TAGS, Status.BAD_TAGS)
    assert (tags.reason is None) == (tags.status is Status.OK)
    row = module._row({"track_id": "folder:1", "sha256": "abc"}, tags)
    assert ID3_TAGS.of_rows([row]).num_rows == 1


def audio_of(*paths):
    rows = [
        {
            "track_id": f"folder:{path.name}",
            "path": str(path),
            "file_bytes": path.stat().st_size if path.exists() else None,
            "file_mtime_ns": path.stat().st_mtime_ns if path.exists() else None,
        }
        for path in paths
    ]
    with WorkerPool(2) as workers:
        return probe_shard(TRACKS.of_rows(rows), AUDIO.empty(), workers)


def shard(audio, previous=None):
    with WorkerPool(2) as workers:
        rows = read_tags_of_shard(
            audio, ID3_TAGS.empty() if previous is None else previous, workers
        )
    assert rows.schema == ID3_TAGS.schema
    assert rows["track_id"].to_pylist() == sorted(audio["track_id"].to_pylist())
    assert rows["sha256"].to_pylist() == audio["sha256"].to_pylist()
    return rows


def unreachable(path):
    raise AssertionError(f"{path} should not be read")


def test_every_bad_file_ends_with_tags_or_a_named_failure(real_data):
    files = [p for p in sorted((real_data / "bad_audio").iterdir()) if p.suffix != ".csv"]
    rows = {row["track_id"]: row for row in shard(audio_of(*files)).to_pylist()}
    assert len(rows) == 71
    for row in rows.values():
        assert row["status"] in ("ok", "no_tags", "bad_tags"), row
        assert (row["reason"] is None) == (row["status"] == "ok"), row
    # Their audio is damaged, their tags are not.
    assert rows["folder:tinytag__test.m4a"]["artist"] == "Marian"
    assert rows["folder:taglib__extended-header.mp3"]["genres"] == ["Folk/Power Metal"]
    assert rows["folder:lofty__gnre.m4a"]["genres"] == ["Ska"]


def test_a_missing_file_keeps_the_reason_of_its_audio(tmp_path):
    audio = audio_of(tmp_path / "none.mp3")
    [row] = shard(audio).to_pylist()
    assert row["status"] == "missing"
    assert row["reason"] == audio["reason"][0].as_py()


def test_known_content_is_not_read_again_wherever_it_lies(clip, tmp_path, monkeypatch):
    path = clip("ogg")
    before = shard(audio_of(path))
    copy = tmp_path / "copy.ogg"
    copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(module, "read_tags", unreachable)
    monkeypatch.setattr(module, "_read_item", unreachable)
    rows = shard(audio_of(path, copy), before).to_pylist()
    assert rows[0] | {"track_id": "folder:copy.ogg"} == rows[1] | {"track_id": "folder:copy.ogg"}


def test_another_version_and_a_dead_worker_are_read_again(clip):
    audio = audio_of(clip("ogg"))
    good = shard(audio).to_pylist()[0]
    stale = [
        good | {"reader_version": READER_VERSION - 1, "title": "stale"},
        good | {"status": "worker_died", "reason": "It died.", "title": "stale"},
    ]
    for row in stale:
        assert shard(audio, ID3_TAGS.of_rows([row])).to_pylist() == [good]


def test_rows_that_an_older_version_wrote_are_read_again(clip, tmp_path):
    path = clip("ogg")
    file = OggVorbis(path)
    file["artist"] = ["Alice", "Bob"]
    file.save()
    audio = audio_of(path)
    good = shard(audio)
    older = good.drop_columns(["artists", "track_number", "comment"])
    version = older.schema.get_field_index("reader_version")
    older = older.set_column(version, "reader_version", pa.array([1], pa.int64()))
    lake = Lake(tmp_path / "lake")
    write_parquet(older, lake.root / "id3_tags" / "shard=folder_00" / f"{1:020d}.parquet")
    previous = lake.read(ID3_TAGS, ["folder_00"])
    assert previous.select(["artist", "artists"]).to_pylist() == [
        {"artist": "Alice; Bob", "artists": None}
    ]
    assert module.needs(audio, previous).to_pylist() == ["other version"]
    assert shard(audio, previous).to_pylist() == good.to_pylist()
