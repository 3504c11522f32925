"""Where numba keeps the kernels that it compiles, ours and librosa's, and one process at a time.

Compiling takes most of a minute, so kernels are kept in files: beside the sources, or else in the
user's cache folder.

Light: neither numba nor librosa is imported.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock

from genre_assets.errors import UserError
from genre_assets.own_temp import own_temp_folder
from genre_assets.progress import Log, silent

COMPILING = (
    "Compiling the code that computes features: this takes a minute or two, once after each "
    "installation or update"
)
_KERNELS = ("constant_q", "spectral", "statistics", "stft", "tuning", "zero_crossings")
"""Modules whose functions numba compiles for all features."""


def compilation_lock() -> FileLock:
    """The lock that a process holds while it may be compiling.

    Processes that write the files at the same time can leave parts of two compilations there that
    do not fit each other, and from then on every process that loads them dies with a segmentation
    fault.
    """
    return FileLock(own_temp_folder() / "compiles.lock")


def require_a_place_for_kernels(log: Log = silent) -> None:
    """Make sure that numba finds a folder for its files: librosa cannot even be imported without.

    Args:
        log: Takes a line where code has to be compiled first.

    Raises:
        UserError: If there is none.
    """
    sources = [_folder_of(package) for package in ("librosa", "genre_assets")]
    cache = _cache()
    if os.environ.get("NUMBA_CACHE_DIR") or all(map(_is_writable, sources)) or _is_writable(cache):
        if log is not silent and not kernels_are_compiled():
            log(COMPILING)
        return
    raise UserError(
        f"Compiled code can be kept neither beside librosa, in {sources[0]}, nor in {cache}, for "
        "neither can be written: let NUMBA_CACHE_DIR name a folder of yours that can."
    )


def kernels_are_compiled() -> bool:
    """Whether compiled code of all our kernels is kept that is not older than they are.

    A guess by the files that numba names after each function, which is cheap and may be wrong: on
    another kind of processor it compiles anew.
    """
    sources = Path(__file__).parent
    own = os.environ.get("NUMBA_CACHE_DIR")
    places = [Path(own)] if own else [sources / "__pycache__", _cache() / "numba"]
    version = f"py{sys.version_info.major}{sys.version_info.minor}"
    return all(
        any(
            index.stat().st_mtime >= (sources / f"{module}.py").stat().st_mtime
            for place in places
            for index in place.rglob(f"{module}.*.{version}.nbi")
        )
        for module in _KERNELS
    )


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111


def _folder_of(package: str) -> Path:
    spec = find_spec(package)
    assert spec and spec.origin
    return Path(spec.origin).parent


def _is_writable(folder: Path) -> bool:
    """Whether files can be written there, in folders that may have to be made first."""
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    return os.access(nearest, os.W_OK | os.X_OK)
