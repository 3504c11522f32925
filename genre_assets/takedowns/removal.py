"""Removing whatever is there of what was ever taken down."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.audio.status import Status
from genre_assets.features.spectrogram_files import remove_contents
from genre_assets.labels.labelling import TAKEN_DOWN
from genre_assets.lake.files import (
    delete_abandoned_files,
    everything_of,
    journal_files,
    partitions_and_journals,
    unless_damaged,
    unless_vanished,
    versions,
)
from genre_assets.lake.parquet import (
    DamagedFileError,
    read_columns,
    read_stored_schema,
    write_parquet,
)
from genre_assets.lake.schemas import (
    FETCHES,
    LABELS,
    TAKEDOWNS,
    TASK_MEMBERS,
    TRACKS,
    Table,
    derived_tables,
    task_tables,
)
from genre_assets.lake.set_aside import delete_set_aside
from genre_assets.lake.storage import discard, empty_trash, whole_folders
from genre_assets.lake.store import Store
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import refresh_views
from genre_assets.progress import Log, counted, silent
from genre_assets.sources import attribution
from genre_assets.sources.fma_site.downloads import partial_key
from genre_assets.takedowns.reach import reached_by

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

_COLUMNS = ("track_id", "duplicate_of", "sha256", "status", "excluded")
"""Columns that show whether a row is of a track that must go."""


_TRACK_ID = re.compile(r"[a-z_]+:[\w-]+")


_TEXTS = (".csv", ".html", ".json")


_ABANDONED_S = 3600.0
"""Age from which a temporary file is one that a killed run left."""


@dataclass(frozen=True)
class Removed:
    """What an enforcement removed.

    Attributes:
        tracks: Tracks that were reached for the first time.
        rows: Rows that were removed, by table; a table with none is left out.
        files: Audio files that were deleted from the store.
        partial_downloads: Unfinished downloads that were deleted.
        tasks: Tasks that lost their members, models, figures and report: to be trained anew.
    """

    tracks: tuple[str, ...] = ()
    rows: dict[str, int] = field(default_factory=dict)
    files: int = 0
    partial_downloads: int = 0
    tasks: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != Removed()


def enforce(lake: Lake, store: Store, log: Log = silent) -> Removed:
    """Remove whatever is there of what was ever taken down, and reach what is new of it.

    It may be called at any time and changes nothing when there is nothing to remove. Whoever wrote
    to the lake calls it, so that a refresh that began before a take-down does not undo it.

    Args:
        lake: The lake.
        store: Its audio files.
        log: Takes lines about the progress.

    Returns:
        What was removed.
    """
    if not lake.partitions(TAKEDOWNS):
        return Removed()
    with lake.lock(TAKEDOWNS):
        empty_trash(lake.places.trash)
        recorded = lake.read(TAKEDOWNS).to_pylist()
        reached = reached_by(lake, recorded)
        gone = _Gone.of(reached)
        new = gone.tracks - _Gone.of(recorded).tracks
        # A track counts as reached only now, when no model is left that may have learned from it:
        # after a kill the next call looks at all of them again.
        tasks = _tasks_made_of(lake, gone, doubtful_too=bool(new))
        for task in tasks:
            _forget(lake, task)
        lake.write(TAKEDOWNS, TAKEDOWNS.of_rows(reached))
    rows = {table.name: _strike(lake, table, gone, log) for table in derived_tables()}
    remove_contents(lake.places, gone.contents)
    for table in (*derived_tables(), *task_tables()):
        # Nobody can say whose rows these hold.
        delete_abandoned_files(lake, table, _ABANDONED_S)
        delete_set_aside(lake.places, table)
    removed = Removed(
        tuple(sorted(new)),
        {name: count for name, count in rows.items() if count},
        _delete_audio(lake, store, gone),
        _delete_partial_downloads(lake, store, gone),
        tasks,
    )
    if removed:
        refresh_views(lake)
        log(
            f"Take-downs reached {counted(len(removed.tracks), 'new track')} and removed "
            f"{counted(sum(removed.rows.values()), 'row')} and "
            f"{counted(removed.files, 'audio file')}."
        )
    return removed


def would_remove(lake: Lake, store: Store, reached: dict, recorded: list[dict]) -> Removed:
    """Count what a take-down would remove, and remove nothing.

    Args:
        lake: The lake.
        store: Its audio files.
        reached: Its row, with all that it reaches.
        recorded: Rows of the take-downs there are.
    """
    gone = _Gone.of([reached])
    new = gone.tracks - _Gone.of(recorded).tracks
    rows = {}
    for table in derived_tables():
        columns = [name for name in _COLUMNS if name in table.schema.names]
        rows[table.name] = pc.sum(gone.among(table, lake.read(table, columns=columns))).as_py()
    return Removed(
        tuple(sorted(gone.tracks)),
        {name: count for name, count in rows.items() if count},
        sum(store.has(sha256) for sha256 in _contents_of(lake, gone)),
        tasks=_tasks_made_of(lake, gone, doubtful_too=bool(new)),
    )


@dataclass(frozen=True)
class _Gone:
    """The tracks and contents of which nothing may be left."""

    tracks: frozenset[str]
    contents: frozenset[str]

    @classmethod
    def of(cls, recorded: list[dict]) -> "_Gone":
        return cls(
            frozenset(track_id for row in recorded for track_id in row["track_ids"]),
            frozenset(sha256 for row in recorded for sha256 in row["contents"]),
        )

    def among(self, table: Table, rows: pa.Table) -> pa.Array:
        """For each row of a derived table whether it must go."""
        tracks, contents = (
            pa.array(sorted(names), pa.string()) for names in (self.tracks, self.contents)
        )
        gone = pc.is_in(rows["track_id"], value_set=tracks)
        if "duplicate_of" in rows.column_names:
            gone = pc.or_(gone, pc.is_in(rows["duplicate_of"], value_set=tracks))
        if "sha256" in rows.column_names:
            gone = pc.or_(gone, pc.is_in(rows["sha256"], value_set=contents))
        return pc.and_not(gone, _says_only_that_it_is_gone(table, rows))

    def are_named_in(self, path: Path) -> bool:
        """Whether a file of a task names one of the tracks."""
        try:
            if path.suffix == ".parquet":
                named = set(read_columns(path, ["track_id"])["track_id"].to_pylist())
            elif path.suffix in _TEXTS:
                named = set(_TRACK_ID.findall(path.read_text(encoding="utf-8", errors="replace")))
            else:
                return False
        except FileNotFoundError:
            return False
        except DamagedFileError:
            # It may, and what is made again costs less than what should have gone.
            return True
        return not self.tracks.isdisjoint(named)


def _says_only_that_it_is_gone(table: Table, rows: pa.Table) -> pa.Array | pa.Scalar:
    if table.outcome == "status":
        return pc.fill_null(pc.equal(rows["status"], str(Status.MISSING)), False)
    if table == LABELS:
        return pc.fill_null(pc.starts_with(rows["excluded"], TAKEN_DOWN), False)
    return pa.scalar(False)


def _strike(lake: Lake, table: Table, gone: _Gone, log: Log) -> int:
    """Remove the rows of gone tracks from all files of a table; how many rows it had of them."""
    removed = 0
    for key in partitions_and_journals(lake, table):
        files = [*versions(lake, table, key), *journal_files(lake, table, key)]
        if not any(_holds(lake, path, table, gone) for path in files):
            continue
        with lake.held(table.written_with, key, log):
            if lake.path(table, key):
                rows = lake.read(table, [key])
                kept = rows.filter(pc.invert(gone.among(table, rows)))
                lake.write(table, kept, key)
                removed += rows.num_rows - kept.num_rows
            for path in versions(lake, table, key):
                if _holds(lake, path, table, gone):
                    path.unlink(missing_ok=True)
            for path in journal_files(lake, table, key):
                if _holds(lake, path, table, gone):
                    _rewrite_without(path, table, gone)
    return removed


def _holds(lake: Lake, path: Path, table: Table, gone: _Gone) -> bool:
    with unless_vanished(), unless_damaged(lake, table):
        rows = read_columns(path, [name for name in _COLUMNS if name in table.schema.names])
        return bool(pc.any(gone.among(table, rows)).as_py())
    return False


def _rewrite_without(path: Path, table: Table, gone: _Gone) -> None:
    """Remove the rows of gone tracks from a file of a journal, and the file if it has no others."""
    rows = read_columns(path, read_stored_schema(path).names)
    kept = rows.filter(pc.invert(gone.among(table, rows)))
    if not kept.num_rows:
        path.unlink(missing_ok=True)
        return
    # A journal is read in the order of its files' times.
    written = path.stat().st_mtime_ns
    write_parquet(kept, path)
    os.utime(path, ns=(written, written))


def _tasks_made_of(lake: Lake, gone: _Gone, doubtful_too: bool) -> tuple[str, ...]:
    """The tasks of which anything was made of a gone track.

    Args:
        lake: The lake.
        gone: The tracks.
        doubtful_too: Whether a model that does not say what it was trained on counts as one that
            was trained on a gone track.
    """
    return tuple(
        task for task in sorted(_tasks(lake)) if _is_made_of(lake, task, gone, doubtful_too)
    )


def _is_made_of(lake: Lake, task: str, gone: _Gone, doubtful_too: bool) -> bool:
    doubtful = doubtful_too and any(
        not (model / attribution.FILE_NAME).is_file() for model in models_of(lake, task)
    )
    files = (path for f in _folders_of(lake, task) for path in f.rglob("*") if path.is_file())
    return doubtful or any(map(gone.are_named_in, files))


def models_of(lake: Lake, task: str) -> list[Path]:
    """The folders of the models of a task."""
    return whole_folders(lake.places.models_of(task))


def _folders_of(lake: Lake, task: str) -> list[Path]:
    # Models last: they are what shows that the rest was made of a gone track.
    tables = [lake.places.partition(table, task) for table in task_tables()]
    return [
        lake.places.reports / task,
        *tables,
        lake.places.fits_of(task),
        lake.places.models_of(task),
    ]


def _forget(lake: Lake, task: str) -> None:
    """Delete all that was made of a task, and leave it without members, so that it is made anew."""
    *others, models = _folders_of(lake, task)
    for folder in others:
        discard(folder, lake.places.trash)
    lake.write(TASK_MEMBERS, TASK_MEMBERS.empty(), task)
    discard(models, lake.places.trash)


def _tasks(lake: Lake) -> set[str]:
    of_tables = {str(key) for table in task_tables() for key in lake.partitions(table)}
    of_models = {
        folder.name.removeprefix("task=")
        for place in (lake.places.models, lake.places.fits)
        for folder in place.glob("task=*/")
    }
    return of_tables | of_models | {folder.name for folder in lake.places.reports.glob("*/")}


def _delete_audio(lake: Lake, store: Store, gone: _Gone) -> int:
    """Delete the audio of gone tracks; broken files that other tracks have, too, are theirs."""
    return sum(store.remove(sha256) for sha256 in sorted(_contents_of(lake, gone)))


def _contents_of(lake: Lake, gone: _Gone) -> set[str]:
    own, of_others = set(), set()
    for row in everything_of(lake, FETCHES, ["track_id", "sha256"]):
        (own if row["track_id"] in gone.tracks else of_others).add(row["sha256"])
    return {*gone.contents, *(own - of_others - {None})}


def _delete_partial_downloads(lake: Lake, store: Store, gone: _Gone) -> int:
    asked = [
        (row["track_id"], row[url])
        for table, url in ((TRACKS, "file_url"), (FETCHES, "url"))
        for row in lake.read(table, columns=["track_id", url]).to_pylist()
    ]
    deleted = 0
    for track_id, url in sorted({(t, url) for t, url in asked if t in gone.tracks and url}):
        key = partial_key({"track_id": track_id, "file_url": url})
        deleted += store.partial(key).exists()
        store.forget_partial(key)
    return deleted
