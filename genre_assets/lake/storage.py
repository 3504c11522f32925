"""Files and folders that appear whole or not at all, and go the same way.

Whatever the lake writes goes to a hidden temporary name first and is then renamed. Nobody else
in the package does this by hand.
"""

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from genre_assets.lake.space import room_for

DAY_S = 24 * 3600.0

CLOCKS_DIFFER_S = 60.0
"""A time is in the future, and its clock was wrong, from a minute on: clocks of machines differ."""


@contextmanager
def written_whole(
    path: Path, needed_bytes: int | None = None, *, sync: bool = True
) -> Iterator[Path]:
    """Write a file under a temporary name; once that is done without an error, it is in its place.

    Args:
        path: The file; its folder is made.
        needed_bytes: How many bytes it takes at most, where that is known.
        sync: Whether the bytes are on the disk once it is in its place; no for what is quickly
            written again should the power fail.

    Yields:
        The temporary path to write to.

    Raises:
        DiskFullError: If there is no room for it.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    with room_for(path, needed_bytes):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            if sync:
                move_into_place(temporary, path)
            else:
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def move_into_place(temporary: Path, path: Path) -> None:
    """Sync a finished file and rename it to its place on the same file system."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def temporary_files(folder: Path) -> Iterator[Path]:
    """The files at any depth of a folder that are being written, or that a killed run left."""
    return folder.rglob(".*.tmp")


@contextmanager
def folder_written_whole(folder: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """Write a folder under a temporary name and swap it in for the one that is there.

    Only one process at a time may do so for the same folder: it deletes what a killed one left.

    Args:
        folder: The folder, which does not change unless it is swapped.

    Yields:
        The temporary folder to write to, and the function that swaps it in.
    """
    identity = uuid.uuid4().hex
    new, old = (folder.with_name(f".{folder.name}.{identity}.{age}") for age in ("new", "old"))

    def swap() -> None:
        if folder.exists():
            folder.rename(old)
        new.rename(folder)

    for leftover in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(leftover, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        yield new, swap
    finally:
        for leftover in (new, old):
            shutil.rmtree(leftover, ignore_errors=True)


def whole_folders(folder: Path) -> list[Path]:
    """The folders in a folder, by name, without temporary ones."""
    return sorted(path for path in folder.glob("*/") if not path.name.startswith("."))


def discard(folder: Path, trash: Path) -> None:
    """Delete a folder, of which nobody ever sees a half; it may be missing.

    Args:
        folder: The folder.
        trash: A folder on the same file system, which it is renamed into first;
            :func:`empty_trash` deletes what a killed run left there.
    """
    trash.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        folder.rename(trash / uuid.uuid4().hex)
    empty_trash(trash)


def empty_trash(trash: Path) -> None:
    """Delete the folders that were discarded."""
    for folder in trash.glob("*/"):
        shutil.rmtree(folder)


def is_a_day_old(path: Path) -> bool:
    """Whether a file was last written a day ago or more; no if another process deleted it.

    The day of a file that seems to come from the future, because a clock was wrong when it was
    written, begins when that is noticed.
    """
    with contextlib.suppress(OSError):
        written, now = path.stat().st_mtime, time.time()
        if written > now + CLOCKS_DIFFER_S:
            os.utime(path)
        return written < now - DAY_S
    return False
