"""The plan of work: what a run would do with the lake as it stands, why, and how long it takes.

Nothing is run, decoded, requested or written. What needs work is decided by the very functions that
decide it in a run: :func:`genre_assets.tags.probing.needs` and its kin.

Three things are not known before they happen and are shown as such. What a source lists now is
known once it is read; the plan goes by what it listed last. A file that is still to be downloaded
or read may have any content, so that what comes after it is shown as *at most*. And a file host
may have changed its robots.txt; the plan goes by what it forbade last.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.audio.probe import FROM_DECODING
from genre_assets.audio.status import WORTH_ANOTHER_TRY, Status
from genre_assets.features import clips
from genre_assets.features.extraction import Extractor
from genre_assets.features.spectrogram_extraction import spectrogram_extractor
from genre_assets.features.summary_extraction import summary_extractor
from genre_assets.lake.rates import seconds_an_item
from genre_assets.lake.schemas import (
    AUDIO,
    FETCHES,
    ID3_TAGS,
    SPECTROGRAMS,
    SUMMARY_FEATURES,
    TRACKS,
    Table,
)
from genre_assets.lake.staleness import Need, needs_work, with_journal
from genre_assets.lake.tables import Lake
from genre_assets.models.registry import MODELS
from genre_assets.refresh.model_states import model_states
from genre_assets.sources.fma_site.address import Site
from genre_assets.sources.fma_site.downloads import Choice, Policy, stored_paths
from genre_assets.sources.fma_site.known_tracks import unread_pages
from genre_assets.sources.fma_site.pace import Pace
from genre_assets.sources.fma_site.robots import Robots
from genre_assets.sources.fma_site.transfer import Access
from genre_assets.sources.registry import FMA_SITE
from genre_assets.sources.shards import SHARDS
from genre_assets.suggestions import unknown
from genre_assets.tags import probing, reading
from genre_assets.takedowns.record import TakenDown, taken_down

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

PER_SHARD = (
    FETCHES.name,
    AUDIO.name,
    ID3_TAGS.name,
    SUMMARY_FEATURES.name,
    SPECTROGRAMS.name,
)
ASSETS = (*PER_SHARD, "models", *(f"models/{name}" for name in MODELS))
"""What a plan can be limited to."""

_TRACK_COLUMNS = [
    "track_id", "source", "artist", "license_url", "allows_derivatives", "allows_commercial_use",
    "file_url", "page_url", "path", "file_bytes", "file_mtime_ns", "last_seen_at", "gone_at",
]  # fmt: skip
_AUDIO_COLUMNS = [
    "track_id", "sha256", "path", "bytes", "mtime_ns", "duration_from", "status", "probe_version",
]  # fmt: skip
_TAG_COLUMNS = ["track_id", "sha256", "status", "reader_version"]
_FEATURE_COLUMNS = ["track_id", "sha256", "extractor_version", "file", "bytes"]
"""Read of a table of features, as far as it has them."""
_FAILURE_COLUMNS = ["track_id", "sha256", "extractor_version", "status"]

_TAKEN_DOWN = "taken_down"
"""What the downloads call it, too."""
_NOT_WORTH_TELLING = frozenset({"stored", "gone"})
_SAME_FILE = pa.array([Need.NOTHING, Need.VERSION, Need.REQUESTED, Need.FAILED], pa.string())
"""Needs of a file that is the one of its row: its content is known."""
_TRIES = 5

Result = TypeVar("Result")


@dataclass(frozen=True)
class Work:
    """What one asset has to do for one of its partitions.

    Attributes:
        asset: Name of the asset.
        partition: Shard or task.
        pending: Items to work on, by why; an item is a file to download, probe, read or analyse, or
            a model to train. Fewer are done only where an asset before this one fails with one.
        at_most_more: How many more there may be once the assets before this one have run.
        left: What is not worked on although it is not sound, by reason.
        seconds: How long the pending items take by the measured rate; None when none was measured.
        at_most_more_seconds: The same of what may be more.
    """

    asset: str
    partition: str
    pending: dict[str, int] = field(default_factory=dict)
    at_most_more: int = 0
    left: dict[str, int] = field(default_factory=dict)
    seconds: float | None = None
    at_most_more_seconds: float | None = None

    @property
    def items(self) -> int:
        """Pending items."""
        return sum(self.pending.values())

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do, now or later."""
        return not self.items and not self.at_most_more


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Attributes:
        work: What each asset has to do for each partition that has tracks or members, in the
            order of the graph; entries with nothing to do say what is left alone.
        listed_at: When each source that has tracks was last read.
    """

    work: list[Work]
    listed_at: dict[str, datetime]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return all(work.is_idle for work in self.work)


def plan_of(
    lake: Lake,
    site: str | None = None,
    excluded_licences: frozenset[str] = frozenset(),
    asset: str | None = None,
) -> Plan:
    """Say what a run would do with the lake as it stands.

    Args:
        lake: The lake.
        site: The site that files come from; None stands for a replica on this machine.
        excluded_licences: ``nd`` and ``nc``: licences whose tracks are left out.
        asset: One of :data:`ASSETS`; None takes all.

    Raises:
        UserError: If there is no such asset.
    """
    if asset is not None and asset not in ASSETS:
        raise unknown("asset to plan", asset, ASSETS)
    shards = _Shards(lake, site, excluded_licences)
    present = [shard for shard in SHARDS if lake.path(TRACKS, shard)]
    work = [part for shard in present for part in _undisturbed(lambda s=shard: shards.work(s))]
    if asset is None or asset.startswith("models"):
        more = not all(part.is_idle for part in work)
        work += _undisturbed(lambda: _model_work(lake, may_change=more))
    rates = seconds_an_item(lake)
    shown = [_timed(part, rates) for part in work if _is_shown(part, asset)]
    order = [*PER_SHARD, *(f"models/{name}" for name in MODELS)]
    return Plan(sorted(shown, key=lambda part: order.index(part.asset)), shards.listed_at)


def _is_shown(work: Work, asset: str | None) -> bool:
    return asset is None or work.asset == asset or work.asset.startswith(f"{asset}/")


def _timed(work: Work, rates: dict[str, float]) -> Work:
    rate = rates.get(work.asset)
    if rate is None:
        return work
    return replace(work, seconds=work.items * rate, at_most_more_seconds=work.at_most_more * rate)


def _undisturbed(look: Callable[[], Result]) -> Result:
    """Look again where a run that goes on meanwhile has cleared its journal."""
    for _ in range(_TRIES - 1):
        try:
            return look()
        except FileNotFoundError:
            continue
    return look()


class _Shards:
    """What a run would do in each shard, one after the other."""

    def __init__(self, lake: Lake, site: str | None, excluded_licences: frozenset[str]):
        self.listed_at: dict[str, datetime] = {}
        self._lake = lake
        self._store = lake.store
        # Without a setting it is the demo's site, wherever on this machine it will be.
        self._site = Site(site or "http://127.0.0.1")
        self._gone = taken_down(lake)
        unread = unread_pages(lake)
        self._policy = Policy(excluded_licences, unread_pages=unread)
        if self._gone != TakenDown():
            self._policy = Policy(
                excluded_licences, self._gone.reason_for, self._gone.contents, unread
            )

    def work(self, shard: str) -> list[Work]:
        tracks = self._read(TRACKS, shard, _TRACK_COLUMNS)
        audio = self._with_journal(AUDIO, shard, _AUDIO_COLUMNS)
        self._note_when_listed(tracks)
        of_site = tracks.filter(pc.equal(tracks["source"], FMA_SITE.name))
        parts, downloads = [], set()
        if of_site.num_rows:
            fetches = self._read(FETCHES, shard)
            of_downloads, downloads = self._fetches(shard, of_site, fetches)
            parts.append(of_downloads)
            others = tracks.filter(pc.not_equal(tracks["source"], FMA_SITE.name))
            placed = stored_paths(of_site, fetches, self._store).select(_TRACK_COLUMNS)
            tracks = pa.concat_tables([placed, others])
        if self._gone != TakenDown():
            tracks = self._gone.without_files(tracks)

        to_come = sum(part.items for part in parts)
        needs = probing.needs(tracks, audio)
        pending, of_known_file = needs_work(needs), pc.is_in(needs, value_set=_SAME_FILE)
        rows = probing.rows_of(tracks, audio)
        same_file = pc.and_(of_known_file, pc.or_(pc.invert(pending), pc.is_valid(rows["sha256"])))
        parts.append(
            Work(
                AUDIO.name,
                shard,
                _counted(needs, tracks["path"]),
                to_come,
                _audio_left(needs, rows, tracks, set(self._gone.times(tracks)), downloads),
            )
        )
        to_come += len(pc.unique(tracks["path"].filter(pc.and_(pending, pc.invert(same_file)))))
        files, read_again = rows.filter(same_file), pending.filter(same_file)
        read = shard, files, read_again, to_come
        parts.append(self._tags(*read))
        parts.append(self._features(summary_extractor(), *read))
        # Kept up to date where they were requested once, and made nowhere else.
        if self._lake.path(SPECTROGRAMS, shard):
            parts.append(self._features(spectrogram_extractor(self._lake.places), *read))
        return parts

    def _fetches(self, shard: str, tracks: pa.Table, fetches: pa.Table) -> tuple[Work, set[str]]:
        """The downloads of a shard, and the tracks whose files they are."""
        access = Access(self._site, "", Pace(0.0), _AsLastSeen(fetches))
        journal = self._lake.journal(FETCHES, shard)
        choice = Choice.of(fetches, journal, self._store, self._policy, access)
        pending, left, downloads = Counter(), Counter(), set()
        for track in tracks.to_pylist():
            why_not = choice.why_not(track)
            if why_not is None:
                pending[str(choice.need(track))] += 1
                downloads.add(track["track_id"])
            elif why_not[0] not in _NOT_WORTH_TELLING:
                left[why_not[0]] += 1
        return Work(FETCHES.name, shard, dict(pending), 0, dict(left)), downloads

    def _tags(self, shard: str, files: pa.Table, read_again: pa.Array, to_come: int) -> Work:
        previous = self._read(ID3_TAGS, shard, _TAG_COLUMNS)
        content = pc.coalesce(files["sha256"], files["path"])
        pending = _counted(reading.needs(files, previous), content)
        most = _counted(reading.needs(_if_sound(files, read_again), previous), content)
        more = to_come + sum(most.values()) - sum(pending.values())
        sound = {Status.OK, Status.NO_TAGS, *reading.NOTHING_TO_READ}
        current = pc.equal(previous["reader_version"], reading.READER_VERSION)
        left = _quarantined(previous.filter(current), sound)
        return Work(ID3_TAGS.name, shard, pending, more, left)

    def _features(
        self,
        extractor: Extractor,
        shard: str,
        files: pa.Table,
        read_again: pa.Array,
        to_come: int,
    ) -> Work:
        table, versions = extractor.features, extractor.versions
        columns = [name for name in _FEATURE_COLUMNS if name in table.schema.names]
        intact = extractor.intact(self._lake, self._read(table, shard, columns))
        features = with_journal(intact, self._lake.journal(table, shard))
        failures = self._with_journal(extractor.failures, shard, _FAILURE_COLUMNS)
        pending = _counted(clips.needs(versions, files, features, failures), files["sha256"])
        sound = _if_sound(files, read_again)
        most = _counted(clips.needs(versions, sound, features, failures), files["sha256"])
        more = to_come + sum(most.values()) - sum(pending.values())
        left = _quarantined(clips.up_to_date(failures, versions, files), set())
        return Work(table.name, shard, pending, more, left)

    def _read(self, table: Table, shard: str, columns: list[str] | None = None) -> pa.Table:
        return self._lake.read(table, [shard], columns)

    def _with_journal(self, table: Table, shard: str, columns: list[str]) -> pa.Table:
        return with_journal(self._read(table, shard, columns), self._lake.journal(table, shard))

    def _note_when_listed(self, tracks: pa.Table) -> None:
        seen = tracks.group_by("source").aggregate([("last_seen_at", "max")])
        for row in seen.to_pylist():
            source, moment = row["source"], row["last_seen_at_max"]
            if moment and (source not in self.listed_at or moment > self.listed_at[source]):
                self.listed_at[source] = moment


class _AsLastSeen(Robots):
    """The robots.txt of the file host, by what it forbade when files were last requested."""

    def __init__(self, fetches: pa.Table):
        super().__init__("", "")
        tries = fetches.select(["url", "fetched_at", "outcome"]).sort_by("fetched_at")
        last = {row["url"]: row["outcome"] for row in tries.to_pylist()}
        self._forbidden = {url for url, outcome in last.items() if outcome == "disallowed"}

    def allows(self, url: str) -> bool:
        """Whether a URL was not forbidden."""
        return url not in self._forbidden


def _counted(needs: pa.ChunkedArray, keys: pa.ChunkedArray) -> dict[str, int]:
    """How many items are pending, by why; rows of one key are one item."""
    pending = needs_work(needs)
    named = zip(keys.filter(pending).to_pylist(), needs.filter(pending).to_pylist(), strict=True)
    first: dict[str, str] = {}
    for key, need in named:
        first.setdefault(key, need)
    return dict(Counter(first.values()))


def _audio_left(
    needs: pa.ChunkedArray, rows: pa.Table, tracks: pa.Table, gone: set[str], downloads: set[str]
) -> dict[str, int]:
    """Tracks without sound audio that nothing is done about, by reason.

    Args:
        needs: What each track needs.
        rows: Its row of ``audio``.
        tracks: The track.
        gone: Ids of the tracks that were taken down.
        downloads: Ids of those whose files are downloaded first.
    """
    listed = pc.is_null(tracks["gone_at"])
    failed = rows["status"].filter(pc.and_(listed, pc.equal(needs, Need.NOTHING)))
    left = Counter(status for status in failed.to_pylist() if status != Status.OK)
    without_file = tracks["track_id"].filter(pc.and_(listed, pc.equal(needs, Need.NO_FILE)))
    for track_id in {*without_file.to_pylist()} - downloads:
        left[_TAKEN_DOWN if track_id in gone else str(Need.NO_FILE)] += 1
    return dict(left)


def _if_sound(files: pa.Table, read_again: pa.Array) -> pa.Table:
    """The files, had those that are read again turned out sound, and longer than they state."""
    for column, value in (("status", Status.OK), ("duration_from", FROM_DECODING)):
        values = pc.if_else(read_again, str(value), files[column])
        files = files.set_column(files.schema.get_field_index(column), column, values)
    return files


def _quarantined(rows: pa.Table, sound: Iterable[str]) -> dict[str, int]:
    """Rows whose failure remains until a retry is requested, or the file or the code changes."""
    passed_over = {*sound, *WORTH_ANOTHER_TRY}
    return dict(Counter(s for s in rows["status"].to_pylist() if s not in passed_over))


def _model_work(lake: Lake, may_change: bool) -> list[Work]:
    """What is to be trained: models of tasks that were trained before, or of new ones all."""
    work = []
    for state in model_states(lake):
        pending = {} if state.need == Need.NOTHING else {str(state.need): 1}
        more = int(may_change and not pending)
        work.append(
            Work(
                f"models/{state.model}",
                state.task,
                pending,
                more,
                seconds=None if state.seconds is None else state.seconds * len(pending),
                at_most_more_seconds=None if state.seconds is None else state.seconds * more,
            )
        )
    return work
