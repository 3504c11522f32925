"""Pages of the site as a real, headless Chromium reads them, driven by Selenium.

The browser requests the page and nothing that it embeds: scripts do not run, and frames, style
sheets, images and the like are never requested. It can reach the site's own hosts and no other,
and keeps no cookie from one page to the next. It is restarted where it hangs, crashes or is
killed, and a guardian cleans up after it whatever happens.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from genre_assets.progress import Log, silent
from genre_assets.sources.catalogue import SourceError
from genre_assets.sources.fma_site.address import ForeignAddress
from genre_assets.sources.fma_site.browser_guardian import Guardian, processes_of
from genre_assets.sources.fma_site.chromium import (
    BrowserMissing,
    Chromium,
    chromium_options,
    environment_in,
    find_chromium,
    quieten,
)
from genre_assets.sources.fma_site.network_log import (
    Answer,
    NoResponse,
    is_no_page,
    require_page,
    with_event,
)
from genre_assets.sources.fma_site.orphan_processes import (
    adopt_orphans,
    reap_orphans,
    release_orphans,
)
from genre_assets.sources.fma_site.pace import Pace
from genre_assets.sources.fma_site.request_gate import Gate, GateClosed

if TYPE_CHECKING:
    from selenium.webdriver import Remote
    from selenium.webdriver.chrome.service import Service

__all__ = [
    "Browser",
    "BrowserFailed",
    "BrowserMissing",
    "Chromium",
    "NoResponse",
    "Page",
    "find_chromium",
]

TRIES_PER_PAGE = 4
LARGEST_PAGE_CHARS = 8 * 1024 * 1024

_ENDED_WITHIN_S = 2.0
_ANSWERS_WITHIN_S = 15.0
"""Seconds beyond the page's own that the driver may take before it counts as hung."""

_READ_PAGE = """
    window.stop();
    const html = document.documentElement ? document.documentElement.outerHTML : '';
    return [html.length, html.length > arguments[0] ? '' : html];
"""


class BrowserFailed(SourceError):  # noqa: N818
    """The browser was lost again and again over one page."""


class _Lost(Exception):  # noqa: N818
    """The browser or its driver hangs, crashed or is gone."""


@dataclass(frozen=True)
class Page:
    """A page as the site answered it.

    Attributes:
        url: The URL that was requested.
        final_url: The URL that answered, after redirects.
        status: HTTP status.
        html: The page.
        retry_after: The header of that name, or None.
        fetched_at: When the answer was complete.
    """

    url: str
    final_url: str
    status: int
    html: str
    retry_after: str | None
    fetched_at: datetime


