"""Reading and writing the tables of the lake as Parquet files.

Every partition of a table is one file, ``<root>/<table>/shard=<key>/<version>.parquet``, and a
file is never changed: a write puts a file of a newer version beside the old one, under a
temporary name until it is whole and synced. The newest version is the partition. The one before
it stays for a day, so that whoever is reading it can finish: DuckDB opens a file twice in one
query, and a file replaced under its name would give it half of each.
"""

import os
import time
import uuid
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from genre_assets.lake.schemas import Table

SUPERSEDED_FILES_STAY_S = 24 * 3600.0
"""Seconds that a file stays after a newer version took its place."""


class Lake:
    """The tables below one folder.

    Args:
        root: The folder; made when it is missing.
    """

    def __init__(self, root: Path | str):
        self.root = Path(root).expanduser().absolute()

    def read(
        self,
        table: Table,
        partitions: Iterable[str | None] | None = None,
        columns: list[str] | None = None,
    ) -> pa.Table:
        """Read rows of a table.

        Args:
            table: Which table.
            partitions: Keys to read; None reads every partition there is.
            columns: Columns to read; None reads all of them.

        Returns:
            An Arrow table with the declared types; partitions without a file add no rows, and
            columns that an older file lacks are null.
        """
        keys = self.partitions(table) if partitions is None else partitions
        schema = table.schema
        if columns is not None:
            schema = pa.schema([schema.field(name) for name in columns])
        parts = [_read_as(path, schema) for key in keys if (path := self.path(table, key))]
        return pa.concat_tables(parts) if parts else schema.empty_table()

    def write(self, table: Table, rows: pa.Table, partition: str | None = None) -> None:
        """Replace one partition of a table by the rows, atomically.

        Rows that stand there already are not written again.

        Raises:
            ValueError: If the rows have other columns than the table declares, or a key twice.
        """
        if set(rows.column_names) != set(table.schema.names):
            missing = sorted(set(table.schema.names) - set(rows.column_names))
            extra = sorted(set(rows.column_names) - set(table.schema.names))
            raise ValueError(
                f"Rows for {table.name} lack the columns {missing} and have extra ones {extra}."
            )
        rows = rows.select(table.schema.names).cast(table.schema)
        _refuse_repeated_keys(table, rows)
        current = self.path(table, partition)
        if current is None or not _read_as(current, table.schema).equals(rows):
            write_parquet(
                rows, self._folder(table, partition) / f"{_next_version(current)}.parquet"
            )

    def path(self, table: Table, partition: str | None = None) -> Path | None:
        """Path of the file that is one partition of a table, or None when it has none."""
        return max(self._folder(table, partition).glob("*.parquet"), default=None)

    def files(self, table: Table) -> list[Path]:
        """Paths of all files that are partitions of a table, in the order of their keys."""
        paths = (self.path(table, key) for key in self.partitions(table))
        return [path for path in paths if path is not None]

    def partitions(self, table: Table) -> list[str | None]:
        """Keys of the partitions of a table that have a file; [None] for one not partitioned."""
        if table.partitioned_by is None:
            return [None] if self.path(table) else []
        folders = sorted((self.root / table.name).glob(f"{table.partitioned_by}=*"))
        return [f.name.partition("=")[2] for f in folders if any(f.glob("*.parquet"))]

    def lock(self, table: Table, partition: str | None = None) -> FileLock:
        """A lock on a partition, for whoever writes what depends on what it read there."""
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{table.name}.{partition or 'all'}.lock")

    def remove_superseded_files(self, table: Table) -> None:
        """Delete the files of a table that a newer version replaced long ago."""
        oldest_to_keep = time.time() - SUPERSEDED_FILES_STAY_S
        for key in self.partitions(table):
            versions = sorted(self._folder(table, key).glob("*.parquet"))
            for path, successor in pairwise(versions):
                if successor.stat().st_mtime < oldest_to_keep:
                    path.unlink(missing_ok=True)

    def _folder(self, table: Table, partition: str | None) -> Path:
        if table.partitioned_by is None:
            return self.root / table.name / "all"
        if partition is None:
            raise ValueError(f"{table.name} is written a {table.partitioned_by} at a time.")
        return self.root / table.name / f"{table.partitioned_by}={partition}"

    def journal(self, table: Table, partition: str) -> "Journal":
        """The journal of a partition that is being computed."""
        return Journal(self.root / "journal" / table.name / partition, table)


class Journal:
    """Finished rows of a partition whose computation still goes on.

    A long computation appends what it finished every few seconds; when it dies, the next run
    reads the journal and goes on from there. Views never see it.
    """

    def __init__(self, folder: Path, table: Table):
        self._folder = folder
        self._table = table

    def append(self, rows: pa.Table) -> None:
        """Keep the rows, durably, until the journal is cleared."""
        if rows.num_rows:
            write_parquet(rows, self._folder / f"{uuid.uuid4().hex}.parquet")

    def read(self) -> pa.Table:
        """All rows appended so far, oldest first."""
        paths = sorted(self._folder.glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
        parts = [_read_as(path, self._table.schema) for path in paths]
        return pa.concat_tables(parts) if parts else self._table.empty()

    def clear(self) -> None:
        """Forget the rows; called once they stand in the table."""
        for path in self._folder.glob("*.parquet"):
            path.unlink(missing_ok=True)


def write_parquet(rows: pa.Table, path: Path) -> None:
    """Write rows to a Parquet file that appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        pq.write_table(rows, temporary, compression="zstd")
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


def _next_version(current: Path | None) -> str:
    newest = int(current.stem) if current else 0
    return f"{max(time.time_ns(), newest + 1):020d}"


def _read_as(path: Path, schema: pa.Schema) -> pa.Table:
    with pq.ParquetFile(path) as file:
        stored = set(file.schema_arrow.names)
        present = [name for name in schema.names if name in stored]
        rows = file.read(columns=present)
    for name in schema.names:
        if name not in present:
            rows = rows.append_column(name, pa.nulls(rows.num_rows, schema.field(name).type))
    return rows.select(schema.names).cast(schema)


def _refuse_repeated_keys(table: Table, rows: pa.Table) -> None:
    keys = rows.select(list(table.key))
    if rows.num_rows and keys.group_by(list(table.key)).aggregate([]).num_rows < rows.num_rows:
        raise ValueError(f"Rows for {table.name} repeat a key {table.key}.")
