"""What a sweep of a source changes in the table of tracks."""

import hashlib
import json
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.lake.schemas import TIME, TRACKS

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

_SIGHTINGS = ("first_seen_at", "last_seen_at", "gone_at")


def merge_sweep(
    previous: pa.Table,
    current: pa.Table,
    now: datetime,
    still_there: frozenset[str] = frozenset(),
) -> pa.Table:
    """Bring the rows of one source up to date with what a sweep of it listed.

    Args:
        previous: Rows of ``lake.schemas.TRACKS`` from the last sweep, those of gone tracks too.
        current: Rows that this sweep listed; their first, last seen and gone are ignored.
        now: When the sweep was made, with its time zone.
        still_there: ``track_id`` of tracks that the sweep did not ask for: known ones stay as
            they are.

    Returns:
        One row a track, sorted by ``track_id``. A listed track keeps its ``first_seen_at``, is
        seen ``now`` and is not gone; a track that is no longer listed keeps its row for ever and
        is gone since the first sweep that missed it.

    Raises:
        ValueError: If ``now`` has no time zone.
    """
    if now.tzinfo is None:
        raise ValueError("The time of a sweep needs a time zone.")
    moment = pa.scalar(now, TIME)
    previous, current = (rows.select(TRACKS.schema.names) for rows in (previous, current))
    known_ids = previous["track_id"].combine_chunks()
    place = pc.index_in(current["track_id"], value_set=known_ids)
    first_seen = pc.fill_null(previous["first_seen_at"].combine_chunks().take(place), moment)
    listed = _with(
        current,
        first_seen_at=first_seen,
        last_seen_at=pa.repeat(moment, current.num_rows),
        gone_at=pa.nulls(current.num_rows, TIME),
    )
    unlisted = previous.filter(
        pc.invert(pc.is_in(known_ids, value_set=current["track_id"].combine_chunks()))
    )
    stay = pc.is_in(unlisted["track_id"], value_set=pa.array(sorted(still_there), pa.string()))
    missed = unlisted.filter(pc.invert(stay))
    gone = _with(missed, gone_at=pc.fill_null(missed["gone_at"], moment))
    return pa.concat_tables([listed, unlisted.filter(stay), gone]).sort_by("track_id")


def shard_fingerprint(rows: pa.Table) -> str:
    """A hash over rows of ``tracks`` that is the same after a sweep that changed nothing.

    It takes in every column but the times of first and last sight, and whether a track is gone
    but not since when. The order of the rows does not matter.

    Args:
        rows: The rows of one shard.

    Returns:
        32 hexadecimal digits.
    """
    ordered = rows.sort_by("track_id")
    digest = hashlib.sha256()
    for name in sorted(set(ordered.column_names) - set(_SIGHTINGS)):
        _add_column(digest, name, ordered[name].to_pylist())
    _add_column(digest, "gone", pc.is_valid(ordered["gone_at"]).to_pylist())
    return digest.hexdigest()[:32]


def _add_column(digest, name: str, values: list) -> None:
    digest.update(json.dumps([name, values], ensure_ascii=True).encode())


def _with(rows: pa.Table, **columns: pa.Array | pa.ChunkedArray) -> pa.Table:
    for name, values in columns.items():
        field = TRACKS.schema.field(name)
        rows = rows.set_column(rows.schema.get_field_index(name), field, values)
    return rows.cast(TRACKS.schema)
