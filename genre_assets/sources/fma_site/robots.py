"""What a host's robots.txt allows (RFC 9309), read once before anything else is requested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from genre_assets.sources.catalogue import SourceError
from genre_assets.sources.fma_site.address import DEMO_FILE_HOST, FILE_HOST, LOOPBACK, Site
from genre_assets.sources.fma_site.deadline import Deadline
from genre_assets.sources.fma_site.pace import Pace, polite_retries

if TYPE_CHECKING:
    from protego import Protego

ROBOTS_NAME = "genre_assets"
"""The name by which robots.txt can address this platform."""

LARGEST_ROBOTS_BYTES = 500 * 1024
"""What RFC 9309 wants read at least; the rest is left."""

_MOST_REDIRECTS = 5
_TIMEOUT_S = 30.0
"""Seconds in which the whole answer has to come."""


class Disallowed(SourceError):  # noqa: N818
    """robots.txt disallows a URL."""


@dataclass(frozen=True)
class RobotsAnswer:
    """What a host answered when requested its robots.txt.

    Attributes:
        url: The URL that was requested.
        status: HTTP status.
        body: The start of the body.
        location: Where a redirect leads, or None.
        retry_after: The header of that name, or None.
    """

    url: str
    status: int
    body: bytes = b""
    location: str | None = None
    retry_after: str | None = None


class Robots:
    """The rules of one host.

    Args:
        source: The URL of the robots.txt, under the host's own name.
        text: Its text; empty where there is none, which allows everything.
        status: HTTP status of the answer.

    Attributes:
        source: As given.
        text: As given.
        status: As given.
        crawl_delay: Seconds that it wants between two requests, or None.
        content_signal: What it declares about the use of its content, such as
            ``{"search": "yes", "ai-train": "no"}``.
    """

    def __init__(self, source: str, text: str, status: int = 200):
        self.source = source
        self.text = text
        self.status = status
        self._rules = _parsed(text)
        self.crawl_delay: float | None = self._rules.crawl_delay(ROBOTS_NAME)
        self.content_signal = _content_signal(text)

    def allows(self, url: str) -> bool:
        """Whether a URL may be requested; only its path and query count."""
        return self._rules.can_fetch(url, ROBOTS_NAME)

    def check(self, url: str) -> None:
        """Refuse a URL that may not be requested.

        Raises:
            Disallowed: If the rules disallow it.
        """
        if not self.allows(url):
            raise Disallowed(f"{url} is not requested: {self.source} disallows it.")


@dataclass(frozen=True)
class CrawlPolicy:
    """What the site's two hosts allow.

    Attributes:
        pages: The rules of the host of pages.
        files: The rules of the host of files.
    """

    pages: Robots
    files: Robots

    def allows(self, url: str) -> bool:
        """Whether a URL, under the site's own name, may be requested."""
        return self._of(url).allows(url)

    def check(self, url: str) -> None:
        """Refuse a URL that may not be requested.

        Raises:
            Disallowed: If the rules of its host disallow it.
        """
        self._of(url).check(url)

    def _of(self, url: str) -> Robots:
        host = urlsplit(url).hostname
        return self.files if host in (FILE_HOST, DEMO_FILE_HOST) else self.pages


def fetch_robots(url: str, agent: str) -> RobotsAnswer:
    """Request a robots.txt once, without following redirects.

    Raises:
        SourceError: If there is no answer, or not all of it in time.
    """
    import httpx

    too_late = (
        f"{url} did not arrive in full within {_TIMEOUT_S:g} s, so nothing there may be "
        "downloaded: run again when the site works."
    )
    deadline = Deadline(_TIMEOUT_S)
    try:
        with (
            deadline,
            httpx.Client(
                timeout=_TIMEOUT_S,
                headers={"User-Agent": agent},
                # A proxy cannot reach a replica on this machine.
                trust_env=urlsplit(url).hostname not in LOOPBACK,
            ) as client,
            client.stream("GET", url, extensions=deadline.extensions) as response,
        ):
            body = b""
            for chunk in response.iter_bytes(64 * 1024):
                body += chunk
                if len(body) > LARGEST_ROBOTS_BYTES:
                    break
            if deadline.passed:
                raise SourceError(too_late)
            return RobotsAnswer(
                url,
                response.status_code,
                body,
                response.headers.get("location") if response.is_redirect else None,
                response.headers.get("retry-after"),
            )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        if deadline.passed:
            raise SourceError(too_late) from error
        raise SourceError(
            f"{url} did not answer ({type(error).__name__}), so nothing there may be requested: "
            "run again when the site is up."
        ) from error


def read_robots(
    site: Site,
    host_url: str,
    agent: str,
    pace: Pace,
    fetch: Callable[[str, str], RobotsAnswer] = fetch_robots,
) -> Robots:
    """Read the robots.txt of a host of the site.

    Args:
        site: Where the site is.
        host_url: The host under its own name, such as ``https://freemusicarchive.org``.
        agent: The User-Agent.
        pace: Gives the turn.
        fetch: Asks for a URL as an agent.

    Raises:
        SourceError: If it cannot be read: everything counts as disallowed then.
    """
    source = urljoin(host_url, "/robots.txt")
    requested = site.request_url(source)

    def ask() -> RobotsAnswer:
        with pace.turn():
            return fetch(requested, agent)

    for _ in range(1 + _MOST_REDIRECTS):
        answer = polite_retries(ask, pace)
        if answer.location is None:
            return Robots(source, _text(source, answer), answer.status)
        requested = site.request_url(urljoin(requested, answer.location))
    raise SourceError(f"{source} leads from redirect to redirect: nothing there may be requested.")


def _text(source: str, answer: RobotsAnswer) -> str:
    if 400 <= answer.status < 500:
        return ""
    if answer.status != 200:
        raise SourceError(
            f"{source} answered {answer.status}, so nothing there may be requested: run again "
            "when the site is well."
        )
    body = answer.body
    if len(body) > LARGEST_ROBOTS_BYTES:
        body = body[:LARGEST_ROBOTS_BYTES].rpartition(b"\n")[0]
    return body.decode("utf-8-sig", errors="replace")


def _parsed(text: str) -> Protego:
    from protego import Protego

    return Protego.parse(text)


def _content_signal(text: str) -> dict[str, str]:
    """The signals of the group that addresses this platform, or else of the groups for all."""
    by_agent: dict[str, dict[str, str]] = {"*": {}}
    agents: list[str] = ["*"]
    naming = False
    for line in text.splitlines():
        field, colon, value = line.partition("#")[0].partition(":")
        field = field.strip().lower()
        if not colon:
            continue
        if field == "user-agent":
            agents = [*agents, value.strip().lower()] if naming else [value.strip().lower()]
        elif field == "content-signal":
            for agent in agents:
                by_agent.setdefault(agent, {}).update(_signals(value))
        naming = field == "user-agent"
    return by_agent.get(ROBOTS_NAME, by_agent["*"])


def _signals(value: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in value.split(","))
    return {name.strip().lower(): said.strip().lower() for name, equals, said in pairs if equals}
