"""Features of the tracks of a shard, computed where they are not known yet.

A track's features are known by the SHA-256 of its file and the version of their extractor, so only
what is new is computed, the same bytes once however many tracks hold them, and a run that was
killed goes on from its journals. A clip is decoded once for all features that are due of it. What
was under way when a run was killed comes last: a clip that takes a run down with it keeps no other
one from being analysed.

Light: importing this module imports nothing heavier than Arrow; the workers import librosa.
"""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

import pyarrow as pa

from genre_assets.audio.status import AudioError
from genre_assets.audio.workers import WorkerPool, outcome
from genre_assets.features.clips import (
    Clip,
    Versions,
    failures_by_content,
    needs,
    one_of_each_content,
    up_to_date,
    usable_clips,
)
from genre_assets.features.dsp.compilation import require_a_place_for_kernels
from genre_assets.lake.journal import Batches
from genre_assets.lake.schemas import AUDIO, Table
from genre_assets.lake.staleness import needs_work, with_journal
from genre_assets.lake.tables import Lake
from genre_assets.progress import Log, Progress, silent

if TYPE_CHECKING:
    from genre_assets.features.dsp.transforms import Transforms

Result = TypeVar("Result")

LIMIT_S = 60.0
LIMIT_PER_AUDIO_SECOND = 0.5
"""A worker is ended after 60 s and half the duration of its clip, some sixty times what a slow
machine needs."""


def all_rows(lake: Lake, rows: pa.Table) -> pa.Table:
    """Rows of features as they are."""
    return rows


@dataclass(frozen=True)
class Extractor(Generic[Result]):
    """One kind of features: how they are computed and where they are kept.

    Attributes:
        features: Their table: a row a track, or several that its key tells apart.
        failures: The table of the tracks that they could not be computed of.
        versions: Features and failures of other versions are computed anew.
        compute: Computes those of a clip, in a worker: it and its result must pickle.
        rows: Makes rows of ``features`` from clips and their results.
        intact: Of rows of ``features`` those whose files, if they have any, are there and whole.
        on_request: Whether they are only made for shards of which somebody requested them, and
            then kept up to date. A file of ``features`` shows which those are, even without rows.
    """

    features: Table
    failures: Table
    versions: Versions
    compute: "Callable[[Clip, Transforms], Result]"
    rows: Callable[[list[tuple[Clip, Result]]], pa.Table]
    intact: Callable[[Lake, pa.Table], pa.Table] = all_rows
    on_request: bool = False


@dataclass(frozen=True)
class Extracted:
    """Features of a shard that are up to date with its audio.

    Attributes:
        extractor: What computed them.
        features: Their rows, sorted by ``track_id``.
        failures: Rows of the tracks that they could not be computed of, likewise.
        analysed: Contents that they were computed of, or that failed, just now.
    """

    extractor: Extractor
    features: pa.Table
    failures: pa.Table
    analysed: int

    @property
    def name(self) -> str:
        """Name of their table."""
        return self.extractor.features.name


@dataclass(frozen=True)
class PendingClip:
    """A clip and what computes the features that are due of it, by the name of their table."""

    clip: Clip
    compute: "dict[str, Callable[[Clip, Transforms], object]]"


def extract_shard(
    lake: Lake,
    shard: str,
    extractors: Sequence[Extractor],
    workers: WorkerPool,
    log: Log = silent,
) -> list[Extracted]:
    """Bring features of a shard up to date with its audio, and write them to the lake.

    Features and failures that are known by (sha256, extractor version) are taken over, the others
    are computed; so are failures that another try may mend, such as a worker that died. Tracks
    whose audio is not ok, or not there any more, have neither; every other track stands either
    among the features or among the failures of each extractor.

    Args:
        lake: The lake.
        shard: The shard.
        extractors: What is computed; another run of one of them on this shard is waited for.
        workers: The processes that compute.
        log: Takes lines about the progress.

    Returns:
        What came of each extractor, in their order.

    Raises:
        UserError: If there is nowhere to keep what is compiled.
    """
    with contextlib.ExitStack() as locks:
        # In one order, however they are named: no two runs ever wait for each other.
        for extractor in sorted(extractors, key=lambda extractor: extractor.features.name):
            # Another run of the same shard would take the journals from under this one.
            locks.enter_context(lake.held(extractor.features, shard, log))
        audio = lake.read(AUDIO, [shard])
        parts = [_Part(lake, shard, extractor) for extractor in extractors]
        _extract_into_journals(parts, audio, workers, log)
        return [part.written(audio) for part in parts]


