"""The tracks that failed, named as a listener knows them, and what sources left out."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from genre_assets.lake.schemas import AUDIO, REJECTED_ROWS
from genre_assets.lake.tables import Lake
from genre_assets.quality.failures import failures_of_tracks
from genre_assets.quality.funnel import in_words
from genre_assets.quality.verdict import listed
from genre_assets.sources.attribution import named_tracks
from genre_assets.sources.catalogue import Kind, not_taken
from genre_assets.sources.registry import source_named
from genre_assets.visible import in_one_line

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
    kinds = defaultdict(list)
    for failure in sorted(failures_of_tracks(lake), key=lambda failure: failure.subject):
        kinds[failure.table, failure.kind].append((failure.subject, failure.reason))
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
        kinds[row["source"], row.get("kind") or Kind.TRACK].append(row)
    return [
        in_one_line(_left_out(source_named(source).words, kind, rows))
        for (source, kind), rows in sorted(kinds.items())
    ]


def _left_out(source: str, kind: str, rows: list[dict]) -> str:
    if kind == Kind.OTHER:
        return f"Skipped in {source}: {_with_reasons(rows)}."
    what = not_taken(kind, len(rows), of=source)
    if kind == Kind.SOUND:
        endings = Counter(PurePath(row["place"]).suffix.lower() or "no ending" for row in rows)
        what += f" ({', '.join(f'{n:,} {ending}' for ending, n in endings.most_common())})"
    return f"{what}; for example, {_place(rows[0])}: {rows[0]['reason']}"


def _with_reasons(rows: list[dict]) -> str:
    """The places of rows, those with the same reason together."""
    places = defaultdict(list)
    for row in rows:
        places[row["reason"]].append(row["place"])
    return listed(
        f"{listed(found, most=3)} ({reason[:1].lower()}{reason[1:].rstrip('.')})"
        for reason, found in places.items()
    )


def _place(row: dict) -> str:
    """Where a row was found, with the file where it was a row of a file."""
    origin = PurePath(row.get("origin") or "")
    return f"{origin.name}, {row['place']}" if origin.suffix == ".csv" else row["place"]


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
    files = lake.read(AUDIO, columns=["track_id", "path"]).to_pylist()
    paths = {row["track_id"]: row["path"] for row in files if row["track_id"] in track_ids}
    known = named_tracks(lake, ["title", "artist", "source"], track_ids).to_pylist()
    rows = {row["track_id"]: row for row in known}
    names = {}
    for track_id in track_ids:
        row = rows.get(track_id, {})
        named = " by ".join(filter(None, (row.get("title"), row.get("artist")))) or track_id
        names[track_id] = _Name(
            named, paths.get(track_id), not source_named(row.get("source")).is_site
        )
    return names
