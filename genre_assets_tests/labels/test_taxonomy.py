import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_assets.labels.taxonomy import Taxonomy, load_taxonomy
from genre_assets.tags.fields import MAX_TEXT


def titled(taxonomy, title):
    (genre,) = [genre for genre in taxonomy.genres if genre.title == title]
    return genre


def titles(spelling: str) -> list[str]:
    return [genre.title for genre in load_taxonomy().resolve(spelling)]


def test_the_reference_holds_the_datasets_genres(real_data):
    taxonomy = load_taxonomy()
    with (real_data / "fma" / "fma_metadata" / "genres.csv").open(newline="") as file:
        published = list(csv.DictReader(file))
    assert len(taxonomy.genres) == len(published) == 163
    for row in published:
        genre = taxonomy.of_id(int(row["genre_id"]))
        assert genre is not None
        assert genre.title == row["title"]
        assert (genre.parent_id or 0) == int(row["parent"])
        assert taxonomy.top(genre).id == int(row["top_level"])


def test_the_reference_names_the_top_genre_of_each_row():
    from genre_assets.reference import reference_path

    taxonomy = load_taxonomy()
    with reference_path("fma_genres.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            genre = titled(taxonomy, row["title"])
            assert genre is not None
            assert taxonomy.top(genre).title == row["top_title"]


def test_sixteen_genres_are_top_genres():
    assert sum(genre.depth == 0 for genre in load_taxonomy().genres) == 16


def test_ancestors_lead_from_the_parent_to_the_top():
    taxonomy = load_taxonomy()
    skweee, electronic = titled(taxonomy, "Skweee"), titled(taxonomy, "Electronic")
    assert skweee and electronic
    assert [genre.title for genre in taxonomy.ancestors(skweee)] == ["Dubstep", "Electronic"]
    assert skweee.depth == 2
    assert taxonomy.top(electronic) == electronic
    assert taxonomy.ancestors(electronic) == []


@pytest.mark.parametrize(
    ("style", "top"),
    [
        ("Techno", "Electronic"),
        ("House", "Electronic"),
        ("Indie-Rock", "Rock"),
        ("Garage", "Rock"),
        ("Dubstep", "Electronic"),
        ("Drum & Bass", "Electronic"),
    ],
)
def test_the_six_styles_are_subgenres(style, top):
    taxonomy = load_taxonomy()
    genre = titled(taxonomy, style)
    assert genre is not None
    assert genre.depth > 0
    assert taxonomy.top(genre).title == top


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("rock", ["Rock"]),
        ("hip hop", ["Hip-Hop"]),
        ("HipHop", ["Hip-Hop"]),
        ("Hip-Hop/Rap", ["Hip-Hop"]),
        ("Rap/Hip Hop", ["Hip-Hop"]),
        ("Rap", ["Rap"]),
        ("R&B", ["Soul-RnB"]),
        ("R&amp;B", ["Soul-RnB"]),
        ("Rock & Roll", ["Rock"]),
        ("Rock n Roll", ["Rock"]),
        ("Classic Rock", ["Rock"]),
        ("Punk Rock", ["Punk"]),
        ("DnB", ["Drum & Bass"]),
        ("D&B", ["Drum & Bass"]),
        ("Drum'n'Bass", ["Drum & Bass"]),
        ("Drum And Bass", ["Drum & Bass"]),
        ("Electronica", ["Electronic"]),
        ("Électronique", ["Electronic"]),
        ("World", ["International"]),
        ("Alternative", ["Rock"]),
        ("Indie", ["Indie-Rock"]),
        ("UK Garage", ["Electronic"]),
        ("Folk/Rock", ["Folk", "Rock"]),
    ],
)
def test_usual_spellings(spelling, expected):
    assert titles(spelling) == expected


@pytest.mark.parametrize(
    ("slug", "title"),
    [
        ("Techno", "Techno"),
        ("House", "House"),
        ("Indie-Rock", "Indie-Rock"),
        ("Garage", "Garage"),
        ("Dubstep", "Dubstep"),
        ("Drum_amp_Bass", "Drum & Bass"),
        ("Hip-Hop", "Hip-Hop"),
        ("hiphop", "Hip-Hop"),
        ("Lo-fi", "Lo-Fi"),
        ("Lo-fi Rock", "Lo-Fi"),
        ("Old-Time__Historic", "Old-Time / Historic"),
        ("Historic", "Old-Time / Historic"),
        ("breakbeat", "Breakbeat"),
        ("Breakcore_-_Hard", "Breakcore - Hard"),
        ("Asia-Far_East", "Asia-Far East"),
        ("Asia", "Asia-Far East"),
    ],
)
def test_slugs_and_names_of_the_site(slug, title):
    assert titles(slug) == [title]


