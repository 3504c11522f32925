"""Journals: finished rows of a partition whose computation still goes on."""

import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import pyarrow as pa

from genre_assets.lake.parquet import DamagedFileError, read_parquet, write_parquet
from genre_assets.lake.schemas import Table
from genre_assets.lake.space import room_for

Item = TypeVar("Item")

JOURNAL_EVERY_S = 0.25
"""Seconds between two batches of finished work in a journal: what a killed run loses. A batch of
features takes some 10 ms, and a clip of 30 s some 700, so that mostly each is kept at once."""

MOST_JOURNAL_FILES = 50
"""Files of a journal before they are merged into one: each takes a moment to open."""


class Journal:
    """Finished rows of a partition whose computation still goes on.

    A long computation appends what it finished every moment; when it dies, the next run reads the
    journal and goes on from there. Views never see it. Whoever appends holds the lock of the
    partition, or is otherwise alone.

    Args:
        folder: Where its files lie.
        table: The table that the rows are for.
        leave_out: Takes damaged files; the work whose rows they held is done again.
    """

    def __init__(self, folder: Path, table: Table, leave_out: Callable[[DamagedFileError], None]):
        self._folder = folder
        self._table = table
        self._leave_out = leave_out

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
        with room_for(self._begun), self._begun.open("a", encoding="utf-8") as file:
            # The line break comes first: the last note may have been cut off by a kill.
            file.write(f"\n{item}")

    def begun(self) -> Counter[str]:
        """How often work on each item was begun."""
        if self._begun.is_dir():
            self._leave_out(DamagedFileError(self._begun, "it is a folder"))
        if not self._begun.is_file():
            return Counter()
        notes = self._begun.read_text(encoding="utf-8", errors="replace").split("\n")
        return Counter(filter(None, notes))

    def clear(self) -> None:
        """Forget the rows and notes; called once the rows are in the table."""
        for path in (*self._files(), *self._folder.glob(".*.tmp"), self._begun):
            path.unlink(missing_ok=True)

    @property
    def _begun(self) -> Path:
        return self._folder / "begun.txt"

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.parquet"))

    def _rows_of(self, paths: list[Path]) -> pa.Table:
        parts = [self._table.empty()]
        for path in paths:
            try:
                parts.append(read_parquet(path, self._table.schema))
            except DamagedFileError as damaged:
                self._leave_out(damaged)
        return pa.concat_tables(parts)

    def _merge(self, paths: list[Path]) -> None:
        # A run that dies before the last of them is deleted leaves rows twice, never none.
        self._write(self._rows_of(paths))
        for path in paths:
            path.unlink(missing_ok=True)

    def _write(self, rows: pa.Table) -> None:
        # Rows are read in the order of the names, also after the clock was put back.
        last = max((path.stem.partition("-")[0] for path in self._files()), default="")
        after = int(last) + 1 if last.isdecimal() else 0
        name = f"{max(time.time_ns(), after):020d}-{uuid.uuid4().hex}.parquet"
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
