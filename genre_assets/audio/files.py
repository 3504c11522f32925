"""Opening files that others wrote."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from genre_assets.audio.status import AudioError, Status

_LONGEST_NS = 2**63 - 1


@contextmanager
def opened(path: Path) -> Iterator[FileIO]:
    """Open a regular file that has bytes, unbuffered.

    Raises:
        AudioError: If it is missing, unreadable or empty.
    """
    try:
        file = FileIO(path, "rb", opener=_open_at_once)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AudioError(Status.MISSING, f"There is no file at {path}.") from error
    except IsADirectoryError as error:
        raise AudioError(Status.UNREADABLE, f"{path} is a folder, not a file.") from error
    except OSError as error:
        reason = f"{path} cannot be opened: {error.strerror}."
        raise AudioError(Status.UNREADABLE, reason) from error
    with file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise AudioError(Status.UNREADABLE, f"{path} is not a regular file.")
        if found.st_size == 0:
            raise AudioError(Status.EMPTY, f"{path} is empty: it has no bytes.")
        yield file


def _open_at_once(path: str, flags: int) -> int:
    # Not blocking: opening a named pipe would wait for its writer.
    return os.open(path, flags | os.O_NONBLOCK)


def modification_time_ns(found: os.stat_result) -> int:
    """The modification time of a file in nanoseconds since 1970, below 0 for one before that.

    A time after 2262, which some file systems take, does not fit the tables and counts as the
    last one that does.
    """
    return max(-_LONGEST_NS - 1, min(_LONGEST_NS, found.st_mtime_ns))
