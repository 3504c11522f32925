import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_assets.sources.licences import UNKNOWN, licence_of_title

CC = "https://creativecommons.org"


@pytest.mark.parametrize(
    ("title", "url", "spdx"),
    [
        # Titles as tracks.csv spells them.
        (
            "Attribution-NonCommercial-ShareAlike 3.0 International",
            f"{CC}/licenses/by-nc-sa/3.0/",
            "CC-BY-NC-SA-3.0",
        ),
        (
            "Attribution-NonCommercial-NoDerivatives (aka Music Sharing) 3.0 International",
            f"{CC}/licenses/by-nc-nd/3.0/",
            "CC-BY-NC-ND-3.0",
        ),
        (
            "Attribution-Noncommercial-No Derivative Works 2.0 UK: England",
            f"{CC}/licenses/by-nc-nd/2.0/uk/",
            None,
        ),
        (
            "Attribution-Noncommercial-Share Alike 3.0 United States",
            f"{CC}/licenses/by-nc-sa/3.0/us/",
            None,
        ),
        ("Attribution 3.0 United States", f"{CC}/licenses/by/3.0/us/", "CC-BY-3.0-US"),
        ("Attribution-ShareAlike 3.0 Unported", f"{CC}/licenses/by-sa/3.0/", "CC-BY-SA-3.0"),
        ("Attribution 4.0 International", f"{CC}/licenses/by/4.0/", "CC-BY-4.0"),
        (
            "Attribution-Noncommercial-Share Alike 2.0 France",
            f"{CC}/licenses/by-nc-sa/2.0/fr/",
            "CC-BY-NC-SA-2.0-FR",
        ),
        ("CC0 1.0 Universal", f"{CC}/publicdomain/zero/1.0/", "CC0-1.0"),
        ("Public Domain Mark 1.0", f"{CC}/publicdomain/mark/1.0/", "CC-PDM-1.0"),
    ],
)
def test_a_licence_title_names_its_page_and_identifier(title, url, spdx):
    licence = licence_of_title(title)

    assert (licence.url, licence.spdx) == (url, spdx)


@pytest.mark.parametrize(
    "title",
    [
        "",
        "Attribution",
        "FMA-Limited: Download Only",
        "Noncommercial Sampling Plus 1.0",
        "Attribution 3.0 Atlantis",
        "Attribution 9.0 International",
        "Attribution 13.0 International",
    ],
)
def test_a_title_that_does_not_tell_the_text_names_none(title):
    assert licence_of_title(title) == UNKNOWN


@given(st.text())
def test_no_title_is_too_odd(title):
    licence = licence_of_title(title)

    assert licence.url is None or licence.url.startswith(CC)
