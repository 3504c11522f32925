"""Progress of long work in words: counts, failures, rate and time left."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

_ENOUGH_TO_TELL = 5
"""Done before a time left is told: the first ones pay for the start of the workers."""

Log = Callable[[str], None]
"""Takes one line for the log."""


def silent(line: str) -> None:
    """Log nothing."""


def counted(count: int, noun: str) -> str:
    """A count with its noun, such as ``1 track`` or ``2,000 tracks``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


class Progress:
    """Says how far a piece of work is, at most once in a few seconds.

    Args:
        noun: What is counted, such as ``"files probed"``.
        total: How many there are.
        log: Where the lines go.
        every_s: Seconds between two lines.
    """

    def __init__(self, noun: str, total: int, log: Log = silent, every_s: float = 5.0):
        self._noun = noun
        self._total = total
        self._log = log
        self._every_s = every_s
        self._started = self._said = time.monotonic()
        self.done = 0
        self.failed = 0

    def count(self, failed: bool = False) -> None:
        """Count one more as done, and as failed if it was."""
        self.done += 1
        self.failed += failed
        now = time.monotonic()
        if now - self._said >= self._every_s or self.done == self._total:
            self._said = now
            self._log(self.line())

    @contextlib.contextmanager
    def kept_alive(self, every_s: float = 30.0) -> Iterator[None]:
        """Say it again while nothing gets done, so that nobody takes slow work for a dead run."""
        ended = threading.Event()

        def say_again() -> None:
            while not ended.wait(every_s):
                if time.monotonic() - self._said >= every_s:
                    self._log(self.line())

        thread = threading.Thread(target=say_again, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def line(self) -> str:
        """The state in one line."""
        seconds = max(time.monotonic() - self._started, 1e-9)
        if not self.done:
            return f"0 of {self._total} {self._noun}, {duration(seconds)} so far"
        rate = self.done / seconds
        left = (self._total - self.done) / rate if rate else float("inf")
        failed = f", {self.failed} failed" if self.failed else ""
        tells = _ENOUGH_TO_TELL <= self.done < self._total
        rest = f", {duration(left)} left" if tells else ""
        pace = f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each" if rate else "0/s"
        return f"{self.done} of {self._total} {self._noun}{failed}, {pace}{rest}"


def duration(seconds: float) -> str:
    """Seconds in words, such as ``2 min 5 s``."""
    if seconds == float("inf"):
        return "unknown time"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    return f"{seconds} s"
