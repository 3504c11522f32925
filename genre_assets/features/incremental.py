"""Features of the tracks of a shard, computed where they are not known yet.

A track's features are known by the SHA-256 of its file and the version of the extractor, so only
what is new is computed, the same bytes once however many tracks hold them, and a run that was
killed goes on from its journal. What was under way when it was killed comes last: a clip that
takes a run down with it keeps no other one from being analysed.

Light: importing this module imports nothing heavier than Arrow.
"""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.audio.status import WORTH_ANOTHER_TRY, AudioError, Status
from genre_assets.audio.workers import WorkerPool
from genre_assets.due import Need, first_that_holds, is_due, with_journal
from genre_assets.lake.schemas import Table
from genre_assets.lake.tables import Batches, Journal
from genre_assets.progress import Log, Progress, silent

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

Result = TypeVar("Result")

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

    def refuse_if_changed(self) -> None:
        """Refuse a file that is there but is not the one that was probed any more.

        Raises:
            AudioError: If it is so.
        """
        if self.path.exists() and not self.is_as_probed():
            raise AudioError(
                Status.FAILED,
                f"{self.path} changed after it was probed: refresh the audio first.",
            )


@dataclass(frozen=True)
class Extractor(Generic[Result]):
    """One kind of features: how they are computed and where they are kept.

    Attributes:
        features: Their table: a row a track, or several that its key tells apart.
        failures: The table of the tracks that they could not be computed of.
        version: Features and failures of another version are computed anew.
        extract: Computes those of a clip, in a worker: it and its result must pickle.
        rows: Makes rows of ``features`` from clips and their results.
    """

    features: Table
    failures: Table
    version: int
    extract: Callable[[Clip], Result]
    rows: Callable[[list[tuple[Clip, Result]]], pa.Table]


def extract_shard(
    extractor: Extractor,
    audio: pa.Table,
    previous: pa.Table,
    previous_failures: pa.Table,
    journal: Journal,
    failure_journal: Journal,
    workers: WorkerPool,
    log: Log = silent,
) -> tuple[pa.Table, pa.Table]:
    """Bring the features of a shard up to date with its audio.

    Features and failures that are known by (sha256, extractor version) are taken over, the others
    are computed; so are failures that another try may mend, such as a worker that died. Tracks
    whose audio is not ok, or not there any more, have neither. The caller writes both tables and
    then clears both journals.

    Args:
        extractor: What is computed.
        audio: Rows of ``audio`` of the shard.
        previous: Rows of the features as they stand.
        previous_failures: Rows of the failures as they stand.
        journal: Journal of the features for the shard.
        failure_journal: Journal of the failures for the shard.
        workers: The processes that compute.
        log: Takes lines about the progress.

    Returns:
        Rows of the features and of the failures, sorted by ``track_id``; every track whose audio
        is ok stands in exactly one of them.
    """
    features = with_journal(previous, journal)
    failures = with_journal(previous_failures, failure_journal)
    due = audio.filter(is_due(needs(extractor.version, audio, features, failures)))
    if due.num_rows:
        unknown = _one_of_each_content(_usable_clips(due))
        begun = journal.begun()
        unknown.sort(key=lambda clip: begun[clip.sha256])
        _extract_into_journals(extractor, unknown, journal, failure_journal, workers, log)
        features = with_journal(previous, journal)
        failures = with_journal(previous_failures, failure_journal)
    return _rows_of(
        extractor,
        _usable_clips(audio),
        _current(features, extractor.version),
        _failures_by_content(_current(failures, extractor.version)),
    )


