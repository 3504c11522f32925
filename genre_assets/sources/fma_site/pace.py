"""How fast the site is accessed: one request at a time, with pauses, longer where it says so."""

import errno
import os
import re
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal, Protocol, TextIO, TypeVar

from genre_assets.progress import Log, silent
from genre_assets.sources.catalogue import SourceError

LONGEST_WAIT_S = 600.0
"""Seconds that the site may ask clients to wait; for longer the run stops instead."""

_LONGEST_HOLD_S = 24 * 3600.0

BUSY = frozenset({429, 500, 502, 503, 504})
"""Statuses of a site that may answer later."""


class Pace:
    """Schedules requests to the site, of all threads and, with a lock file, all processes.

    Args:
        interval_s: Seconds between the end of one request and the start of the next.
        lock_path: A file that the processes of this machine lock during a request. A file beside
            it keeps when the next request may be made, so that a new run waits as well. Neither
            is used where it is a link.
        clock: Seconds that never jump.
        wall: Seconds that all processes agree on.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        interval_s: float,
        lock_path: Path | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ):
        self._interval_s = interval_s
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._not_before = clock()
        self._one_thread = threading.Lock()
        self._changing = threading.Lock()
        self._request_row: int | None = None
        self._one_process: AbstractContextManager[object] = nullcontext()
        self._shared: Path | None = None
        if lock_path is not None:
            from filelock import FileLock

            lock_path.parent.mkdir(parents=True, exist_ok=True)
            self._one_process = FileLock(lock_path)
            self._shared = lock_path.with_name(f"{lock_path.name}.not_before")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn and hold it: nobody else sends a request until it ends."""
        if self._request_row == threading.get_ident():
            raise RuntimeError("A turn within a turn would wait for itself.")
        with self._one_thread, self._alone():
            self._request_row = threading.get_ident()
            try:
                self._learn()
                while (left := self._not_before - self._clock()) > 0:
                    if left > LONGEST_WAIT_S:
                        raise ComeBackLater(
                            f"The site asked clients to wait another {left:,.0f} s: run again "
                            "after that."
                        )
                    self._sleep(left)
                try:
                    yield
                finally:
                    self._put_off(self._interval_s)
            finally:
                self._request_row = None

    def hold_off(self, seconds: float) -> None:
        """Let nobody ask for so many seconds, at most a day."""
        with self._alone():
            self._learn()
            self._put_off(min(seconds, _LONGEST_HOLD_S))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock of all processes."""
        with ExitStack() as held:
            try:
                held.enter_context(self._one_process)
            except OSError as error:
                raise _not_ours(str(getattr(self._one_process, "lock_file", "")), error) from error
            yield

    def _put_off(self, seconds: float) -> None:
        with self._changing:
            self._not_before = max(self._not_before, self._clock() + seconds)
        if self._shared is not None:
            then = self._wall() + self._not_before - self._clock()
            try:
                with _opened(self._shared, "w") as file:
                    file.write(f"{then:.3f}\n")
            except OSError as error:
                raise _not_ours(str(self._shared), error) from error

    def _learn(self) -> None:
        """Take over what other processes wait for."""
        if self._shared is None:
            return
        try:
            with _opened(self._shared, "r") as file:
                left = float(file.read(100)) - self._wall()
        except (FileNotFoundError, ValueError):
            return  # no run was here yet, or one was killed while it wrote
        except OSError as error:
            raise _not_ours(str(self._shared), error) from error
        if not left <= _LONGEST_HOLD_S:
            return  # nobody writes that: the clock of the day has jumped
        with self._changing:
            self._not_before = max(self._not_before, self._clock() + left)


def _opened(path: Path, mode: Literal["r", "w"]) -> TextIO:
    """Open a file, but never what a link in its place leads to, and without waiting for a pipe."""
    flags = os.O_RDONLY if mode == "r" else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not an ordinary file")
    return open(descriptor, mode)  # noqa: PTH123 (a descriptor; the caller closes it)


def _not_ours(path: str, error: OSError) -> SourceError:
    return SourceError(
        f"{path} cannot be used ({error.strerror or error}): delete it if it is a link or somebody "
        "else's, and see whether its folder can be written to."
    )


class ComeBackLater(SourceError):  # noqa: N818
    """The site is busy and had requests enough."""


class Answer(Protocol):
    """What the site answered; a page of the browser is one."""

    @property
    def url(self) -> str:
        """The URL that was requested."""
        ...

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def retry_after(self) -> str | None:
        """The header of that name."""
        ...


AnswerT = TypeVar("AnswerT", bound=Answer)


class _Busy(Exception):  # noqa: N818
    def __init__(self, answer: Answer, wait_s: float | None):
        super().__init__(answer.url)
        self.answer = answer
        self.wait_s = wait_s


def retries(**options: Any) -> Iterable[Any]:
    """Tries by the rules of ``stamina.retry_context``, which are not printed on the terminal."""
    import stamina
    import stamina.instrumentation

    stamina.instrumentation.set_on_retry_hooks([])
    return stamina.retry_context(**options)


def polite_retries(
    ask: Callable[[], AnswerT],
    pace: Pace,
    *,
    attempts: int = 5,
    log: Log = silent,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AnswerT:
    """Ask, and where the site is busy ask again when it says, or else ever more slowly.

    Args:
        ask: Asks once, in a turn of the pace.
        pace: Makes everybody wait.
        attempts: How many requests it makes at most.
        log: Takes lines about waits.
        now: The time of the day.

    Returns:
        The first answer whose status is not one of ``BUSY``.

    Raises:
        ComeBackLater: If the site remains busy, or asks clients to wait for very long.
    """

    def wait(error: Exception) -> bool | float:
        if not isinstance(error, _Busy) or error.wait_s is None:
            return isinstance(error, _Busy)
        if error.wait_s > LONGEST_WAIT_S:
            pace.hold_off(error.wait_s)
            return False
        log(_told(error.answer, error.wait_s))
        pace.hold_off(error.wait_s)
        return 0.0  # the next turn waits, and everybody else's too

    tries = retries(
        on=wait, attempts=attempts, timeout=None, wait_initial=5.0, wait_max=120.0, wait_jitter=5.0
    )
    requests = 0
    try:
        for attempt in tries:
            with attempt:
                answer = ask()
                requests += 1
                if answer.status not in BUSY:
                    return answer
                wait_s = retry_after_seconds(answer.retry_after, now())
                if wait_s is None and requests < attempts:
                    log(_told(answer, attempt.next_wait))
                    pace.hold_off(attempt.next_wait)
                raise _Busy(answer, wait_s)
    except _Busy as busy:
        raise _gives_up(busy, requests) from None
    raise AssertionError("stamina ends in an answer or an error")


def _told(answer: Answer, wait_s: float) -> str:
    return f"{answer.url} answered {answer.status}; waiting {wait_s:.0f} s."


def _gives_up(busy: _Busy, requests: int) -> ComeBackLater:
    answer = busy.answer
    if busy.wait_s is not None and busy.wait_s > LONGEST_WAIT_S:
        return ComeBackLater(
            f"{answer.url} answered {answer.status} and asked clients to wait "
            f"{busy.wait_s:,.0f} s: run again after that."
        )
    return ComeBackLater(
        f"{answer.url} answered {answer.status} to the last of {requests} requests: the site is "
        "busy, run again later."
    )


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """How long a ``Retry-After`` header asks to wait.

    Args:
        header: Seconds, or the date of an HTTP header, or None.
        now: The time of the day, with its time zone.

    Returns:
        Seconds, never negative, or None where the header says nothing.
    """
    said = (header or "").strip()
    if re.fullmatch(r"[0-9]+", said):
        return float(said)
    try:
        moment = parsedate_to_datetime(said)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - now).total_seconds(), 0.0)
