"""Requests to take down a track or an artist."""

from dataclasses import dataclass
from datetime import datetime

from genre_assets.errors import UserError
from genre_assets.lake.schemas import TAKEDOWNS, TRACKS
from genre_assets.lake.store import Store
from genre_assets.lake.tables import Lake
from genre_assets.progress import Log, counted, silent
from genre_assets.sources.registry import SOURCES
from genre_assets.suggestions import did_you_mean
from genre_assets.takedowns.reach import tracks_of_artist
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
    """

    kind: str
    subject: str
    tracks: tuple[str, ...]
    removed: Removed

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
                "These tasks have to be trained again, from task_dataset on: "
                f"{', '.join(self.removed.tasks)}. "
                "Their members, models, scores and reports are deleted."
            )
        return "\n".join(lines)

    def _reached(self) -> str:
        if self.tracks:
            shown = ", ".join(self.tracks[:10]) + (", …" if len(self.tracks) > 10 else "")
            return f"{counted(len(self.tracks), 'track')} ({shown})"
        return "no source lists it yet, and it will be kept out when one does"


def take_down(
    lake: Lake,
    store: Store,
    kind: str,
    subject: str,
    reason: str,
    now: datetime,
    log: Log = silent,
    in_advance: bool = False,
) -> TakeDown:
    """Take a track or an artist down, with everything that was made of it.

    One that is recorded already is enforced again and keeps its time and reason.

    Args:
        lake: The lake.
        store: Its audio files.
        kind: track or artist.
        subject: A ``track_id``, or the name of an artist, in any spelling.
        reason: Who requested it and why.
        now: When it was requested, with its time zone.
        log: Takes lines about the progress.
        in_advance: Whether a track or an artist that no source ever listed may be taken down, so
            that it is kept out should one list it later.

    Returns:
        What was removed.

    Raises:
        UserError: If the kind, the subject or the reason cannot be used, such as a track that no
            source ever listed.
    """
    subject, reason = " ".join(subject.split()), " ".join(reason.split())
    if not reason:
        raise UserError(
            f"Say who requested the take-down of {subject} and why, with --reason: it is recorded."
        )
    refuse_unknown(lake, kind, subject, in_advance)
    with lake.lock(TAKEDOWNS):
        recorded = lake.read(TAKEDOWNS).to_pylist()
        if not any(_is_of(row, kind, subject) for row in recorded):
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
        if _is_of(row, kind, subject)
    ]
    return TakeDown(kind, subject, reached, removed)


def _is_of(row: dict, kind: str, subject: str) -> bool:
    return (row["kind"], row["subject"]) == (kind, subject)


def refuse_unknown(lake: Lake, kind: str, subject: str, in_advance: bool = False) -> None:
    """Refuse what cannot be taken down, or what no source ever listed unless that is meant.

    Args:
        lake: The lake.
        kind: track or artist.
        subject: A ``track_id``, or the name of an artist.
        in_advance: Whether it may be unknown.

    Raises:
        UserError: If it has to be refused; its sentence names what may have been meant.
    """
    subject = " ".join(subject.split())
    if kind not in KINDS:
        raise UserError(f"{kind!r} cannot be taken down: only a track or an artist can.")
    if not subject:
        raise UserError(f"Say which {kind} is to be taken down.")
    is_recorded = any(_is_of(row, kind, subject) for row in lake.read(TAKEDOWNS).to_pylist())
    if is_recorded:
        return
    if kind == "artist":
        _refuse_unknown_artist(lake, subject, in_advance)
    else:
        _refuse_unknown_track(lake, subject, in_advance)


def _refuse_unknown_artist(lake: Lake, name: str, in_advance: bool) -> None:
    if in_advance or tracks_of_artist(lake, name):
        return
    listed = {artist for artist in lake.read(TRACKS, columns=["artist"])["artist"].to_pylist()}
    raise UserError(
        f"No source lists a track of the artist {name!r}. "
        f"{_spaced(did_you_mean(name, sorted(listed - {None}), most=3))}"
        "To keep out an artist that a source may list later, add --in-advance."
    )


def _refuse_unknown_track(lake: Lake, track_id: str, in_advance: bool) -> None:
    tracks = lake.read(TRACKS, columns=["track_id", "source_track_id", "title", "page_url"])
    if track_id in tracks["track_id"].to_pylist():
        return
    source, _, number = track_id.partition(":")
    if in_advance and source in SOURCES and number:
        return
    wanted = {track_id.casefold(), number.casefold()} - {""}
    meant = [
        row["track_id"]
        for row in tracks.to_pylist()
        if not wanted.isdisjoint(value.casefold() for value in row.values() if value)
    ]
    hint = f"Did you mean {' or '.join(meant[:5])}?" if meant else "Look it up in the view tracks."
    more = f" A track_id is one of {', '.join(SOURCES)}, a colon and its id." if in_advance else ""
    raise UserError(f"No source has ever listed a track with the id {track_id!r}. {hint}{more}")


def _spaced(hint: str) -> str:
    return f"{hint} " if hint else ""
