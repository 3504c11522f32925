"""What was read from a page of the site, and what is raised where the page cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from genre_assets.sources.catalogue import SourceError

Genre = tuple[str, str]
"""A genre's name and its slug."""


class LayoutChanged(SourceError):  # noqa: N818
    """A page does not look as the site's pages do; its sentence says what was looked for."""


class LoginPage(LayoutChanged):
    """The site requires a login in place of the page."""


@dataclass(frozen=True, kw_only=True)
class TrackInfo:
    """The JSON that the player reads.

    Attributes:
        id: The site's number of the track.
        handle: The track's name in URLs, which can be too long for a file name.
        url: Page of the track.
        title: Title, with its white space as it is.
        artist_name: Name of the artist, or None.
        artist_url: Page of the artist, or None.
        album_title: Title of the album; None for a single.
        playback_url: Where the player requests the file, or None.
        file_url: The audio file, or None.
    """

    id: int
    handle: str
    url: str
    title: str
    artist_name: str | None
    artist_url: str | None
    album_title: str | None
    playback_url: str | None
    file_url: str | None

    @property
    def is_single(self) -> bool:
        """Whether the track belongs to no album."""
        return self.album_title is None

    @property
    def artist_handle(self) -> str | None:
        """The artist's name in URLs: ``A`` of ``/music/A/``; None without an artist's page."""
        parts = _music_path(self.artist_url)
        return parts[0] if parts else None


@dataclass(frozen=True, kw_only=True)
class ListingRow(TrackInfo):
    """One row of a listing.

    Attributes:
        album_url: Page of the album, or None.
        duration_s: Seconds, or None when the row shows none.
        genres: Names and slugs, in the order of the page.
    """

    album_url: str | None
    duration_s: float | None
    genres: tuple[Genre, ...]

    @property
    def album_handle(self) -> str | None:
        """The album's name in URLs, ``A/B`` of ``/music/A/B``; None without an album's page."""
        parts = _music_path(self.album_url)
        return "/".join(parts[:2]) if len(parts) > 1 else None


@dataclass(frozen=True)
class RejectedRow:
    """A row of a listing that could not be read.

    Attributes:
        place: Which row of the page, counted from 1.
        reason: Why, in one sentence.
    """

    place: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """One page of a genre's listing.

    Attributes:
        rows: Its tracks in the order of the page.
        rejected: Rows that could not be read.
        odd: Values of tracks that could not be read and are None; the place names the track.
        first: Number of the first row by the pager, 0 in an empty listing.
        last: Number of the last row by the pager.
        claimed: Tracks that the whole listing has by the pager.
        page: Number of the page by the pager, or None.
    """

    rows: tuple[ListingRow, ...]
    rejected: tuple[RejectedRow, ...]
    first: int
    last: int
    claimed: int
    page: int | None
    odd: tuple[RejectedRow, ...] = ()

    @property
    def has_next(self) -> bool:
        """Whether the listing goes on after this page."""
        return self.last < self.claimed


@dataclass(frozen=True)
class TrackPage:
    """The page of one track.

    Attributes:
        track_info: What the player reads.
        title: Title, with its white space as it is.
        artist: Name of the artist, or None.
        licence_url: Page of the licence as the page links it, or None.
        genres: Names and slugs, in the order of the page.
        album: Title of the album, or None.
        released: Date of release as the page writes it, or None.
        plays: How often it was played, or None.
        instrumental: Whether it is said to be instrumental, or None.
        ai_generated: Whether it is said to be made by a machine, or None.
    """

    track_info: TrackInfo
    title: str
    artist: str | None
    licence_url: str | None
    genres: tuple[Genre, ...]
    album: str | None
    released: str | None
    plays: int | None
    instrumental: bool | None
    ai_generated: bool | None


def _music_path(url: str | None) -> list[str]:
    parts = path_of(url)
    return parts[1:] if parts[:1] == ["music"] else []


def path_of(url: str | None) -> list[str]:
    """The parts of a URL's path, decoded; none of what is not a URL."""
    try:
        return [unquote(part) for part in urlsplit(url or "").path.split("/") if part]
    except ValueError:
        return []
