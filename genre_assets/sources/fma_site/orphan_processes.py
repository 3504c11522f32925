"""Processes that a browser leaves behind: taken over from it, and reaped once they have ended.

When the browser ends, those of its processes that outlive their parent get another one: the first
process of the machine, which in a container is often our own or one that reaps nothing. Each then
stays as a zombie for as long as the container runs. So while a browser runs, orphans below this
process are made its own children, and at the end those of the browser are reaped, and no others:
the exit status of a worker is for its own pool to read.
"""

import contextlib
import ctypes
import os
import sys
import threading
import time
from collections.abc import Collection

_SET_CHILD_SUBREAPER = 36
_GET_CHILD_SUBREAPER = 37
_GIVE_UP_AFTER_S = 2.0
_POLL_S = 0.01

_changing = threading.Lock()
_adopting = 0
_adopted_before = False


def adopt_orphans() -> None:
    """Become the parent of orphans below this process, on Linux; once for each browser."""
    global _adopting, _adopted_before
    with _changing:
        if _adopting == 0 and sys.platform == "linux":
            _adopted_before = _is_subreaper()
            _be_subreaper(True)
        _adopting += 1


def release_orphans() -> None:
    """Undo :func:`adopt_orphans`, once for each time that it was called."""
    global _adopting
    with _changing:
        _adopting -= 1
        if _adopting == 0 and sys.platform == "linux" and not _adopted_before:
            _be_subreaper(False)


def reap_orphans(session: int, others: Collection[int]) -> None:
    """Reap what a browser has left among the children of this process.

    Args:
        session: Id of the session that all its processes began in, which has ended.
        others: Ids of processes of the browser that may have left that session.
    """
    give_up_at = time.monotonic() + _GIVE_UP_AFTER_S
    while left := [child for child in _children() if _belongs(child, session, others)]:
        for child in left:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, os.WNOHANG)
        if time.monotonic() > give_up_at:
            return
        time.sleep(_POLL_S)


def _children() -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process().children()]


def _belongs(child: int, session: int, others: Collection[int]) -> bool:
    try:
        return child in others or os.getsid(child) == session
    except OSError:
        return False  # it is gone already


def _is_subreaper() -> bool:
    answer = ctypes.c_int()
    ctypes.CDLL(None).prctl(_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0)
    return answer.value != 0


def _be_subreaper(wanted: bool) -> None:
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0)
