"""One genre's listing, swept page by page.

The listing grows and shrinks while it is read, and the site itself shows a track twice where two
pages meet, so that another one may be shown nowhere. A full sweep that found fewer tracks than
the listing says it has therefore reads the listing again in another order.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from typing import Literal, NamedTuple
from urllib.parse import quote

from genre_assets.errors import UserError
from genre_assets.progress import Log, counted, silent
from genre_assets.sources.catalogue import Rejection, SourceError
from genre_assets.sources.fma_site.address import genre_in_words
from genre_assets.sources.fma_site.archive import KeptPage
from genre_assets.sources.fma_site.page_contents import LayoutChanged, Listing, ListingRow
from genre_assets.sources.fma_site.pages import parse_listing

PAGE_SIZES = (15, 20, 25, 50, 100, 200)
"""Rows of a page that the site offers; the last is requested."""

RUN_OF_KNOWN = 40
"""Known tracks in a row after which an incremental sweep has seen what is new."""

EXTRA_PAGES = 3
"""Pages beyond those that the first one promised that are read of a listing that grows."""

Mode = Literal["full", "incremental"]
Read = Callable[[str, str], KeptPage]
"""Reads a path or a URL of the site as a page of a kind, listing or track."""


class Order(NamedTuple):
    """An order of the listing: ``sort`` and ``d`` of its URL."""

    sort: str
    d: int


NEWEST_FIRST = Order("date", 0)
OTHER_ORDERS = (Order("track", 1), Order("artist", 1))


@dataclass(frozen=True)
class GenreSweep:
    """What a sweep of one genre found.

    Attributes:
        genre: Slug of the genre.
        mode: full or incremental.
        started_at: When the first page was requested.
        finished_at: When the last page was read.
        pages: Pages read.
        orders: The orders that were read.
        claimed: Tracks that the listing says it has, at most.
        listed: Rows that the first order showed, those that cannot be read too.
        duplicates: Rows of the first order that repeated a track.
        rows: The tracks, by their ids; the first row of each.
        rejected: Rows that cannot be read.
        odd: Values of tracks that cannot be read and were left out.
        complete: Whether the listing was read to its end and nothing hints at more.
        reason: Why it is incomplete or falls short, in one sentence, or None.
    """

    genre: str
    mode: Mode
    started_at: datetime
    finished_at: datetime
    pages: int
    orders: tuple[str, ...]
    claimed: int
    listed: int
    duplicates: int
    rows: dict[int, ListingRow]
    rejected: tuple[Rejection, ...]
    complete: bool
    reason: str | None
    odd: tuple[Rejection, ...] = ()


@dataclass
class _Reading:
    """One order of a listing as far as it was read."""

    rows: list[ListingRow] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    odd: list[Rejection] = field(default_factory=list)
    pages: int = 0
    claimed: int = 0
    reason: str | None = None


def sweep_genre(
    genre: str,
    read: Read,
    known: Collection[int],
    mode: Mode,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    log: Log = silent,
) -> GenreSweep:
    """Read the listing of a genre.

    Args:
        genre: Slug of the genre.
        read: Reads a page.
        known: Ids that this listing showed before.
        mode: full reads all of it; incremental reads, newest first, up to what is known.
        now: The clock.
        log: Where progress goes.

    Raises:
        SourceError: If a page is not there or is not a page of this listing.
    """
    started_at = now()
    first = _read_order(genre, NEWEST_FIRST, read, known if mode == "incremental" else None, log)
    readings, orders = [first], [NEWEST_FIRST.sort]
    rows = _by_id(first.rows)
    settled = first.reason is None
    if mode == "full" and settled:
        for order in OTHER_ORDERS:
            if len(rows) + len(first.rejected) >= _claimed(readings):
                break
            log(
                f"{genre_in_words(genre)}: {len(rows)} of {_claimed(readings)} tracks found by "
                f"{orders[-1]}, read again by {order.sort}"
            )
            another = _read_order(genre, order, read, None, log)
            readings.append(another)
            orders.append(order.sort)
            before = len(rows)
            rows = _by_id([*rows.values(), *another.rows])
            settled = another.reason is None and len(rows) == before
            if settled:
                break
    claimed = _claimed(readings)
    found = len(rows) + len(first.rejected)
    return GenreSweep(
        genre=genre,
        mode=mode,
        started_at=started_at,
        finished_at=now(),
        pages=sum(reading.pages for reading in readings),
        orders=tuple(orders),
        claimed=claimed,
        listed=len(first.rows) + len(first.rejected),
        duplicates=len(first.rows) - len(_by_id(first.rows)),
        rows=rows,
        rejected=tuple(rejection for reading in readings for rejection in reading.rejected),
        complete=first.reason is None and (settled or found >= claimed),
        reason=first.reason or _shortfall(genre, found, claimed, orders),
        odd=tuple({(o.place, o.reason): o for r in readings for o in r.odd}.values()),
    )


def listing_path(genre: str, order: Order, page: int) -> str:
    """Path and query of one page of a genre's listing."""
    slug = quote(genre, safe="")
    return f"/genre/{slug}?sort={order.sort}&d={order.d}&pageSize={PAGE_SIZES[-1]}&page={page}"


