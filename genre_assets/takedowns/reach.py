"""The tracks that a take-down reaches: those of an artist, of the same bytes, of the same id."""

from collections import defaultdict

from genre_assets.audio.status import Status
from genre_assets.lake.files import everything_of
from genre_assets.lake.schemas import (
    AUDIO,
    FETCHES,
    ID3_TAGS,
    SPECTROGRAMS,
    SUMMARY_FEATURES,
    TRACKS,
)
from genre_assets.lake.tables import Lake
from genre_assets.sources.registry import source_named
from genre_assets.takedowns.record import (
    names_of,
    names_on_track,
    same_track,
    subject_and_reached,
)


def reached_by(lake: Lake, recorded: list[dict]) -> list[dict]:
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
        waiting = subject_and_reached(row)
        if row["kind"] == "artist":
            waiting |= {t for name in names_of(row["subject"]) for t in by_artist.get(name, ())}
        waiting |= {track_id for sha256 in contents for track_id in tracks_with[sha256]}
        tracks: set[str] = set()
        while waiting:
            track_id = waiting.pop()
            tracks.add(track_id)
            contents |= had[track_id]
            same = {other for sha256 in had[track_id] for other in tracks_with[sha256]}
            waiting |= ((same_track(track_id) & listed) | same) - tracks
        reached.append(row | {"track_ids": sorted(tracks), "contents": sorted(contents)})
    return reached


def tracks_of_artist(lake: Lake, artist: str) -> set[str]:
    """Ids of the tracks of an artist, in whatever spelling."""
    by_artist = _tracks_by_artist(lake)
    return {track_id for name in names_of(artist) for track_id in by_artist.get(name, ())}


def _contents_by_track(lake: Lake) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """The sound audio that each track ever had, and what it has now.

    A broken file is no recording: empty ones have the same bytes whatever they should have been.
    """
    had, has = defaultdict(set), defaultdict(set)
    for row in lake.read(AUDIO, columns=["track_id", "sha256", "status"]).to_pylist():
        if row["status"] == Status.OK and row["sha256"]:
            has[row["track_id"]].add(row["sha256"])
    for table in (SUMMARY_FEATURES, SPECTROGRAMS):
        for row in everything_of(lake, table, ["track_id", "sha256"]):
            had[row["track_id"]].add(row["sha256"])
    columns = ["track_id", "sha256", "outcome", "fetched_at"]
    fetched = {}
    for row in sorted(everything_of(lake, FETCHES, columns), key=lambda row: row["fetched_at"]):
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
    source may name no one: then the tags count, too.
    """
    tagged = lake.read(ID3_TAGS, columns=["track_id", "artist"]).to_pylist()
    artist_in_tags = {row["track_id"]: row["artist"] for row in tagged}
    found = defaultdict(set)
    for row in lake.read(TRACKS, columns=["track_id", "source", "artist"]).to_pylist():
        names = names_on_track(row["artist"])
        if source_named(row["source"]).guesses_names or not names:
            names |= names_on_track(artist_in_tags.get(row["track_id"]))
        for name in names:
            found[name].add(row["track_id"])
    return found
