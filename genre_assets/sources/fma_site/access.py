"""How the site is accessed: under which name, how often, and only as robots.txt allows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from genre_assets.lake.tables import Lake
from genre_assets.own_temp import own_temp_folder
from genre_assets.progress import Log, silent
from genre_assets.sources.fma_site.address import (
    DEMO_FILE_HOST,
    DEMO_SITE_HOST,
    FILE_HOST,
    SITE_HOST,
    Site,
)
from genre_assets.sources.fma_site.archive import Archive, KeptPage
from genre_assets.sources.fma_site.browser import Browser, find_chromium
from genre_assets.sources.fma_site.chromium import runs_in_sandbox
from genre_assets.sources.fma_site.pace import Pace
from genre_assets.sources.fma_site.reader import PageReader
from genre_assets.sources.fma_site.robots import CrawlPolicy, Robots, read_robots
from genre_assets.sources.fma_site.transfer import Access

POLITE_INTERVAL_S = 2.0
"""Seconds between two requests to a live site unless others are named."""

SHORTEST_INTERVAL_S = 1.0
"""Seconds that a live site is given at least, whatever is named."""


@dataclass(frozen=True)
class SiteAccess:
    """How the site is accessed.

    Attributes:
        site: Where the site is.
        contact: How the site can reach whoever scrapes it; None on a replica.
        interval_s: Seconds between two requests; None takes what is polite.
        chromium: The browser; None looks for it.
        chromedriver: Its driver; None looks for it.
        no_sandbox: Whether the browser may run without its sandbox, also on a live site.
    """

    site: Site
    contact: str | None = None
    interval_s: float | None = None
    chromium: Path | None = None
    chromedriver: Path | None = None
    no_sandbox: bool = False

    @property
    def agent(self) -> str:
        """The User-Agent: the project, its version and the contact."""
        return f"genre_assets/{version('genre-assets')} ({self.contact or 'on a replica'})"

    @contextmanager
    def visit(self, lake: Lake, archive: Archive, log: Log = silent) -> Iterator[PageReader]:
        """Open the browser and read pages, each of which is kept.

        Args:
            lake: Holds the lock by which the runs take turns.
            archive: Keeps the pages, the text of robots.txt too.
            log: Takes lines about waits and restarts.

        Raises:
            SourceError: If there is no browser, it would read a live site without its sandbox,
                or robots.txt cannot be read.
        """
        sandboxed = runs_in_sandbox(self.site.is_live, self.no_sandbox)
        if not sandboxed:
            why = "as GENRE_ASSETS_CHROMIUM_NO_SANDBOX says" if self.no_sandbox else "as root"
            log(f"Chromium runs {why} without its sandbox.")
        chromium = find_chromium(self.chromium, self.chromedriver, download=True)
        rules, pace = self._policy_and_pace(lake, log)
        for host in (rules.pages, rules.files):
            now = datetime.now(UTC)
            page = KeptPage(host.source, host.source, host.status, host.text, now)
            archive.keep("robots", page)
        allowed = {SITE_HOST} if self.site.is_live else {urlsplit(self.site.base).netloc}
        with Browser(
            chromium, self.agent, allowed, pace=pace, sandboxed=sandboxed, log=log
        ) as browser:
            yield PageReader(self.site, browser.read, archive, rules, pace, log)

    def file_access(self, lake: Lake, log: Log = silent) -> Access:
        """How files are requested, by the robots.txt of their host.

        Raises:
            SourceError: If robots.txt cannot be read.
        """
        rules, pace = self._policy_and_pace(lake, log)
        return Access(self.site, self.agent, pace, rules)

    def _policy_and_pace(self, lake: Lake, log: Log) -> tuple[CrawlPolicy, Pace]:
        """What the site's hosts allow, and the pace that they want."""
        pace = self._pace(lake)
        live = self.site.is_live
        pages = self._rules_of(SITE_HOST if live else DEMO_SITE_HOST, pace, log)
        files = self._rules_of(FILE_HOST if live else DEMO_FILE_HOST, pace, log)
        delay = max(pages.crawl_delay or 0.0, files.crawl_delay or 0.0)
        return CrawlPolicy(pages, files), self._pace(lake, delay)

    def _rules_of(self, host: str, pace: Pace, log: Log) -> Robots:
        rules = read_robots(self.site, f"https://{host}", self.agent, pace)
        # The robots.txt of a replica is nobody's wish.
        if self.site.is_live and rules.content_signal.get("ai-train") == "no":
            log(
                f"{rules.source} does not offer its content for training AI (ai-train=no): "
                "whether the "
                "licences of the tracks allow what you do with them is yours to judge."
            )
        return rules

    def _pace(self, lake: Lake, crawl_delay: float = 0.0) -> Pace:
        """Turns at the interval that is set, or that a host demands if that is longer."""
        if not self.site.is_live:
            # A replica is one lake's own.
            lock = lake.places.lock("fma_site")
            return Pace(max(self.interval_s or 0.0, crawl_delay), lock)
        wanted = POLITE_INTERVAL_S if self.interval_s is None else self.interval_s
        lock = own_temp_folder() / "fma_site.lock"
        return Pace(max(wanted, crawl_delay, SHORTEST_INTERVAL_S), lock)
