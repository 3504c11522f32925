"""Worker processes for files that may hang, crash or eat the process that reads them.

Light: importing this module imports nothing heavy, in the parent and in the workers.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, TimeoutError, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from itertools import chain, islice
from multiprocessing import parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from genre_assets.audio.status import AudioError, Status
from genre_assets.errors import DiskFullError

Item = TypeVar("Item")
Result = TypeVar("Result")

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}
IN_FLIGHT_PER_WORKER = 3
_BREAKDOWN_POLL_S = 1.0
_BEGINNING_POLL_S = 0.05
_MOST_TO_BEGIN_S = 10.0


class WorkerPool:
    """Processes that run a function on items; started when first needed, kept until closed.

    Each worker computes with one thread and writes nothing to the terminal. Use it as a context
    manager: leaving it, by an error or Ctrl-C too, ends all workers.

    Args:
        workers: How many processes.
        warm_up: A top-level function that each worker calls once when it starts, such as one
            that imports what the functions need. Its errors are left for the functions to meet.
    """

    def __init__(self, workers: int, warm_up: Callable[[], object] | None = None):
        self._workers = workers
        self._warm_up = warm_up
        self._pool: ProcessPool | None = None
        self._items, self._seconds = 0, 0.0

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all workers; the next run starts new ones."""
        if self._pool is not None:
            # The pool takes its locks away first: a worker that is just beginning would look for
            # them, and print what it misses.
            for worker in self._context.begun:
                worker.wait_until_silent()
            self._pool.stop()
            self._pool.join()
            self._pool = None

    def work_done(self) -> tuple[int, float]:
        """Items that were finished since the last call, and the seconds that they took."""
        done = self._items, self._seconds
        self._items, self._seconds = 0, 0.0
        return done

    def run(
        self,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        limit_s: float | Callable[[Item], float],
        name: Callable[[Item], str] = str,
    ) -> Generator[tuple[Item, Result | AudioError], None, None]:
        """Run a function on every item and yield the results as they finish.

        Few items are in flight at a time, so the items may be a long iterator and are only held
        while needed. A consumer that may stop early wraps the generator in
        ``contextlib.closing``; the workers are then ended.

        Args:
            function: A top-level function of an importable module; its argument and its result
                must pickle.
            items: What to run it on; with none, no process starts.
            limit_s: Seconds that an item may take, or how to tell them from it, after which its
                worker is ended. It then has one more try: they pass while a computer sleeps or a
                run is suspended, too.
            name: Names an item in the sentence that says what became of it.

        Yields:
            Each item once, with its result or with what became of it: the
            :class:`~genre_assets.audio.status.AudioError` that the function raised, or one with
            status ``timed_out``, ``worker_died`` or ``failed``.

        Raises:
            DiskFullError: If an item found no room to write what it had to.
        """
        limit = limit_s if callable(limit_s) else lambda _: limit_s
        started = time.monotonic()
        waiting = iter(items)
        running: dict[Future, tuple[Item, bool]] = {}
        retried: list[Item] = []
        try:
            while True:
                room = IN_FLIGHT_PER_WORKER * self._workers - len(running)
                for item, again in islice(_both(retried, waiting), room):
                    future = self._started().schedule(
                        outcome, (function, item, name(item)), timeout=limit(item)
                    )
                    running[future] = item, again
                if not running:
                    return

                done, _ = wait(running, _BREAKDOWN_POLL_S, FIRST_COMPLETED)
                broken = self._pool is None or not self._pool.active
                for future in done:
                    error = future.exception()
                    if isinstance(error, BrokenProcessPool):
                        continue
                    item, again = running.pop(future)
                    if isinstance(error, TimeoutError) and not again:
                        retried.append(item)
                        continue
                    self._items += 1
                    yield item, _result(future, name(item), limit(item))
                if broken:
                    self.close()
                    for item, again in running.values():
                        if again:
                            yield item, _died(name(item), "with all others, twice")
                        else:
                            retried.append(item)
                    running.clear()
        finally:
            self._seconds += time.monotonic() - started
            if running:
                self.close()

    def _started(self) -> ProcessPool:
        if self._pool is not None and not self._pool.active:
            self.close()
        if self._pool is None:
            self._context = _OneThreadContext()
            self._pool = ProcessPool(
                max_workers=self._workers,
                initializer=_prepare_worker,
                initargs=(self._warm_up,),
                context=self._context,  # pyright: ignore[reportArgumentType]
            )
        return self._pool


