"""What the audio file of a track is: content address, format, length, or a named failure.

Light: the decoders are imported by the workers.
"""

import contextlib
import hashlib
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.audio.files import modification_time_ns, opened
from genre_assets.audio.samples import SamplesOnDisk
from genre_assets.audio.status import WORTH_ANOTHER_TRY, AudioError, Status
from genre_assets.audio.workers import WorkerPool
from genre_assets.due import Need, first_that_holds, with_journal
from genre_assets.lake.journal import Batches, Journal
from genre_assets.lake.schemas import AUDIO
from genre_assets.progress import Log, Progress, silent

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

PROBE_VERSION = 2

PROBED_S = 5.0
"""Seconds at the beginning of a file that are decoded, to be sure that audio comes out."""

LIMIT_S = 120.0
"""Seconds that one file may take, most of which a slow disk may need to read all of it."""

LIMIT_PER_MEGABYTE_S = 0.5
"""Seconds more that a file may take, for one that states no length is decoded to its end."""

FROM_HEADER, FROM_DECODING = "header", "decoding"
"""What the length of a file is known from."""


@dataclass(frozen=True)
class Probe:
    """What a file is; fields that its failure leaves unknown are None.

    Attributes:
        sha256: SHA-256 of the file's bytes, in hexadecimal.
        bytes: Size of the file.
        mtime_ns: Modification time of the file.
        format: Container and codec, such as ``MP3`` or ``MP4/aac``.
        sample_rate: Samples a second and channel.
        channels: Number of channels.
        duration_s: Seconds of audio in the file.
        duration_from: ``header`` where the file states them and its parts amount to that, else
            ``decoding``: the file was decoded to its end.
        status: ``ok`` or the kind of failure.
        reason: Why it failed, in one sentence; None when ok.
    """

    sha256: str | None = None
    bytes: int | None = None
    mtime_ns: int | None = None
    format: str | None = None
    sample_rate: int | None = None
    channels: int | None = None
    duration_s: float | None = None
    duration_from: str | None = None
    status: Status = Status.OK
    reason: str | None = None


def probe(path: Path | str) -> Probe:
    """Identify an audio file, and decode its beginning, or all of it to know its length.

    Args:
        path: The file.

    Returns:
        What it is; a file that cannot be used is described by ``status`` and ``reason``.
    """
    path = Path(path)
    file = Probe()
    try:
        file = _identified(path)
        return _decoded(file, path)
    except AudioError as error:
        return replace(file, status=error.status, reason=error.reason)


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
            file for nothing; the caller clears it once the rows stand in the table.

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
        For each track a :class:`~genre_assets.due.Need`: a new, changed or failed file is read.
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
        (Need.ASKED, pc.is_null(version)),
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


def _identified(path: Path) -> Probe:
    with opened(path) as file:
        found = os.fstat(file.fileno())
        try:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            reason = f"{path} cannot be read to its end: {error.strerror}."
            raise AudioError(Status.UNREADABLE, reason) from error
    return Probe(sha256=sha256, bytes=found.st_size, mtime_ns=modification_time_ns(found))


def _decoded(file: Probe, path: Path) -> Probe:
    from genre_assets.audio.decode import read_audio

    audio = read_audio(path, PROBED_S)
    with SamplesOnDisk() as on_disk:
        if not audio.complete and not audio.claim_holds:
            audio = read_audio(path, on_disk=on_disk)
        return replace(
            file,
            format=audio.format,
            sample_rate=audio.sample_rate,
            channels=audio.channels,
            duration_s=audio.decoded_s if audio.complete else audio.claimed_s,
            duration_from=FROM_HEADER if audio.claim_holds else FROM_DECODING,
        )


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
