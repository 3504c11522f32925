"""Summary features of the tracks of a shard, computed where they are not known yet.

A track's features are known by the SHA-256 of its file and the version of the extractor, so only
what is new is computed, the same bytes once however many tracks hold them, and a run that was
killed goes on from its journal. What was under way when it was killed comes last: a clip that
takes a run down with it keeps no other one from being analysed.

Light: importing this module imports nothing heavier than Arrow and NumPy; the workers import
librosa.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.audio.status import WORTH_ANOTHER_TRY, AudioError, Status
from genre_assets.audio.workers import WorkerPool
from genre_assets.due import Need, first_that_holds, is_due, with_journal
from genre_assets.features.summary import (
    COLUMNS,
    EXTRACTOR_VERSION,
    FEATURE_SOURCE,
    extract,
)
from genre_assets.lake.schemas import FEATURE_FAILURES, SUMMARY_FEATURES
from genre_assets.lake.tables import Batches, Journal
from genre_assets.progress import Log, Progress, silent

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

LIMIT_S = 60.0
LIMIT_PER_AUDIO_SECOND = 0.5
"""A worker is ended after 60 s and half the duration of the longest clip, some sixty times what
a slow machine needs."""


@dataclass(frozen=True)
class Clip:
    """The file of a track, as far as the extractor needs it.

    Attributes:
        track_id: The track, or the first of those that hold the same bytes.
        sha256: Content address of the file.
        path: Where the file lies.
        duration_s: Seconds of audio in the file.
        bytes: Size of the file when it was probed.
        mtime_ns: Modification time of the file when it was probed.
    """

    track_id: str
    sha256: str
    path: Path
    duration_s: float
    bytes: int | None
    mtime_ns: int | None

    def is_as_probed(self) -> bool:
        """Whether the file is still the one that the probe took the SHA-256 of."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        return (found.st_size, found.st_mtime_ns) == (self.bytes, self.mtime_ns)


def extract_shard(
    audio: pa.Table,
    previous: pa.Table,
    previous_failures: pa.Table,
    journal: Journal,
    failure_journal: Journal,
    workers: WorkerPool,
    log: Log = silent,
) -> tuple[pa.Table, pa.Table]:
    """Bring the summary features of a shard up to date with its audio.

    Features and failures that are known by (sha256, extractor version) are taken over, the others
    are computed; so are failures that another try may mend, such as a worker that died. Tracks
    whose audio is not ok, or not there any more, have neither. The caller writes both tables and
    then clears both journals.

    Args:
        audio: Rows of ``audio`` of the shard.
        previous: Rows of ``summary_features`` as they stand.
        previous_failures: Rows of ``feature_failures`` as they stand.
        journal: Journal of ``summary_features`` for the shard.
        failure_journal: Journal of ``feature_failures`` for the shard.
        workers: The processes that compute, warmed up by
            :func:`~genre_assets.features.summary.warm_up`.
        log: Takes lines about the progress.

    Returns:
        Rows of ``summary_features`` and of ``feature_failures``, each sorted by ``track_id``;
        every track whose audio is ok stands in exactly one of them.
    """
    features = with_journal(previous, journal)
    failures = with_journal(previous_failures, failure_journal)
    due = audio.filter(is_due(needs(audio, features, failures)))
    if due.num_rows:
        unknown = _one_of_each_content(_usable_clips(due))
        begun = journal.begun()
        unknown.sort(key=lambda clip: begun[clip.sha256])
        _extract_into_journals(unknown, journal, failure_journal, workers, log)
        features = with_journal(previous, journal)
        failures = with_journal(previous_failures, failure_journal)
    return _rows_of(
        _usable_clips(audio), _current(features), _failures_by_content(_current(failures))
    )


def needs(audio: pa.Table, features: pa.Table, failures: pa.Table) -> pa.ChunkedArray:
    """Say what the features of each track need.

    Args:
        audio: Rows of ``audio``; id, SHA-256 and status are read.
        features: Rows of ``summary_features`` as they stand, with those of the journal; id,
            SHA-256 and version are read.
        failures: Rows of ``feature_failures`` likewise; the status is read, too.

    Returns:
        For each track a :class:`~genre_assets.due.Need`; the same bytes are analysed once.
    """
    content = audio["sha256"]
    met = _failures_by_content(_current(failures))
    settled = [sha256 for sha256, row in met.items() if row["status"] not in WORTH_ANOTHER_TRY]
    asked = failures.filter(pc.is_null(failures["extractor_version"]))["sha256"]
    of_track = [*features["track_id"].chunks, *failures["track_id"].chunks]
    of_content = [*features["sha256"].chunks, *failures["sha256"].chunks]
    return first_that_holds(
        (Need.NOTHING, pc.not_equal(audio["status"], Status.OK)),
        (Need.NOTHING, _in(content, _current(features)["sha256"].chunks)),
        (Need.NOTHING, _in(content, [pa.array(settled, pa.string())])),
        (Need.FAILED, _in(content, [pa.array(list(met), pa.string())])),
        (Need.ASKED, _in(content, asked.chunks)),
        (Need.VERSION, _in(content, of_content)),
        (Need.CHANGED, _in(audio["track_id"], of_track)),
        otherwise=Need.NEW,
    )