class Browser:
    """Reads pages of the site, one at a time; started when first needed.

    Use it as a context manager: leaving it ends all that it started.

    Args:
        chromium: The installed browser.
        agent: The User-Agent.
        allowed_hosts: The only hosts that it can reach, such as ``freemusicarchive.org``, or
            with a port ``127.0.0.1:8765``.
        pace: Gives a turn for each time that a page is requested; None never waits.
        page_timeout_s: Seconds after which a page counts as hanging.
        sandboxed: Whether it runs in its sandbox, which it cannot as root.
        log: Takes lines about restarts.

    Attributes:
        restarts: How often the browser was lost and started again.
    """

    def __init__(
        self,
        chromium: Chromium,
        agent: str,
        allowed_hosts: Collection[str],
        *,
        pace: Pace | None = None,
        page_timeout_s: float = 30.0,
        sandboxed: bool = True,
        log: Log = silent,
    ):
        self._chromium = chromium
        self._agent = agent
        self._allowed_hosts = frozenset(allowed_hosts)
        self._pace = pace or Pace(0)
        self._page_timeout_s = page_timeout_s
        self._sandboxed = sandboxed
        self._log = log
        self._running: _Running | None = None
        self.restarts = 0

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser; the next page starts another."""
        if self._running is not None:
            self._running.end()
            self._running = None

    def read(self, url: str) -> Page:
        """Read a page, whatever its status.

        Args:
            url: Where it is requested.

        Raises:
            ForeignAddress: If the URL, or where it redirects to, is not of an allowed host.
            NoResponse: If the site does not answer in full, again and again.
            BrowserFailed: If the browser is lost, again and again.
            SourceError: If the answer is no page, or too large.
        """
        self._require_own(url, url)
        error: Exception | None = None
        for attempt in range(TRIES_PER_PAGE):
            try:
                return self._ask(url)
            except NoResponse as no_answer:
                error = no_answer
            except _Lost as lost:
                self.close()
                if attempt + 1 < TRIES_PER_PAGE:
                    self.restarts += 1
                    self._log(f"The browser is restarted: {lost}")
                error = BrowserFailed(
                    f"The browser was lost {TRIES_PER_PAGE} times over {url}: see whether "
                    f"{self._chromium.binary} and {self._chromium.driver} run and belong together "
                    f"({' '.join(str(lost).split())[:200]})."
                )
        assert error is not None
        raise error

    def _ask(self, url: str) -> Page:
        if self._running is None:
            self._running = _start(
                self._chromium,
                self._agent,
                self._allowed_hosts,
                self._page_timeout_s,
                self._sandboxed,
            )
        with self._pace.turn():
            answer = self._running.open(url)
            if answer.hops:
                self._require_own(answer.hops[-1], url)
            require_page(url, answer)
            length, html = self._running.page()
        if length > LARGEST_PAGE_CHARS:
            raise SourceError(
                f"{url} is a page of {length:,} characters, over the limit of "
                f"{LARGEST_PAGE_CHARS:,}: nothing of it is kept."
            )
        return Page(
            url, answer.hops[-1], answer.status, html, answer.retry_after, datetime.now(UTC)
        )

    def _require_own(self, url: str, requested: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and (
            self._allowed_hosts & {parts.hostname, parts.netloc}
        ):
            return
        hosts = ", ".join(sorted(self._allowed_hosts))
        leads = url if url == requested else f"{requested} leads to {url}, which"
        raise ForeignAddress(f"{leads} is not one of {hosts}, so it is not read.")


class _Running:
    """A started browser."""

    def __init__(self, service: Service, driver: Remote, guardian: Guardian, gate: Gate):
        self._service = service
        self._driver = driver
        self._guardian = guardian
        self._gate = gate
        self._frame = driver.current_window_handle

    def open(self, url: str) -> Answer:
        """Go to a page; returns what went over the wire.

        Raises:
            _Lost: If the browser hangs or is gone.
        """
        from selenium.common.exceptions import TimeoutException, WebDriverException

        with _losses():
            _devtools(self._driver, "Network.clearBrowserCookies", {})
            self._events()
            self._gate.expect_page()
            try:
                self._driver.get(url)
            except TimeoutException:
                raise
            except WebDriverException as error:
                if "net::ERR_" not in str(error):
                    raise
            answer = self._answer()
            if answer.failure:
                self._driver.get("about:blank")  # or else the browser goes on asking
            return answer

    def page(self) -> tuple[int, str]:
        """Length of the page and, unless it is too large, the page."""
        with _losses():
            length, html = self._driver.execute_script(_READ_PAGE, LARGEST_PAGE_CHARS)
            return length, html

    def end(self) -> None:
        """End all its processes and delete its folder."""
        _end(self._service, self._guardian)
        self._gate.close()

    def _answer(self) -> Answer:
        answer = Answer()
        give_up_at = time.monotonic() + _ENDED_WITHIN_S
        while True:
            for event in self._events():
                answer = with_event(answer, event, self._frame)
            if answer.ended or is_no_page(answer) or time.monotonic() > give_up_at:
                return answer
            time.sleep(0.01)

    def _events(self) -> Iterator[dict[str, Any]]:
        entries = self._driver.execute("getLog", {"type": "performance"})["value"]
        return (json.loads(entry["message"])["message"] for entry in entries)


@contextmanager
def _losses() -> Iterator[None]:
    """Make one kind of error of all ways in which a browser can be lost."""
    from selenium.common.exceptions import WebDriverException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except WebDriverException as error:
        raise _Lost(_first_line(error.msg or type(error).__name__)) from error
    except GateClosed as error:
        raise _Lost(str(error)) from error
    except (HTTPError, OSError) as error:
        raise _Lost(f"its driver does not answer ({type(error).__name__}).") from error


def _first_line(message: str) -> str:
    return message.strip().partition("\n")[0].rstrip(".").replace(". ", ", ") + "."


def _start(
    chromium: Chromium,
    agent: str,
    allowed_hosts: Collection[str],
    page_timeout_s: float,
    sandboxed: bool,
) -> _Running:
    from selenium.webdriver import Remote
    from selenium.webdriver.chrome.remote_connection import ChromeRemoteConnection
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.remote.client_config import ClientConfig

    quieten()
    guardian = Guardian()
    adopt_orphans()
    service = Service(
        str(chromium.driver),
        # The log's path puts the folder on the driver's command line, where the guardian looks.
        service_args=[f"--log-path={guardian.folder}/driver.log", "--log-level=SEVERE"],
        log_output=subprocess.DEVNULL,
        env=environment_in(guardian.folder),
        popen_kw={"start_new_session": True},  # Ctrl-C is for our process to deal with
    )
    try:
        with _losses():
            service.start()
            connection = ChromeRemoteConnection(
                service.service_url,
                ignore_proxy=True,
                client_config=ClientConfig(
                    service.service_url, timeout=int(page_timeout_s + _ANSWERS_WITHIN_S)
                ),
            )
            options = chromium_options(chromium, agent, allowed_hosts, guardian.folder, sandboxed)
            driver = Remote(connection, options=options)
            gate = Gate(
                driver.capabilities["goog:chromeOptions"]["debuggerAddress"],
                driver.current_window_handle,
                page_timeout_s,
            )
            _devtools(driver, "Network.setCacheDisabled", {"cacheDisabled": True})
            running = _Running(service, driver, guardian, gate)
            driver.set_page_load_timeout(page_timeout_s)
            return running
    except BaseException:
        _end(service, guardian)
        raise


def _end(service: Service, guardian: Guardian) -> None:
    process = getattr(service, "process", None)
    browsers = {browser.pid for browser in processes_of(guardian.folder)}
    guardian.close()
    if process is not None:
        process.wait()
        reap_orphans(process.pid, browsers)
    service.stop()  # only closes its pipes by now
    release_orphans()


def _devtools(driver: Remote, command: str, arguments: dict[str, Any]) -> None:
    driver.execute("executeCdpCommand", {"cmd": command, "params": arguments})
