"""Reading and writing the tables of the lake as Parquet files.

Every partition of a table is one file, ``<root>/<table>/shard=<key>/<version>.parquet``, and a
file is never changed: a write puts a file of a newer version beside the old one, under a
temporary name until it is whole and synced. The newest version is the partition. The one before
it stays for a day, so that whoever is reading it can finish: DuckDB opens a file twice in one
query, and a file replaced under its name would give it half of each.
"""

import contextlib
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from genre_assets.lake.schemas import Table
from genre_assets.progress import Log, silent

Item = TypeVar("Item")

SUPERSEDED_FILES_STAY_S = 24 * 3600.0
"""Seconds that a file stays after a newer version took its place."""

JOURNAL_EVERY_S = 0.25
"""Seconds between two batches of finished work in a journal: what a killed run loses. A batch of
features takes some 10 ms, and a clip of 30 s some 700, so that mostly each is kept at once."""

MOST_JOURNAL_FILES = 50
"""Files of a journal before they are merged into one: each takes a moment to open."""


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

    def version(self, table: Table, partition: str | None = None) -> str:
        """Names the rows that are one partition of a table: another name once they changed."""
        path = self.path(table, partition)
        return path.stem if path else "none"

    def age(self, table: Table, partition: str | None = None) -> timedelta:
        """Time since the rows of a partition last changed; zero when there is none."""
        path = self.path(table, partition)
        changed_ns = int(path.stem) if path else time.time_ns()
        return timedelta(seconds=(time.time_ns() - changed_ns) / 1e9)

    def files(self, table: Table) -> list[Path]:
        """Paths of all files that are partitions of a table, in the order of their keys."""
        return [versions[-1] for _, versions in self._versions(table)]

    def partitions(self, table: Table) -> list[str | None]:
        """Keys of the partitions of a table that have a file; [None] for one not partitioned."""
        return [key for key, _ in self._versions(table)]

    def lock(self, table: Table, partition: str | None = None) -> FileLock:
        """A lock on a partition, for whoever writes what depends on what it read there."""
        return FileLock(self._locks() / f"{table.name}.{partition or 'all'}.lock")

    @contextlib.contextmanager
    def held(self, table: Table, partition: str | None = None, log: Log = silent) -> Iterator[None]:
        """Hold the lock on a partition, and say so where another run has to be waited for."""
        what = f"{table.name} {partition}" if partition else table.name
        with _waited_for(self.lock(table, partition), f"is writing {what}", log):
            yield

    @contextlib.contextmanager
    def turn(self, work: str, doing: str, log: Log = silent) -> Iterator[None]:
        """Hold the turn at work that one run at a time does, and say so where it has to be waited.

        This is not left to a pool of Dagster, for the place of a run that was killed would stay
        taken there, and every later run would wait for ever.

        Args:
            work: Name of the work; each has one turn.
            doing: What the other run does, such as ``is asking the site``.
            log: Takes the line that says what is waited for.
        """
        with _waited_for(FileLock(self._locks() / f"turn.{work}.lock"), doing, log):
            yield

    def remove_superseded_files(self, table: Table) -> None:
        """Delete the files of a table that a newer version replaced, or a kill left, long ago."""
        oldest_to_keep = time.time() - SUPERSEDED_FILES_STAY_S
        for _, versions in self._versions(table):
            for path, successor in pairwise(versions):
                if successor.stat().st_mtime < oldest_to_keep:
                    path.unlink(missing_ok=True)
        for path in (self.root / table.name).glob("*/.*.tmp"):
            # Its writer may be alive and about to rename it.
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest_to_keep:
                    path.unlink()

    def _locks(self) -> Path:
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _versions(self, table: Table) -> list[tuple[str | None, list[Path]]]:
        """The files of each partition that has one, oldest first, in the order of their keys."""
        if table.partitioned_by is None:
            folders = [self._folder(table, None)]
        else:
            folders = sorted((self.root / table.name).glob(f"{table.partitioned_by}=*"))
        found = ((f.name.partition("=")[2] or None, sorted(f.glob("*.parquet"))) for f in folders)
        return [(key, versions) for key, versions in found if versions]

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

    A long computation appends what it finished every moment; when it dies, the next run reads the
    journal and goes on from there. Views never see it. Whoever appends holds the lock of the
    partition, or is otherwise alone.
    """

    def __init__(self, folder: Path, table: Table):
        self._folder = folder
        self._table = table

    def append(self, rows: pa.Table) -> None:
        """Keep the rows, durably, until the journal is cleared."""
        if rows.num_rows:
            self._write(rows)
            if len(paths := self._files()) > MOST_JOURNAL_FILES:
                self._merge(paths)

    def read(self) -> pa.Table:
        """All rows appended so far, oldest first; a run that died may have left some twice."""
        return self._rows_of(self._files())

    def begin(self, item: str) -> None:
        """Note that work on an item begins; the note goes when the journal is cleared."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._begun.open("a", encoding="utf-8") as file:
            file.write(f"{item}\n")

    def begun(self) -> Counter[str]:
        """How often work on each item was begun."""
        if not self._begun.exists():
            return Counter()
        return Counter(self._begun.read_text(encoding="utf-8").splitlines())

    def clear(self) -> None:
        """Forget the rows and notes; called once the rows stand in the table."""
        for path in (*self._files(), *self._folder.glob(".*.tmp"), self._begun):
            path.unlink(missing_ok=True)

    @property
    def _begun(self) -> Path:
        return self._folder / "begun.txt"

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.parquet"))

    def _rows_of(self, paths: list[Path]) -> pa.Table:
        parts = [_read_as(path, self._table.schema) for path in paths]
        return pa.concat_tables(parts) if parts else self._table.empty()

    def _merge(self, paths: list[Path]) -> None:
        # A run that dies before the last of them is deleted leaves rows twice, never none.
        self._write(self._rows_of(paths))
        for path in paths:
            path.unlink(missing_ok=True)

    def _write(self, rows: pa.Table) -> None:
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex}.parquet"
        write_parquet(rows, self._folder / name, small=False)


class Batches(Generic[Item]):
    """Collects finished items, and hands them on every moment and when it is closed.

    Args:
        hand_on: Takes the items that came since it was last called, such as to append them to a
            journal; never none.
    """

    def __init__(self, hand_on: Callable[[list[Item]], None]):
        self._hand_on = hand_on
        self._items: list[Item] = []
        self._since = time.monotonic()

    def add(self, item: Item) -> None:
        """Take an item."""
        self._items.append(item)
        if time.monotonic() - self._since >= JOURNAL_EVERY_S:
            self.close()

    def close(self) -> None:
        """Hand on what is left."""
        if self._items:
            self._hand_on(self._items)
        self._items, self._since = [], time.monotonic()


@contextlib.contextmanager
def _waited_for(lock: FileLock, doing: str, log: Log) -> Iterator[None]:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log(f"Another run {doing}: waiting until it is done")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def write_parquet(rows: pa.Table, path: Path, *, small: bool = True) -> None:
    """Write rows to a Parquet file that appears whole or not at all.

    Args:
        rows: The rows.
        path: The file.
        small: Whether to compress and index what is written; a few rows of many columns are
            written four times as fast without.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        pq.write_table(
            rows,
            temporary,
            compression="zstd" if small else "none",
            use_dictionary=small,
            write_statistics=small,
        )
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
