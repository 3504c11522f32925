from datetime import UTC, datetime

import pytest

from genre_assets.lake.schemas import PAGES
from genre_assets.lake.tables import Lake
from genre_assets.sources.catalogue import SourceError
from genre_assets.sources.fma_site.address import Site
from genre_assets.sources.fma_site.archive import Archive
from genre_assets.sources.fma_site.browser import Page
from genre_assets.sources.fma_site.pace import ComeBackLater, Pace
from genre_assets.sources.fma_site.reader import PageReader
from genre_assets.sources.fma_site.robots import Robots

NOON = datetime(2026, 8, 3, 12, tzinfo=UTC)
REPLICA = "http://127.0.0.1:8765"


class NotedPace(Pace):
    """A pace that notes how long it was asked to wait, and waits for nobody."""

    def __init__(self):
        super().__init__(0)
        self.held_off = []

    def hold_off(self, seconds):
        self.held_off.append(seconds)


class Visit:
    """A visitor whose answers are given in advance, and what it did."""

    def __init__(self, folder, *answers, base=REPLICA, robots=""):
        self.lake = Lake(folder)
        self.asked = []
        self.pace = NotedPace()
        self.archive = Archive(self.lake, "s1")
        self._answers = iter(answers)
        rules = Robots("https://freemusicarchive.org/robots.txt", robots)
        self.visitor = PageReader(Site(base), self._ask, self.archive, rules, self.pace)

    def _ask(self, url):
        self.asked.append(url)
        answer = {"final_url": url, "status": 200, "retry_after": None} | next(self._answers)
        return Page(url=url, html="page", fetched_at=NOON.replace(second=len(self.asked)), **answer)

    def kept(self):
        self.archive.close()
        return self.lake.read(PAGES).to_pylist()


def test_a_page_is_asked_of_the_replica_and_kept_under_the_name_of_the_site(tmp_path):
    visit = Visit(tmp_path, {}, {"final_url": f"{REPLICA}/music/a/"})

    listing = visit.visitor.read("/genre/Techno?page=1", "listing")
    track = visit.visitor.read("https://freemusicarchive.org/music/a", "track")

    assert visit.asked == [f"{REPLICA}/genre/Techno?page=1", f"{REPLICA}/music/a"]
    assert listing.url == listing.final_url == "https://freemusicarchive.test/genre/Techno?page=1"
    assert track.url == "https://freemusicarchive.org/music/a"
    assert track.final_url == "https://freemusicarchive.org/music/a/"
    assert [(row["kind"], row["url"], row["final_url"]) for row in visit.kept()] == [
        ("listing", listing.url, listing.url),
        ("track", track.url, track.final_url),
    ]


def test_a_live_site_keeps_its_own_name(tmp_path):
    visit = Visit(tmp_path, {}, base="https://freemusicarchive.org")

    assert visit.visitor.read("/genre/Techno", "listing").url == visit.asked[0]
    assert visit.asked == ["https://freemusicarchive.org/genre/Techno"]


def test_a_busy_site_is_asked_again_when_it_says_and_every_answer_is_kept(tmp_path):
    visit = Visit(
        tmp_path, {"status": 429, "retry_after": "7"}, {"status": 503, "retry_after": "90"}, {}
    )

    assert visit.visitor.read("/genre/Techno", "listing").status == 200
    assert visit.pace.held_off == [7, 90]
    assert [row["status"] for row in visit.kept()] == [429, 503, 200]


def test_a_site_that_asks_for_an_hour_is_left_alone(tmp_path):
    visit = Visit(tmp_path, {"status": 429, "retry_after": "3600"})

    with pytest.raises(ComeBackLater):
        visit.visitor.read("/genre/Techno", "listing")
    assert [row["status"] for row in visit.kept()] == [429]


def test_a_missing_page_is_an_answer(tmp_path):
    visit = Visit(tmp_path, {"status": 404})

    assert visit.visitor.read("/genre/Techno", "listing").status == 404
    assert len(visit.asked) == 1


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("https://elsewhere.example/x", "no address of the site"),
        ("https://freemusicarchive.org/hidden/x", "robots.txt disallows it"),
    ],
)
def test_what_may_not_be_asked_for_is_not_asked_for(tmp_path, address, sentence):
    visit = Visit(tmp_path, robots="User-agent: *\nDisallow: /hidden/")

    with pytest.raises(SourceError, match=sentence):
        visit.visitor.read(address, "track")
    assert visit.asked == []