def outcome(function: Callable[[Item], Result], item: Item, name: str) -> Result | AudioError:
    """The result of a function, or what became of it, as a value.

    An exception that cannot be unpickled would break the pool.

    Args:
        function: A function of the item.
        item: The item.
        name: Names the item in the sentence that says what became of it.
    """
    try:
        return function(item)
    except AudioError as error:
        return AudioError(error.status, error.reason)
    except DiskFullError:
        # The fault of no item, and the next one would meet it too.
        raise
    except Exception as error:
        return _unforeseen(name, error)


def _both(retried: list[Item], waiting: Iterator[Item]) -> Iterator[tuple[Item, bool]]:
    # Drains the list as it goes, so that what islice leaves stays there for the next round.
    again = ((retried.pop(), True) for _ in range(len(retried)))
    return chain(again, ((item, False) for item in waiting))


def _result(future: Future, item: str, limit_s: float):
    error = future.exception()
    match error:
        case None:
            return future.result()
        case TimeoutError():
            return AudioError(
                Status.TIMED_OUT, f"{item} was not done after {limit_s:g} s and was given up."
            )
        case ProcessExpired():
            return _died(item, _how_it_ended(error.exitcode))
        case DiskFullError():
            raise error
        case _:
            return _unforeseen(item, error)


def _died(item: str, how: str) -> AudioError:
    return AudioError(
        Status.WORKER_DIED,
        f"The worker process died with {item} ({how}); it may need more memory than there is.",
    )


def _how_it_ended(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-exit_code).name
    return f"exit code {exit_code}"


def _unforeseen(item: str, error: BaseException) -> AudioError:
    text = " ".join(str(error).split())
    kind = type(error).__name__
    return AudioError(Status.FAILED, f"{item}: {kind}: {text}" if text else f"{item}: {kind}")


class _Worker(SpawnProcess):
    """A process that computes with one thread, and writes nothing to the terminal once it runs."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._silent = SpawnContext().Semaphore(0)

    def start(self) -> None:
        # Thread counts are read when a library loads, so they must stand before the new process
        # runs its first line; the parent's own environment is left as it was.
        before = {key: os.environ.get(key) for key in ONE_THREAD}
        os.environ.update(ONE_THREAD)
        try:
            super().start()
        finally:
            for key, value in before.items():
                if value is None:
                    os.environ.pop(key, None)
                else:
                    os.environ[key] = value

    def run(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        self._silent.release()
        super().run()

    def wait_until_silent(self) -> None:
        give_up_at = time.monotonic() + _MOST_TO_BEGIN_S
        while self.is_alive() and time.monotonic() < give_up_at:
            if self._silent.acquire(timeout=_BEGINNING_POLL_S):
                self._silent.release()
                return


class _OneThreadContext(SpawnContext):
    def __init__(self):
        super().__init__()
        self.begun: list[_Worker] = []

    def Process(  # noqa: N802 # pyright: ignore[reportIncompatibleVariableOverride]
        self, *args: Any, **kwargs: Any
    ) -> _Worker:
        worker = _Worker(*args, **kwargs)
        # Each holds a semaphore, and in a long run many end with the file that they were given.
        self.begun = [*(other for other in self.begun if other.is_alive()), worker]
        return worker


def _prepare_worker(warm_up: Callable[[], object] | None) -> None:
    end_with_parent()
    if warm_up is not None:
        with contextlib.suppress(Exception):
            warm_up()


@cache
def end_with_parent() -> None:
    """Let this process end at once when the one that started it has ended, however it did."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(process: BaseProcess) -> None:
    process.join()
    os._exit(1)
