"""Who asks the site, and how: under which name, how often, and only what robots.txt allows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from genre_assets.lake.tables import Lake
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
from genre_assets.sources.fma_site.pace import Pace
from genre_assets.sources.fma_site.robots import Robots, read_robots
from genre_assets.sources.fma_site.transfer import Access
from genre_assets.sources.fma_site.visitor import Visitor

POLITE_INTERVAL_S = 2.0
"""Seconds between two requests to a live site unless others are named."""

SHORTEST_INTERVAL_S = 1.0
"""Seconds that a live site is given at least, whatever is named."""


@dataclass(frozen=True)
class Guest:
    """Who asks, and how.

    Attributes:
        site: Where the site is.
        contact: How the site can reach who asks; None on a replica.
        interval_s: Seconds between two requests; None takes what is polite.
        chromium: The browser; None looks for it.
        chromedriver: Its driver; None looks for it.
    """

    site: Site
    contact: str | None = None
    interval_s: float | None = None
    chromium: Path | None = None
    chromedriver: Path | None = None

    @property
    def agent(self) -> str:
        """The User-Agent: the project, its version and the contact."""
        return f"genre_assets/{version('genre-assets')} ({self.contact or 'on a replica'})"

    @contextmanager
    def visit(self, lake: Lake, archive: Archive, log: Log = silent) -> Iterator[Visitor]:
        """Open the browser and read pages, each of which is kept.

        Args:
            lake: Holds the lock by which the runs take turns.
            archive: Keeps the pages, the text of robots.txt too.
            log: Where waits and restarts are told.

        Raises:
            SourceError: If there is no browser, or robots.txt cannot be read.
        """
        chromium = find_chromium(self.chromium, self.chromedriver, download=True)
        host = SITE_HOST if self.site.is_live else DEMO_SITE_HOST
        rules, pace = self._welcome(lake, f"https://{host}", log)
        now = datetime.now(UTC)
        archive.keep("robots", KeptPage(rules.source, rules.source, 200, rules.text, now))
        allowed = {SITE_HOST} if self.site.is_live else {urlsplit(self.site.base).netloc}
        with Browser(chromium, self.agent, allowed, pace=pace, log=log) as browser:
            yield Visitor(self.site, browser.read, archive, rules, pace, log=log)

    def file_access(self, lake: Lake, log: Log = silent) -> Access:
        """How files are asked for, by the robots.txt of their host.

        Raises:
            SourceError: If robots.txt cannot be read.
        """
        host = FILE_HOST if self.site.is_live else DEMO_FILE_HOST
        rules, pace = self._welcome(lake, f"https://{host}", log)
        return Access(self.site, self.agent, pace, rules)

    def _welcome(self, lake: Lake, host_url: str, log: Log) -> tuple[Robots, Pace]:
        """What a host allows, and the pace that it wants."""
        pace = self._pace(lake, self.interval_s)
        rules = read_robots(self.site, host_url, self.agent, pace)
        if rules.content_signal.get("ai-train") == "no":
            log(
                f"{rules.source} asks that its content trains no AI (ai-train=no): whether the "
                "licences of the tracks allow what you do with them is yours to judge."
            )
        if rules.crawl_delay and rules.crawl_delay > (self.interval_s or 0.0):
            pace = self._pace(lake, rules.crawl_delay)
        return rules, pace

    def _pace(self, lake: Lake, interval_s: float | None) -> Pace:
        if self.site.is_live:
            wanted = POLITE_INTERVAL_S if interval_s is None else interval_s
            interval_s = max(wanted, SHORTEST_INTERVAL_S)
        return Pace(interval_s or 0.0, lake.root / "locks" / "fma_site.lock")
