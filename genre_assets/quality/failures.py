"""What failed and why: shares by reason, and the standing list of all that is broken."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.audio.status import Status
from genre_assets.lake.schemas import (
    AUDIO,
    FEATURE_FAILURES,
    FETCHES,
    REJECTED_ROWS,
    TRACKS,
    Table,
    failure_tables,
)
from genre_assets.lake.tables import Lake
from genre_assets.progress import counted
from genre_assets.quality.verdict import Verdict, listed, share, some
from genre_assets.sources.catalogue import Kind

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

MOST_FAILING = 0.10
"""Share of the tracks of a shard that may fail for one reason before somebody should look."""

ENOUGH_FAILING = 5
"""Tracks from which on such a share means anything."""

MOST_REASONS = 25
"""Reasons that the standing list shows."""

_BEST_REASON_FIRST = (AUDIO, FETCHES, FEATURE_FAILURES)
"""A broken file that was downloaded is in several tables; these say best why, before all others."""
_LEFT_OUT = {Kind.VALUE: "value left out", Kind.SOUND: "sound not read"}
"""What became of something that a source listed; else it was rejected."""


@dataclass(frozen=True)
class _Failure:
    table: str
    kind: str
    subject: str
    reason: str


def failures_of(lake: Lake, table: Table) -> Iterator[_Failure]:
    """All that failed in one step, as its table says; what is no failure is not among it."""
    return _failures(lake, table, lake.partitions(table))


def failures_of_tracks(lake: Lake) -> list[_Failure]:
    """Every track that failed and is not gone, once, with the failure that says best why."""
    known = lake.read(TRACKS, columns=["track_id", "gone_at"])
    gone = set(known.filter(pc.field("gone_at").is_valid())["track_id"].to_pylist())
    best: dict[str, _Failure] = {}
    others = [table for table in failure_tables().values() if table not in _BEST_REASON_FIRST]
    for table in (*_BEST_REASON_FIRST, *others):
        for failure in failures_of(lake, table):
            if failure.subject not in gone:
                best.setdefault(failure.subject, failure)
    return list(best.values())


def few_failures(lake: Lake, table: Table, partition: str) -> Verdict:
    """Check that no reason makes more than a small share of the tracks of a shard fail.

    Args:
        lake: The lake.
        table: A table of what was tried, or of what failed: ``fetches``, ``audio``, ``id3_tags``,
            ``feature_failures`` or ``spectrogram_failures``.
        partition: The shard.
    """
    tried = _tried(lake, table, partition)
    failures = list(_failures(lake, table, [partition]))
    kinds = _by_kind(failures)
    limit = max(MOST_FAILING * tried, ENOUGH_FAILING - 1)
    many = {kind: found for kind, found in kinds.items() if len(found) > limit}
    described = [f"{kind} {share(len(found), tried)}" for (_, kind), found in many.items()]
    usual = listed(f"{len(found):,} {kind}" for (_, kind), found in kinds.items())
    return Verdict(
        passed=not many,
        sentence=f"{counted(tried, 'track')} tried in {partition}: "
        + (
            f"more than {MOST_FAILING:.0%} failed alike, {listed(described)}.".replace("%", " %", 1)
            if many
            else f"at most {limit:.0f} of them failed for the same reason "
            f"({usual or 'none failed'})."
        ),
        counts={"tried": tried, "failed": len(failures)}
        | {kind: len(found) for (_, kind), found in kinds.items()},
        examples=some(
            {"track_id": failure.subject, "failed": kind, "reason": failure.reason}
            for (_, kind), found in (many or kinds).items()
            for failure in found
        ),
        warning=True,
    )


def nothing_failed(lake: Lake) -> Verdict:
    """List everything in the lake that failed, the most frequent reasons first.

    A track that failed in several steps counts once.

    Args:
        lake: The lake.
    """
    failures = [*failures_of_tracks(lake), *failures_of(lake, REJECTED_ROWS)]
    kinds = _by_kind(failures)
    counts = listed(f"{len(found):,} {kind} in {table}" for (table, kind), found in kinds.items())
    return Verdict(
        passed=not failures,
        sentence=f"{counted(len(failures), 'failure')} in the lake: {counts}."
        if failures
        else "Nothing in the lake failed.",
        counts={"failures": len(failures), "reasons": len(kinds)},
        examples=[
            {
                "table": table,
                "failed": kind,
                "count": len(found),
                "example": found[0].subject,
                "reason": found[0].reason,
            }
            for (table, kind), found in list(kinds.items())[:MOST_REASONS]
        ],
        warning=True,
    )


def _tried(lake: Lake, table: Table, partition: str) -> int:
    if table is FETCHES:
        return len(set(lake.read(FETCHES, [partition], ["track_id"])["track_id"].to_pylist()))
    # A table of failures has no row for what went well: that is tried for all sound audio.
    of_failures = table.made_with is not None
    rows = lake.read(AUDIO if of_failures else table, [partition], ["status"])
    there = rows.filter(pc.field("status") != Status.MISSING)
    if of_failures:
        there = there.filter(pc.field("status") == Status.OK)
    return there.num_rows


def _failures(lake: Lake, table: Table, partitions: list) -> Iterator[_Failure]:
    if table is REJECTED_ROWS:
        for row in lake.read(table, partitions).to_pylist():
            if row["kind"] != Kind.OTHER:
                named = _LEFT_OUT.get(row["kind"], "rejected")
                yield _Failure(table.name, named, f"{row['origin']} {row['place']}", row["reason"])
        return
    kind = table.outcome or "status"
    columns = ["track_id", kind, "reason"] + (["fetched_at"] if table is FETCHES else [])
    for partition in partitions:
        rows = lake.read(table, [partition], columns)
        if table is FETCHES:
            rows = _last_tries(rows)
        expected = pa.array(table.no_failure, pa.string())
        broken = rows.filter(pc.invert(pc.is_in(rows[kind], value_set=expected)))
        for row in broken.to_pylist():
            named = row[kind] or "without a name"
            yield _Failure(table.name, named, row["track_id"], row["reason"] or "no reason given")


def _last_tries(rows: pa.Table) -> pa.Table:
    newest_first = rows.sort_by([("track_id", "ascending"), ("fetched_at", "descending")])
    seen, last = set(), []
    for place, track_id in enumerate(newest_first["track_id"].to_pylist()):
        if track_id not in seen:
            seen.add(track_id)
            last.append(place)
    return newest_first.take(pa.array(last, pa.int64()))


def _by_kind(failures: list[_Failure]) -> dict[tuple[str, str], list[_Failure]]:
    kinds: dict[tuple[str, str], list[_Failure]] = {}
    for failure in failures:
        kinds.setdefault((failure.table, failure.kind), []).append(failure)
    return dict(sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0])))
