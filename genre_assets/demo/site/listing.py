"""The listing of one genre: its orders and its pages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from genre_assets.demo.site.misbehaviour import Misbehaviour
from genre_assets.demo.site.tracks import SiteTrack

PAGE_SIZES = (15, 20, 25, 50, 100, 200)
DEFAULT_PAGE_SIZE = 20

SORTS: dict[str, Callable[[SiteTrack], Any]] = {
    "date": lambda track: 0,
    "interest": lambda track: track.plays,
    "artist": lambda track: (track.info["artistName"] or "").casefold(),
    "track": lambda track: track.info["title"].casefold(),
    "album": lambda track: (track.info["albumTitle"] or "").casefold(),
}
"""What the orders compare; rows that are equal, for ``date`` all of them, stay newest first."""


@dataclass(frozen=True)
class ListingPage:
    """One page of a listing.

    Attributes:
        rows: Its tracks.
        first: Number of the first of them, counted from 1; None on a page without any.
        last: Number of the last of them; None on a page without any.
        claimed: Tracks that the listing says it has.
        number: Number of the page.
        pages: How many pages there are.
        size: Rows of a full page.
        sort: What the order compares.
        d: 0 for the newest, the most played or Z first, 1 for the other way round.
    """

    rows: list[SiteTrack]
    first: int | None
    last: int | None
    claimed: int
    number: int
    pages: int
    size: int
    sort: str
    d: int


def listing_page(
    tracks: list[SiteTrack], query: Mapping[str, str], wrong: Misbehaviour
) -> ListingPage:
    """The page of a listing that a query requests.

    Args:
        tracks: The genre's tracks, newest first.
        query: ``sort``, ``d``, ``pageSize`` and ``page``; what makes no sense counts as not said.
        wrong: What the site does wrong.
    """
    sort = query.get("sort", "date")
    sort = sort if sort in SORTS else "date"
    d = 1 if query.get("d") == "1" else 0
    requested = int(query["pageSize"]) if _is_number(query.get("pageSize")) else DEFAULT_PAGE_SIZE
    size = wrong.page_size or (requested if requested in PAGE_SIZES else DEFAULT_PAGE_SIZE)
    number = max(int(query["page"]), 1) if _is_number(query.get("page")) else 1
    by_date = list(tracks)
    if wrong.repeated_at_border:
        by_date[size:size] = by_date[size - 1 : size]
    claimed = len(by_date)
    if (sort, d) == ("date", 0):
        ordered = _as_shown_by_date(by_date, size, wrong)
    else:
        ordered = _ordered(tracks, sort, d)
    shown = ordered[(number - 1) * size : number * size]
    first = (number - 1) * size + 1 if shown else None
    return ListingPage(
        shown,
        first,
        first + len(shown) - 1 if first else None,
        claimed,
        number,
        max(-(-len(ordered) // size), 1),
        size,
        sort,
        d,
    )


def _as_shown_by_date(tracks: list[SiteTrack], size: int, wrong: Misbehaviour) -> list[SiteTrack]:
    """The default order with what it hides or misses."""
    if wrong.missed_at_border and len(tracks) > size:
        tracks = [*tracks[:size], tracks[size - 1], *tracks[size + 1 :]]
    return [track for track in tracks if track.id not in wrong.hidden]


def _ordered(tracks: list[SiteTrack], sort: str, d: int) -> list[SiteTrack]:
    """Every track once."""
    once = list({track.id: track for track in tracks}.values())
    if sort == "date":
        return once[::-1]
    return sorted(once, key=SORTS[sort], reverse=d == 0)


def _is_number(text: str | None) -> bool:
    return text is not None and text.isascii() and text.isdigit() and len(text) < 10
