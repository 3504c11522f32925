import io
import re
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutagen.apev2 import APEv2
from mutagen.id3 import COMM, ID3, TCON, TDRC, TDRL, TENC, TIT2, TPE1, TSSE

from genre_assets.audio.status import Status
from genre_assets.lake.schemas import ID3_TAGS
from genre_assets.tags import reading
from genre_assets.tags.fields import MAX_TEXT, MAX_VALUES
from genre_assets.tags.reading import read_tags
from genre_assets_tests.tags.kinds import HEADS, id3_of, tag, write_encoded, write_kind

TAGGED = (
    *("mp3", "mp2", "aac", "tta", "ape", "mpc", "wv", "wav", "dsf", "m4a", "m4b", "wma", "flac"),
    *("ogg", "opus", "oga", "spx"),
)
VALUES = {
    "title": ["Title"],
    "artist": ["One", "Two"],
    "album": ["Album"],
    "genre": ["Rock"],
    "date": ["2012/02/04"],
    "track": ["3"],
    "bpm": ["128"],
}
REASON = re.compile(
    r"The [\w.]+( and [\w.]+)* tags of \S+ are cut off or damaged(; what can be read is recorded)?"
    r"\.|\S+ carries no tags\."
)


@pytest.fixture(scope="module")
def untagged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    return {kind: write_kind(folder / f"clip.{kind}").read_bytes() for kind in TAGGED}


@pytest.fixture
def clip(untagged, tmp_path):
    def copy(kind):
        path = tmp_path / f"clip.{kind}"
        path.write_bytes(untagged[kind])
        return path

    return copy


def said(tags):
    return tags.title, tags.artists, tags.album, tags.genres, tags.year, tags.track_number, tags.bpm


@pytest.mark.parametrize("kind", TAGGED)
def test_the_tags_of_every_kind_of_file_are_read(clip, kind):
    path = clip(kind)
    tag(path, VALUES)
    tags = read_tags(path)
    assert said(tags) == ("Title", ("One", "Two"), "Album", ("Rock",), 2012, 3, 128.0)
    assert (tags.artist, tags.status, tags.reason) == ("One; Two", Status.OK, None)


@pytest.mark.parametrize("kind", ["mka", "webm"])
def test_tags_that_mutagen_does_not_read(tmp_path, kind):
    path = tmp_path / f"clip.{kind}"
    write_kind(path, {name: texts[0] for name, texts in VALUES.items()})
    tags = read_tags(path)
    assert said(tags) == ("Title", ("One",), "Album", ("Rock",), 2012, 3, 128.0)
    assert (tags.tag_version, tags.status) == ("Matroska", Status.OK)


def test_a_wave64_file_without_tags(tmp_path):
    path = write_kind(tmp_path / "clip.w64")
    assert read_tags(path).reason == f"{path} carries no tags."


def test_the_kind_of_a_file_is_not_taken_from_its_name(clip):
    path = clip("flac")
    tag(path, VALUES)
    named = path.rename(path.with_suffix(".mp3"))
    assert said(read_tags(named))[0] == "Title"


@pytest.mark.parametrize("ending", ["flac", "mp3", "ogg", "wav", "m4a", "ape", "wma", "mka"])
def test_a_text_with_the_ending_of_music_carries_no_tags(tmp_path, ending):
    path = tmp_path / f"text.{ending}"
    path.write_text("This is a text, 'with' a \" in it. " * 20)
    tags = read_tags(path)
    assert (tags.status, tags.reason) == (Status.NO_TAGS, f"{path} carries no tags.")


def test_unknown_flags_of_id3_are_no_text_of_a_library(clip):
    path = clip("mp3")
    path.write_bytes(b"ID3\4\0\x0f\0\0\0\x0a" + bytes(10) + path.read_bytes())
    tags = read_tags(path)
    assert tags.reason == f"The ID3v2 tags of {path} are cut off or damaged."
    assert tags.bitrate


def test_gaps_are_filled_from_apev2_and_then_from_id3v1(clip):
    path = clip("mp3")
    content = path.read_bytes()
    ape = APEv2()
    ape.update({"Artist": "Artist in full", "Genre": "Dub", "Album": "Album"})
    ape.save(path)
    v1 = struct.pack("3s30s30s30s4s30sB", b"TAG", b"Title", b"Arti", b"Al", b"1987", b"", 17)
    content = path.read_bytes() + v1
    front = io.BytesIO()
    tags = ID3()
    tags.add(TSSE(text="LAME"))
    tags.add(TCON(text="(255)"))
    tags.save(front)
    path.write_bytes(front.getvalue() + content)
    found = read_tags(path)
    assert found.tag_version == "ID3v2.4 + APEv2 + ID3v1.1"
    assert said(found)[:5] == ("Title", ("Artist in full",), "Album", ("Dub",), 1987)
    assert (found.encoder, found.status) == ("LAME", Status.OK)


