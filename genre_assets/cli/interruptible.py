"""Ctrl-C while a library is at work that does not notice it."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from genre_assets.terminal import complain


@contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """While this lasts, Ctrl-C ends the program at once, with exit status 130.

    Python only notices a signal between two steps of its main thread, and a query of DuckDB is one
    step, however long it takes. So a thread waits for the byte that is written as a signal arrives.
    For work that has nothing to put in order when it ends.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def watch() -> None:
        with os.fdopen(reader, "rb", buffering=0) as arrived:
            while number := arrived.read(1):
                if number[0] == signal.SIGINT:
                    complain("genre-assets: interrupted.")
                    os._exit(130)

    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writer)
        watcher.join()
