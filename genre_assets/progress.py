"""Progress of long work in words: counts, failures, rate and time left."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

_ENOUGH_TO_TELL = 5
"""Items to finish before the time left is shown: the rate of fewer means little."""

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
        self._started = self._said = self._first_done = time.monotonic()
        self.done = 0
        self.failed = 0

    def count(self, failed: bool = False) -> None:
        """Count one more as done, and as failed if it was."""
        self.done += 1
        self.failed += failed
        now = time.monotonic()
        if self.done == 1:
            self._first_done = now
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
        now = time.monotonic()
        if not self.done:
            return f"0 of {self._total} {self._noun}, {duration(now - self._started)} so far"
        said = f"{self.done} of {self._total} {self._noun}"
        if self.failed:
            said += f", {self.failed} failed"
        if self.done == 1:
            return said
        # The first one paid for the start of the workers.
        rate = (self.done - 1) / max(now - self._first_done, 1e-9)
        said += f", {rate:.1f}/s" if rate >= 1 else f", {1 / rate:.1f} s each"
        if _ENOUGH_TO_TELL <= self.done < self._total:
            said += f", {duration((self._total - self.done) / rate)} left"
        return said


def duration(seconds: float) -> str:
    """Seconds in words, such as ``2 min 5 s``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    return f"{seconds} s"
