"""What a take-down would remove, without removing anything."""

from dataclasses import dataclass, field

from genre_assets.lake.schemas import TAKEDOWNS
from genre_assets.lake.store import Store
from genre_assets.lake.tables import Lake
from genre_assets.progress import counted
from genre_assets.sources.attribution import named_tracks
from genre_assets.sources.registry import source_named
from genre_assets.takedowns.reach import reached_by
from genre_assets.takedowns.removal import models_of, would_remove
from genre_assets.visible import in_one_line

_NAMED = 10
"""Tracks that are named; of more their number is said."""


@dataclass(frozen=True)
class Preview:
    """What a take-down would remove.

    Attributes:
        kind: track or artist.
        subject: The ``track_id``, or the artist's name.
        tracks: Rows of ``tracks`` that it reaches.
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
        lines.append("It would remove:" if removed else "Nothing of them is stored.")
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
    [reached] = reached_by(lake, [new])
    goes = would_remove(lake, store, reached, lake.read(TAKEDOWNS).to_pylist())
    columns = ["track_id", "title", "artist", "source", "file_bytes"]
    listed = named_tracks(lake, columns).to_pylist()
    tracks = [row for row in listed if row["track_id"] in goes.tracks]
    return Preview(
        kind,
        subject,
        tracks,
        goes.rows,
        goes.files,
        sum(
            not source_named(row["source"]).is_site and row["file_bytes"] is not None
            for row in tracks
        ),
        {task: len(models_of(lake, task)) for task in goes.tasks},
        tuple(task for task in goes.tasks if (lake.places.reports / task).is_dir()),
    )


def _named(track: dict) -> str:
    title, artist = track["title"], track["artist"]
    what = f"{title or 'untitled'} by {artist or 'an unknown artist'}"
    return in_one_line(f"{track['track_id']}  {what}")
