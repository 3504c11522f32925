"""The record of what was taken down: what a refresh looks at before it takes anything."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.labels.artists import artist_key, several
from genre_assets.labels.labelling import TAKEN_DOWN
from genre_assets.lake.schemas import TAKEDOWNS
from genre_assets.lake.tables import Lake
from genre_assets.sources.registry import SOURCES

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false


@dataclass(frozen=True)
class TakenDown:
    """What must not be there: what a refresh looks at before it takes anything.

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
        found = [self.tracks.get(same) for same in same_track(track_id)]
        found += [self.artists.get(name) for name in names_on_track(artist)]
        return min((moment for moment in found if moment), default=None)


def taken_down(lake: Lake) -> TakenDown:
    """What is taken down in a lake; cheap, only the record is read."""
    tracks: dict[str, datetime] = {}
    artists: dict[str, datetime] = {}
    contents: set[str] = set()
    for row in sorted(lake.read(TAKEDOWNS).to_pylist(), key=lambda row: row["taken_down_at"]):
        for track_id in subject_and_reached(row):
            tracks.setdefault(track_id, row["taken_down_at"])
        if row["kind"] == "artist":
            for name in names_of(row["subject"]):
                artists.setdefault(name, row["taken_down_at"])
        contents.update(row["contents"])
    return TakenDown(tracks, artists, frozenset(contents))


def names_of(artist: str | None) -> set[str]:
    """What an artist is known by: the name as it is given, and the key of all its spellings."""
    names = {" ".join((artist or "").split()), artist_key(artist)}
    return {name for name in names if name}


def names_on_track(artist: str | None) -> set[str]:
    """What the artists of a track are known by: all that its artist's name lists, and each."""
    return names_of(artist).union(*map(names_of, several(artist)))


def same_track(track_id: str) -> set[str]:
    """The ids of a track: the site and the research dataset share their numbers."""
    name, _, number = track_id.partition(":")
    numbering = SOURCES[name].numbering if name in SOURCES else None
    alike = {s.name for s in SOURCES.values() if s.numbering == numbering} if numbering else set()
    return {f"{other}:{number}" for other in alike} | {track_id}


def subject_and_reached(row: dict) -> set[str]:
    """Ids of the tracks that a take-down names or has reached."""
    return {*row["track_ids"], *([row["subject"]] if row["kind"] == "track" else [])}
