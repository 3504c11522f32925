"""Files that appear whole and synced, or not at all."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genre_assets.lake.space import room_for


@contextmanager
def written_whole(path: Path, needed_bytes: int | None = None) -> Iterator[Path]:
    """Write a file under a temporary name; once that is done without an error, it is in its place.

    Args:
        path: The file; its folder is made.
        needed_bytes: How many bytes it takes at most, where that is known.

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
            rename_durably(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def rename_durably(temporary: Path, path: Path) -> None:
    """Sync a finished temporary file and rename it over its place in the same folder."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
