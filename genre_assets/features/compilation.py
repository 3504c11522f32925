"""Where numba keeps the kernels that it compiles, ours and librosa's, and one process at a time.

Compiling takes most of a minute, so kernels are kept in files: beside the sources, or else in the
user's cache folder.

Light: neither numba nor librosa is imported.
"""

import os
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock

from genre_assets.errors import UserError
from genre_assets.own_temp import own_temp_folder


def compilation_lock() -> FileLock:
    """The lock that a process holds while it may be compiling.

    Processes that write the files at the same time can leave parts of two compilations there that
    do not fit each other, and from then on every process that loads them dies with a segmentation
    fault.
    """
    return FileLock(own_temp_folder() / "compiles.lock")


def require_a_place_for_kernels() -> None:
    """Make sure that numba finds a folder for its files: librosa cannot even be imported without.

    Raises:
        UserError: If there is none.
    """
    sources = [_folder_of(package) for package in ("librosa", "genre_assets")]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111
    if os.environ.get("NUMBA_CACHE_DIR") or all(map(_is_writable, sources)) or _is_writable(cache):
        return
    raise UserError(
        f"Compiled code can be kept neither beside librosa, in {sources[0]}, nor in {cache}, for "
        "neither can be written: let NUMBA_CACHE_DIR name a folder of yours that can."
    )


def _folder_of(package: str) -> Path:
    spec = find_spec(package)
    assert spec and spec.origin
    return Path(spec.origin).parent


def _is_writable(folder: Path) -> bool:
    """Whether files can be written there, in folders that may have to be made first."""
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    return os.access(nearest, os.W_OK | os.X_OK)
