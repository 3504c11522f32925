import itertools
import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_assets.tags import fields

BIDI_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("128", 128.0),
        ("128,5 bpm", 128.5),
        ("128.5BPM", 128.5),
        (" 90 \0", 90.0),
        ("0", None),
        ("fast", None),
        ("120-140", None),
        ("1e9", None),
        ("١٢٨", None),
        ("", None),
    ],
)
def test_bpm(text, expected):
    assert fields.bpm([text]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2008", 2008),
        ("2008-11-26 01:44:45", 2008),
        ("26/11/1987", 1987),
        ("c. 1975", 1975),
        ("0000", None),
        ("20081126", 2008),
        ("2012/02/04", 2012),
        ("20050312", 2005),
        ("20050000", 2005),
        ("20050312T101500", 2005),
        ("20050312101500", 2005),
        ("26111987", 1987),
        ("11261987", 1987),
        ("4.2.2012", 2012),
        ("2012-02-04T10:00:00Z", 2012),
        ("2012年2月4日", 2012),
        ("２０１２", 2012),  # noqa: RUF001
        ("(P) 1999 Label", 1999),
        ("℗1999", 1999),
        ("1999.0", 1999),
        ("1967-2009", 1967),
        ("20059912", None),
        ("201202", None),
        ("12", None),
        ("'87", None),
        ("87", None),
    ],
)
def test_year(text, expected):
    assert fields.year([text]) == expected


def test_the_first_value_that_says_something_counts():
    assert fields.year(["unknown", "1999", "2000"]) == 1999
    assert fields.bpm(["0", "120"]) == 120.0


def test_a_track_number():
    assert [fields.track_number([text]) for text in ("3", "03/12", "3 / 12", "A1", "0", "")] == [
        *(3, 3, 3),
        *(None, None, None),
    ]


def mistaken(text, encoding="latin-1", times=1):
    """UTF-8 that was read in another encoding."""
    for _ in range(times):
        text = text.encode().decode(encoding)
    return text


@pytest.mark.parametrize("encoding", ["latin-1", "sloppy-windows-1252"])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    "name",
    ["Björn", "Beyoncé", "MOTÖRHEAD", "Łódź", "Émilie", "It’s", "宇多田ヒカル", "Борис", "فيروز"],  # noqa: RUF001
)
def test_utf_8_that_was_taken_for_another_encoding_is_put_right(name, encoding, times):
    import ftfy.bad_codecs  # noqa: F401 (registers the second encoding)

    assert fields.clean(mistaken(name, encoding, times)) == name


@pytest.mark.parametrize(
    "name",
    ["Björn", "CAFÉ®", "VOILÀ…", "AMANHÃ…", "IRMÃ’S", "«CAFÉ»", "Spaß…", "Ã", "São Paulo", "ÄÖÜ"],  # noqa: RUF001
)
def test_names_that_only_look_a_little_like_it_stay(name):
    assert fields.clean(name) == name


def test_invisible_characters_are_left_out():
    assert fields.clean("\ufeffAli\u202ece\u200b\u2066 Li\u00adddell\x81\u2028") == "Alice Liddell"
    assert fields.clean("It\x92s") == "It’s"  # noqa: RUF001
    assert fields.clean("\u202e\x00\x81") is None


def test_a_nul_separates_two_values():
    assert fields.distinct(["Alice\0Bob", "Bob", "\0"]) == ("Alice", "Bob")


def test_a_list_without_end_is_read_up_to_a_limit():
    endless = (f"Genre {n % 60}" for n in itertools.count())
    assert len(fields.distinct(endless)) == fields.MAX_VALUES
    assert fields.distinct(" " for _ in itertools.count()) == ()
    assert fields.clean("Ã¶" * 1_000_000) == "ö" * fields.MAX_TEXT


@given(st.text(st.characters()))
def test_any_text_becomes_clean_and_bounded_and_stays_so(text):
    cleaned = fields.clean(text)
    if cleaned is not None:
        assert cleaned == cleaned.strip()
        assert 0 < len(cleaned) <= fields.MAX_TEXT
        assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in cleaned)
        assert not any(unicodedata.bidirectional(c) in BIDI_CONTROLS for c in cleaned)
        assert cleaned.encode()
        assert fields.clean(cleaned) == cleaned


@given(st.lists(st.text()))
def test_numbers_are_finite_whatever_the_text(texts):
    bpm, year = fields.bpm(texts), fields.year(texts)
    assert bpm is None or (bpm > 0 and math.isfinite(bpm))
    assert year is None or 1000 <= year < 3000
