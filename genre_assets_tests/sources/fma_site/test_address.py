import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_assets.sources.catalogue import SourceError
from genre_assets.sources.fma_site.address import ForeignAddress, Site

REPLICA = Site("http://127.0.0.1:8765/")
LIVE = Site("https://freemusicarchive.org")


@pytest.mark.parametrize(
    "base",
    [
        "",
        "freemusicarchive.org",
        "ftp://a.b",
        "http://a/b",
        "file:///",
        "http://192.168.1.5:8765",
        "https://example.org",
        "https://freemusicarchive.org:444",
        "http://[",
        "http://127.0.0.1:1/x",
    ],
)
def test_what_is_no_address_of_a_site_is_refused(base):
    with pytest.raises(SourceError, match="is not the address of the site or of a replica"):
        Site(base)


def test_a_replica_answers_for_every_name_of_the_site():
    for host in ("freemusicarchive.org", "files.freemusicarchive.org", "freemusicarchive.test"):
        assert REPLICA.request_url(f"https://{host}/a?b=c#d") == "http://127.0.0.1:8765/a?b=c"
    assert not REPLICA.is_live
    assert not Site("http://[::1]:80").is_live


def test_the_live_site_is_asked_under_its_own_names_and_encrypted():
    assert LIVE.is_live
    assert Site("http://www.freemusicarchive.org/") == LIVE
    assert LIVE.request_url("http://files.freemusicarchive.org/x.mp3").startswith("https://files.")


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "https://freemusicarchive.org.evil.example/",
        "https://user@freemusicarchive.org/",
        "https://freemusicarchive.org:22/",
        "file:///etc/passwd",
        "//freemusicarchive.org/x",
        "http://[/",
        "http://a:b:c/",
        "http://localhost:8765/",
        "",
    ],
)
def test_any_other_address_is_refused(url):
    for site in (LIVE, REPLICA) if "org:22" not in url else (LIVE,):
        with pytest.raises(ForeignAddress):
            site.request_url(url)


def test_the_live_site_never_leads_to_the_demo_or_to_this_machine():
    for url in ("https://freemusicarchive.test/", "http://127.0.0.1:8765/"):
        with pytest.raises(ForeignAddress):
            LIVE.request_url(url)


@given(st.text())
def test_no_text_leads_off_the_site(url):
    try:
        asked = REPLICA.request_url(url)
    except ForeignAddress:
        return
    assert asked.startswith("http://127.0.0.1:8765")
