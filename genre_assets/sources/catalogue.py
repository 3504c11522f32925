"""What a sweep of a source returns: the tracks it lists, and what could not become one."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import pyarrow as pa

from genre_assets.errors import UserError
from genre_assets.lake.schemas import REJECTED_ROWS
from genre_assets.progress import counted


class SourceError(UserError):
    """A source cannot be read; its one sentence says which file, where, and what to do."""


@dataclass(frozen=True)
class Catalogue:
    """What a source lists.

    Attributes:
        tracks: Rows of ``lake.schemas.TRACKS``; first, last seen and gone are null.
        rejected: Rows of ``lake.schemas.REJECTED_ROWS``.
        notes: Sentences on what is odd about the source but stops nothing.
        skipped: Sentences on what was left out as it should be, such as pictures.
        still_there: Ids of tracks that were not requested this time but are still there, so that
            known ones are not gone.
        gone: Ids of the known tracks that are gone, where the source says so: all
            others are still there. None where what is not listed is gone.
        doubt: Why the listing is not to be believed unless somebody says so, as one sentence
            without what to do; None when nothing speaks against it.
    """

    tracks: pa.Table
    rejected: pa.Table
    notes: list[str] = field(default_factory=list)
    still_there: frozenset[str] = frozenset()
    gone: frozenset[str] | None = None
    doubt: str | None = None
    skipped: list[str] = field(default_factory=list)


class Kind(StrEnum):
    """What was not taken of a source."""

    TRACK = "track"
    """A row or a file that could not become a track."""
    VALUE = "value"
    """A value that cannot be right; its track is taken without it."""
    SOUND = "sound"
    """A sound file of a kind that is not read."""
    OTHER = "other"
    """Something that is no music, such as pictures or a wastebasket."""


def not_taken(kind: str, number: int, of: str | None = None) -> str:
    """What became of so many things of a kind, such as ``2 sound files were not read``.

    Args:
        kind: What they are.
        number: How many they are.
        of: Where they were found.
    """
    were, found = ("was" if number == 1 else "were"), (f" of {of}" if of else "")
    entries = f"{number:,} {'entry' if number == 1 else 'entries'}{found}"
    match kind:
        case Kind.SOUND:
            return f"{counted(number, 'sound file')}{found} {were} not read"
        case Kind.VALUE:
            tracks = "its track was" if number == 1 else "their tracks were"
            return f"{entries} {were} left out, but {tracks} taken"
        case Kind.OTHER:
            return f"{entries} {were} skipped"
    return f"{entries} could not become {'a track' if number == 1 else 'tracks'}"


@dataclass(frozen=True)
class Rejection:
    """One thing that a source lists and that is not taken.

    Attributes:
        origin: The file or folder that held it.
        place: Where in it.
        reason: Why, in one sentence.
        kind: What it is.
    """

    origin: str
    place: str
    reason: str
    kind: str = Kind.TRACK


def rejected_rows(source: str, rejections: Iterable[Rejection]) -> pa.Table:
    """Rows of ``lake.schemas.REJECTED_ROWS``; a repeated place is numbered to keep its key."""
    seen: dict[tuple[str, str], int] = {}
    rows = []
    for rejection in rejections:
        origin, place = printable(rejection.origin), printable(rejection.place)
        seen[origin, place] = count = seen.get((origin, place), 0) + 1
        rows.append(
            {
                "source": source,
                "origin": origin,
                "place": place if count == 1 else f"{place} ({count})",
                "kind": str(rejection.kind),
                "reason": printable(rejection.reason),
            }
        )
    return REJECTED_ROWS.of_rows(rows)


def printable(name: str) -> str:
    r"""A name in which bytes that are no UTF-8 are spelled out, such as ``\xff``."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