def _read_order(
    genre: str, order: Order, read: Read, known: Collection[int] | None, log: Log
) -> _Reading:
    """Read the listing in one order to its end, or up to a run of known tracks."""
    name, reading = genre_in_words(genre), _Reading()
    size = most_pages = run = longest_run = 0
    while True:
        number = reading.pages + 1
        url, listing = _read_page(genre, listing_path(genre, order, number), number, read)
        if listing is None:
            reading.reason = f"The listing of {name} shrank while it was read: see the next sweep."
            return reading
        if number == 1:
            size = _page_size(listing)
            most_pages = ceil(listing.claimed / size) + EXTRA_PAGES
        elif listing.claimed and listing.first != (number - 1) * size + 1:
            raise LayoutChanged(
                f"Page {number} of the genre {name} ({url}) was requested, but the answer begins "
                f"with row {listing.first}."
            )
        reading.pages = number
        reading.claimed = max(reading.claimed, listing.claimed)
        reading.rows += listing.rows
        reading.rejected += [Rejection(url, row.place, row.reason) for row in listing.rejected]
        reading.odd += [Rejection(url, odd.place, odd.reason) for odd in listing.odd]
        log(f"{name} by {order.sort}, page {number}: {counted(len(listing.rows), 'track')}")
        # Not by the last row's number: a site that repeats a track may count one short.
        if number * size >= listing.claimed:
            return reading
        if known is not None:
            for row in listing.rows:
                run = run + 1 if row.id in known else 0
                longest_run = max(longest_run, run)
            if longest_run >= RUN_OF_KNOWN:
                reading.reason = f"{name} was read up to {longest_run} known tracks in a row."
                return reading
        if number == most_pages:
            reading.reason = (
                f"The listing of {name} grew faster than it could be read, in {number} pages."
            )
            return reading


def _page_size(first_page: Listing) -> int:
    """Rows of a full page: what was requested, or what the site fell back to."""
    return next(size for size in PAGE_SIZES if size >= min(first_page.last, PAGE_SIZES[-1]))


def _read_page(
    genre: str, path: str, number: int, read: Read, again: bool = True
) -> tuple[str, Listing | None]:
    """One page of a listing, None for one beyond its end.

    A page that was cut off on its way is requested once more.
    """
    place = f"Page {number} of the genre {genre_in_words(genre)}"
    try:
        page = read(path, "listing")
    except UserError as error:
        raise SourceError(f"{place} cannot be read: {error}") from error
    if page.status == 404 and number > 1:
        return page.url, None
    if page.status != 200:
        raise SourceError(f"{place} ({page.url}) answered with {_in_words(page.status)}.")
    try:
        return page.url, parse_listing(page.html)
    except LayoutChanged as error:
        if again:
            return _read_page(genre, path, number, read, again=False)
        raise LayoutChanged(f"{place} ({page.url}) is no listing: {error}") from error


def _in_words(status: int) -> str:
    if status in (404, 410):
        return f"status {status}: see whether the site still has this genre under that name"
    if status in (401, 403, 451):
        return f"status {status}: the site refuses this page to us"
    return f"status {status}: run again when the site works"


def _by_id(rows: Iterable[ListingRow]) -> dict[int, ListingRow]:
    """The first row of each track."""
    first: dict[int, ListingRow] = {}
    for row in rows:
        first.setdefault(row.id, row)
    return first


def _claimed(readings: list[_Reading]) -> int:
    return max(reading.claimed for reading in readings)


def _shortfall(genre: str, distinct: int, claimed: int, orders: list[str]) -> str | None:
    if distinct >= claimed:
        return None
    return (
        f"The listing of {genre_in_words(genre)} claims {counted(claimed, 'track')}, but "
        f"{distinct} were found, sorted by {' and by '.join(orders)}."
    )
