"""What a sweep of a source returns: the tracks it lists, and what could not become one."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa

from genre_assets.errors import UserError
from genre_assets.lake.schemas import REJECTED_ROWS


class SourceError(UserError):
    """A source cannot be read; its one sentence says which file, where, and what to do."""


@dataclass(frozen=True)
class Catalogue:
    """What a source lists.

    Attributes:
        tracks: Rows of ``lake.schemas.TRACKS``; first, last seen and gone are null.
        rejected: Rows of ``lake.schemas.REJECTED_ROWS``.
        notes: Sentences on what is odd about the source but stops nothing.
        still_there: Ids of tracks that were not asked for this time but are still there, so that
            known ones are not gone.
        gone: Ids of the known tracks that are gone, where the source was asked for that: all
            others are still there. None where what is not listed is gone.
    """

    tracks: pa.Table
    rejected: pa.Table
    notes: list[str] = field(default_factory=list)
    still_there: frozenset[str] = frozenset()
    gone: frozenset[str] | None = None


@dataclass(frozen=True)
class Rejection:
    """One thing that a source lists and that cannot become a track.

    Attributes:
        origin: The file or folder that held it.
        place: Where in it.
        reason: Why, in one sentence.
    """

    origin: str
    place: str
    reason: str


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
                "reason": printable(rejection.reason),
            }
        )
    return REJECTED_ROWS.of_rows(rows)


def printable(name: str) -> str:
    r"""A name in which bytes that are no UTF-8 are spelled out, such as ``\xff``."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