def _in(values: pa.ChunkedArray, chunks: list[pa.Array]) -> pa.ChunkedArray:
    wanted = pa.chunked_array(chunks, pa.string()).combine_chunks()
    return pc.is_in(values, value_set=wanted)


def _usable_clips(audio: pa.Table) -> list[Clip]:
    return [
        Clip(
            row["track_id"],
            row["sha256"],
            Path(row["path"]),
            row["duration_s"] or 0.0,
            row["bytes"],
            row["mtime_ns"],
        )
        for row in sorted(audio.to_pylist(), key=lambda row: row["track_id"])
        if row["status"] == Status.OK
    ]


def _current(rows: pa.Table) -> pa.Table:
    return rows.filter(pc.field("extractor_version") == EXTRACTOR_VERSION)


def _failures_by_content(failures: pa.Table) -> dict[str, dict]:
    # Oldest first, so that what a later try met is what remains.
    return {row["sha256"]: row for row in failures.to_pylist()}


def _one_of_each_content(clips: list[Clip]) -> list[Clip]:
    # The file of a track that is gone may be, too, while a copy of it is still there.
    clips = sorted(clips, key=lambda c: (not c.is_as_probed(), c.track_id), reverse=True)
    first = {clip.sha256: clip for clip in clips}
    return sorted(first.values(), key=lambda clip: clip.track_id)


def _extract_into_journals(
    clips: list[Clip], journal: Journal, failure_journal: Journal, workers: WorkerPool, log: Log
) -> None:
    longest_s = max(clip.duration_s for clip in clips)
    progress = Progress("clips analysed", len(clips), log)
    results = workers.run(
        _extract,
        _noted(clips, journal),
        limit_s=LIMIT_S + LIMIT_PER_AUDIO_SECOND * longest_s,
        name=lambda clip: str(clip.path),
    )

    def keep(finished: list[tuple[Clip, np.ndarray | AudioError]]) -> None:
        failed = [(clip, error) for clip, error in finished if isinstance(error, AudioError)]
        analysed = [(clip, found) for clip, found in finished if isinstance(found, np.ndarray)]
        journal.append(_feature_rows(analysed))
        failure_journal.append(
            FEATURE_FAILURES.of_rows([_failure_row(c, e.status, e.reason) for c, e in failed])
        )

    finished = Batches(keep)
    with contextlib.closing(finished), contextlib.closing(results):
        for clip, result in results:
            finished.add((clip, result))
            progress.count(failed=isinstance(result, AudioError))


def _noted(clips: list[Clip], journal: Journal) -> Iterator[Clip]:
    for clip in clips:
        journal.begin(clip.sha256)
        yield clip


def _extract(clip: Clip) -> np.ndarray:
    if clip.path.exists() and not clip.is_as_probed():
        raise AudioError(
            Status.FAILED, f"{clip.path} changed after it was probed: refresh the audio first."
        )
    return extract(clip.path)


def _feature_rows(features: list[tuple[Clip, np.ndarray]]) -> pa.Table:
    if not features:
        return SUMMARY_FEATURES.empty()
    values = np.stack([value for _, value in features])
    return pa.table(
        {
            "track_id": [clip.track_id for clip, _ in features],
            "sha256": [clip.sha256 for clip, _ in features],
            "extractor_version": [EXTRACTOR_VERSION] * len(features),
            "feature_source": [FEATURE_SOURCE] * len(features),
            **dict(zip(COLUMNS, values.T, strict=True)),
        },
        schema=SUMMARY_FEATURES.schema,
    )


def _failure_row(clip: Clip, status: str, reason: str) -> dict:
    return {
        "track_id": clip.track_id,
        "sha256": clip.sha256,
        "extractor_version": EXTRACTOR_VERSION,
        "status": str(status),
        "reason": reason,
    }


def _rows_of(
    clips: list[Clip], features: pa.Table, failures: dict[str, dict]
) -> tuple[pa.Table, pa.Table]:
    position = {sha256: row for row, sha256 in enumerate(features["sha256"].to_pylist())}
    analysed = [clip for clip in clips if clip.sha256 in position]
    rows = features.take(pa.array([position[clip.sha256] for clip in analysed], pa.int64()))
    track_ids = pa.array([clip.track_id for clip in analysed], pa.string())
    failed = [
        _failure_row(clip, failures[clip.sha256]["status"], failures[clip.sha256]["reason"])
        for clip in clips
        if clip.sha256 not in position
    ]
    return (
        rows.set_column(0, SUMMARY_FEATURES.schema.field("track_id"), track_ids),
        FEATURE_FAILURES.of_rows(failed),
    )
