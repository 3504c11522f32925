"""The table ``audio``: which files have to be probed, and the rows of a shard.

Light: the decoders are imported by the workers.
"""

import contextlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.audio.probe import (
    LIMIT_PER_MEGABYTE_S,
    LIMIT_S,
    PROBE_VERSION,
    Probe,
    probe,
)
from genre_assets.audio.status import WORTH_ANOTHER_TRY, AudioError, Status
from genre_assets.audio.workers import WorkerPool
from genre_assets.lake.journal import Batches, Journal
from genre_assets.lake.schemas import AUDIO
from genre_assets.lake.staleness import Need, first_that_holds, with_journal
from genre_assets.progress import Log, Progress, silent

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false


def probe_shard(
    tracks: pa.Table,
    previous: pa.Table,
    workers: WorkerPool,
    log: Log = silent,
    why_missing: Mapping[str, str] | None = None,
    journal: Journal | None = None,
) -> pa.Table:
    """Bring the rows of ``audio`` of a shard up to date with its tracks.

    A file whose path, size and modification time are those of its previous row is not read
    again, unless another try may mend its failure. A track that its source no longer lists keeps
    its previous row. Tracks that share a file have it read once.

    Args:
        tracks: Rows of ``tracks`` of the shard.
        previous: Rows of ``audio`` as they stand.
        workers: The processes that read.
        log: Takes lines about the progress.
        why_missing: Why a track has no file, by ``track_id``, where its source knows.
        journal: Journal of ``audio`` for the shard, so that a run which is killed has read no
            file for nothing; the caller clears it once the rows are in the table.

    Returns:
        Rows of ``audio``, one a track, sorted by ``track_id``.
    """
    if journal is not None:
        previous = with_journal(previous, journal)
    known = {row["track_id"]: row for row in previous.to_pylist()}
    rows: dict[str, dict] = {}
    unknown: dict[str, list[dict]] = defaultdict(list)
    found = needs(tracks, previous).to_pylist()
    for track, need in zip(tracks.to_pylist(), found, strict=True):
        key = track["track_id"]
        if need == Need.NOTHING:
            rows[key] = known[key]
        elif need == Need.NO_FILE:
            rows[key] = _row(track, _missing(track["path"], (why_missing or {}).get(key)))
        else:
            unknown[track["path"]].append(track)
    progress = Progress("files probed", len(unknown), log)

    def keep(found: list[dict]) -> None:
        if journal is not None:
            journal.append(AUDIO.of_rows(found))

    def limit_s(path: str) -> float:
        return LIMIT_S + LIMIT_PER_MEGABYTE_S * unknown[path][0]["file_bytes"] / 1e6

    results, finished = workers.run(probe, unknown, limit_s), Batches(keep)
    with contextlib.closing(finished), contextlib.closing(results):
        for path, result in results:
            if isinstance(result, AudioError):
                result = Probe(status=result.status, reason=result.reason)
            for track in unknown[path]:
                rows[track["track_id"]] = _row(track, result)
                finished.add(rows[track["track_id"]])
            progress.count(failed=result.status != Status.OK)
    return AUDIO.of_rows([rows[key] for key in sorted(rows)])


def needs(tracks: pa.Table, previous: pa.Table) -> pa.ChunkedArray:
    """Say what the row of ``audio`` of each track needs.

    Args:
        tracks: Rows of ``tracks``; id, path, size, time and whether it is gone are read.
        previous: Rows of ``audio`` as they stand, with those of the journal; id, path, size, time,
            status and version are read.

    Returns:
        For each track a :class:`~genre_assets.lake.staleness.Need`: a new, changed or failed file
        is read.
    """
    row = rows_of(tracks, previous)
    is_known, version = pc.is_valid(row["track_id"]), row["probe_version"]
    same_path = _same(row["path"], tracks["path"])
    same_file = pc.and_(
        same_path,
        pc.and_(
            _same(row["bytes"], tracks["file_bytes"]),
            _same(row["mtime_ns"], tracks["file_mtime_ns"]),
        ),
    )
    may_be_mended = pc.is_in(row["status"], value_set=pa.array(sorted(WORTH_ANOTHER_TRY)))
    is_ours = pc.fill_null(pc.equal(version, PROBE_VERSION), False)
    current = pc.and_(pc.and_(same_file, is_ours), pc.invert(may_be_mended))
    no_file = pc.or_(pc.is_null(tracks["path"]), pc.is_null(tracks["file_bytes"]))
    still_missing = pc.and_(pc.equal(row["status"], Status.MISSING), same_path)
    return first_that_holds(
        (Need.NOTHING, pc.and_(is_known, pc.or_(pc.is_valid(tracks["gone_at"]), current))),
        (Need.NO_FILE, no_file),
        (Need.NEW, pc.or_(pc.invert(is_known), pc.is_null(row["path"]))),
        (Need.FAILED, still_missing),
        (Need.CHANGED, pc.invert(same_file)),
        (Need.REQUESTED, pc.is_null(version)),
        (Need.VERSION, pc.invert(is_ours)),
        otherwise=Need.FAILED,
    )


def rows_of(tracks: pa.Table, previous: pa.Table) -> pa.Table:
    """The last of the rows of ``audio`` of each track, nulls where it has none."""
    newest_first = previous.take(pa.array(range(previous.num_rows)[::-1], pa.int64()))
    ids = newest_first["track_id"].combine_chunks()
    return newest_first.take(pc.index_in(tracks["track_id"], value_set=ids))


def _same(ours: pa.ChunkedArray, theirs: pa.ChunkedArray) -> pa.ChunkedArray:
    both_null = pc.and_(pc.is_null(ours), pc.is_null(theirs))
    return pc.or_(pc.fill_null(pc.equal(ours, theirs), False), both_null)


def _missing(path: str | None, why: str | None) -> Probe:
    if why is None and path is None:
        why = "The source gives no file for this track."
    elif why is None:
        why = f"No file is at {path}, where the clip should be."
    return Probe(status=Status.MISSING, reason=why)


def _row(track: dict, found: Probe) -> dict:
    row = asdict(found) | {
        "track_id": track["track_id"],
        "path": track["path"],
        "status": str(found.status),
        "probe_version": PROBE_VERSION,
    }
    if found.bytes is None and found.status != Status.MISSING:
        # Without these the file of a failure would count as changed and be read every time.
        row |= {"bytes": track["file_bytes"], "mtime_ns": track["file_mtime_ns"]}
    return row
