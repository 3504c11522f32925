"""Reading and writing the tables of the lake as Parquet files.

Every partition of a table is one file, ``<root>/<table>/shard=<key>/<version>.parquet``, and a
file is never changed: a write puts a file of a newer version beside the old one, under a
temporary name until it is whole and synced. The newest version is the partition. The one before
it stays for a day, so that whoever is reading it can finish: DuckDB opens a file twice in one
query, and a file replaced under its name would give it half of each.

A partition that never had a row has no file, so that the folder of the lake shows a person the
tables that hold something. One that lost its rows has a file without any, which hides the files
that it replaced.

A file that does not hold what was written to it is moved aside (:mod:`genre_assets.lake.set_aside`)
and the lake goes on without it.
"""

import contextlib
import re
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
from filelock import FileLock, Timeout

from genre_assets.lake import set_aside
from genre_assets.lake.journal import Journal
from genre_assets.lake.parquet import (
    DamagedFileError,
    StrangeFileError,
    opens,
    read_parquet,
    read_stored_schema,
    write_parquet,
)
from genre_assets.lake.places import Places, hide_internal_files
from genre_assets.lake.schemas import TAKEDOWNS, Table
from genre_assets.lake.storage import CLOCKS_DIFFER_S, is_a_day_old, temporary_files
from genre_assets.lake.store import Store
from genre_assets.progress import Log, silent

_FILE_NAME = re.compile(r"\d{20}\.parquet")
"""What the file of a partition is called; whatever else lies in its folder is not the lake's."""


