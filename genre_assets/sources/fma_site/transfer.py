"""One file of the site over HTTP: whole, of the promised length, resumed where it broke off.

What came of a file stays in a partial file, with a note beside it of what it is a part of: the
next try, of this run or of another one, requests the rest only. A strong ETag, or else the time
of the last modification, goes with the question, so that parts of two files are never joined.

Light: httpx is imported when a file is requested.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from genre_assets.errors import UserError
from genre_assets.sources.fma_site.address import ForeignAddress, Site
from genre_assets.sources.fma_site.deadline import Deadline
from genre_assets.sources.fma_site.disk_space import not_kept, require_room
from genre_assets.sources.fma_site.pace import (
    LONGEST_WAIT_S,
    ComeBackLater,
    Pace,
    retries,
    retry_after_seconds,
)
from genre_assets.sources.fma_site.partial_download import Note, Partial
from genre_assets.sources.fma_site.responses import beginning, html_page, range_of
from genre_assets.sources.fma_site.robots import CrawlPolicy, Robots

if TYPE_CHECKING:
    import httpx

TRANSIENT = frozenset(
    {"cut_short", "unreachable", "timed_out", "server_error", "too_many_requests"}
)
"""Failures of the way or of the moment: tried again in the same run and by the next one."""

_MOST_REQUESTS = 5
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<[!?a-zA-Z]")
_BINARY = frozenset({"", "application/octet-stream", "binary/octet-stream"})


@dataclass(frozen=True)
class Access:
    """How files of the site are requested.

    Attributes:
        site: Where they are requested, and nowhere else.
        agent: The User-Agent.
        pace: Gives the turns.
        robots: Says what may be requested, of every host of the site.
        attempts: Tries of one file in one run.
        timeout_s: Seconds in which an answer has to begin, its headers all there, and seconds
            without a byte of the file after which a try is given up.
        limit_s: Seconds in which a whole file has to come.
        largest_bytes: A larger file is not taken.
    """

    site: Site
    agent: str
    pace: Pace
    robots: Robots | CrawlPolicy
    attempts: int = 4
    timeout_s: float = 30.0
    limit_s: float = 1800.0
    largest_bytes: int = 500 * 2**20

    def refusal(self, url: str) -> tuple[str, str] | None:
        """Why a URL must not be requested: the outcome and its reason, or None when it may."""
        try:
            self.site.request_url(url)
        except (ForeignAddress, ValueError):
            return "foreign_address", f"{url[:200]!r} is no address of the site."
        if not self.robots.allows(url):
            return "disallowed", f"The site's robots.txt does not allow {url}."
        return None


@dataclass
class Transfer:
    """What became of the tries to get one file.

    Attributes:
        final_url: The URL that was requested last, after redirects, under the site's own name.
        status: HTTP status of the last answer; None when there was none.
        etag: Entity tag of the file.
        bytes: Bytes of the file that came.
        attempts: Requests that were made, those that followed a redirect too.
        outcome: ``ok``, or the named kind of failure.
        reason: Why it failed, in one sentence.
        wait_s: Seconds that the host asked clients to wait when it failed, or 0.
    """

    final_url: str
    status: int | None = None
    etag: str | None = None
    bytes: int = 0
    attempts: int = 0
    outcome: str = "ok"
    reason: str | None = None
    wait_s: float = 0.0


class FileHost:
    """Asks the site for files, one at a time. A context manager.

    Args:
        access: How to ask.
    """

    def __init__(self, access: Access):
        self._access = access

    def __enter__(self) -> "FileHost":
        import httpx

        self._client = httpx.Client(
            headers={"User-Agent": self._access.agent, "Accept-Encoding": "identity"},
            timeout=self._access.timeout_s,
            # A deadline ends a connection that it saw being made.
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=self._access.site.is_live,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def receive(self, url: str, partial: Path) -> Transfer:
        """Get one file, or the rest of it, into a partial file.

        Args:
            url: The file, under the site's own name.
            partial: Takes the bytes and holds those of earlier tries; its note lies beside it
                with the suffix ``.json``. When the outcome is ``ok`` it is the whole file, synced.

        Returns:
            What became of it. Failures in :data:`TRANSIENT` leave what came for the next try.

        Raises:
            DiskFullError: If there is no room for it.
            UserError: If the partial file cannot be written for another reason.
        """
        transfer = Transfer(final_url=url)
        tries = retries(
            on=_is_worth_another_try,
            attempts=self._access.attempts,
            timeout=None,
            wait_initial=1.0,
            wait_max=60.0,
        )
        try:
            for attempt in tries:
                with attempt:
                    self._try(url, Partial(partial), transfer)
        except _TransferError as failure:
            transfer.outcome, transfer.reason = failure.outcome, failure.reason
            transfer.wait_s = failure.wait_s
        except ComeBackLater:
            raise
        except UserError:
            raise
        except OSError as error:
            needed = Partial(partial).missing(url)
            raise not_kept(url, partial.parent, error, needed) from error
        except Exception as error:
            transfer.outcome = "failed"
            transfer.reason = f"{url} failed with an unexpected error: {_in_words(error)}."
        return transfer

    def _try(self, url: str, partial: "Partial", transfer: Transfer) -> None:
        note = partial.note(url)
        if note and note.total == partial.size:
            transfer.final_url, transfer.etag = note.final_url, note.etag
        else:
            try:
                self._ask(url, partial, note, transfer)
            except _TransferError as failure:
                if failure.wait_s:
                    self._access.pace.hold_off(failure.wait_s)
                raise
        head = partial.head()
        if not head or _MARKUP.match(head):
            partial.forget()
            what = html_page(head) if head else "no bytes at all"
            raise _TransferError(
                "not_audio", f"{transfer.final_url} answered with {what}, not audio."
            )

    def _ask(self, url: str, partial: "Partial", note: "Note | None", transfer: Transfer) -> None:
        headers = {}
        if note and note.validator:
            headers = {"Range": f"bytes={partial.size}-", "If-Range": note.validator}
        named = url
        for _ in range(_MOST_REQUESTS):
            self._refuse_address(named, url)
            with self._answer(named, headers, transfer) as (answer, deadline):
                if not answer.has_redirect_location:
                    now = Note.of_answer(url, named, answer)
                    transfer.etag = now.etag
                    before = note if headers else None
                    self._take(answer, deadline, now, before, partial, transfer)
                    return
                named = urljoin(named, answer.headers["location"])
        raise _TransferError("unexpected_answer", f"{url} is redirected again and again.")

    def _refuse_address(self, named: str, url: str) -> None:
        refused = self._access.refusal(named)
        if refused and named == url:
            raise _TransferError(*refused)
        if refused:
            outcome, reason = refused
            if outcome == "foreign_address":
                outcome = "foreign_redirect"
            raise _TransferError(outcome, f"{url} is redirected. {reason}")

    @contextmanager
    def _answer(
        self, named: str, headers: dict[str, str], transfer: Transfer
    ) -> Iterator[tuple["httpx.Response", Deadline]]:
        import httpx

        with self._access.pace.turn(), Deadline(self._access.timeout_s) as deadline:
            transfer.attempts += 1
            transfer.final_url, transfer.status = named, None
            requested = self._access.site.request_url(named)
            # The cookies of a host that sets many would be more than it takes with a request.
            self._client.cookies.clear()
            options = {"headers": headers, "extensions": deadline.extensions}
            try:
                with self._client.stream("GET", requested, **options) as answer:
                    transfer.status = answer.status_code
                    deadline.restart(self._access.limit_s)
                    yield answer, deadline
            except httpx.TransportError as error:
                if deadline.passed or isinstance(error, httpx.TimeoutException):
                    reason = f"{named} did not answer in full within {self._access.timeout_s:g} s."
                    raise _PassingError("timed_out", reason) from error
                reason = f"{named} gave no answer: {_in_words(error)}."
                raise _PassingError("unreachable", reason) from error

    def _take(
        self,
        answer: "httpx.Response",
        deadline: Deadline,
        now: "Note",
        before: "Note | None",
        partial: "Partial",
        transfer: Transfer,
    ) -> None:
        """Add an answer to the partial file, until it is the whole file.

        Args:
            answer: What came, which is no redirect.
            deadline: Ends the answer when it takes too long.
            now: The file that it is of.
            before: The file that the partial one is a part of when the rest of it was requested;
                None when the whole file was.
            partial: The partial file.
            transfer: Counts what comes.
        """
        if before and answer.status_code == 416:
            if range_of(answer) == (None, partial.size):
                partial.write_note(replace(before, total=partial.size))
                return
            partial.forget()
            raise _PassingError(
                "cut_short", f"{now.url} could not be resumed: it has become shorter."
            )
        _refuse_failure(answer, now.final_url, partial)
        _refuse_other_types(answer, now.final_url)
        start = 0
        if answer.status_code == 206:
            start, total = range_of(answer)
            now = replace(now, total=total)
            if start != (partial.size if before else 0) or (before and not before.may_be(now)):
                partial.forget()
                raise _PassingError("cut_short", f"{now.url} changed while it was fetched.")
        if now.total is None and answer.headers.get("transfer-encoding") != "chunked":
            reason = (
                f"{now.final_url} does not say how long it is, so nobody could tell whether it is "
                "complete."
            )
            raise _TransferError("no_length", reason)
        if start == 0:
            partial.begin(now)
        self._stream(answer, deadline, now, partial, transfer)
        if now.total is None:
            partial.write_note(replace(now, total=partial.size))
        elif partial.size != now.total:
            raise _cut_short(now, partial)

    def _stream(
        self,
        answer: "httpx.Response",
        deadline: Deadline,
        now: "Note",
        partial: "Partial",
        transfer: Transfer,
    ) -> None:
        import httpx

        size = partial.size
        self._refuse_size(now.total or 0, now, partial)
        require_room(now.url, partial.path.parent, max((now.total or 0) - size, 0))
        with partial.path.open("ab") as file:
            try:
                for block in answer.iter_raw():
                    size += len(block)
                    transfer.bytes += len(block)
                    self._refuse_size(size, now, partial)
                    left = max((now.total or 0) - size, 0) + len(block)
                    require_room(now.url, partial.path.parent, left)
                    file.write(block)
                    # What came is there for the next run, however this one ends.
                    file.flush()
            except httpx.TimeoutException as error:
                waited = f"{self._access.timeout_s:g} s"
                reason = f"{now.final_url} sent nothing for {waited} after byte {size}."
                raise _PassingError("timed_out", reason) from error
            except httpx.TransportError as error:
                if deadline.passed:
                    reason = f"{now.final_url} was not complete after {self._access.limit_s:g} s."
                    raise _TransferError("timed_out", reason) from error
                raise _cut_short(now, partial) from error
            os.fsync(file.fileno())

    def _refuse_size(self, size: int, now: "Note", partial: "Partial") -> None:
        largest = self._access.largest_bytes
        if size > largest:
            partial.forget()
            reason = f"{now.final_url} is larger than {largest / 2**20:g} MiB."
            raise _TransferError("too_large", reason)


class _TransferError(Exception):
    """A file that cannot be had; another try would meet the same."""

    def __init__(self, outcome: str, reason: str, wait_s: float = 0.0):
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
        self.wait_s = wait_s


class _PassingError(_TransferError):
    """A try that failed where the next one may not."""


def _is_worth_another_try(error: Exception) -> bool:
    return isinstance(error, _PassingError) and error.wait_s <= LONGEST_WAIT_S


def _refuse_failure(answer: "httpx.Response", named: str, partial: Partial) -> None:
    status = answer.status_code
    said = f"{named} answered {status} {answer.reason_phrase}".rstrip() + "."
    wait_s = retry_after_seconds(answer.headers.get("retry-after"), datetime.now(UTC)) or 0.0
    match status:
        case 200 | 206:
            return
        case 404 | 410:
            partial.forget()
            raise _TransferError("removed", said)
        case 401 | 403 | 451:
            raise _TransferError("forbidden", said)
        case 429:
            raise _PassingError("too_many_requests", said, wait_s)
        case _ if status >= 500:
            raise _PassingError("server_error", said, wait_s)
        case _:
            raise _TransferError("unexpected_answer", said)


def _refuse_other_types(answer: "httpx.Response", named: str) -> None:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = answer.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        reason = (
            f"{named} answered in the encoding {encoding!r}, although plain bytes were requested."
        )
        raise _TransferError("unexpected_answer", reason)
    if not kind.startswith("audio/") and kind not in _BINARY:
        what = html_page(beginning(answer)) if kind == "text/html" else kind
        raise _TransferError("not_audio", f"{named} answered with {what}, not audio.")


def _cut_short(now: Note, partial: Partial) -> _PassingError:
    total = f" of {now.total}" if now.total is not None else ""
    return _PassingError(
        "cut_short", f"{now.final_url} broke off after {partial.size}{total} bytes."
    )


def _in_words(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
