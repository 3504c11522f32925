"""Reads pages of the site as robots.txt allows, waits where it is busy, and keeps all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from genre_assets.progress import Log, silent
from genre_assets.sources.fma_site.address import DEMO_SITE_HOST, Site
from genre_assets.sources.fma_site.archive import Archive, KeptPage
from genre_assets.sources.fma_site.pace import Pace, polite_retries
from genre_assets.sources.fma_site.robots import CrawlPolicy, Robots

if TYPE_CHECKING:
    from genre_assets.sources.fma_site.browser import Page


class PageReader:
    """Reads pages of the site and keeps each response.

    Args:
        site: Where the site is.
        ask: Reads a URL in a turn of the pace, such as ``Browser.read``.
        archive: Keeps the pages.
        robots: The rules of the site.
        pace: Makes everybody wait where the site is busy.
        log: Takes lines about waits.
    """

    def __init__(
        self,
        site: Site,
        ask: Callable[[str], Page],
        archive: Archive,
        robots: Robots | CrawlPolicy,
        pace: Pace,
        log: Log = silent,
    ):
        self._site = site
        self._ask = ask
        self._archive = archive
        self._robots = robots
        self._pace = pace
        self._log = log

    def read(self, address: str, kind: str) -> KeptPage:
        """Read a page, whatever its status.

        Args:
            address: A path of the site such as ``/genre/Techno``, or a URL that a page named.
            kind: listing or track.

        Raises:
            SourceError: If the address is not the site's, robots.txt disallows it, the site is
                busy for too long, or does not answer.
        """
        url = f"{self._own_base()}{address}" if address.startswith("/") else address
        requested = self._site.request_url(url)
        self._robots.check(url)

        def ask() -> Page:
            page = self._ask(requested)
            self._archive.keep(kind, _kept(page, url, requested))
            return page

        return _kept(polite_retries(ask, self._pace, log=self._log), url, requested)

    def _own_base(self) -> str:
        return self._site.base if self._site.is_live else f"https://{DEMO_SITE_HOST}"


def _kept(page: Page, url: str, requested: str) -> KeptPage:
    return KeptPage(
        url, _own_name(page.final_url, requested, url), page.status, page.html, page.fetched_at
    )


def _own_name(final_url: str, requested: str, url: str) -> str:
    """The URL that answered, under the name that the page was requested by."""
    if final_url == requested:
        return url
    final, own = urlsplit(final_url), urlsplit(url)
    if final.netloc != urlsplit(requested).netloc:
        return final_url
    return final._replace(scheme=own.scheme, netloc=own.netloc).geturl()
