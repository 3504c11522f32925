"""Sentences for a person when the files of a lake cannot be written, read or replaced."""

import errno
import os
import shutil
import tempfile
from pathlib import Path

from genre_assets.errors import DiskFullError, UserError
from genre_assets.lake.places import Places
from genre_assets.lake.space import disk_full_sentence, is_disk_full

LEAST_FREE_BYTES = 8_000_000
"""What must be free before work begins: Dagster's records of a run and the tables of a small lake.

Dagster meets a full disk with many lines, so it is better not to begin.
"""


def require_writable(folder: Path) -> None:
    """Make a folder, and make sure that files can be written in it.

    Raises:
        UserError: If they cannot; the sentence says why.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A full disk shows only when something is written, an unwritable folder even before.
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"room for a line")
        if shutil.disk_usage(folder).free < LEAST_FREE_BYTES:
            raise DiskFullError(disk_full_sentence(folder, LEAST_FREE_BYTES))
    except OSError as error:
        if is_disk_full(error):
            raise DiskFullError(disk_full_sentence(folder)) from error
        raise UserError(
            f"{folder} cannot be written ({error.strerror}): set GENRE_ASSETS_DATA to a folder "
            "that can be."
        ) from error


def sentence_for(error: BaseException, folder: Path) -> str | None:
    """Put an error that came up while a lake was used in one sentence.

    Args:
        error: The error.
        folder: The lake.

    Returns:
        The sentence, or None where the error is not about files or disks.
    """
    if isinstance(error, UserError):
        return str(error)
    if is_disk_full(error, folder):
        return disk_full_sentence(_file_of(error) or folder)
    if type(error).__module__.partition(".")[0] == "sqlalchemy":
        # Not imported for this: only Dagster's own storage raises it.
        reason = str(error).partition("\n")[0]
        home = os.environ.get("DAGSTER_HOME") or Places(folder).dagster
        return (
            f"Dagster's own records in {home} cannot be used ({reason}): move that folder away; "
            "the lake itself is not affected."
        )
    if not isinstance(error, OSError) or isinstance(error, FileNotFoundError):
        return None
    path = _file_of(error)
    if path is None:
        return None
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return (
            f"{path} cannot be opened ({error.strerror}): let this user read and write it, or let "
            "GENRE_ASSETS_DATA name a folder that can be written."
        )
    return f"{path} cannot be used ({error.strerror}): move it away, and run the same again."


def _file_of(error: BaseException) -> Path | None:
    if isinstance(error, OSError) and error.strerror and isinstance(error.filename, str | Path):
        return Path(error.filename)
    return None
