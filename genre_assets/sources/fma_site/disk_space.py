"""Free disk space for downloads.

It is checked before and during each download, so that a run ends with one sentence while there is
still room to record what happened. On a disk that is completely full not even the error can be
recorded.
"""

import errno
import shutil
from pathlib import Path

from genre_assets.errors import DiskFullError, UserError

KEPT_FREE_BYTES = 64 * 2**20
"""Bytes that downloads leave free, or a twentieth of a disk where that is less."""

_FULL = (errno.ENOSPC, errno.EDQUOT)


def require_room(url: str, folder: Path, needed: int) -> None:
    """Make sure that a download fits.

    Args:
        url: What is downloaded.
        folder: Where it is kept.
        needed: Bytes that are still to come, 0 where nobody knows.

    Raises:
        DiskFullError: If it does not fit.
    """
    disk = shutil.disk_usage(folder)
    if disk.free - needed < min(KEPT_FREE_BYTES, disk.total // 20):
        raise _disk_full(url, folder, needed, "too little room is left")


def not_kept(url: str, folder: Path, error: OSError, needed: int = 0) -> UserError:
    """What to raise when a download cannot be written.

    Args:
        url: What is downloaded.
        folder: Where it was to be kept.
        error: What the system said.
        needed: Bytes that are still to come, 0 where nobody knows.
    """
    said = error.strerror or str(error)
    if error.errno in _FULL:
        return _disk_full(url, folder, needed, said)
    return UserError(f"The download of {url} cannot be kept in {folder}: {said}.")


def _disk_full(url: str, folder: Path, needed: int, why: str) -> DiskFullError:
    free = shutil.disk_usage(folder if folder.exists() else folder.parent).free
    needs = f"{megabytes(needed)} are needed for it and " if needed else ""
    return DiskFullError(
        f"The disk is full: the download of {url} cannot be kept in {folder}: {why} "
        f"({needs}{megabytes(free)} are free). Make room and run again: what was downloaded is "
        "kept."
    )


def megabytes(size: float) -> str:
    """A size as a person reads it, such as ``12.5 MB``."""
    return f"{size / 1e6:,.1f} MB"
