"""A small process that outlives this one just long enough to clean up after its browser.

A browser is a dozen processes and a folder, and ``kill -9`` gives nobody time to end them. So
each browser gets a guardian of its own: it reads a pipe that only our process can write to, and
when the pipe closes, for whatever reason, it ends every process that was given the folder on its
command line, with what those started, and deletes the folder.

It runs this file alone: whatever is imported here, it imports too.
"""

import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

FOLDER_PREFIX = "genre-assets-browser-"

_POLL_S = 0.05
_GIVE_UP_AFTER_S = 15.0


class Guardian:
    """A temporary folder that is gone, with all processes that were given it, once we are.

    Attributes:
        folder: The folder. A process is guarded if an argument of its command line holds
            ``=`` and this path, as in ``--user-data-dir=FOLDER/profile``.
    """

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX)).resolve()
        try:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-I", __file__, str(self.folder), str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def close(self) -> None:
        """End the guarded processes, delete the folder, and see that it happened."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(2 * _GIVE_UP_AFTER_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self.folder.exists():  # the guardian itself was killed
            clean_up(self.folder)


def clean_up(folder: Path) -> None:
    """End all processes that were given a folder and delete it."""
    give_up_at = time.monotonic() + _GIVE_UP_AFTER_S
    quiet = False
    # A process whose parent has ended is not found through the folder again.
    seen = set()
    while time.monotonic() < give_up_at:
        seen |= processes_of(folder)
        alive = [process for process in seen if _is_alive(process)]
        for process in alive:
            _kill(process)
        shutil.rmtree(folder, ignore_errors=True)
        # Twice in a row: a process that was just being started is not listed the first time.
        if quiet and not alive and not folder.exists():
            return
        quiet = not alive
        time.sleep(_POLL_S)


def processes_of(folder: Path) -> "set[psutil.Process]":
    """The living processes that were given a folder, and those that they started."""
    import psutil

    guarded = set()
    for process in psutil.process_iter(["cmdline"]):
        if any(f"={folder}" in argument for argument in process.info["cmdline"] or ()):
            guarded.add(process)
            try:
                guarded.update(process.children(recursive=True))
            except psutil.Error:
                continue  # it ended meanwhile
    return {process for process in guarded if _is_alive(process)}


def _is_alive(process: "psutil.Process") -> bool:
    import psutil

    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _kill(process: "psutil.Process") -> None:
    import psutil

    try:
        process.kill()
    except psutil.Error:
        return  # it ended meanwhile


def _guard(folder: Path, owner: int) -> None:
    import psutil  # noqa: F401  now, not when every moment counts

    # The parent is looked at as well: a process that our process forked holds the pipe open.
    while os.getppid() == owner:
        closed, _, _ = select.select([sys.stdin.fileno()], [], [], 1.0)
        if closed:
            break
    clean_up(folder)


if __name__ == "__main__":
    _guard(Path(sys.argv[1]), int(sys.argv[2]))
