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

from genre_assets.audio.files import opened
from genre_assets.audio.status import WORTH_ANOTHER_TRY, AudioError, Status
from genre_assets.audio.workers import WorkerPool
from genre_assets.lake.schemas import AUDIO
from genre_assets.progress import Log, Progress, silent

PROBE_VERSION = 1

PROBED_S = 5.0
"""Seconds at the beginning of a file that are decoded, to be sure that audio comes out."""

LIMIT_S = 120.0
"""Seconds that one file may take, most of which a slow disk may need to read all of it."""


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
        duration_s: Seconds of audio in the file: of what could be decoded in a file that is
            shorter than :data:`PROBED_S`, as the decoder counts them in a longer one.
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
    status: Status = Status.OK
    reason: str | None = None


def probe(path: Path | str) -> Probe:
    """Identify an audio file, and decode its beginning.

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

    Returns:
        Rows of ``audio``, one a track, sorted by ``track_id``.
    """
    known = {row["track_id"]: row for row in previous.to_pylist()}
    rows: dict[str, dict] = {}
    unknown: dict[str, list[dict]] = defaultdict(list)
    for track in tracks.to_pylist():
        key = track["track_id"]
        if key in known and (track["gone_at"] is not None or _is_current(known[key], track)):
            rows[key] = known[key]
        elif track["path"] is None or track["file_bytes"] is None:
            rows[key] = _row(track, _missing(track["path"], (why_missing or {}).get(key)))
        else:
            unknown[track["path"]].append(track)
    progress = Progress("files probed", len(unknown), log)
    with contextlib.closing(workers.run(probe, unknown, LIMIT_S)) as results:
        for path, result in results:
            if isinstance(result, AudioError):
                result = Probe(status=result.status, reason=result.reason)
            rows |= {track["track_id"]: _row(track, result) for track in unknown[path]}
            progress.count(failed=result.status != Status.OK)
    return AUDIO.of_rows([rows[key] for key in sorted(rows)])


def _identified(path: Path) -> Probe:
    with opened(path) as file:
        found = os.fstat(file.fileno())
        try:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            reason = f"{path} cannot be read to its end: {error.strerror}."
            raise AudioError(Status.UNREADABLE, reason) from error
    return Probe(sha256=sha256, bytes=found.st_size, mtime_ns=found.st_mtime_ns)


def _decoded(file: Probe, path: Path) -> Probe:
    from genre_assets.audio.decode import read_audio

    audio = read_audio(path, PROBED_S)
    if not audio.complete and audio.claimed_s is None:
        audio = read_audio(path)
    return replace(
        file,
        format=audio.format,
        sample_rate=audio.sample_rate,
        channels=audio.channels,
        duration_s=audio.decoded_s if audio.complete else audio.claimed_s,
    )


def _is_current(row: dict, track: dict) -> bool:
    return (
        row["probe_version"] == PROBE_VERSION
        and row["status"] not in WORTH_ANOTHER_TRY
        and row["path"] == track["path"]
        and row["bytes"] == track["file_bytes"]
        and row["mtime_ns"] == track["file_mtime_ns"]
    )


def _missing(path: str | None, why: str | None) -> Probe:
    if why is None and path is None:
        why = "The source gives no file for this track."
    elif why is None:
        why = f"No file is at {path}, where the clip should lie."
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