def test_a_flac_file_with_id3_in_front(clip):
    path = clip("flac")
    tag(path, {"title": ["Of its own"]})
    front = io.BytesIO()
    id3_of({"title": ["In front"], "artist": ["One"]}).save(front)
    path.write_bytes(front.getvalue() + front.getvalue() + path.read_bytes())
    assert said(read_tags(path))[:2] == ("Of its own", ("One",))


def test_damage_to_what_a_flac_file_says_of_its_audio_loses_no_tags(clip):
    path = clip("flac")
    tag(path, VALUES)
    content = bytearray(path.read_bytes())
    content[18:21] = bytes(3)
    path.write_bytes(content)
    tags = read_tags(path)
    assert (tags.title, tags.status) == ("Title", Status.OK)


@pytest.mark.parametrize("kind", ["wav", "m4a", "ogg", "tta"])
def test_id3_in_front_of_any_kind_of_file_hides_nothing(clip, kind):
    path = clip(kind)
    tag(path, {"title": ["Of its own"]} if kind != "tta" else {"artist": ["One"]})
    front = io.BytesIO()
    id3_of({"title": ["In front"], "album": ["Album"]}).save(front)
    path.write_bytes(front.getvalue() + path.read_bytes())
    tags = read_tags(path)
    assert tags.title == ("In front" if kind == "tta" else "Of its own")
    assert (tags.album, tags.status) == ("Album", Status.OK)
    assert tags.artist == ("One" if kind == "tta" else None)


def test_damage_to_one_block_loses_no_other(clip):
    path = clip("mp3")
    ape = APEv2()
    ape.update({"Artist": "One"})
    ape.save(path)
    path.write_bytes(b"ID3\4\0\x0f\0\0\0\x0a" + bytes(10) + path.read_bytes())
    tags = read_tags(path)
    assert (tags.artist, tags.status) == ("One", Status.BAD_TAGS)
    assert tags.reason == (
        f"The ID3v2 tags of {path} are cut off or damaged; what can be read is recorded."
    )


def test_what_is_there_of_cut_off_id3_is_read(clip):
    path = clip("mp3")
    tags = id3_of({"title": ["Title"], "artist": ["One"]})
    tags.add(COMM(text="x" * 5000))
    tags.save(path)
    path.write_bytes(path.read_bytes()[:3000])
    found = read_tags(path)
    assert (found.title, found.artist, found.status) == ("Title", "One", Status.BAD_TAGS)


def test_the_next_frame_is_tried_for_a_year_that_is_none(clip):
    path = clip("mp3")
    tags = ID3()
    tags.add(TDRC(text="12"))
    tags.add(TDRL(text="2004-05-06"))
    tags.save(path)
    assert read_tags(path).year == 2004


@pytest.mark.parametrize("name", [b"TDRC", b"TYER"])
@pytest.mark.parametrize(
    ("text", "year"), [(b"2012/02/04", 2012), (b"20050312", 2005), (b"c. 1975", 1975)]
)
def test_dates_in_other_forms_than_that_of_id3(clip, name, text, year):
    path = clip("mp3")
    frame = name + (len(text) + 1).to_bytes(4, "big") + b"\0\0\0" + text
    version = 3 if name == b"TYER" else 4
    head = b"ID3" + bytes([version, 0, 0, 0, 0, 0, len(frame)])
    path.write_bytes(head + frame + path.read_bytes())
    assert read_tags(path).year == year


def test_names_in_the_wrong_encoding_are_put_right(clip):
    path = clip("mp3")
    tags = ID3()
    tags.add(TPE1(encoding=0, text="Björn".encode().decode("latin-1")))
    tags.add(TIT2(encoding=0, text="It\x92s"))
    tags.save(path)
    found = read_tags(path)
    assert (found.artist, found.title) == ("Björn", "It’s")  # noqa: RUF001


