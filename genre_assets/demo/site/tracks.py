"""What the replica shows: tracks with all that the site says of them."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from genre_assets.sources.fma_site.address import DEMO_FILE_HOST, DEMO_SITE_HOST

SITE = f"https://{DEMO_SITE_HOST}"
FILES = f"https://{DEMO_FILE_HOST}/storage-freemusicarchive-org"

SLUGS = {"Drum & Bass": "Drum_amp_Bass"}
"""Slugs of genres that are not their names."""

NO_ALBUM = "-"
"""What the site calls the album of a single."""

LICENCES = (
    "https://creativecommons.org/licenses/by/4.0",
    "https://creativecommons.org/licenses/by-sa/4.0/",
    "https://creativecommons.org/licenses/by-nc-sa/3.0/",
    "https://creativecommons.org/licenses/by-nc-nd/4.0",
    "https://creativecommons.org/licenses/by/3.0/",
    "https://creativecommons.org/licenses/by-nc-sa/4.0",
    "https://creativecommons.org/licenses/by-sa/3.0",
    "https://creativecommons.org/publicdomain/zero/1.0/",
)


@dataclass(frozen=True)
class SiteTrack:
    """A track of the site.

    Attributes:
        info: The JSON of ``data-track-info``, as it is served.
        duration: Such as ``02:45``.
        genres: Names and slugs.
        album_url: Page of the album, None for a single.
        licence_url: As the track page links it, or None.
        released: Date of release.
        plays: How often it was played.
        instrumental: Whether it is said to be instrumental.
        ai_generated: Whether it is said to be made by a machine.
        audio: The file or its bytes, or None where nothing is behind the row.
    """

    info: dict[str, Any]
    duration: str
    genres: tuple[tuple[str, str], ...]
    album_url: str | None = None
    licence_url: str | None = None
    released: date = date(2024, 1, 1)
    plays: int = 0
    instrumental: bool = True
    ai_generated: bool = False
    audio: Path | bytes | None = None

    @property
    def id(self) -> int:
        """The site's id of the track."""
        return self.info["id"]

    @property
    def page_path(self) -> str:
        """Path of the track's page."""
        return path_of(self.info["url"])

    @property
    def file_path(self) -> str:
        """Path of the audio file."""
        return path_of(self.info["fileUrl"])


@dataclass(frozen=True)
class SiteContent:
    """All that a site shows.

    Attributes:
        rows: Listing rows, newest first; a row that stands twice is served twice in that order.
        names: Names of genres by their slugs; a genre keeps its listing when it loses all tracks.
    """

    rows: tuple[SiteTrack, ...]
    names: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "rows", tuple(self.rows))
        names = {slug: name for track in self.rows for name, slug in track.genres}
        object.__setattr__(self, "names", {**names, **self.names})

    def of_genre(self, slug: str) -> list[SiteTrack]:
        """Rows of a genre's listing, newest first."""
        return [track for track in self.rows if slug in {slug for _, slug in track.genres}]

    def with_tracks(self, tracks: Iterable[SiteTrack]) -> "SiteContent":
        """The content with more tracks, each before the first row of a lower id."""
        rows = list(self.rows)
        for track in sorted(tracks, key=lambda track: track.id):
            place = next((n for n, row in enumerate(rows) if row.id < track.id), len(rows))
            rows.insert(place, track)
        return replace(self, rows=tuple(rows))

    def without(self, ids: Iterable[int]) -> "SiteContent":
        """The content without some tracks."""
        gone = set(ids)
        return replace(self, rows=tuple(row for row in self.rows if row.id not in gone))


def new_track(
    id_: int,
    title: str,
    artist: str,
    genres: Iterable[str],
    *,
    album: str | None = None,
    handle: str | None = None,
    artist_has_page: bool = True,
    licence_url: str | None = LICENCES[0],
    seconds: float = 10.0,
    audio: Path | bytes | None = None,
    file: str | None = None,
) -> SiteTrack:
    """A track of the demo, with URLs as the site makes them.

    Args:
        id_: The site's id of the track.
        title: Title.
        artist: Name of the artist.
        genres: Names of genres.
        album: Title of the album; None for a single.
        handle: The track's name in URLs, made of title and id if None.
        artist_has_page: Whether rows link a page of the artist.
        licence_url: As the track page links it, or None.
        seconds: Duration.
        audio: The file or its bytes.
        file: Where the file host has it, made of the id if None.
    """
    handle = handle or f"{slug_of(title)}-{id_}"
    artist_page = f"{SITE}/music/{slug_of(artist)}"
    album_url = f"{artist_page}/{slug_of(album)}" if album else None
    file_url = f"{FILES}/{file or f'tracks/{file_name(str(id_))}'}"
    return SiteTrack(
        info={
            "id": id_,
            "handle": handle,
            "url": f"{album_url or f'{artist_page}/single'}/{handle}/",
            "title": title,
            "artistName": artist,
            "artistUrl": f"{artist_page}/" if artist_has_page else None,
            "albumTitle": album or NO_ALBUM,
            "playbackUrl": f"{SITE}/track/{handle}/stream/",
            "downloadUrl": f"{SITE}/track/{handle}/download/",
            "fileName": file_url.rpartition("/")[2],
            "fileUrl": file_url,
        },
        duration=f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}",
        genres=tuple((name, SLUGS.get(name, name)) for name in genres),
        album_url=album_url,
        licence_url=licence_url,
        released=release_date(id_),
        plays=play_count(id_),
        audio=audio,
    )


def path_of(url: str | None) -> str:
    """The path of a URL without the slash at its end, in which the site sees no difference."""
    return unquote(urlsplit(url or "").path).rstrip("/")


def slug_of(text: str) -> str:
    """A text as it stands in URLs; one without Latin letters is known by a number."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or f"n{digest(text)[:8]}"


def release_date(id_: int) -> date:
    """A date of release: higher ids are younger."""
    return date(2009, 1, 1) + timedelta(days=id_ // 42)


def play_count(id_: int) -> int:
    """How often a track was played."""
    return 10 + int(digest(f"plays {id_}"), 16) % 20_000


def file_name(key: str) -> str:
    """A file's name as the site gives them."""
    return f"{digest(key)}.mp3"


def digest(text: str) -> str:
    """40 characters that depend on a text alone."""
    return hashlib.sha256(text.encode()).hexdigest()[:40]
