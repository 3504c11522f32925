"""What becomes of a damaged file of the lake: it is moved out of the way, and what to do is said.

Nothing is deleted. The file goes to ``<lake>/set_aside/<table>/…``, with a line in
``<lake>/set_aside/log.txt``, and the file that it had replaced, where that is still there, takes
its place. Most rows are computed again by the next run; what cannot be computed is said.
"""

import logging
import shutil
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from genre_assets.errors import UserError
from genre_assets.lake.parquet import DamagedFileError, StrangeFileError
from genre_assets.lake.places import Places
from genre_assets.lake.schemas import (
    FETCHES,
    PAGES,
    RATES,
    REJECTED_ROWS,
    SIGHTINGS,
    SWEEPS,
    TAKEDOWNS,
    TRACKS,
    Table,
)

LOG_NAME = "log.txt"

Warn = Callable[[str], None]
"""Takes a sentence that a person should read."""

_WHAT_FOLLOWS = {
    TRACKS.name: "The next full sweep of its source lists its tracks again (for a site: make run "
    "SWEEP=full); when they were first seen is lost.",
    REJECTED_ROWS.name: "The next sweep of its source records again what it cannot take.",
    SIGHTINGS.name: "The next sweeps of the site record again which listing shows which track; "
    "until then no track of this shard counts as gone.",
    SWEEPS.name: "The record of earlier sweeps is lost, so the next one reads every listing to its "
    "end.",
    PAGES.name: "The record of which page was requested when is lost; the pages themselves are "
    "kept below pages/.",
    FETCHES.name: "The record of these downloads is lost: the audio files are kept, and the next "
    "run downloads those again that are missing.",
    TAKEDOWNS.name: "It was a copy of the record of take-downs, and the next one is written anew.",
    RATES.name: "The plan has no times until they have been measured again.",
}
_IS_MADE_AGAIN = "The next run makes its rows again."

_logger = logging.getLogger(__name__)


class LakeError(UserError):
    """The lake cannot be used as it is; the message says which file is in the way and why."""


def warn(sentence: str) -> None:
    """Say a sentence on standard error, or wherever warnings of this process go."""
    _logger.warning(sentence)


def set_aside(places: Places, table: Table, damaged: DamagedFileError) -> str:
    """Move a damaged file out of the lake's tables.

    Args:
        places: The lake's places.
        table: The table that the file belongs to.
        damaged: The file, and what is wrong with it.

    Returns:
        A sentence that says what was done and what follows from it.

    Raises:
        OSError: If the file cannot be moved, such as on a read-only file system.
    """
    target = places.set_aside / _place_of(damaged.path, places)
    if target.exists():
        target = target.with_name(f"{target.name}.{uuid.uuid4().hex}")
    target.parent.mkdir(parents=True, exist_ok=True)
    damaged.path.rename(target)
    sentence = (
        f"{_what_is_wrong(damaged)} and was moved to {target}. {_then(table, damaged)}".strip()
    )
    with (places.set_aside / LOG_NAME).open("a", encoding="utf-8") as log:
        log.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {sentence}\n")
    return sentence


def delete_set_aside(places: Places, table: Table) -> None:
    """Delete what was set aside of a table and of its journals."""
    for folder in (places.table(table), places.journal(table)):
        shutil.rmtree(places.set_aside / _place_of(folder, places), ignore_errors=True)


def left_out(table: Table, damaged: DamagedFileError) -> str:
    """A sentence for a damaged file that is passed over and stays where it is."""
    return f"{_what_is_wrong(damaged)} and is left out. {_then(table, damaged)}".strip()


def _place_of(path: Path, places: Places) -> Path:
    inside = places.internal if path.is_relative_to(places.internal) else places.root
    return path.relative_to(inside)


def _what_is_wrong(damaged: DamagedFileError) -> str:
    if isinstance(damaged, StrangeFileError):
        return f"{damaged.path} is not a file of the lake"
    return f"{damaged.path} is damaged ({damaged.reason})"


def _then(table: Table, damaged: DamagedFileError) -> str:
    """What it means that a file of a table is lost, and what to do."""
    if isinstance(damaged, StrangeFileError):
        return ""
    return _WHAT_FOLLOWS.get(table.name, _IS_MADE_AGAIN)


def refuse_without_takedowns(damaged: DamagedFileError) -> LakeError:
    """The error that keeps everything from running while the record of take-downs is unreadable.

    To go on without it would bring back what had to go.
    """
    return LakeError(
        f"{damaged.path} is damaged ({damaged.reason}). It records which tracks and artists were "
        "taken down, and nothing is read or made without it, so that none of them comes back: "
        "put it back from a backup. If there is none, move it out of the lake and repeat "
        "every take-down with genre-assets take-down before the next run."
    )
