"""The settings of the platform, read from the environment and checked before anything starts."""

import os
from dataclasses import dataclass
from pathlib import Path

from genre_assets.errors import UserError

FMA_SUBSETS = ("small", "medium", "large", "full")


class SettingError(UserError):
    """A setting holds a value that cannot be used; the message says which and what to do."""


@dataclass(frozen=True)
class Settings:
    """What the environment says.

    Attributes:
        data: The lake, ``GENRE_ASSETS_DATA``.
        fma_dataset: Folder of the FMA dataset or its zips, ``GENRE_ASSETS_FMA_DATASET``, or None.
        fma_subset: ``GENRE_ASSETS_FMA_SUBSET``, or None to take what lies there.
        folder: A music library, ``GENRE_ASSETS_FOLDER``, or None.
        workers: Worker processes, ``GENRE_ASSETS_WORKERS``.
    """

    data: Path
    fma_dataset: Path | None
    fma_subset: str | None
    folder: Path | None
    workers: int


def read_settings(environment: dict[str, str] | None = None) -> Settings:
    """Read and check the settings.

    Raises:
        SettingError: If one of them cannot be used.
    """
    env = dict(os.environ) if environment is None else environment
    return Settings(
        data=_lake_folder(env.get("GENRE_ASSETS_DATA") or "data"),
        fma_dataset=_folder(env, "GENRE_ASSETS_FMA_DATASET"),
        fma_subset=_fma_subset(env.get("GENRE_ASSETS_FMA_SUBSET") or None),
        folder=_folder(env, "GENRE_ASSETS_FOLDER"),
        workers=_workers(env.get("GENRE_ASSETS_WORKERS") or None),
    )


def _absolute(value: str) -> Path:
    # Not resolve(): a link that names a library is what its owner wants to read in messages.
    return Path(os.path.normpath(Path(value).expanduser().absolute()))


def _lake_folder(value: str) -> Path:
    path = _absolute(value)
    if path.exists() and not path.is_dir():
        raise SettingError(f"GENRE_ASSETS_DATA is {path}, which is a file: name a folder.")
    return path


def _folder(env: dict[str, str], name: str) -> Path | None:
    value = env.get(name)
    if not value:
        return None
    path = _absolute(value)
    if not path.is_dir():
        raise SettingError(f"{name} is {path}, where no folder is: name an existing folder.")
    return path


def _fma_subset(value: str | None) -> str | None:
    if value is not None and value not in FMA_SUBSETS:
        raise SettingError(
            f"GENRE_ASSETS_FMA_SUBSET is {value!r}: use one of {', '.join(FMA_SUBSETS)}."
        )
    return value


def _workers(value: str | None) -> int:
    if value is None:
        return (
            len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count() or 1
        )
    if not value.isdigit() or int(value) < 1:
        raise SettingError(f"GENRE_ASSETS_WORKERS is {value!r}: use a whole number from 1 on.")
    return int(value)
