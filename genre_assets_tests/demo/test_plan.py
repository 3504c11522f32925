import csv
from collections import Counter

import pytest

from genre_assets.demo.artists import ARTISTS
from genre_assets.demo.plan import MESS_OF_TRACK, plan_corpus, plan_damaged
from genre_assets.demo.styles import STYLES
from genre_assets.reference import reference_path

FULL = plan_corpus(22, seed=0)


def test_styles_are_titles_of_the_taxonomy():
    with reference_path("fma_genres.csv").open(newline="", encoding="utf-8") as file:
        titles = {row["title"] for row in csv.DictReader(file)}
    assert set(STYLES) == set(ARTISTS)
    assert set(STYLES) <= titles
    assert {name for style in STYLES.values() for name in style.neighbours} <= set(STYLES)


def test_every_style_has_enough_tracks_by_enough_artists():
    for style in STYLES:
        tracks = [track for track in FULL if track.style == style]
        usable = [track for track in tracks if track.tags and style in track.tags.genres]
        assert len(tracks) == 22
        assert len({track.artist for track in tracks}) == 7
        assert len(usable) >= 14


def test_no_two_files_share_a_path_and_none_leaves_the_folder():
    paths = [file.path for file in [*FULL, *plan_damaged(FULL)]]
    assert len({path.casefold() for path in paths}) == len(paths)
    for path in paths:
        parts = path.split("/")
        assert len(parts) == 3
        assert all(part.strip(" ") == part and part.strip(".") for part in parts)
        assert not set(path) & set('\\:*?"<>|')


def test_no_two_artists_share_a_name_or_an_album():
    artists = [artist for artists in ARTISTS.values() for artist in artists]
    albums = [album for artist in artists for album in artist.albums]
    assert max(Counter(artist.name for artist in artists).values()) == 1
    assert max(Counter(albums).values()) == 1


def test_a_larger_corpus_holds_the_smaller_one():
    assert set(plan_corpus(9, seed=3)) <= set(plan_corpus(30, seed=3))


def test_planned_mess_all_occurs_in_the_full_corpus():
    assert {track.mess for track in FULL} == {"clean", *MESS_OF_TRACK.values()}


def test_other_spellings_of_an_artist_really_differ():
    messy = [t for t in FULL if t.mess in ("artist_spelling", "artist_folder_spelling")]
    assert messy
    assert all(t.tags and t.tags.artist != t.artist for t in messy)
    folders = [t for t in messy if t.mess == "artist_folder_spelling"]
    assert all(t.path.partition("/")[0] != t.artist for t in folders)


def test_mojibake_is_utf8_read_as_latin_1():
    garbled = [t.tags for t in FULL if t.mess == "mojibake" and t.tags]
    assert garbled
    for tags in garbled:
        assert not tags.title.isascii()
        tags.title.encode("latin-1").decode("utf-8")


def test_styles_may_have_their_own_numbers_of_tracks():
    tracks = plan_corpus({"House": 3, "Dubstep": 1}, seed=0)
    assert [track.style for track in tracks] == ["House"] * 3 + ["Dubstep"]


@pytest.mark.parametrize("counts", [{"Polka": 3}, {"House": -1}])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match=r"Polka|House"):
        plan_corpus(counts, seed=0)