def test_names_and_slugs_of_a_real_listing_are_all_known_and_agree(real_data):
    import json

    rows = json.loads((real_data / "fma_site" / "listing_breakcore_hard.json").read_text())
    taxonomy = load_taxonomy()
    pairs = {(name, url.rstrip("/").split("/")[-1]) for row in rows for name, url in row["genres"]}
    assert len(pairs) > 100
    for name, slug in pairs:
        assert taxonomy.read(name).unknown == ()
        assert taxonomy.read(name) == taxonomy.read(slug), (name, slug)


@pytest.mark.parametrize(
    ("spelling", "expected", "unknown"),
    [
        ("(17)Rock", ["Rock"], []),
        ("(17)", ["Rock"], []),
        ("17", ["Rock"], []),
        ("(17)(80)", ["Rock", "Folk"], []),
        ("(4)Eurodisco", ["Disco"], ["Eurodisco"]),
        ("(12)Rock", ["Rock"], []),
        ("Rock;Folk", ["Rock", "Folk"], []),
        ("Rock\x00Folk", ["Rock", "Folk"], []),
        ("Rock, rock / ROCK", ["Rock"], []),
        ("Rock: Punk", ["Rock", "Punk"], []),
        ("Electronic > House", ["Electronic", "House"], []),
        ("Folk & Country", ["Folk", "Country"], []),
        ("Rock & Sturm", [], ["Rock & Sturm"]),
        ("Rock / Zeuhl", ["Rock"], ["Zeuhl"]),
        ("Rock, Jazz/Zeuhl/Gnawa", ["Rock", "Jazz"], ["Zeuhl", "Gnawa"]),
        ("AC/DC", [], ["AC/DC"]),
        ("Old-Time / Historic", ["Old-Time / Historic"], []),
        ("Jazz: Vocal", ["Jazz: Vocal"], []),
        ("Loud", [], ["Loud"]),
        ("999", [], ["999"]),
    ],
)
def test_taking_a_spelling_apart(spelling, expected, unknown):
    reading = load_taxonomy().read(spelling)
    assert [genre.title for genre in reading.genres] == expected
    assert list(reading.unknown) == unknown


@pytest.mark.parametrize(
    "spelling",
    (
        *("Other", "UNKNOWN", "<Unknown>", "Misc.", "genre", "255", "(255)", "(12)", "-", "", " "),
        *("http://example.org/rock", "www.example.org", "n/a", "Top 40", "Revival", "Psychedelic"),
    ),
)
def test_spellings_that_name_no_genre_are_known_as_such(spelling):
    reading = load_taxonomy().read(spelling)
    assert reading.genres == reading.unknown == ()


def test_every_id3v1_genre_is_known():
    from mutagen.id3 import TCON

    taxonomy = load_taxonomy()
    assert [name for name in TCON.GENRES if taxonomy.read(name).unknown] == []


@given(st.text() | st.text(alphabet="(17)RXCRock;/&, -:\x00²٣"))
def test_any_spelling_is_read_and_what_is_unknown_names_nothing(spelling):
    reading = load_taxonomy().read(spelling)
    assert len(set(reading.genres)) == len(reading.genres)
    for unknown in reading.unknown:
        assert load_taxonomy().resolve(unknown) == []


def test_an_alias_of_no_genre_or_of_two_is_refused():
    rows = [(1, "Rock", None), (2, "Punk", 1)]
    with pytest.raises(ValueError, match="'Zeuhl'"):
        Taxonomy(rows, {"Zeuhl": ["Magma"]})
    with pytest.raises(ValueError, match="occurs twice"):
        Taxonomy(rows, {"Punk": ["Oi"], "Rock": ["oi!"]})
    with pytest.raises(ValueError, match="parent"):
        Taxonomy([(1, "Rock", 2), (2, "Punk", 1)])


@pytest.mark.parametrize("text", ["(", "Rock; ", "(17)", "a/b&"])
def test_of_a_spelling_without_end_the_beginning_counts(text):
    spelling = text * (200_000 // len(text))
    assert load_taxonomy().read(spelling) == load_taxonomy().read(spelling[:MAX_TEXT])
