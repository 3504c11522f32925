"""The tracks that failed, named as a listener knows them, and what sources left out."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from genre_assets.funnel import in_words
from genre_assets.lake.schemas import (
    AUDIO,
    FEATURE_FAILURES,
    FETCHES,
    ID3_TAGS,
    REJECTED_ROWS,
    SPECTROGRAM_FAILURES,
    TRACKS,
)
from genre_assets.lake.tables import Lake
from genre_assets.progress import counted
from genre_assets.quality.failures import failures_of
from genre_assets.sources.fma_site.downloads import SOURCE
from genre_assets.visible import in_one_line

_IN_ORDER = (AUDIO, FETCHES, FEATURE_FAILURES, ID3_TAGS, SPECTROGRAM_FAILURES)
"""What says best why a track failed, first: a broken file that was downloaded is both."""
_EXAMPLES = 3


@dataclass(frozen=True)
class FailedTracks:
    """Tracks that failed alike.

    Attributes:
        table: The table that says so.
        kind: What became of them.
        count: How many they are.
        examples: Some of them, each with its reason, in one line.
    """

    table: str
    kind: str
    count: int
    examples: list[str]

    def lines(self) -> Iterator[str]:
        """What is said of them, the examples indented."""
        yield f"  {self.count:,} {in_words(self.kind)} (in {self.table})"
        yield from (f"    {example}" for example in self.examples)
        if (others := self.count - len(self.examples)) > 0:
            yield f"    and {others:,} more"


def failed_tracks(lake: Lake) -> list[FailedTracks]:
    """All tracks that are listed and failed, each once, the most frequent kind first."""
    tracks = lake.read(TRACKS, columns=["track_id", "gone_at"]).to_pylist()
    listed = {row["track_id"] for row in tracks if row["gone_at"] is None}
    by_track: dict[str, tuple[str, str, str]] = {}
    for table in _IN_ORDER:
        for failure in failures_of(lake, table):
            what = failure.table, failure.kind, failure.reason
            if failure.subject in listed:
                by_track.setdefault(failure.subject, what)
    kinds = defaultdict(list)
    for track_id, (table, kind, reason) in sorted(by_track.items()):
        kinds[table, kind].append((track_id, reason))
    shown = {key: [track_id for track_id, _ in found[:_EXAMPLES]] for key, found in kinds.items()}
    names = _names(lake, {track_id for found in shown.values() for track_id in found})
    return [
        FailedTracks(
            table,
            kind,
            len(found),
            [names[track_id].with_reason(reason) for track_id, reason in found[:_EXAMPLES]],
        )
        for (table, kind), found in sorted(kinds.items(), key=lambda item: -len(item[1]))
    ]


def left_out(lake: Lake) -> list[str]:
    """What the sources listed and the lake did not take, a sentence each."""
    kinds = defaultdict(list)
    for row in lake.read(REJECTED_ROWS).to_pylist():
        kinds[row["source"], row.get("kind") or "track"].append(row)
    return [_left_out(source, kind, rows) for (source, kind), rows in sorted(kinds.items())]


def _left_out(source: str, kind: str, rows: list[dict]) -> str:
    first = in_one_line(f"{rows[0]['place']}: {rows[0]['reason']}")
    match kind:
        case "sound":
            endings = Counter(PurePath(row["place"]).suffix.lower() or "no ending" for row in rows)
            which = ", ".join(f"{n:,} {ending}" for ending, n in endings.most_common())
            return (
                f"{counted(len(rows), 'sound file')} of {source} not read: {in_one_line(which)}; "
                f"such as {first}"
            )
        case "other":
            which = ", ".join(f"{row['place']} ({row['reason'].rstrip('.')})" for row in rows[:6])
            more = f" and {len(rows) - 6:,} more kinds" if len(rows) > 6 else ""
            return f"Passed over in {source}, no music: {in_one_line(which)}{more}."
        case "value":
            what = counted(len(rows), "value")
            return f"{what} of {source} left out and the tracks taken without; such as {first}"
    what = f"{len(rows):,} {'entry' if len(rows) == 1 else 'entries'}"
    return f"{what} of {source} could not become tracks; such as {first}"


@dataclass(frozen=True)
class _Name:
    title: str
    path: str | None
    is_own: bool

    def with_reason(self, reason: str) -> str:
        """One line, with the path at most once."""
        named = f"{self.title} ({self.path})" if self.path and self.is_own else self.title
        if self.path:
            reason = reason.replace(self.path, "the file")
            reason = reason.removeprefix("the file: ")
        if reason.startswith("the file "):
            reason = f"T{reason[1:]}"
        return in_one_line(f"{named}: {reason}")


def _names(lake: Lake, track_ids: set[str]) -> dict[str, _Name]:
    tagged = _rows(lake, ID3_TAGS, ["track_id", "title", "artist"], track_ids)
    files = _rows(lake, AUDIO, ["track_id", "path", "sha256"], track_ids)
    listed = _rows(lake, TRACKS, ["track_id", "source", "title", "artist"], track_ids)
    names = {}
    for track_id in track_ids:
        track, tags = listed.get(track_id, {}), tagged.get(track_id, {})
        is_own = track.get("source") == "folder"
        # The source of a music library has only the names of its files and folders to go by.
        first, second = (tags, track) if is_own else (track, tags)
        title = first.get("title") or second.get("title")
        artist = first.get("artist") or second.get("artist")
        named = " by ".join(filter(None, (title, artist))) or track_id
        path = files.get(track_id, {}).get("path")
        names[track_id] = _Name(named, path, track.get("source") != SOURCE)
    return names


def _rows(lake: Lake, table, columns: list[str], track_ids: set[str]) -> dict[str, dict]:
    rows = lake.read(table, columns=columns).to_pylist()
    return {row["track_id"]: row for row in rows if row["track_id"] in track_ids}
