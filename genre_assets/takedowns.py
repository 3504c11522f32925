"""Take-downs: a track or an artist that must go, with all that was made of it, for good.

A take-down is recorded before anything is removed, and whoever enforces it removes what is left
to remove; so one that was cut short is finished by the next call, and one that is finished stays
enforced whatever a refresh brings. It reaches

* the track, or the tracks of the artist in whatever spelling, those that come later too;
* tracks with the very same bytes: the same recording under another id;
* the same track in the other of the Free Music Archive's sources: its site and its research
  dataset share their ids.

Of a track that it reaches nothing stays but that it was listed, seen and fetched: its audio in the
store, its spectrograms, every row that was made of it, in files that a newer one superseded too,
and whatever tasks learnt from it are deleted. Files of a music library or of a dataset are their
owner's own: they stay and are not looked at again.
"""

import os
import re
import shutil
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import Timeout

from genre_assets.audio.status import Status
from genre_assets.errors import UserError
from genre_assets.features.spectrogram_files import remove_contents
from genre_assets.labels.artists import artist_key
from genre_assets.labels.labelling import TAKEN_DOWN
from genre_assets.lake.schemas import (
    AUDIO,
    CHAMPIONS,
    ECHONEST_FEATURES,
    FEATURE_FAILURES,
    FETCHES,
    FMA_FEATURES,
    ID3_TAGS,
    LABELS,
    LEAKY_PREDICTIONS,
    PREDICTIONS,
    SCORES,
    SPECTROGRAM_FAILURES,
    SPECTROGRAMS,
    SUMMARY_FEATURES,
    TAKEDOWNS,
    TASK_MEMBERS,
    TASK_NOTES,
    TRACKS,
    Table,
)
from genre_assets.lake.store import Store
from genre_assets.lake.tables import Lake, write_parquet
from genre_assets.lake.views import refresh_views
from genre_assets.progress import Log, counted, silent
from genre_assets.sources import attribution
from genre_assets.sources.fma_site.downloads import partial_key

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

KINDS = ("track", "artist")

_DERIVED = (
    AUDIO,
    ID3_TAGS,
    LABELS,
    SUMMARY_FEATURES,
    FEATURE_FAILURES,
    SPECTROGRAMS,
    SPECTROGRAM_FAILURES,
    FMA_FEATURES,
    ECHONEST_FEATURES,
)
_OF_TASKS = (CHAMPIONS, SCORES, PREDICTIONS, LEAKY_PREDICTIONS, TASK_NOTES, TASK_MEMBERS)
_WRITTEN_WITH = {
    FEATURE_FAILURES.name: SUMMARY_FEATURES,
    SPECTROGRAM_FAILURES.name: SPECTROGRAMS,
}
"""Tables that are written under the lock of another one."""
_TOLD_BY = ("track_id", "duplicate_of", "sha256", "status", "excluded")
"""Columns that tell whether a row is of a track that must go."""
_SAME_IDS = ("fma_site", "fma_dataset")
_TRACK_ID = re.compile(r"[a-z_]+:[\w-]+")
_TEXTS = (".csv", ".html", ".json")
_ASIDE = ".taken_down."
_ABANDONED_S = 3600.0
"""Age from which a temporary file is one that a killed run left."""


@dataclass(frozen=True)
class TakenDown:
    """What must not be there: what a refresh asks before it takes anything.

    Attributes:
        tracks: When each track that was reached so far was taken down.
        artists: When each artist was, by their names as they were given and by their keys.
        contents: SHA-256 of the audio that was removed.
    """

    tracks: dict[str, datetime] = field(default_factory=dict)
    artists: dict[str, datetime] = field(default_factory=dict)
    contents: frozenset[str] = frozenset()

    def reason_for(self, track: dict[str, Any]) -> str | None:
        """Why a track had to go, in one sentence; None when it had not.

        Args:
            track: A row of ``tracks``; ``track_id`` and ``artist`` are read.
        """
        moment = self._moment(track["track_id"], track["artist"])
        return f"It was {TAKEN_DOWN} on {moment:%Y-%m-%d}." if moment else None

    def reasons(self, tracks: pa.Table) -> dict[str, str]:
        """Why each of the tracks had to go that had, by ``track_id``."""
        rows = tracks.select(["track_id", "artist"]).to_pylist()
        return {row["track_id"]: reason for row in rows if (reason := self.reason_for(row))}

    def times(self, tracks: pa.Table) -> dict[str, datetime]:
        """When each of the tracks was taken down that was, by ``track_id``."""
        named = zip(tracks["track_id"].to_pylist(), tracks["artist"].to_pylist(), strict=True)
        return {
            track_id: moment for track_id, name in named if (moment := self._moment(track_id, name))
        }

    def without_files(self, tracks: pa.Table) -> pa.Table:
        """Rows of ``tracks`` in which those that had to go have no file to look at."""
        gone = pc.is_in(
            tracks["track_id"], value_set=pa.array(list(self.times(tracks)), pa.string())
        )
        for name in ("path", "file_bytes", "file_mtime_ns"):
            column = tracks.schema.get_field_index(name)
            kept = pc.if_else(gone, pa.scalar(None, tracks.schema.field(name).type), tracks[name])
            tracks = tracks.set_column(column, tracks.schema.field(name), kept)
        return tracks

    def _moment(self, track_id: str, artist: str | None) -> datetime | None:
        found = [self.tracks.get(same) for same in _same_track(track_id)]
        found += [self.artists.get(name) for name in _names(artist)]
        return min((moment for moment in found if moment), default=None)


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