def needs(version: int, audio: pa.Table, features: pa.Table, failures: pa.Table) -> pa.ChunkedArray:
    """Say what the features of each track need.

    Args:
        version: Version of the extractor.
        audio: Rows of ``audio``; id, SHA-256 and status are read.
        features: Rows of the features as they stand, with those of the journal; id, SHA-256 and
            version are read.
        failures: Rows of the failures likewise; the status is read, too.

    Returns:
        For each track a :class:`~genre_assets.due.Need`; the same bytes are analysed once.
    """
    content = audio["sha256"]
    met = _failures_by_content(_current(failures, version))
    settled = [sha256 for sha256, row in met.items() if row["status"] not in WORTH_ANOTHER_TRY]
    asked = failures.filter(pc.is_null(failures["extractor_version"]))["sha256"]
    of_track = [*features["track_id"].chunks, *failures["track_id"].chunks]
    of_content = [*features["sha256"].chunks, *failures["sha256"].chunks]
    return first_that_holds(
        (Need.NOTHING, pc.not_equal(audio["status"], Status.OK)),
        (Need.NOTHING, _in(content, _current(features, version)["sha256"].chunks)),
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


def _current(rows: pa.Table, version: int) -> pa.Table:
    return rows.filter(pc.field("extractor_version") == version)


def _failures_by_content(failures: pa.Table) -> dict[str, dict]:
    # Oldest first, so that what a later try met is what remains.
    return {row["sha256"]: row for row in failures.to_pylist()}


def _one_of_each_content(clips: list[Clip]) -> list[Clip]:
    # The file of a track that is gone may be, too, while a copy of it is still there.
    clips = sorted(clips, key=lambda c: (not c.is_as_probed(), c.track_id), reverse=True)
    first = {clip.sha256: clip for clip in clips}
    return sorted(first.values(), key=lambda clip: clip.track_id)


def _extract_into_journals(
    extractor: Extractor,
    clips: list[Clip],
    journal: Journal,
    failure_journal: Journal,
    workers: WorkerPool,
    log: Log,
) -> None:
    longest_s = max(clip.duration_s for clip in clips)
    progress = Progress("clips analysed", len(clips), log)
    results = workers.run(
        extractor.extract,
        _noted(clips, journal),
        limit_s=LIMIT_S + LIMIT_PER_AUDIO_SECOND * longest_s,
        name=lambda clip: str(clip.path),
    )

    def keep(finished: list[tuple]) -> None:
        failed = [(clip, error) for clip, error in finished if isinstance(error, AudioError)]
        analysed = [(c, result) for c, result in finished if not isinstance(result, AudioError)]
        if analysed:
            journal.append(extractor.rows(analysed))
        failure_journal.append(
            extractor.failures.of_rows(
                [_failure_row(extractor, c, e.status, e.reason) for c, e in failed]
            )
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


def _failure_row(extractor: Extractor, clip: Clip, status: str, reason: str) -> dict:
    return {
        "track_id": clip.track_id,
        "sha256": clip.sha256,
        "extractor_version": extractor.version,
        "status": str(status),
        "reason": reason,
    }


def _rows_of(
    extractor: Extractor, clips: list[Clip], features: pa.Table, failures: dict[str, dict]
) -> tuple[pa.Table, pa.Table]:
    places = _places_by_content(extractor.features, features)
    taken = [(clip.track_id, place) for clip in clips for place in places.get(clip.sha256, ())]
    rows = features.take(pa.array([place for _, place in taken], pa.int64()))
    track_ids = pa.array([track_id for track_id, _ in taken], pa.string())
    failed = [
        _failure_row(
            extractor, clip, failures[clip.sha256]["status"], failures[clip.sha256]["reason"]
        )
        for clip in clips
        if clip.sha256 not in places
    ]
    return (
        rows.set_column(0, extractor.features.schema.field("track_id"), track_ids),
        extractor.failures.of_rows(failed),
    )


def _places_by_content(table: Table, features: pa.Table) -> dict[str, list[int]]:
    """Where the rows of each content stand; of those that a journal holds twice the last ones."""
    within_a_track = [name for name in table.key if name != "track_id"]
    keys = zip(*(features[name].to_pylist() for name in ("sha256", *within_a_track)), strict=True)
    last = {key: place for place, key in enumerate(keys)}
    places = defaultdict(list)
    for (sha256, *_), place in last.items():
        places[sha256].append(place)
    return places
