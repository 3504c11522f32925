"""Taking a track or an artist down, for whoever asks for it."""

from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

from genre_assets.errors import UserError
from genre_assets.lake.schemas import (
    TAKEDOWNS,
    TRACKS,
)
from genre_assets.lake.store import Store
from genre_assets.lake.tables import Lake
from genre_assets.progress import Log, counted, silent
from genre_assets.takedowns.removal import Removed, enforce

KINDS = ("track", "artist")


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