class _Part:
    """The features of one extractor in a shard: as they stood, and what is computed of them."""

    def __init__(self, lake: Lake, shard: str, extractor: Extractor):
        self.extractor = extractor
        self.analysed = 0
        self._lake, self._shard = lake, shard
        self._previous = extractor.intact(lake, lake.read(extractor.features, [shard]))
        self._previous_failures = lake.read(extractor.failures, [shard])
        self._journal = lake.journal(extractor.features, shard)
        self._failure_journal = lake.journal(extractor.failures, shard)

    @property
    def name(self) -> str:
        return self.extractor.features.name

    def due(self, audio: pa.Table) -> dict[str, Clip]:
        """A clip of each content that is due, by its SHA-256."""
        features, failures = self._known()
        due = audio.filter(needs_work(needs(self.extractor.versions, audio, features, failures)))
        return one_of_each_content(usable_clips(due))

    def begun(self) -> Counter[str]:
        """How often work on each content was begun by runs that were killed."""
        return self._journal.begun()

    def begin(self, clip: Clip) -> None:
        self._journal.begin(clip.sha256)

    def keep(self, outcomes: list[tuple[Clip, object]]) -> None:
        """Take results and failures into the journals."""
        failed = [(clip, error) for clip, error in outcomes if isinstance(error, AudioError)]
        results = [(clip, found) for clip, found in outcomes if not isinstance(found, AudioError)]
        if results:
            self._journal.append(self.extractor.rows(results))
        version = self.extractor.versions.current
        rows = [_failure_row(clip, version, e.status, e.reason) for clip, e in failed]
        self._failure_journal.append(self.extractor.failures.of_rows(rows))
        self.analysed += len(outcomes)

    def written(self, audio: pa.Table) -> Extracted:
        """What came of it; it stands in the tables from now on, and the journals are empty."""
        features, failures = self._known()
        versions = self.extractor.versions
        rows, failed = _rows_of(
            self.extractor,
            usable_clips(audio),
            up_to_date(features, versions, audio),
            failures_by_content(up_to_date(failures, versions, audio)),
        )
        self._lake.write(
            self.extractor.features, rows, self._shard, keep_empty=self.extractor.on_request
        )
        self._lake.write(self.extractor.failures, failed, self._shard)
        self._journal.clear()
        self._failure_journal.clear()
        return Extracted(self.extractor, rows, failed, self.analysed)

    def _known(self) -> tuple[pa.Table, pa.Table]:
        return (
            with_journal(self._previous, self._journal),
            with_journal(self._previous_failures, self._failure_journal),
        )


def _extract_into_journals(
    parts: list[_Part], audio: pa.Table, workers: WorkerPool, log: Log
) -> None:
    due = _pending_clips(parts, audio)
    if not due:
        return
    require_a_place_for_kernels(log)
    progress = Progress("clips analysed", len(due), log)
    results = workers.run(
        analyse,
        _noted(due, parts),
        limit_s=lambda item: LIMIT_S + LIMIT_PER_AUDIO_SECOND * item.clip.duration_s,
        name=lambda item: str(item.clip.path),
    )

    def keep(finished: list[tuple[Clip, Mapping[str, object]]]) -> None:
        for part in parts:
            part.keep([(clip, of[part.name]) for clip, of in finished if part.name in of])

    finished = Batches(keep)
    with contextlib.closing(finished), contextlib.closing(results), progress.kept_alive():
        for item, found in results:
            # A clip that the worker died of, say, has none of its features.
            if isinstance(found, AudioError):
                found = dict.fromkeys(item.compute, found)
            finished.add((item.clip, found))
            progress.count(failed=any(isinstance(each, AudioError) for each in found.values()))


def _pending_clips(parts: list[_Part], audio: pa.Table) -> list[PendingClip]:
    """What is due of each content, in the order of work."""
    due = {part.name: part.due(audio) for part in parts}
    clips = {sha256: clip for of_part in due.values() for sha256, clip in of_part.items()}
    begun = sum((part.begun() for part in parts), Counter())
    return [
        PendingClip(
            clip,
            {p.name: p.extractor.compute for p in parts if clip.sha256 in due[p.name]},
        )
        for clip in sorted(clips.values(), key=lambda c: (begun[c.sha256], c.track_id))
    ]


def _noted(due: list[PendingClip], parts: list[_Part]) -> Iterator[PendingClip]:
    for item in due:
        for part in parts:
            if part.name in item.compute:
                part.begin(item.clip)
        yield item


def analyse(due: PendingClip) -> dict[str, object]:
    """Compute what is due of a clip, from one decoding and one of each transform.

    Runs in a worker.

    Returns:
        By the names of the tables the results, or an AudioError where features are not defined.

    Raises:
        AudioError: If the file is not what was probed, or cannot be decoded.
    """
    from genre_assets.audio.decode import decoded
    from genre_assets.features.dsp.transforms import Transforms

    try:
        with decoded(due.clip.path) as (samples, sample_rate):
            # Once it is read: before, it may still become another one on the way.
            due.clip.refuse_if_changed()
            transforms = Transforms(samples, sample_rate)
            return {
                name: outcome(partial(_computed, compute, due.clip), transforms, str(due.clip.path))
                for name, compute in due.compute.items()
            }
    except AudioError:
        # What is wrong with another file is not wrong with the one that was probed.
        due.clip.refuse_if_changed()
        raise


def _computed(
    compute: "Callable[[Clip, Transforms], Result]", clip: Clip, transforms: "Transforms"
) -> Result:
    try:
        return compute(clip, transforms)
    except AudioError as error:
        raise AudioError(error.status, f"{clip.path}: {error.reason}") from error


def _failure_row(clip: Clip, version: int, status: str, reason: str) -> dict:
    return {
        "track_id": clip.track_id,
        "sha256": clip.sha256,
        "extractor_version": version,
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
        _failure_row(clip, failure["extractor_version"], failure["status"], failure["reason"])
        for clip in clips
        if clip.sha256 not in places
        for failure in [failures[clip.sha256]]
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
