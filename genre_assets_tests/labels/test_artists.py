import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_assets.labels.artists import artist_key, canonical_artists, look_alike, several
from genre_assets.tags.fields import MAX_TEXT


@pytest.mark.parametrize(
    "names",
    [
        ["Ed Askew", "Askew Ed", "Askew, Ed", "ed  askew", "ED ASKEW"],
        [
            "Alec K. Redfearn & the Eyesores",
            "Alec K. Redfearn and the Eyesores",
            "Alec K Redfearn And The Eyesores",
        ],
        ["The Impediments", "Impediments", "Impediments, The"],
        ["Fósforo", "Fosforo"],
        ["Hans Grüsel's Krankenkabinet", "Hans Grusel\u2019s Krankenkabinet"],
        ["6th Sense &amp; Mick Boogie", "6th Sense + Mick Boogie"],
        ["Gilo", "Gilo feat. As Metralhadoras", "Gilo (ft. As Metralhadoras)", "Gilo w/ Friends"],
        ["U.S. Girls", "US Girls"],
        ["BNegão and Seletores de Freqüência", "Bnegao & Seletores De Frequencia"],
        ["Mø", "MO"],
        ["Björn", "BjÃ¶rn", "BjÃƒÂ¶rn"],
        ["Ed\u200b Askew\u202e", "Ed Askew"],
    ],
)
def test_spellings_of_one_artist_have_one_key(names):
    assert len({artist_key(name) for name in names}) == 1
    assert artist_key(names[0]) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The The", "The"),
        ("The Corin Tucker Band", "Corin Tucker"),
        ("Band", "The Bands"),
        ("505", "550"),
        ("1 2", "2 1"),
        ("6 or 7", "67"),
        ("Height With Friends", "Height"),
        ("10 Ft. Ganja Plant", "10"),
        ("!!!", "???!"),
        ("!!!", "*"),
        ("ばんど", "はんど"),
        ("कखि", "कखा"),
        ("Чокнутый Пропеллер", "Чокнутый"),
        ("And And And", "The"),
        ("Various Production", "Various"),
        ("Chuck Bettis", "Chuck Bettis & Joe Merolla"),
    ],
)
def test_different_artists_keep_different_keys(one, other):
    assert artist_key(one) != artist_key(other)


@pytest.mark.parametrize(
    "name",
    (
        *(None, "", "  ", "-", "?", "...", "n/a", "<Unknown Artist>", "[unknown]"),
        *("Various Artists", "VARIOUS", "V.A.", "V/A", "va", "varios artistas"),
    ),
)
def test_names_of_no_one_have_no_key(name):
    assert artist_key(name) is None


@pytest.mark.parametrize(
    "name", ["宇多田ヒカル", "Чокнутый Пропеллер", "فيروز", "!!!", "505", "Ø", "+"]
)
def test_names_in_any_script_survive(name):
    assert artist_key(name)


@given(st.lists(st.text("abcdefghijkl", min_size=3), min_size=1, max_size=5), st.randoms())
def test_the_order_of_words_does_not_count(words, random):
    shuffled = random.sample(words, len(words))
    assert artist_key(" ".join(words)) == artist_key(" ".join(shuffled))


@given(st.text())
def test_case_and_white_space_do_not_count(name):
    assert artist_key(f"  {name}\t") == artist_key(name)
    assert artist_key(name) != ""


@pytest.mark.parametrize("text", ["x", "(feat ", "&amp;", "a/", "Ã¶Â", "a.b."])
def test_of_a_name_without_end_the_beginning_counts(text):
    name = text * (200_000 // len(text))
    assert artist_key(name) == artist_key(name[:MAX_TEXT])
    assert len(several(name + ";" + name)) >= 1


def test_real_names_merge_only_where_they_should(real_data):
    import csv

    with (real_data / "fma_metadata_only" / "fma_metadata" / "tracks.csv").open(newline="") as file:
        rows = csv.reader(file)
        column = list(zip(next(rows), next(rows), strict=True)).index(("artist", "name"))
        names = {row[column] for row in rows if row[column]}
    assert len(names) > 2_300
    spellings: dict[str | None, set[str]] = {}
    for name in names:
        spellings.setdefault(artist_key(name), set()).add(name)
    assert {min(group, key=len) for group in spellings.values() if len(group) > 1} == {
        "BNegão & Seletores de Freqüência",
        "Barreracudas",
        "Flamin' Groovies",
        "Gilo",
        "Katrah-Quey",
        "Project 5am",
        "Sun Sunych",
        "The Cosmic Setter",
        "Waste Disposal Machine",
    }
    assert spellings[None] == {"varios artistas"}


def keys(*tracks):
    return canonical_artists(*zip(*tracks, strict=True)).keys


def all_keys(*tracks):
    return canonical_artists(*zip(*tracks, strict=True)).all_keys


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("Alice; Bob", ["Alice", "Bob"]),
        ("Alice\0Bob", ["Alice", "Bob"]),
        ("6th Sense &amp; Mick Boogie;Alice;", ["6th Sense & Mick Boogie", "Alice"]),
        ("AC/DC", ["AC/DC"]),
        ("Simon & Garfunkel", ["Simon & Garfunkel"]),
        ("; ", []),
        (None, []),
    ],
)
def test_the_names_in_a_text(name, listed):
    assert several(name) == listed


def test_a_track_of_several_artists_belongs_to_each_of_them():
    tracks = [
        ("folder", None, "Alice", "Alice"),
        ("folder", None, "Bob", None),
        ("folder", None, "Alice; Bob", "Alice; Bob"),
        ("folder", None, None, "BOB\0Various Artists\0Carol\0" + "07"),
    ]
    assert keys(*tracks) == ["alice", "bob", "alice", "bob"]
    assert all_keys(*tracks) == [["alice"], ["bob"], ["alice", "bob"], ["bob", "carol"]]


