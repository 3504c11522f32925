"""What a row of a table needs when a run looks at it, and why.

Runs and ``plan`` use the same functions, so they cannot disagree.
"""

from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.lake.journal import Journal

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false


class Need(StrEnum):
    """What a row needs: nothing, or work for the reason named."""

    NOTHING = "nothing"
    """It is up to date, or there is nothing it could be made of."""
    NO_FILE = "no file"
    """There is no file to read: the row says so, without any work."""
    NEW = "new"
    """It was never made."""
    CHANGED = "changed"
    """It was made of another file or of another address."""
    LOST = "lost"
    """What was made is not there any more."""
    VERSION = "other version"
    """It was made by another version of the code."""
    FAILED = "failed before"
    """It failed in a way that another try may mend."""
    TAKEN_DOWN = "after a take-down"
    """It was deleted, because it was made of a track that was taken down."""
    REQUESTED = "retry requested"
    """Somebody requested a retry."""


def needs_work(needs: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which rows mean work, by what they need."""
    idle = pa.array([Need.NOTHING, Need.NO_FILE], pa.string())
    return pc.invert(pc.is_in(needs, value_set=idle))


def first_that_holds(*cases: tuple[Need, pa.ChunkedArray], otherwise: Need) -> pa.ChunkedArray:
    """The need of each row: that of the first case that holds for it; null is not held."""
    named = [pa.scalar(str(need)) for need, _ in cases]
    held = [pc.fill_null(holds, False) for _, holds in cases]
    return pc.case_when(pc.make_struct(*held), *named, str(otherwise))


def with_journal(table: pa.Table, journal: Journal) -> pa.Table:
    """The rows of a table and those that a killed run left in its journal, oldest first."""
    return pa.concat_tables([table, journal.read().select(table.column_names)])
