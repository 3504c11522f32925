"""All files that may hold rows of a table: its partitions, those they superseded, and journals."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genre_assets.lake.parquet import DamagedFileError, read_columns
from genre_assets.lake.schemas import Table
from genre_assets.lake.storage import temporary_files
from genre_assets.lake.tables import Lake


def everything_of(lake: Lake, table: Table, columns: list[str]) -> list[dict]:
    """Rows of a table, those that still stand in journals too."""
    rows = []
    # Journals first: a run that ends meanwhile moves its rows from there into the table.
    for path in sorted(lake.places.journal(table).glob("*/*.parquet")):
        with unless_vanished(), unless_damaged(lake, table):
            rows += read_columns(path, columns).to_pylist()
    return rows + lake.read(table, columns=columns).to_pylist()


def versions(lake: Lake, table: Table, key: str | None) -> list[Path]:
    """The file of a partition, last, and those that it superseded."""
    newest = lake.path(table, key)
    return sorted(newest.parent.glob("*.parquet")) if newest else []


def journal_files(lake: Lake, table: Table, key: str | None) -> list[Path]:
    """The files of the journal of a partition."""
    return sorted((lake.places.journal(table) / str(key)).glob("*.parquet"))


def partitions_and_journals(lake: Lake, table: Table) -> list[str | None]:
    """The partitions of a table that have a file, and those that so far only have a journal."""
    return list(dict.fromkeys([*lake.partitions(table), *journal_keys(lake, table)]))


def journal_keys(lake: Lake, table: Table) -> list[str]:
    """The partitions of a table that have a journal."""
    return sorted(folder.name for folder in lake.places.journal(table).glob("*/"))


def delete_abandoned_files(lake: Lake, table: Table, older_than_s: float) -> None:
    """Delete what killed runs left of files of a table that they were writing.

    Args:
        lake: The lake.
        table: The table.
        older_than_s: Age in seconds up to which a file may still be written by a run.
    """
    oldest_to_keep = time.time() - older_than_s
    for folder in (lake.places.table(table), lake.places.journal(table)):
        for path in temporary_files(folder):
            with unless_vanished():
                if path.stat().st_mtime < oldest_to_keep:
                    path.unlink()


@contextmanager
def unless_vanished() -> Iterator[None]:
    """Pass over a file that another process deleted, as it may with those it superseded."""
    try:
        yield
    except FileNotFoundError:
        return


@contextmanager
def unless_damaged(lake: Lake, table: Table) -> Iterator[None]:
    """Pass over a file of a table that does not hold what was written to it."""
    try:
        yield
    except DamagedFileError as damaged:
        lake.leave_out(table, damaged)
