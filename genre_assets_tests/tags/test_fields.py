import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_assets.tags import fields


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
        ("20081126", None),
        ("87", None),
    ],
)
def test_year(text, expected):
    assert fields.year([text]) == expected


def test_the_first_value_that_says_something_counts():
    assert fields.year(["unknown", "1999", "2000"]) == 1999
    assert fields.bpm(["0", "120"]) == 120.0


@given(st.text(st.characters()))
def test_any_text_becomes_clean_and_bounded_and_stays_so(text):
    cleaned = fields.clean(text)
    if cleaned is not None:
        assert cleaned == cleaned.strip()
        assert 0 < len(cleaned) <= fields.MAX_TEXT
        assert not any(ord(c) < 32 for c in cleaned)
        assert cleaned.encode()
        assert fields.clean(cleaned) == cleaned


@given(st.lists(st.text()))
def test_numbers_are_finite_whatever_the_text(texts):
    bpm, year = fields.bpm(texts), fields.year(texts)
    assert bpm is None or (bpm > 0 and math.isfinite(bpm))
    assert year is None or 1000 <= year < 3000
