"""What a table of the lake is: its columns, and the facts about it that other rooms go by."""

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Table:
    """A table of the lake.

    Attributes:
        name: The name of its folder and of its view.
        schema: Column names, Arrow types and, as field metadata, what each column means.
        key: The columns that identify a row.
        partitioned_by: ``"shard"``, ``"task"``, ``"month"``, ``"source"`` or None when the table is
            one file.
        doc: One sentence on what a row is.
        derived: Whether its rows were made from a track, so that a take-down removes them.
        version: The column with the version of the code that made a row, if it has one. A row
            without its version is out of date.
        outcome: The column that says what became of a track, if it has one.
        no_failure: Values of that column that are no failure.
        made_with: The table that the same step writes, under whose lock this one is written; None
            if it is the only one.
        model_input: Whether a task may take its features from it.
        keeps_empty: Whether a partition without rows has a file, because that says that it was
            worked on. Of other tables a partition that never had a row has none.
    """

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    partitioned_by: str | None
    doc: str
    derived: bool = False
    version: str | None = None
    outcome: str | None = None
    no_failure: tuple[str, ...] = ()
    made_with: "Table | None" = None
    model_input: bool = False
    keeps_empty: bool = False

    @property
    def written_with(self) -> "Table":
        """The table that its asset is named after, which is itself unless another one is."""
        return self.made_with or self

    def of_rows(self, rows: list[dict]) -> pa.Table:
        """Build an Arrow table of this schema; a key that a row lacks becomes null."""
        return pa.Table.from_pylist(rows, schema=self.schema)

    def empty(self) -> pa.Table:
        """An Arrow table of this schema with no rows."""
        return self.schema.empty_table()
