"""Take-downs: a track or an artist that must go, with all that was made of it, for good.

A take-down is recorded before anything is removed, and whoever enforces it removes what is left
to remove; so one that was cut short is finished by the next call, and one that is finished stays
enforced whatever a refresh brings. It reaches

* the track, or the tracks of the artist in whatever spelling, those that come later too;
* tracks with the very same bytes: the same recording under another id;
* the same track in the other of the Free Music Archive's sources: its site and its research
  dataset share their ids.

Of a track that it reaches nothing stays but that it was listed, seen and fetched: its audio in the
store, every row that was made of it, in files that a newer one superseded too, and whatever tasks
learnt from it are deleted. Files of a music library or of a dataset are their owner's own: they
stay and are not looked at again.
"""

import os
import re
import shutil
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
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
from genre_assets.sources.fma_site.downloads import _key as partial_key

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

KINDS = ("track", "artist")

_DERIVED = (
    AUDIO,
    ID3_TAGS,
    LABELS,
    SUMMARY_FEATURES,
    FEATURE_FAILURES,
    FMA_FEATURES,
    ECHONEST_FEATURES,
)
_OF_TASKS = (CHAMPIONS, SCORES, PREDICTIONS, LEAKY_PREDICTIONS, TASK_NOTES, TASK_MEMBERS)
_GUARD = {FEATURE_FAILURES: SUMMARY_FEATURES}
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
        return {track_id: moment for track_id, name in named if (moment := self._moment(track_id, name))}

    def without_files(self, tracks: pa.Table) -> pa.Table:
        """Rows of ``tracks`` in which those that had to go have no file to look at."""
        gone = pc.is_in(tracks["track_id"], value_set=pa.array(list(self.times(tracks)), pa.string()))
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
        for track_id in row["track_ids"]:
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
                "track_ids": [subject] if kind == "track" else [],
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
        # A track counts as reached once no model can have learnt from it: who is killed before
        # that looks at all models again.
        never_enforced = new | {row["subject"] for row in recorded if not row["contents"]}
        tasks = _forget_tasks(lake, gone, bool(never_enforced & gone.tracks))
        lake.write(TAKEDOWNS, TAKEDOWNS.of_rows(reached))
    rows = {table.name: _strike(lake, table, gone, log) for table in _DERIVED}
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
