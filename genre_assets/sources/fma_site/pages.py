"""What a page of the site says: one genre's listing, and the page of one track.

Pure functions of the HTML that the server wrote. A page that does not look as it should raises
:class:`LayoutChanged`; it is never read as a page without tracks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from genre_assets.documents import parse_json
from genre_assets.sources.fma_site.page_contents import (
    Genre,
    LayoutChanged,
    Listing,
    ListingRow,
    LoginPage,
    RejectedRow,
    TrackInfo,
    TrackPage,
    path_of,
)

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

LONGEST_PAGE = 20_000_000
"""Characters of HTML that a page of the site may have; one with 200 rows has about 600,000."""

LONGEST_TEXT = 4_000
"""Characters that a title, a handle or a URL may have."""

MOST_ODD_ROWS = 3
"""Rows that may all be odd on one page; where more are and none is good, the layout changed."""

_LARGEST_ID = 2**63 - 1
_NO_TEXT = re.compile("[\ud800-\udfff]")
_DURATION = re.compile(r"(?:(\d{1,3}):)?(\d{1,3}):(\d{2})")
_LOGIN_TITLE = re.compile(r"(?:log|sign)[ -]?in\b", re.IGNORECASE)
_NO_ALBUM = ("-", "—")
_RELEASED = ("released", "released date", "release date", "date released")
_LABELS = {"album", "ai generated", "genre", "genres", "instrumental", "plays", *_RELEASED}


class _RowError(Exception):
    """A row of a listing cannot be read; its one sentence says why."""


class _NoTrackError(_RowError):
    """A row of a listing holds nothing that could be a track."""


def parse_listing(html: str) -> Listing:
    """Read one page of a genre's listing.

    Args:
        html: The page as the server wrote it.

    Raises:
        LayoutChanged: If it is another page, has no pager, fewer rows than the pager counts, or
            no row that can be read. One odd row is rejected, even where it is the only one.
        LoginPage: If the site requires a login instead.
    """
    tree = _document(html)
    items = tree.css("div.play-item")
    pager = _pager(tree)
    if pager is None:
        raise _kind_of(tree)(
            f"A pager of the form '1 - 200 of 588' in div.pagination-full was looked for and is "
            f"not there, beside {len(items)} rows, on {_named(tree)}."
        )
    first, last, claimed = pager
    counted = last - first + 1 if last else 0
    if len(items) < counted:
        raise LayoutChanged(
            f"Rows {first} to {last} of {claimed} were looked for as div.play-item, and "
            f"{len(items)} are there, on {_named(tree)}."
        )
    rows: list[ListingRow] = []
    rejected: list[RejectedRow] = []
    odd: list[RejectedRow] = []
    are_tracks = len(items) <= MOST_ODD_ROWS
    for number, item in enumerate(items, start=1):
        try:
            row, odd_here = _listing_row(item)
            rows.append(row)
            if odd_here:
                odd.append(RejectedRow(f"track {row.id}", " ".join(odd_here)))
        except _RowError as error:
            are_tracks = are_tracks and not isinstance(error, _NoTrackError)
            rejected.append(RejectedRow(f"row {number}", str(error)))
    if rejected and not rows and not are_tracks:
        raise LayoutChanged(
            f"Tracks were looked for in data-track-info of {len(items)} rows, and none can be "
            f"read, on {_named(tree)}: {rejected[0].reason}"
        )
    return Listing(
        tuple(rows), tuple(rejected), first, last, claimed, _page_number(tree), tuple(odd)
    )


def parse_track(html: str) -> TrackPage:
    """Read the page of a track.

    Args:
        html: The page as the server wrote it.

    Raises:
        LayoutChanged: If it is another page, or lacks what every track page has.
        LoginPage: If the site requires a login instead.
    """
    tree = _document(html)
    item = tree.css_first("div.play-item[data-track-info]")
    if item is None:
        raise _kind_of(tree)(
            f"The track was looked for as div.play-item[data-track-info] and is not there, on "
            f"{_named(tree)}."
        )
    try:
        info, _ = _track_info(item)
    except _RowError as error:
        raise LayoutChanged(
            f"The track was looked for in data-track-info on {_named(tree)}: {error}"
        ) from error
    facts = _facts(tree)
    licence = tree.css_first('a[rel~="license"][href]')
    if licence is None and not facts:
        raise LayoutChanged(
            f"A licence as a[rel=license], or rows such as Genres and Instrumental, were looked "
            f"for and are not there, on {_named(tree)}."
        )
    genres, album = facts.get("genres", facts.get("genre")), facts.get("album")
    return TrackPage(
        track_info=info,
        title=info.title,
        artist=info.artist_name or _text(tree.css_first("h1 ~ h2")) or None,
        licence_url=_link(licence),
        genres=tuple(_genres(genres)),
        album=_title_of_album(" ".join(_text(node) for node in album or ()).strip()),
        released=_released(facts),
        plays=_plays(facts),
        instrumental=_yes_or_no(facts.get("instrumental")),
        ai_generated=_yes_or_no(facts.get("ai generated")),
    )


def _document(html: str) -> LexborHTMLParser:
    from selectolax.lexbor import LexborHTMLParser

    if len(html) > LONGEST_PAGE:
        raise LayoutChanged(
            f"A page of at most {LONGEST_PAGE:,} characters was looked for, and it has "
            f"{len(html):,}."
        )
    return LexborHTMLParser(_NO_TEXT.sub("\ufffd", html))


def _named(tree: LexborHTMLParser) -> str:
    title = _text(tree.css_first("title"))[:100]
    named = f"the page titled {title!r}" if title else "a page without a title"
    return f"{named}, which requires a login" if _is_login_page(tree) else named


def _kind_of(tree: LexborHTMLParser) -> type[LayoutChanged]:
    return LoginPage if _is_login_page(tree) else LayoutChanged


def _is_login_page(tree: LexborHTMLParser) -> bool:
    if tree.css_first("input[type=password]") or tree.css_first('form[action*="login"]'):
        return True
    return bool(_LOGIN_TITLE.match(_text(tree.css_first("title"))))


def _pager(tree: LexborHTMLParser) -> tuple[int, int, int] | None:
    """First and last row and the number of all rows, as the pager says them."""
    for pager in tree.css("div.pagination-full"):
        numbers = [_text(node).replace(",", "") for node in pager.css("b")]
        if len(numbers) != 3 or not all(re.fullmatch(r"[0-9]{0,9}", n) for n in numbers):
            continue
        if not numbers[2]:
            continue
        first, last, claimed = (int(number or 0) for number in numbers)
        if claimed == 0:
            return 0, 0, 0
        if 1 <= first <= last <= claimed:
            return first, last, claimed
    return None


def _page_number(tree: LexborHTMLParser) -> int | None:
    texts = (_text(node) for node in tree.css("div.pagination-full span.bg-blue"))
    return next((int(text) for text in texts if re.fullmatch(r"[0-9]{1,9}", text)), None)


def _listing_row(item: LexborNode) -> tuple[ListingRow, list[str]]:
    """A row, and why values of it that a track can do without are None."""
    info, odd = _track_info(item)
    row = ListingRow(
        **asdict(info),
        album_url=_link(item.css_first(".ptxt-album a[href]")),
        duration_s=_duration(item),
        genres=tuple(_genres(item.css(".ptxt-genre"))),
    )
    return row, odd


def _track_info(item: LexborNode) -> tuple[TrackInfo, list[str]]:
    """What the player reads, and why values that a track can do without are None."""
    text = _attribute(item, "data-track-info")
    if text is None:
        raise _NoTrackError("The row has no data-track-info.")
    try:
        info = parse_json(text)
    except ValueError as error:
        raise _NoTrackError(f"Its data-track-info is no JSON ({str(error)[:100]}).") from error
    if not isinstance(info, dict):
        raise _NoTrackError("Its data-track-info is no JSON object.")
    track_id = info.get("id")
    if type(track_id) is not int or not 0 <= track_id <= _LARGEST_ID:
        raise _RowError(f"Its id {str(track_id)[:30]!r} is no whole number.")
    odd: list[str] = []
    track = TrackInfo(
        id=track_id,
        handle=_required(info, "handle"),
        url=_required(info, "url"),
        title=_required(info, "title"),
        artist_name=_optional(info, "artistName", odd),
        artist_url=_optional(info, "artistUrl", odd),
        album_title=_title_of_album(_optional(info, "albumTitle", odd)),
        playback_url=_optional(info, "playbackUrl", odd),
        file_url=_optional(info, "fileUrl", odd),
    )
    return track, odd


def _required(info: dict, name: str) -> str:
    value = _checked(info, name)
    if value is None:
        raise _RowError(f"Track {info['id']} has no {name}.")
    return value


def _optional(info: dict, name: str, odd: list[str]) -> str | None:
    try:
        return _checked(info, name)
    except _RowError as error:
        odd.append(str(error))
        return None


def _checked(info: dict, name: str) -> str | None:
    value = info.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _RowError(f"The {name} of track {info['id']} is no text.")
    if len(value) > LONGEST_TEXT:
        raise _RowError(
            f"The {name} of track {info['id']} has {len(value):,} characters, over {LONGEST_TEXT}."
        )
    return _NO_TEXT.sub("\ufffd", value)


def _title_of_album(title: str | None) -> str | None:
    return None if not title or title in _NO_ALBUM else title


def _genres(nodes: list[LexborNode] | None) -> Iterator[Genre]:
    seen = set()
    for node in nodes or ():
        links = [node] if node.tag == "a" else node.css("a[href]")
        for link in links:
            name, slug = _text(link), _genre_slug(_attribute(link, "href"))
            if max(len(name), len(slug or "")) > LONGEST_TEXT:
                continue
            if name and slug and (name, slug) not in seen:
                seen.add((name, slug))
                yield name, slug


def _genre_slug(url: str | None) -> str | None:
    parts = path_of(url)
    return parts[1] if len(parts) == 2 and parts[0] == "genre" else None


def _duration(item: LexborNode) -> float | None:
    """The first text such as ``02:45`` that is neither the title nor another named column."""
    for node in item.css("span"):
        if "ptxt-" in (_attribute(node, "class") or "") or _is_in_column(node, item):
            continue
        if match := _DURATION.fullmatch(_text(node)):
            hours, minutes, seconds = (int(part or 0) for part in match.groups())
            return float(hours * 3600 + minutes * 60 + seconds)
    return None


def _is_in_column(node: LexborNode, item: LexborNode) -> bool:
    above = node.parent
    while above is not None and above != item:
        if "ptxt-" in (_attribute(above, "class") or ""):
            return True
        above = above.parent
    return False


def _facts(tree: LexborHTMLParser) -> dict[str, list[LexborNode]]:
    """The rows below a track, label in lower case to the nodes that hold its value.

    A label is an element with nothing but that text; the value is what follows it under the same
    parent up to the next label.
    """
    facts: dict[str, list[LexborNode]] = {}
    for node in tree.css("span, div, dt, th, td, b, strong, p, h3, h4, h5, h6, label"):
        label = _label(node)
        if label is None or label in facts or _is_navigation(node):
            continue
        value = []
        after = node.next
        while after is not None and _label(after) is None:
            value.append(after)
            after = after.next
        if any(_text(part) for part in value):
            facts[label] = value
    return facts


def _label(node: LexborNode) -> str | None:
    """The label that an element is; a link is none, for there is a genre Instrumental."""
    if node.tag in ("a", "-text") or node.css_first("a") is not None:
        return None
    text = _text(node).rstrip(":? ").lower()
    return text if text in _LABELS else None


def _is_navigation(node: LexborNode) -> bool:
    above = node.parent
    while above is not None:
        if above.tag in ("nav", "header", "footer"):
            return True
        above = above.parent
    return False


def _released(facts: dict[str, list[LexborNode]]) -> str | None:
    for label in _RELEASED:
        if label in facts:
            return " ".join(_text(node) for node in facts[label]).strip() or None
    return None


def _plays(facts: dict[str, list[LexborNode]]) -> int | None:
    """The exact number, which stands in a ``title`` where the text is cut to ``12.2K``."""
    for node in facts.get("plays", []):
        exact = [_attribute(part, "title") or "" for part in (node, *node.css("[title]"))]
        for text in (*exact, _text(node)):
            if re.fullmatch(r"[0-9]{1,12}", digits := text.strip().replace(",", "")):
                return int(digits)
    return None


def _yes_or_no(nodes: list[LexborNode] | None) -> bool | None:
    texts = (_text(node).strip().lower() for node in nodes or ())
    return {"yes": True, "no": False}.get(next((text for text in texts if text), ""))


def _link(link: LexborNode | None) -> str | None:
    url = (_attribute(link, "href") or "").strip()
    return url if 0 < len(url) <= LONGEST_TEXT else None


def _attribute(node: LexborNode | None, name: str) -> str | None:
    return node.attributes.get(name) if node is not None else None


def _text(node: LexborNode | None) -> str:
    """The text of a node with its white space collapsed."""
    return " ".join(node.text().split()) if node is not None else ""
