"""A folder of the user's own among the temporary files, which all users of a machine share."""

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from genre_assets.errors import UserError


def own_temp_folder() -> Path:
    """The folder, in which nobody else can have laid a link or a file; made when it is missing.

    Raises:
        UserError: If it cannot be made, or something else is in its place.
    """
    folder = Path(tempfile.gettempdir()) / f"genre_assets-{os.getuid()}"
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
    except OSError as error:
        raise UserError(
            f"{folder} cannot be made ({error.strerror}): let TMPDIR name a folder that you can "
            "write to."
        ) from error
    others_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or others_write:
        raise UserError(
            f"{folder} is not a folder that only you can write to, so nothing in it can be "
            "trusted: delete it, or let TMPDIR name a folder of your own."
        )
    return folder