def test_tags_that_name_the_artist_of_the_source_say_who_else_took_part():
    tracks = [
        ("fma_dataset", "1", "Alice", "Bob; Alice"),
        ("fma_dataset", "2", "Alice & Carol", "Alice; Carol"),
        ("fma_dataset", "1", "Alice", "Dave; Eve"),
    ]
    assert keys(*tracks) == ["alice", "alice carol", "alice"]
    assert all_keys(*tracks) == [
        ["alice", "bob"],
        ["alice carol", "alice", "carol"],
        ["alice"],
    ]


def test_a_slash_separates_only_artists_that_the_lake_knows():
    tracks = [
        ("folder", None, "Alice/Bob", "Alice/Bob"),
        ("folder", None, "Bob", None),
        ("folder", None, "AC/DC", None),
        ("folder", None, "AC", None),
        ("folder", None, "Nobody / Else", None),
    ]
    assert all_keys(*tracks) == [["alice bob", "bob"], ["bob"], ["ac dc"], ["ac"], ["else nobody"]]


@given(st.lists(st.tuples(*[st.none() | st.text("a;/ \0&Ã¶1", max_size=6)] * 3), max_size=6))
def test_any_names_give_keys_of_which_the_first_is_the_artist(names):
    found = canonical_artists(["folder"] * len(names), *zip(*names, strict=True)) if names else None
    for key, keys_of_track in zip(found.keys, found.all_keys, strict=True) if found else ():
        assert (key is None) == (keys_of_track is None)
        assert keys_of_track is None or (keys_of_track[0] == key and all(keys_of_track))


def test_a_lake_without_tracks_has_no_artists():
    assert canonical_artists([], [], [], []).keys == []


def test_names_of_one_source_id_are_one_artist():
    first, second, third = keys(
        ("fma_site", "7", "Prince", None),
        ("fma_site", "7", "The Artist Formerly Known As", None),
        ("fma_dataset", "7", "Someone Else", None),
    )
    assert first == second != third


def test_artists_of_the_same_name_are_one_across_sources():
    dataset, site, folder = keys(
        ("fma_dataset", "5", "Ed Askew", None),
        ("fma_site", "ed-askew", "Ed Askew", None),
        ("folder", None, None, "Askew, Ed"),
    )
    assert dataset == site == folder == "askew ed"


def test_a_tag_that_looks_like_the_source_joins_the_two_names():
    track, other = keys(
        ("fma_dataset", "9", "Ethan Persoff", "Ethan Persoff / Horse Music"),
        ("folder", None, None, "Ethan Persoff / Horse Music"),
    )
    assert track == other


@pytest.mark.parametrize(
    "tag",
    ["Various Artists", "Unknown Artist", "Beastie Boys", "01", "505", "", "Big", "Big Star"],
)
def test_no_tag_joins_two_big_artists(tag):
    tracks = [("fma_dataset", "1", "Big Blood", None)] * 9 + [
        ("fma_dataset", "1", "Big Blood", tag),
        ("fma_dataset", "2", "Glass Candy", tag),
        ("fma_dataset", "3", "Beastie Boys", None),
        ("fma_dataset", "4", "505", None),
        ("fma_dataset", "5", "Big Star", None),
        ("fma_dataset", "6", "Big", None),
    ]
    assert keys(*tracks) == ["big blood"] * 10 + [
        "candy glass",
        "beastie boys",
        "505",
        "big star",
        "big",
    ]


def test_a_partner_of_a_duo_is_not_joined_through_the_duo():
    duo, first, second = keys(
        ("fma_dataset", "1", "Chuck Bettis & Joe Merolla", "Joe Merolla"),
        ("fma_dataset", "2", "Chuck Bettis", None),
        ("fma_dataset", "3", "Joe Merolla", None),
    )
    assert len({duo, first, second}) == 3


def test_tracks_of_no_one_share_no_artist():
    assert keys(
        ("fma_dataset", "1", "Various Artists", None),
        ("fma_dataset", "1", "Various Artists", "Ed Askew"),
        ("folder", None, None, "Unknown Artist"),
        ("folder", None, None, "07"),
        ("folder", None, None, None),
    ) == [None, "askew ed", None, None, None]


def test_an_id_without_a_name_is_an_artist():
    assert keys(
        ("fma_dataset", "12", None, "Some Tag"),
        ("fma_dataset", "13", None, None),
        ("fma_dataset", "13", "Ed Askew", None),
    ) == ["fma_dataset artist 12", "askew ed", "askew ed"]


def test_the_spellings_of_an_artist_are_reported():
    found = canonical_artists(
        ["a", "a", "a"], ["1", "1", "2"], ["Ed Askew", "Askew Ed", "Au"], [None] * 3
    )
    assert {key: set(names) for key, names in found.spellings.items()} == {
        "askew ed": {"Ed Askew", "Askew Ed"}
    }


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("AlexandreDavidGabriel", "Alexandre David Gabriel", True),
        ("Fields Ohio", "Fields of Ohio", True),
        ("Artist Volume 1", "Artist Volume 2", False),
        ("Tab", "Tabs", False),
        ("John", "John Smith", False),
        ("Contradiction", "Andy Ortmann and Weasel Walter", False),
    ],
)
def test_which_names_look_alike(one, other, alike):
    assert look_alike(one, other) is look_alike(other, one) is alike
