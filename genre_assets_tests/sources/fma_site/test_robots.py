import time

import pytest
import stamina

from genre_assets.sources.catalogue import SourceError
from genre_assets.sources.fma_site import robots as robots_module
from genre_assets.sources.fma_site.address import ForeignAddress, Site
from genre_assets.sources.fma_site.pace import Pace
from genre_assets.sources.fma_site.robots import (
    LARGEST_ROBOTS_BYTES,
    Disallowed,
    Robots,
    read_robots,
)
from genre_assets_tests.sources.fma_site.conftest import (
    NEVER_DONE,
    WebAnswer,
    is_one_sentence,
    never_done,
)

HOST = "https://freemusicarchive.test"
SOURCE = f"{HOST}/robots.txt"
MANAGED = """\
# As a condition of accessing this website, you agree to abide by the content signals below.

# BEGIN Managed content

User-Agent: *
Content-Signal: search=yes, ai-train=no, use=reference
Allow: /

User-agent: Bytespider
Disallow: /

User-agent: CCBot
User-agent: GPTBot
Disallow: /

# END Managed content

User-agent: *
Crawl-delay: 2
Disallow: /search
Disallow: /*/download/$
Disallow: /*?*sort=album
Allow: /search/about
Sitemap: https://freemusicarchive.test/sitemap.xml
"""


def read(web, pace=None, **options):
    return read_robots(Site(web.base), HOST, "genre-assets/1 (a@b.c)", pace or Pace(0), **options)


def serve(web, text, **options):
    web.answers["/robots.txt"] = WebAnswer(text, headers={"Content-Type": "text/plain"}, **options)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/genre/Techno?sort=date&d=0&pageSize=200&page=2", True),
        ("/music/a/b/c/", True),
        ("/search?quicksearch=x", False),
        ("/search/about", True),
        ("/track/some-handle/download/", False),
        ("/track/some-handle/download/more", True),
        ("/genre/Techno?sort=album", False),
        ("/genre/Techno?d=1&sort=album&page=3", False),
    ],
)
def test_both_groups_for_everybody_and_wildcards_count(path, allowed):
    robots = Robots(SOURCE, MANAGED)
    assert robots.allows(f"{HOST}{path}") is allowed
    assert robots.allows(f"http://127.0.0.1:8765{path}") is allowed


def test_what_concerns_named_crawlers_is_not_for_us_and_what_names_us_is():
    assert Robots(SOURCE, MANAGED).allows(f"{HOST}/genre/House")
    refused = Robots(SOURCE, f"{MANAGED}\nUser-agent: genre_assets\nDisallow: /genre/\n")
    assert not refused.allows(f"{HOST}/genre/House")
    assert refused.allows(f"{HOST}/search")


def test_a_disallowed_url_is_named_with_the_rules_that_disallow_it():
    robots = Robots(SOURCE, MANAGED)
    robots.check(f"{HOST}/genre/House")
    with pytest.raises(Disallowed) as caught:
        robots.check(f"{HOST}/search?q=1")
    assert f"{HOST}/search?q=1" in str(caught.value) and SOURCE in str(caught.value)
    assert is_one_sentence(caught.value)


def test_crawl_delay_and_content_signal_are_told():
    robots = Robots(SOURCE, MANAGED)
    assert robots.crawl_delay == 2.0
    assert robots.content_signal == {"search": "yes", "ai-train": "no", "use": "reference"}
    silent = Robots(SOURCE, "User-agent: *\nDisallow:\n")
    assert silent.crawl_delay is None and silent.content_signal == {}


def test_a_content_signal_for_others_is_not_ours_and_one_for_us_is():
    text = (
        "User-agent: *\nContent-Signal: search=yes\n"
        "User-agent: GPTBot\nContent-Signal: search=no, ai-train=no\nDisallow: /\n"
    )
    assert Robots(SOURCE, text).content_signal == {"search": "yes"}
    ours = "User-agent: other\nUser-agent: Genre_Assets\nAllow: /\nContent-Signal: ai-input = no\n"
    assert Robots(SOURCE, text + ours).content_signal == {"ai-input": "no"}


