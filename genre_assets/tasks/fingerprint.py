"""A hash of what a model was made of, so that a plan knows which models are stale.

Light: a plan computes it for every task.
"""

# pyright: reportAttributeAccessIssue=false
# (pyarrow.compute makes its functions when it is imported.)

import hashlib

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.lake.schemas import TASK_MEMBERS


def fingerprint(members: pa.Table, *tables: pa.Table) -> str:
    """A hash of a task's members and their features: models of other data are stale.

    Args:
        members: Rows of ``task_members`` of one task.
        tables: Rows of each table that the model reads; those of other tracks do not count.
    """
    mark = Fingerprint(members)
    for table in tables:
        mark.begin(table["track_id"])
        mark.add(table)
    return mark.hexdigest()


class Fingerprint:
    """The same hash for a reader that holds some columns of a table at a time.

    Args:
        members: Rows of ``task_members`` of one task.
    """

    def __init__(self, members: pa.Table):
        rows = members.select(TASK_MEMBERS.schema.names).sort_by("track_id").to_pylist()
        self._digest = hashlib.sha256(repr([tuple(row.values()) for row in rows]).encode())
        self._members = members["track_id"].combine_chunks()

    def begin(self, track_ids: pa.ChunkedArray) -> None:
        """Go on with another table, given the track id of each of its rows."""
        order = pc.sort_indices(track_ids)
        ours = pc.is_in(track_ids, value_set=self._members)
        self._rows = order.filter(ours.take(order).combine_chunks())

    def add(self, columns: pa.Table) -> None:
        """Take in the next columns of the table, in its order."""
        for column in columns.columns:
            values = column.take(self._rows).to_numpy()
            self._digest.update(
                repr(values.tolist()).encode() if values.dtype == object else values.tobytes()
            )

    def hexdigest(self) -> str:
        """The hash of what was taken in."""
        return self._digest.hexdigest()
