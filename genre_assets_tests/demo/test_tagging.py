from dataclasses import replace
from io import BytesIO

import pytest
from mutagen.id3 import ID3, ParseID3v1
from mutagen.mp3 import MP3

from genre_assets.demo.corpus import render_file
from genre_assets.demo.plan import plan_corpus
from genre_assets.labels.synthetic import SYNTHETIC_ENCODER

TRACKS = plan_corpus(22, seed=0)


def with_mess(mess):
    track = next(track for track in TRACKS if track.mess == mess)
    content = render_file(track, 1.0, seed=0)
    return track, content, MP3(BytesIO(content)).tags


@pytest.mark.parametrize("mess", sorted({track.mess for track in TRACKS} - {"no_tags"}))
def test_tags_of_every_kind_carry_the_synthetic_mark(mess):
    _, _, tags = with_mess(mess)
    assert tags["TSSE"].text == [SYNTHETIC_ENCODER]


def test_tags_say_what_is_planned():
    track = next(t for t in TRACKS if t.artist == "静かな灯台" and t.mess == "clean")
    for version, number in (("ID3v2.3", (2, 3, 0)), ("ID3v2.4", (2, 4, 0))):
        assert track.tags
        planned = replace(track, tags=replace(track.tags, version=version))
        tags = ID3(BytesIO(render_file(planned, 1.0, seed=0)))
        assert tags.version == number
        assert tags["TPE1"].text == ["静かな灯台"]
        assert tags["TIT2"].text == [track.tags.title]
        assert tags["TCON"].text == ["Indie-Rock"]
        assert tags["TDRC"].text[0].year == track.tags.year
        assert 92 <= int(tags["TBPM"].text[0]) <= 158


def test_numeric_genres_are_written_as_numbers():
    _, content, tags = with_mess("numeric_genre")
    assert b"(18)" in content
    assert tags["TCON"].genres == ["Techno"]


def test_several_genres_are_several_texts():
    _, _, tags = with_mess("several_genres")
    assert tags["TCON"].text == ["Techno", "Electronic"]


def test_id3v1_holds_all_but_the_mark():
    track, content, _ = with_mess("id3v1")
    old = ParseID3v1(content[-128:])
    assert old and track.tags
    assert old["TPE1"].text == [track.tags.artist]
    assert old["TCON"].genres == ["Techno"]
    assert list(ID3(BytesIO(content), load_v1=False)) == ["TSSE"]


def test_a_title_may_be_blank_and_a_genre_missing():
    _, _, blank = with_mess("blank_title")
    _, _, without = with_mess("no_genre")
    assert blank["TIT2"].text == [" "]
    assert "TCON" not in without


def test_a_file_may_have_no_tags():
    _, content, tags = with_mess("no_tags")
    assert tags is None
    assert content[:3] != b"ID3" and content[-128:-125] != b"TAG"