class Lake:
    """The tables below one folder.

    Args:
        root: The folder; made when it is missing.
        read_only: Whether nothing is to be written, for whoever only looks: a damaged file is then
            left out and stays where it is.
        warn: Takes the sentence about each damaged file.
    """

    def __init__(
        self,
        root: Path | str,
        *,
        read_only: bool = False,
        warn: set_aside.Warn = set_aside.warn,
    ):
        self.root = Path(root).expanduser().absolute()
        self.places = Places(self.root)
        self._read_only = read_only
        self._warn = warn
        self._left_out: set[Path] = set()
        if not read_only:
            hide_internal_files(self.places)

    @property
    def exists(self) -> bool:
        """Whether there is a lake."""
        return self.root.is_dir()

    @property
    def store(self) -> Store:
        """The audio files that were downloaded."""
        return Store(self.root)

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
            columns that an older file lacks are null. In place of a damaged file the one is read
            that it had replaced, if that is still there.

        Raises:
            UserError: If a file cannot be read, or the record of take-downs is damaged.
        """
        keys = self.partitions(table) if partitions is None else partitions
        schema = table.schema
        if columns is not None:
            schema = pa.schema([schema.field(name) for name in columns])
        found = (self._rows(table, key, schema) for key in keys)
        parts = [rows for rows in found if rows is not None]
        return pa.concat_tables(parts) if parts else schema.empty_table()

    def _rows(self, table: Table, key: str | None, schema: pa.Schema) -> pa.Table | None:
        while path := self.path(table, key):
            try:
                return read_parquet(path, schema)
            except DamagedFileError as damaged:
                if table == TAKEDOWNS:
                    return self._copy_of(damaged).select(schema.names)
                self.leave_out(table, damaged)
        return None

    def stored_schema(self, table: Table, partition: str | None = None) -> pa.Schema | None:
        """The schema that a partition was written with, or None when it has no rows."""
        while path := self.path(table, partition):
            try:
                return read_stored_schema(path)
            except DamagedFileError as damaged:
                self.leave_out(table, damaged)
        return None

    def write(self, table: Table, rows: pa.Table, partition: str | None = None) -> None:
        """Replace one partition of a table by the rows, atomically.

        Rows that are there already are not written again, and a partition that never had a row
        gets no file unless the table keeps empty ones.

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
        stored = self._rows(table, partition, table.schema)
        if stored is None and not rows.num_rows and not table.keeps_empty:
            return
        if stored is None or not stored.equals(rows):
            folder = self.places.partition(table, partition)
            name = f"{_next_version(self.path(table, partition))}.parquet"
            if table == TAKEDOWNS:
                self._keep_copy(rows, name)
            write_parquet(rows, folder / name)
        elif table == TAKEDOWNS and (current := self.path(table)):
            self._keep_copy(rows, current.name)

    def path(self, table: Table, partition: str | None = None) -> Path | None:
        """Path of the file that is one partition of a table, or None when it has none."""
        return max(self._files_in(self.places.partition(table, partition), table), default=None)

    def version(self, table: Table, partition: str | None = None) -> str:
        """Names the rows that are one partition of a table: another name once they changed."""
        path = self.path(table, partition)
        return path.stem if path else "none"

    def age(self, table: Table, partition: str | None = None) -> timedelta:
        """Time since the rows of a partition last changed; zero when there is none.

        Rows that seem to come from the future were written by a clock that was wrong: as nobody
        knows when, they count as a year old.
        """
        path = self.path(table, partition)
        now = time.time_ns()
        changed_ns = int(path.stem) if path else now
        if changed_ns > now + CLOCKS_DIFFER_S * 1e9:
            return timedelta(days=365)
        return timedelta(seconds=max(now - changed_ns, 0) / 1e9)

    def files(self, table: Table) -> list[Path]:
        """Paths of all files that are partitions of a table, in the order of their keys.

        Of each partition the newest file that can be opened; damaged ones stay where they are.
        """
        newest_first = (reversed(versions) for _, versions in self._versions(table))
        found = (next(filter(opens, versions), None) for versions in newest_first)
        return [path for path in found if path]

    def partitions(self, table: Table) -> list[str | None]:
        """Keys of the partitions of a table that have a file; [None] for one not partitioned."""
        return [key for key, _ in self._versions(table)]

    def lock(self, table: Table, partition: str | None = None) -> FileLock:
        """A lock on a partition, for whoever writes what depends on what it read there."""
        return self._lock(f"{table.name}.{partition or 'all'}")

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
            doing: What the other run does, such as ``is reading the site``.
            log: Takes the line that says what is waited for.
        """
        with _waited_for(self._lock(f"turn.{work}"), doing, log):
            yield

    def remove_superseded_files(self, table: Table) -> None:
        """Delete the files of a table that a newer version replaced, or a kill left, long ago."""
        for _, versions in self._versions(table):
            for path, successor in pairwise(versions):
                if is_a_day_old(successor):
                    path.unlink(missing_ok=True)
        for path in temporary_files(self.places.table(table)):
            # Its writer may be alive and about to rename it.
            if is_a_day_old(path):
                path.unlink(missing_ok=True)

    def leave_out(self, table: Table, damaged: DamagedFileError) -> None:
        """Go on without a damaged file: move it aside, or pass over it where nothing is written.

        Raises:
            UserError: If it is the record of take-downs.
        """
        if damaged.path.parent == self.places.partition(TAKEDOWNS, None) and _is_ours(damaged.path):
            raise set_aside.refuse_without_takedowns(damaged)
        if not self._read_only:
            try:
                self._warn(set_aside.set_aside(self.places, table, damaged))
                return
            except FileNotFoundError:
                # Another process was faster.
                return
            except OSError:
                # Such as on a read-only file system.
                pass
        if damaged.path not in self._left_out:
            self._left_out.add(damaged.path)
            self._warn(set_aside.left_out(table, damaged))

    def _files_in(self, folder: Path, table: Table) -> list[Path]:
        """The files of a partition; strange ones among them are left out."""
        paths = [path for path in folder.glob("*.parquet") if path not in self._left_out]
        for path in paths:
            if not _is_ours(path):
                self.leave_out(table, StrangeFileError(path, "strange"))
        return sorted(filter(_is_ours, paths))

    def _keep_copy(self, rows: pa.Table, name: str) -> None:
        """Write the record of take-downs a second time: nothing else in the lake could replace it.

        A copy has the name of its file, so that no older record is ever taken for a newer one.
        """
        copies = self.places.table(TAKEDOWNS) / "copy"
        try:
            if read_parquet(copies / name, rows.schema).equals(rows):
                return
        except FileNotFoundError:
            pass
        except DamagedFileError as damaged:
            self.leave_out(TAKEDOWNS, damaged)
        write_parquet(rows, copies / name)
        current = self.path(TAKEDOWNS)
        for path in copies.glob("*.parquet"):
            if path.name not in (name, current and current.name):
                path.unlink(missing_ok=True)

    def _copy_of(self, damaged: DamagedFileError) -> pa.Table:
        """The record of take-downs by its copy, which is put in the place of the damaged file.

        Raises:
            LakeError: If there is no such copy.
        """
        copy = self.places.table(TAKEDOWNS) / "copy" / damaged.path.name
        try:
            rows = read_parquet(copy, TAKEDOWNS.schema)
        except (DamagedFileError, FileNotFoundError):
            raise set_aside.refuse_without_takedowns(damaged) from damaged
        if not self._read_only:
            with contextlib.suppress(OSError):
                if damaged.path.is_dir():
                    set_aside.set_aside(self.places, TAKEDOWNS, damaged)
                write_parquet(rows, damaged.path)
        self._warn(
            f"{damaged.path} is damaged ({damaged.reason}); its copy {copy} is whole and was used."
        )
        return rows

    def lock_on_views(self) -> FileLock:
        """A lock on the DuckDB file of views, for whoever makes it."""
        return self._lock("views")

    def _lock(self, name: str) -> FileLock:
        path = self.places.lock(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path)

    def _versions(self, table: Table) -> list[tuple[str | None, list[Path]]]:
        """The files of each partition that has one, oldest first, in the order of their keys."""
        if table.partitioned_by is None:
            folders = [self.places.partition(table, None)]
        else:
            folders = sorted(self.places.table(table).glob(f"{table.partitioned_by}=*"))
        found = ((f.name.partition("=")[2] or None, self._files_in(f, table)) for f in folders)
        return [(key, versions) for key, versions in found if versions]

    def journal(self, table: Table, partition: str) -> Journal:
        """The journal of a partition that is being computed."""
        folder = self.places.journal(table) / partition
        return Journal(folder, table, lambda damaged: self.leave_out(table, damaged))


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


def _is_ours(path: Path) -> bool:
    return _FILE_NAME.fullmatch(path.name) is not None


def _next_version(current: Path | None) -> str:
    newest = int(current.stem) if current else 0
    return f"{max(time.time_ns(), newest + 1):020d}"


def _refuse_repeated_keys(table: Table, rows: pa.Table) -> None:
    keys = rows.select(list(table.key))
    if rows.num_rows and keys.group_by(list(table.key)).aggregate([]).num_rows < rows.num_rows:
        raise ValueError(f"Rows for {table.name} repeat a key {table.key}.")
