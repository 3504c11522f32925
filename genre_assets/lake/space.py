"""A disk that is full, said in one sentence wherever it is noticed."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genre_assets.errors import DiskFullError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_SAID_BY_OTHERS = tuple(os.strerror(number) for number in _FULL)
"""What libraries repeat of the system's error."""
_SAID_BY_SQLITE = ("database or disk is full", "disk I/O error")
_HARDLY_ANY_BYTES = 1 << 20
"""SQLite calls any failed write an I/O error: it was the space if no more than this is left."""


@contextmanager
def room_for(path: Path, needed_bytes: int | None = None) -> Iterator[None]:
    """Say in one sentence that the disk is full if that is why something cannot be written.

    Args:
        path: The file that is written.
        needed_bytes: How many bytes it takes, where that is known.

    Raises:
        DiskFullError: In place of the error of the system.
    """
    try:
        yield
    except DiskFullError:
        raise
    except Exception as error:
        if not is_disk_full(error):
            raise
        raise DiskFullError(disk_full_sentence(path, needed_bytes)) from error


def is_disk_full(error: BaseException | None, folder: Path | None = None) -> bool:
    """Whether an error, or one that it came from, says that the disk is full.

    Args:
        error: The error.
        folder: Where SQLite writes, whose errors do not say whether there was room.
    """
    while error is not None:
        if isinstance(error, DiskFullError):
            return True
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        said = str(error)
        if any(text in said for text in _SAID_BY_OTHERS):
            return True
        if any(text in said for text in _SAID_BY_SQLITE) and _is_filled(folder):
            return True
        error = error.__cause__ or error.__context__
    return False


def disk_full_sentence(path: Path, needed_bytes: int | None = None) -> str:
    """Say where there is no room left, how much is needed where that is known, and what to do."""
    free = _free_bytes(path)
    needed = f"up to {_in_words(needed_bytes)} are needed" if needed_bytes else "more is needed"
    there = f"{_in_words(free)} are free and " if free is not None else ""
    return (
        f"The disk is full: {path} cannot be written ({there}{needed}). Make room there and run "
        "it again; what was finished is kept."
    )


def _is_filled(folder: Path | None) -> bool:
    free = _free_bytes(folder) if folder else None
    return free is not None and free <= _HARDLY_ANY_BYTES


def _free_bytes(path: Path) -> int | None:
    for folder in (path, *path.parents):
        try:
            return shutil.disk_usage(folder).free
        except OSError:
            continue
    return None


def _in_words(size: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"