def test_robots_is_asked_for_once_by_name_where_the_replica_is(web):
    serve(web, MANAGED)
    robots = read(web)
    assert robots.text == MANAGED and robots.source == SOURCE
    assert web.asked == ["/robots.txt"]
    assert web.headers[0]["user-agent"] == "genre-assets/1 (a@b.c)"


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_host_without_robots_allows_everything(web, status):
    serve(web, "User-agent: *\nDisallow: /\n", status=status)
    robots = read(web)
    assert robots.text == "" and robots.allows(f"{HOST}/search")


def test_a_host_that_is_broken_allows_nothing(web):
    serve(web, "oops", status=500)
    with (
        stamina.set_testing(True, attempts=100, cap=True),
        pytest.raises(SourceError, match="500") as caught,
    ):
        read(web)
    assert is_one_sentence(caught.value)


def test_a_busy_host_is_asked_again_when_it_says(web):
    web.answers["/robots.txt"] = lambda before: (
        WebAnswer(MANAGED) if before else WebAnswer(status=503, headers={"Retry-After": "9"})
    )
    clock, slept = [0.0], []

    def sleep(seconds):
        slept.append(seconds)
        clock[0] += seconds

    assert read(web, Pace(0, clock=lambda: clock[0], sleep=sleep)).text == MANAGED
    assert slept == [9.0]


def test_a_host_that_nobody_reaches_allows_nothing(web):
    unused = Site("http://127.0.0.1:9")
    with pytest.raises(SourceError, match="did not answer") as caught:
        read_robots(unused, HOST, "agent", Pace(0))
    assert is_one_sentence(caught.value)


def test_a_body_that_is_cut_allows_nothing(web):
    serve(web, MANAGED, promised=99_999)
    with pytest.raises(SourceError, match="did not answer"):
        read(web)


ENDLESS_BODY = (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nAllow: /\n", b"#", 0.02)


@pytest.mark.parametrize(
    "never", [*NEVER_DONE.values(), ENDLESS_BODY], ids=[*NEVER_DONE, "a byte of the body at a time"]
)
def test_a_robots_that_never_comes_whole_allows_nothing(monkeypatch, never):
    monkeypatch.setattr(robots_module, "_TIMEOUT_S", 0.3)
    started = time.monotonic()
    with (
        never_done(*never) as base,
        pytest.raises(SourceError, match=r"in full within 0\.3 s|did not answer") as caught,
    ):
        read_robots(Site(base), HOST, "agent", Pace(0))
    assert time.monotonic() - started < 20
    assert is_one_sentence(str(caught.value).replace("0.3", "0"))


def test_a_redirect_within_the_site_is_followed(web):
    serve(web, "", status=301)
    web.answers["/robots.txt"].headers["Location"] = f"{HOST}/rules/robots.txt"
    web.answers["/rules/robots.txt"] = WebAnswer(MANAGED)
    assert read(web).text == MANAGED


def test_a_redirect_to_another_host_is_refused_before_it_is_asked(web):
    serve(web, "", status=302)
    web.answers["/robots.txt"].headers["Location"] = "https://elsewhere.test/robots.txt"
    with pytest.raises(ForeignAddress):
        read(web)
    assert web.asked == ["/robots.txt"]


def test_endless_redirects_are_given_up(web):
    serve(web, "", status=302)
    web.answers["/robots.txt"].headers["Location"] = "/robots.txt"
    with pytest.raises(SourceError, match="redirect to redirect"):
        read(web)
    assert len(web.asked) == 6


def test_of_a_huge_robots_the_whole_lines_of_the_start_count(web):
    rule = "Disallow: /never\n"
    filler = "#" * (LARGEST_ROBOTS_BYTES - len("User-agent: *\n") - 1 - len(rule) - 12) + "\n"
    start = f"User-agent: *\n{filler}{rule}"
    serve(web, f"{start}Disallow: /genre/of-which-only-a-piece-is-read\n" + "#\n" * 10**6)
    robots = read(web)
    assert robots.text == start.rstrip("\n")
    assert not robots.allows(f"{HOST}/never") and robots.allows(f"{HOST}/genre/Techno")


def test_bytes_that_are_no_text_break_nothing(web):
    serve(web, b"\xef\xbb\xbfUser-agent: *\nDisallow: /caf\xe9\nDisallow: /search\n\x00\xff")
    assert not read(web).allows(f"{HOST}/search")
