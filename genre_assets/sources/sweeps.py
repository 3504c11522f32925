"""What a sweep of a source changes in the table of tracks."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.lake.schemas import TIME, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.sources.removals import refuse_mass_removal

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

_SIGHTINGS = ("first_seen_at", "last_seen_at", "gone_at")


@dataclass(frozen=True)
class ShardState:
    """A shard of ``tracks`` as it stands.

    Attributes:
        shard: The shard.
        rows: Its rows, those of all sources.
        version: The version of the file that holds them, as ``Lake.version`` has it.
        fingerprint: What :func:`shard_fingerprint` makes of the rows.
    """

    shard: str
    rows: pa.Table
    version: str
    fingerprint: str


def record_sweep(
    lake: Lake,
    source: str,
    listed: pa.Table,
    now: datetime,
    still_there: frozenset[str] = frozenset(),
    gone: frozenset[str] | None = None,
    *,
    believe_removals: bool = False,
) -> dict[str, int]:
    """Bring the table of tracks up to date with what a sweep listed, a shard at a time.

    Where a sweep says itself which tracks are gone, only the shards of those and of the listed
    ones are read and written: it costs what it found, not what is stored.

    Args:
        lake: The lake.
        source: The source that was swept.
        listed: Rows of ``lake.schemas.TRACKS`` that the sweep listed.
        now: When the sweep was made, with its time zone.
        still_there: As :func:`merge_sweep` takes it.
        gone: As :func:`merge_sweep` takes it.
        believe_removals: Whether a person has said that all that is missing is really gone.

    Returns:
        The shards that it had something to say of, and how many of their tracks are gone since
        this sweep.

    Raises:
        SourceError: If more than half of the source would be gone at once and nobody has said
            that it is; nothing is changed then.
    """
    listed_in = rows_by_shard(listed)
    newly_gone = {}
    with lake.lock(TRACKS):
        if not believe_removals:
            refuse_mass_removal(lake, source, listed, still_there, gone)
        for shard in sorted({*listed_in, *_shards_with(lake, source, gone)}):
            stored = lake.read(TRACKS, [shard])
            ours = pc.equal(stored["source"], source)
            swept = merge_sweep(
                stored.filter(ours),
                listed_in.get(shard, TRACKS.empty()),
                now,
                still_there,
                gone,
            )
            lake.write(TRACKS, pa.concat_tables([swept, stored.filter(pc.invert(ours))]), shard)
            newly_gone[shard] = pc.sum(pc.equal(swept["gone_at"], pa.scalar(now, TIME))).as_py()
    return {shard: count or 0 for shard, count in newly_gone.items()}


def shards_other_than(lake: Lake, reported: Mapping[str, str]) -> Iterator[ShardState]:
    """The shards of ``tracks`` that changed since they were last reported, or that never were.

    A process that is killed between a write and the telling of it leaves a shard that nobody
    knows of, and no later sweep need touch it. So what was reported is compared with what is
    there; a shard whose version was reported is not read.

    Args:
        lake: The lake.
        reported: The version of each shard that was last reported.
    """
    for shard in lake.partitions(TRACKS):
        version = lake.version(TRACKS, shard)
        if shard and reported.get(shard) != version:
            rows = lake.read(TRACKS, [shard])
            yield ShardState(shard, rows, version, shard_fingerprint(rows))


def rows_by_shard(rows: pa.Table) -> dict[str, pa.Table]:
    """Rows that have a column ``shard``, in the order of their shards."""
    ordered = rows.sort_by("shard")
    counts = ordered["shard"].combine_chunks().value_counts()
    found, start = {}, 0
    for shard, count in zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True):
        found[shard] = ordered.slice(start, count)
        start += count
    return found


def merge_sweep(
    previous: pa.Table,
    current: pa.Table,
    now: datetime,
    still_there: frozenset[str] = frozenset(),
    gone: frozenset[str] | None = None,
) -> pa.Table:
    """Bring the rows of one source up to date with what a sweep of it listed.

    Args:
        previous: Rows of ``lake.schemas.TRACKS`` from the last sweep, those of gone tracks too.
        current: Rows that this sweep listed; their first, last seen and gone are ignored.
        now: When the sweep was made, with its time zone.
        still_there: ``track_id`` of tracks that the sweep did not ask for: known ones stay as
            they are.
        gone: ``track_id`` of the tracks that are gone, when the sweep found that out: all other
            known ones stay as they are. None for a sweep that lists everything there is.

    Returns:
        One row a track, sorted by ``track_id``. A listed track keeps its ``first_seen_at``, is
        seen ``now`` and is not gone; a track that is gone keeps its row for ever and the time of
        the first sweep that said so.

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
    missed = pc.invert(_among(unlisted, still_there)) if gone is None else _among(unlisted, gone)
    kept, goes = unlisted.filter(pc.invert(missed)), unlisted.filter(missed)
    goes = _with(goes, gone_at=pc.fill_null(goes["gone_at"], moment))
    return pa.concat_tables([listed, kept, goes]).sort_by("track_id")


def _among(rows: pa.Table, track_ids: frozenset[str]) -> pa.ChunkedArray:
    return pc.is_in(rows["track_id"], value_set=pa.array(track_ids, pa.string()))


def _shards_with(lake: Lake, source: str, gone: frozenset[str] | None) -> list[str]:
    """The shards of which a sweep may say that known tracks are gone."""
    if gone is None:
        column, sought = "source", frozenset({source})
    else:
        column, sought = "track_id", gone
    if not sought:
        return []
    values = pa.array(sought, pa.string())
    return [
        shard
        for shard in lake.partitions(TRACKS)
        if shard
        and pc.any(
            pc.is_in(lake.read(TRACKS, [shard], columns=[column])[column], value_set=values)
        ).as_py()
    ]


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
