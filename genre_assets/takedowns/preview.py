"""What a take-down would remove, without removing anything."""

from dataclasses import dataclass, field

import pyarrow.compute as pc

from genre_assets.lake.schemas import TAKEDOWNS, TRACKS
from genre_assets.lake.store import Store
from genre_assets.lake.tables import Lake
from genre_assets.progress import counted
from genre_assets.sources.fma_site.downloads import SOURCE
from genre_assets.takedowns.reach import reached_by
from genre_assets.takedowns.removal import (
    DERIVED,
    TOLD_BY,
    Gone,
    contents_of,
    models_of,
    tasks_made_of,
)
from genre_assets.visible import in_one_line

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

_NAMED = 10
"""Tracks that are named; of more their number is said."""


@dataclass(frozen=True)
class Preview:
    """What a take-down would remove.

    Attributes:
        kind: track or artist.
        subject: The ``track_id``, or the artist's name.
        tracks: Rows of ``tracks`` that it reaches: ``track_id``, ``title`` and ``artist``.
        rows: Rows that would be removed, by table; a table with none is left out.
        files: Audio files that would be deleted from the store.
        own_files: Audio files of the owner's library or dataset, which are not deleted.
        models: How many models of each task would be deleted, with its scores.
        reports: Tasks whose report would be deleted.
    """

    kind: str
    subject: str
    tracks: list[dict]
    rows: dict[str, int] = field(default_factory=dict)
    files: int = 0
    own_files: int = 0
    models: dict[str, int] = field(default_factory=dict)
    reports: tuple[str, ...] = ()

    def __str__(self) -> str:
        """What would be removed, in lines."""
        if not self.tracks:
            return f"No source lists a track of the {self.kind} {self.subject}: nothing to remove."
        lines = [
            f"The {self.kind} {self.subject} reaches {counted(len(self.tracks), 'track')}, which "
            "would be kept out:",
            *(f"  {_named(track)}" for track in self.tracks[:_NAMED]),
        ]
        if (others := len(self.tracks) - _NAMED) > 0:
            lines.append(f"  and {others:,} more")
        removed = [f"{counted(n, 'row')} of {name}" for name, n in self.rows.items()]
        if self.files:
            removed.insert(0, f"{counted(self.files, 'downloaded audio file')}")
        for task, models in self.models.items():
            report = ", the scores and the report" if task in self.reports else " and the scores"
            removed.append(
                f"{counted(models, 'model')}{report} of {task}, to be made anew without them"
            )
        lines.append("It would remove:" if removed else "There is nothing to remove of them.")
        lines += [f"  {what}" for what in removed]
        if self.own_files:
            lines.append(
                f"{counted(self.own_files, 'file')} of your own would stay where "
                f"{'it is' if self.own_files == 1 else 'they are'}, and not be read again."
            )
        return "\n".join(lines)


def preview(lake: Lake, store: Store, kind: str, subject: str) -> Preview:
    """Find what a take-down would remove, as the lake stands.

    Args:
        lake: The lake.
        store: Its audio files.
        kind: track or artist.
        subject: A ``track_id``, or the name of an artist, in any spelling.
    """
    subject = " ".join(subject.split())
    new = {"kind": kind, "subject": subject, "track_ids": [], "contents": []}
    recorded = lake.read(TAKEDOWNS).to_pylist()
    [reached] = reached_by(lake, [new])
    gone = Gone.of([reached])
    is_new = not gone.tracks <= Gone.of(recorded).tracks
    tasks = tasks_made_of(lake, gone, doubtful_too=is_new)
    return Preview(
        kind,
        subject,
        _tracks(lake, gone),
        _rows(lake, gone),
        sum(store.has(sha256) for sha256 in contents_of(lake, gone)),
        _own_files(lake, gone),
        {task: len(models_of(lake, task)) for task in tasks},
        tuple(task for task in tasks if (lake.root / "reports" / task).is_dir()),
    )


def _tracks(lake: Lake, gone: Gone) -> list[dict]:
    listed = lake.read(TRACKS, columns=["track_id", "title", "artist"]).to_pylist()
    return [row for row in listed if row["track_id"] in gone.tracks]


def _own_files(lake: Lake, gone: Gone) -> int:
    listed = lake.read(TRACKS, columns=["track_id", "source", "file_bytes"]).to_pylist()
    return sum(
        row["track_id"] in gone.tracks and row["source"] != SOURCE and row["file_bytes"] is not None
        for row in listed
    )


def _rows(lake: Lake, gone: Gone) -> dict[str, int]:
    counts = {}
    for table in DERIVED:
        rows = lake.read(table, columns=[name for name in TOLD_BY if name in table.schema.names])
        counts[table.name] = pc.sum(gone.among(table, rows)).as_py() or 0
    return {name: count for name, count in counts.items() if count}


def _named(track: dict) -> str:
    title, artist = track["title"], track["artist"]
    what = f"{title or 'untitled'} by {artist or 'an unknown artist'}"
    return in_one_line(f"{track['track_id']}  {what}")
