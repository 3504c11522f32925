import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_assets.sources.licences import (
    UNKNOWN,
    Licence,
    licence_of_title,
    licence_of_url,
    permissions,
)

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


@pytest.mark.parametrize(
    ("url", "page", "spdx"),
    [
        ("https://creativecommons.org/licenses/by/4.0", "/licenses/by/4.0/", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by/4.0/", "/licenses/by/4.0/", "CC-BY-4.0"),
        (
            "http://www.creativecommons.org/licenses/by-nc-nd/3.0/",
            "/licenses/by-nc-nd/3.0/",
            "CC-BY-NC-ND-3.0",
        ),
        (
            "https://creativecommons.org/licenses/by-nc-sa/4.0/legalcode",
            "/licenses/by-nc-sa/4.0/",
            "CC-BY-NC-SA-4.0",
        ),
        (
            "https://creativecommons.org/licenses/by-sa/2.5/deed.pt_BR",
            "/licenses/by-sa/2.5/",
            "CC-BY-SA-2.5",
        ),
        (
            "https://creativecommons.org/licenses/by-sa/4.0/legalcode.de?ref=x#s3",
            "/licenses/by-sa/4.0/",
            "CC-BY-SA-4.0",
        ),
        (
            "http://creativecommons.org/licenses/by-nd-nc/1.0",
            "/licenses/by-nc-nd/1.0/",
            "CC-BY-NC-ND-1.0",
        ),
        (
            "http://creativecommons.org/licenses/by/3.0/us/",
            "/licenses/by/3.0/us/",
            "CC-BY-3.0-US",
        ),
        (
            "http://creativecommons.org/licenses/by-nc-sa/3.0/us/deed.en",
            "/licenses/by-nc-sa/3.0/us/",
            None,
        ),
        (
            " HTTPS://CreativeCommons.org/publicdomain/zero/1.0 ",
            "/publicdomain/zero/1.0/",
            "CC0-1.0",
        ),
        (
            "https://creativecommons.org/publicdomain/mark/1.0/deed",
            "/publicdomain/mark/1.0/",
            "CC-PDM-1.0",
        ),
    ],
)
def test_a_licence_url_leads_to_its_page_and_identifier(url, page, spdx):
    assert licence_of_url(url) == Licence(f"{CC}{page}", spdx)


@pytest.mark.parametrize(
    "url",
    [
        "https://freemusicarchive.org/FMA_License",
        "http://artlibre.org/licence/lal/en",
        "https://creativecommons.org/licenses/sampling+/1.0/",
        "https://creativecommons.org/licenses/by/9.0/",
        "https://creativecommons.org/licenses/by/4.0/zz/",
        "https://creativecommons.org/publicdomain/zero/2.0/",
        "https://creativecommons.org.example/licenses/by/4.0/",
        "https://creativecommons.org/licenses/by/4.0/../../../elsewhere",
    ],
)
def test_any_other_licence_url_is_kept_without_identifier_and_allows_nothing_known(url):
    licence = licence_of_url(url)

    assert licence == Licence(url, None)
    assert permissions(licence) == (None, None)


@pytest.mark.parametrize("url", ["", "CC BY", "javascript:alert(1)", "https:///licenses/by/4.0"])
def test_what_is_no_web_address_names_no_licence(url):
    assert licence_of_url(url) == UNKNOWN


@pytest.mark.parametrize(
    ("path", "derivatives", "commercial"),
    [
        ("licenses/by/4.0/", True, True),
        ("licenses/by-sa/3.0/", True, True),
        ("licenses/by-nd/4.0/", False, True),
        ("licenses/by-nc/2.5/", True, False),
        ("licenses/by-nc-sa/3.0/us/", True, False),
        ("licenses/by-nc-nd/4.0/", False, False),
        ("publicdomain/zero/1.0/", True, True),
        ("publicdomain/mark/1.0/", True, True),
    ],
)
def test_a_licence_says_what_it_allows(path, derivatives, commercial):
    assert permissions(licence_of_url(f"{CC}/{path}")) == (derivatives, commercial)


def test_an_unknown_licence_says_nothing():
    assert permissions(UNKNOWN) == (None, None)


@given(st.text() | st.from_regex(r"https?://(www\.)?creativecommons\.org/[a-z0-9./+-]*"))
def test_a_licence_that_was_found_by_its_url_is_found_again_by_its_page(url):
    licence = licence_of_url(url)

    assert licence.url is None or licence_of_url(licence.url) == licence