@dataclass(frozen=True)
class TakeDown:
    """A take-down and what it came to.

    Attributes:
        kind: track or artist.
        subject: The ``track_id``, or the artist's name.
        tracks: All tracks that it has reached.
        removed: What was removed this time.
        similar: Names that may have been meant, when no track of the artist is listed.
    """

    kind: str
    subject: str
    tracks: tuple[str, ...]
    removed: Removed
    similar: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The summary, in lines."""
        lines = [f"The {self.kind} {self.subject} is taken down: {self._reached()}."]
        rows = [f"{counted(n, 'row')} of {name}" for name, n in sorted(self.removed.rows.items())]
        removed = [
            *([counted(self.removed.files, "audio file")] if self.removed.files else []),
            *(
                [counted(self.removed.partial_downloads, "unfinished download")]
                if self.removed.partial_downloads
                else []
            ),
            *rows,
        ]
        lines.append(f"Removed: {', '.join(removed) or 'nothing was left to remove'}.")
        if self.removed.tasks:
            lines.append(
                f"To be trained again, from task_dataset on: {', '.join(self.removed.tasks)}. "
                "Their members, models, figures and reports are deleted."
            )
        return "\n".join(lines)

    def _reached(self) -> str:
        if self.tracks:
            shown = ", ".join(self.tracks[:10]) + (", …" if len(self.tracks) > 10 else "")
            return f"{counted(len(self.tracks), 'track')} ({shown})"
        meant = f"; did you mean {' or '.join(self.similar)}?" if self.similar else ""
        return f"no track of that name is listed yet, those that come will be refused{meant}"


def taken_down(lake: Lake) -> TakenDown:
    """What was taken down in a lake; cheap, only the record is read."""
    tracks: dict[str, datetime] = {}
    artists: dict[str, datetime] = {}
    contents: set[str] = set()
    for row in sorted(lake.read(TAKEDOWNS).to_pylist(), key=lambda row: row["taken_down_at"]):
        for track_id in _subject_and_reached(row):
            tracks.setdefault(track_id, row["taken_down_at"])
        if row["kind"] == "artist":
            for name in _names(row["subject"]):
                artists.setdefault(name, row["taken_down_at"])
        contents.update(row["contents"])
    return TakenDown(tracks, artists, frozenset(contents))


def take_down(
    lake: Lake,
    store: Store,
    kind: str,
    subject: str,
    reason: str,
    now: datetime,
    log: Log = silent,
) -> TakeDown:
    """Take a track or an artist down, with everything that was made of it.

    One that is recorded already is enforced again and keeps its time and reason.

    Args:
        lake: The lake.
        store: Its audio files.
        kind: track or artist.
        subject: A ``track_id``, or the name of an artist, in any spelling.
        reason: Who asked for it and why.
        now: When it was asked for, with its time zone.
        log: Takes lines about the progress.

    Returns:
        What was removed.

    Raises:
        UserError: If the kind, the subject or the reason is no good, such as a track that no
            source ever listed.
    """
    subject, reason = " ".join(subject.split()), " ".join(reason.split())
    _refuse(lake, kind, subject, reason)
    with lake.lock(TAKEDOWNS):
        recorded = lake.read(TAKEDOWNS).to_pylist()
        if not any((row["kind"], row["subject"]) == (kind, subject) for row in recorded):
            new = {
                "kind": kind,
                "subject": subject,
                "reason": reason,
                "taken_down_at": now,
                "track_ids": [],
                "contents": [],
            }
            lake.write(TAKEDOWNS, TAKEDOWNS.of_rows([*recorded, new]))
    removed = enforce(lake, store, log)
    [reached] = [
        tuple(row["track_ids"])
        for row in lake.read(TAKEDOWNS).to_pylist()
        if (row["kind"], row["subject"]) == (kind, subject)
    ]
    similar = () if reached else _similar_artists(lake, subject)
    return TakeDown(kind, subject, reached, removed, similar)


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
        _finish_discarding(lake)
        recorded = lake.read(TAKEDOWNS).to_pylist()
        reached = _reached(lake, recorded)
        gone = _Gone.of(reached)
        new = gone.tracks - _Gone.of(recorded).tracks
        # A track counts as reached only now, when no model is left that may have learnt from it:
        # after a kill the next call looks at all of them again.
        tasks = _forget_tasks(lake, gone, doubtful_too=bool(new))
        lake.write(TAKEDOWNS, TAKEDOWNS.of_rows(reached))
    rows = {table.name: _strike(lake, table, gone, log) for table in _DERIVED}
    remove_contents(lake.root, gone.contents)
    _delete_abandoned_files(lake)
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
                named = set(_read(path, ["track_id"])["track_id"].to_pylist())
            elif path.suffix in _TEXTS:
                named = set(_TRACK_ID.findall(path.read_text(encoding="utf-8", errors="replace")))
            else:
                return False
        except FileNotFoundError:
            return False
        return not self.tracks.isdisjoint(named)


def _says_only_that_it_is_gone(table: Table, rows: pa.Table) -> pa.Array | pa.Scalar:
    if table in (AUDIO, ID3_TAGS):
        return pc.fill_null(pc.equal(rows["status"], str(Status.MISSING)), False)
    if table == LABELS:
        return pc.fill_null(pc.starts_with(rows["excluded"], TAKEN_DOWN), False)
    return pa.scalar(False)


def _refuse(lake: Lake, kind: str, subject: str, reason: str) -> None:
    if kind not in KINDS:
        raise UserError(f"{kind!r} cannot be taken down: it is a track or an artist that can.")
    if not subject:
        raise UserError(f"Say which {kind} is to be taken down.")
    if not reason:
        raise UserError(f"Say who asked for {subject} to be taken down and why: it is kept.")
    if kind == "artist":
        return
    tracks = lake.read(TRACKS, columns=["track_id", "source_track_id", "title", "page_url"])
    if subject in tracks["track_id"].to_pylist():
        return
    wanted = {subject.casefold(), subject.partition(":")[2].casefold()} - {""}
    meant = [
        row["track_id"]
        for row in tracks.to_pylist()
        if not wanted.isdisjoint(value.casefold() for value in row.values() if value)
    ]
    hint = f"Did you mean {' or '.join(meant[:5])}?" if meant else "Look it up in the view tracks."
    raise UserError(f"No source ever listed a track of the id {subject!r}. {hint}")


def _similar_artists(lake: Lake, name: str) -> tuple[str, ...]:
    listed = {artist for artist in lake.read(TRACKS, columns=["artist"])["artist"].to_pylist()}
    return tuple(get_close_matches(name, listed - {None}, n=3, cutoff=0.75))


def _names(artist: str | None) -> set[str]:
    """What an artist is known by: the name as it is given, and the key of all its spellings."""
    names = {" ".join((artist or "").split()), artist_key(artist)}
    return {name for name in names if name}


def _same_track(track_id: str) -> set[str]:
    source, _, number = track_id.partition(":")
    same = {f"{other}:{number}" for other in _SAME_IDS} if source in _SAME_IDS else set()
    return same | {track_id}


def _subject_and_reached(row: dict) -> set[str]:
    return {*row["track_ids"], *([row["subject"]] if row["kind"] == "track" else [])}


def _reached(lake: Lake, recorded: list[dict]) -> list[dict]:
    """The recorded take-downs with all tracks and contents that they reach as the lake stands."""
    listed = set(lake.read(TRACKS, columns=["track_id"])["track_id"].to_pylist())
    had, has = _contents_by_track(lake)
    tracks_with = defaultdict(set)
    for track_id, contents in has.items():
        for sha256 in contents:
            tracks_with[sha256].add(track_id)
    by_artist = _tracks_by_artist(lake) if any(r["kind"] == "artist" for r in recorded) else {}
    reached = []
    for row in recorded:
        contents = set(row["contents"])
        waiting = _subject_and_reached(row)
        if row["kind"] == "artist":
            waiting |= {t for name in _names(row["subject"]) for t in by_artist.get(name, ())}
        waiting |= {track_id for sha256 in contents for track_id in tracks_with[sha256]}
        tracks: set[str] = set()
        while waiting:
            track_id = waiting.pop()
            tracks.add(track_id)
            contents |= had[track_id]
            same = {other for sha256 in had[track_id] for other in tracks_with[sha256]}
            waiting |= ((_same_track(track_id) & listed) | same) - tracks
        reached.append(row | {"track_ids": sorted(tracks), "contents": sorted(contents)})
    return reached


def _contents_by_track(lake: Lake) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """The sound audio that each track ever had, and what it has now.

    A broken file is no recording: empty ones have the same bytes whatever they should have been.
    """
    had, has = defaultdict(set), defaultdict(set)
    for row in lake.read(AUDIO, columns=["track_id", "sha256", "status"]).to_pylist():
        if row["status"] == Status.OK and row["sha256"]:
            has[row["track_id"]].add(row["sha256"])
    for table in (SUMMARY_FEATURES, SPECTROGRAMS):
        for row in _everything_of(lake, table, ["track_id", "sha256"]):
            had[row["track_id"]].add(row["sha256"])
    columns = ["track_id", "sha256", "outcome", "fetched_at"]
    fetched = {}
    for row in sorted(_everything_of(lake, FETCHES, columns), key=lambda row: row["fetched_at"]):
        if row["sha256"] and row["outcome"] == "ok":
            had[row["track_id"]].add(row["sha256"])
            fetched[row["track_id"]] = row["sha256"]
    for track_id, sha256 in fetched.items():
        has[track_id].add(sha256)
    for track_id, contents in has.items():
        had[track_id] |= contents
    return had, has


def _tracks_by_artist(lake: Lake) -> dict[str, set[str]]:
    """Ids of tracks by all that their artist is known by.

    The artist is the one that the source names. The name of a folder is only a guess, and a
    source may name no one: then the tags are heard, too.
    """
    tagged = lake.read(ID3_TAGS, columns=["track_id", "artist"]).to_pylist()
    artist_in_tags = {row["track_id"]: row["artist"] for row in tagged}
    found = defaultdict(set)
    for row in lake.read(TRACKS, columns=["track_id", "source", "artist"]).to_pylist():
        names = _names(row["artist"])
        if row["source"] == "folder" or not names:
            names |= _names(artist_in_tags.get(row["track_id"]))
        for name in names:
            found[name].add(row["track_id"])
    return found


def _everything_of(lake: Lake, table: Table, columns: list[str]) -> list[dict]:
    """Rows of a table, those that still stand in journals too."""
    rows = lake.read(table, columns=columns).to_pylist()
    for path in sorted((lake.root / "journal" / table.name).glob("*/*.parquet")):
        with _unless_vanished():
            rows += _read(path, columns).to_pylist()
    return rows


def _strike(lake: Lake, table: Table, gone: _Gone, log: Log) -> int:
    """Remove the rows of gone tracks from all files of a table; how many rows it had of them."""
    removed = 0
    for key in dict.fromkeys([*lake.partitions(table), *_journal_keys(lake, table)]):
        files = [*_versions(lake, table, key), *_journal_files(lake, table, key)]
        if not any(_holds(path, table, gone) for path in files):
            continue
        with _held(lake, _WRITTEN_WITH.get(table.name, table), key, log):
            if lake.path(table, key):
                rows = lake.read(table, [key])
                kept = rows.filter(pc.invert(gone.among(table, rows)))
                lake.write(table, kept, key)
                removed += rows.num_rows - kept.num_rows
            for path in _versions(lake, table, key):
                if _holds(path, table, gone):
                    path.unlink(missing_ok=True)
            for path in _journal_files(lake, table, key):
                if _holds(path, table, gone):
                    _rewrite_without(path, table, gone)
    return removed


def _versions(lake: Lake, table: Table, key: str | None) -> list[Path]:
    """The file of a partition, last, and those that it superseded."""
    newest = lake.path(table, key)
    return sorted(newest.parent.glob("*.parquet")) if newest else []


def _journal_files(lake: Lake, table: Table, key: str | None) -> list[Path]:
    return sorted((lake.root / "journal" / table.name / str(key)).glob("*.parquet"))


def _journal_keys(lake: Lake, table: Table) -> list[str]:
    return sorted(folder.name for folder in (lake.root / "journal" / table.name).glob("*/"))


def _holds(path: Path, table: Table, gone: _Gone) -> bool:
    with _unless_vanished():
        rows = _read(path, [name for name in _TOLD_BY if name in table.schema.names])
        return bool(pc.any(gone.among(table, rows)).as_py())
    return False


def _rewrite_without(path: Path, table: Table, gone: _Gone) -> None:
    """Remove the rows of gone tracks from a file of a journal, and the file if it has no others."""
    with pq.ParquetFile(path) as file:
        rows = file.read()
    kept = rows.filter(pc.invert(gone.among(table, rows)))
    if not kept.num_rows:
        path.unlink(missing_ok=True)
        return
    # A journal is read in the order of its files' times.
    written = path.stat().st_mtime_ns
    write_parquet(kept, path)
    os.utime(path, ns=(written, written))


def _read(path: Path, columns: list[str]) -> pa.Table:
    """Columns of a file as text, null where it has none of the name."""
    with pq.ParquetFile(path) as file:
        present = [name for name in columns if name in file.schema_arrow.names]
        rows = file.read(columns=present)
    for name in columns:
        if name not in present:
            rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
    return rows


@contextmanager
def _unless_vanished() -> Iterator[None]:
    """Pass over a file that another process deleted, as it may with those it superseded."""
    try:
        yield
    except FileNotFoundError:
        return


@contextmanager
def _held(lake: Lake, table: Table, partition: str | None, log: Log) -> Iterator[None]:
    lock = lake.lock(table, partition)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log(f"Another run is writing {table.name} {partition or ''}: waiting until it is done")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _forget_tasks(lake: Lake, gone: _Gone, doubtful_too: bool) -> tuple[str, ...]:
    """Delete all that was made of tasks that learnt from a gone track; their names.

    Args:
        lake: The lake.
        gone: The tracks.
        doubtful_too: Whether a model that does not say whom it learnt from counts as one that
            learnt from a gone track.
    """
    forgotten = []
    for task in sorted(_tasks(lake)):
        tables = [lake.root / table.name / f"task={task}" for table in _OF_TASKS]
        models = lake.root / "models" / f"task={task}"
        folders = [lake.root / "reports" / task, *tables, models]
        files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
        doubtful = doubtful_too and any(
            not (model / attribution.FILE_NAME).is_file()
            for model in models.glob("*/")
            if not model.name.startswith(".")
        )
        if doubtful or any(map(gone.are_named_in, files)):
            # Models last: they are what tells that the rest was made of a gone track.
            for folder in folders:
                _discard(lake, folder)
            forgotten.append(task)
    return tuple(forgotten)


def _tasks(lake: Lake) -> set[str]:
    of_tables = {str(key) for table in _OF_TASKS for key in lake.partitions(table)}
    of_models = {f.name.removeprefix("task=") for f in (lake.root / "models").glob("task=*/")}
    return of_tables | of_models | {folder.name for folder in (lake.root / "reports").glob("*/")}


def _discard(lake: Lake, folder: Path) -> None:
    """Delete a folder, of which no one ever sees a half."""
    with _unless_vanished():
        folder.rename(lake.root / f"{_ASIDE}{uuid.uuid4().hex}")
    _finish_discarding(lake)


def _finish_discarding(lake: Lake) -> None:
    for folder in lake.root.glob(f"{_ASIDE}*"):
        shutil.rmtree(folder)


def _delete_abandoned_files(lake: Lake) -> None:
    """Delete what killed runs left of files that they were writing: it may hold rows."""
    oldest_to_keep = time.time() - _ABANDONED_S
    for table in (*_DERIVED, *_OF_TASKS):
        for folder in (lake.root / table.name, lake.root / "journal" / table.name):
            for path in folder.rglob(".*.tmp"):
                with _unless_vanished():
                    if path.stat().st_mtime < oldest_to_keep:
                        path.unlink()


def _delete_audio(lake: Lake, store: Store, gone: _Gone) -> int:
    """Delete the audio of gone tracks; broken files that other tracks have, too, are theirs."""
    own, of_others = set(), set()
    for row in _everything_of(lake, FETCHES, ["track_id", "sha256"]):
        (own if row["track_id"] in gone.tracks else of_others).add(row["sha256"])
    wanted = gone.contents | (own - of_others - {None})
    return sum(store.remove(sha256) for sha256 in sorted(wanted))


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