def test_remarks_between_programs_are_no_comment(clip):
    path = clip("mp3")
    tags = ID3()
    tags.add(COMM(lang="eng", desc="iTunNORM", text="0000 0000"))
    tags.add(COMM(lang="eng", desc="", text="Nice"))
    tags.add(TENC(text="someone"))
    tags.save(path)
    assert read_tags(path).comment == "Nice"


def fits_the_lake(tags):
    row = reading._row({"track_id": "folder:1", "sha256": "abc"}, tags)
    assert ID3_TAGS.of_rows([row]).num_rows == 1
    assert (tags.reason is None) == (tags.status is Status.OK)
    assert tags.reason is None or REASON.fullmatch(tags.reason)
    for text in (tags.title, tags.artist, tags.album, tags.comment, tags.encoder):
        assert text is None or 0 < len(text.encode().decode()) <= MAX_TEXT
    for texts in (tags.artists, tags.genres):
        assert texts is None or 0 < len(texts) <= MAX_VALUES
    assert tags.year is None or 1000 <= tags.year <= 2999
    assert tags.bpm is None or 0 < tags.bpm < 10_000
    assert tags.track_number is None or 0 < tags.track_number < 100_000


WILD = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [
            *("x" * 1_000_000, "a\0b\0", "\u202egnorw\u2066", "\ufeff\x85\x9b31m", "BjÃ¶rn"),
            *("-1", "1e400", "NaN", "99999999999", "2012/02/04", "20050312", "0000", "(17)(RX)"),
        ]
    ),
)


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(TAGGED),
    values=st.dictionaries(
        st.sampled_from(["title", "artist", "album", "genre", "date"]),
        st.lists(WILD, min_size=1, max_size=3),
        min_size=1,
    ),
)
def test_wild_values_are_cleaned_and_stop_nothing(untagged, tmp_path_factory, kind, values):
    path = tmp_path_factory.getbasetemp() / f"wild.{kind}"
    path.write_bytes(untagged[kind])
    tag(path, values)
    tags = read_tags(path)
    assert tags.status in (Status.OK, Status.NO_TAGS)
    fits_the_lake(tags)


def test_ten_thousand_genres(clip):
    path = clip("flac")
    tag(path, {"genre": [f"Genre {n}" for n in range(10_000)]})
    assert len(read_tags(path).genres) == MAX_VALUES


MAGIC = [
    *HEADS.values(),
    *(b"", b"fLaC", b"OggS", b"\0\0\0\x20ftypM4A ", b"RIFF\xff\0\0\0WAVE", b"RF64\0\0\0\0WAVE"),
    *(b"FORM\0\0\1\0AIFF", b"\x1a\x45\xdf\xa3", b"FRM8", b"TTA1", b"wvpk", b"MPCK", b"APETAGEX"),
    *(b"\xff\xfb\x90\x00", b"\xff\xf1", b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb"),
    *(bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), b"ID3\4\0\0\0\0\1\0TPE1\0\0\0\x20\0\0\1"),
    *(b"ID3\3\0\0\0\0\1\0TIT2\0\0\0\x20\0\0\1\xff\xfe\0\xd8", b"OggS" + bytes(24) + b"\x01vorbis"),
]


@settings(max_examples=200)
@given(head=st.sampled_from(MAGIC), body=st.binary(max_size=300), tail=st.binary(max_size=64))
def test_any_bytes_end_in_tags_or_a_named_failure(tmp_path_factory, head, body, tail):
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(head + body + b"TAG" * (len(tail) % 2) + tail + b"\n")
    tags = read_tags(path)
    assert tags.status in (Status.OK, Status.NO_TAGS, Status.BAD_TAGS)
    fits_the_lake(tags)


@settings(max_examples=100)
@given(kind=st.sampled_from([*TAGGED, "mka"]), data=st.data())
def test_a_damaged_file_ends_in_tags_or_a_named_failure(
    untagged, tmp_path_factory, kind, data, matroska
):
    path = tmp_path_factory.getbasetemp() / f"damaged.{kind}"
    path.write_bytes(matroska if kind == "mka" else untagged[kind])
    if kind != "mka":
        tag(path, VALUES)
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, min(len(content), 600) - 1), max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    tags = read_tags(path)
    assert tags.status in (Status.OK, Status.NO_TAGS, Status.BAD_TAGS)
    fits_the_lake(tags)


@pytest.fixture(scope="module")
def matroska(tmp_path_factory):
    path = tmp_path_factory.mktemp("matroska") / "clip.mka"
    write_encoded(path, "matroska", "flac", {"title": "Title"})
    return path.read_bytes()
