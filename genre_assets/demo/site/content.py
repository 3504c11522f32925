"""What the replica shows: tracks of the synthetic corpus, or rows that the real site served."""

import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

from genre_assets.demo.corpus import MANIFEST
from genre_assets.demo.plan import PARENTS
from genre_assets.errors import UserError
from genre_assets.sources.fma_site.address import DEMO_FILE_HOST, DEMO_SITE_HOST

SITE = f"https://{DEMO_SITE_HOST}"
FILES = f"https://{DEMO_FILE_HOST}/storage-freemusicarchive-org/tracks"

SLUGS = {"Drum & Bass": "Drum_amp_Bass"}
"""Slugs of genres that are not their names."""

LICENCES = (
    "https://creativecommons.org/licenses/by/4.0",
    "https://creativecommons.org/licenses/by-sa/4.0/",
    "https://creativecommons.org/licenses/by-nc-sa/3.0/",
    "https://creativecommons.org/licenses/by-nc-nd/4.0",
    "https://creativecommons.org/licenses/by/3.0/",
    "https://creativecommons.org/publicdomain/zero/1.0/",
)

FIRST_ID = 239_000
IDS_PER_ROUND = 240
"""Ids from one track of each artist to the next ones, so that the corpus fills several shards."""

LONG_HANDLE = 245
"""Characters of the longest handle that the real site is known to have."""


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
        audio: The file, or None where nothing is behind the row.
    """

    info: dict
    duration: str
    genres: tuple[tuple[str, str], ...]
    album_url: str | None = None
    licence_url: str | None = None
    released: date = date(2024, 1, 1)
    plays: int = 0
    audio: Path | None = None

    @property
    def id(self) -> int:
        """The site's id of the track."""
        return self.info["id"]

    @property
    def page_path(self) -> str:
        """Path of the track's page."""
        return urlsplit(self.info["url"]).path

    @property
    def file_path(self) -> str:
        """Path of the audio file."""
        return urlsplit(self.info["fileUrl"]).path


@dataclass
class SiteContent:
    """All that a site shows.

    Attributes:
        rows: Listing rows, newest first; a row that stands twice is served twice.
        names: Names of genres by their slugs.
    """

    rows: list[SiteTrack]
    names: dict[str, str] = field(init=False)

    def __post_init__(self):
        self.names = {slug: name for track in self.rows for name, slug in track.genres}

    def of_genre(self, slug: str) -> list[SiteTrack]:
        """Rows of a genre's listing, newest first."""
        return [track for track in self.rows if slug in {slug for _, slug in track.genres}]


def content_from_corpus(folder: Path) -> SiteContent:
    """The site of the synthetic corpus in a folder, damaged files and copies among its tracks.

    A track keeps its id when the corpus grows. The genre and the artist are the true ones,
    whatever the tags in the file say.

    Raises:
        UserError: If no corpus is there.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"There is no demo corpus in {folder}: write one first.") from None
    planned = {entry["path"]: entry for entry in manifest["tracks"]}
    tracks = [
        _corpus_track(folder, entry, manifest["seconds"], _id(entry)) for entry in planned.values()
    ]
    tracks += [
        _corpus_track(
            folder, planned[entry["origin"]] | {"path": entry["path"]}, manifest["seconds"], id_
        )
        for id_, entry in enumerate(manifest["damaged"], start=FIRST_ID - 10)
    ]
    return SiteContent(sorted(tracks, key=lambda track: -track.id))


def content_from_rows(path: Path) -> SiteContent:
    """The site that served the listing rows of a JSON file, row for row.

    Raises:
        UserError: If the file does not hold such rows.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return SiteContent([_served_track(row) for row in rows])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} does not hold listing rows ({type(error).__name__}: {error}): use a JSON list "
            "of objects with data_track_info, duration and genres."
        ) from error


def _served_track(row: dict) -> SiteTrack:
    info = row["data_track_info"]
    genres = tuple(
        (name, urlsplit(url).path.strip("/").split("/")[-1]) for name, url in row["genres"]
    )
    return SiteTrack(
        info=info,
        duration=row["duration"],
        genres=genres,
        album_url=row.get("album_url"),
        licence_url=LICENCES[info["id"] % len(LICENCES)],
        plays=info["id"] % 997,
    )


def _id(entry: dict) -> int:
    _, style, artist, number = entry["seed"]
    # Rounds of newer tracks lie above older ones, and a larger corpus only adds rounds.
    return FIRST_ID + number * IDS_PER_ROUND + style * 31 + artist % 31


def _corpus_track(folder: Path, entry: dict, seconds: float, id_: int) -> SiteTrack:
    title = _title(entry["path"])
    artist, album = entry["artist"], entry["path"].split("/")[-2]
    artist_handle, handle = _slug(artist), f"{_slug(title)}-{id_}"
    number = entry["seed"][-1]
    if (entry["style"], number) == ("Techno", 3):
        handle = handle + "-" + "on-and-" * LONG_HANDLE
        handle = handle[:LONG_HANDLE]
    if (entry["style"], number) == ("Garage", 4):
        title += " (Don't & Won't, naïve mix)"
    is_single = number % 9 == 8
    album_url = None if is_single else f"{SITE}/music/{artist_handle}/{_slug(album)}"
    page = f"{album_url or f'{SITE}/music/{artist_handle}/single'}/{handle}/"
    has_artist_page = (entry["style"], number) != ("House", 2)
    name = hashlib.sha256(f"{id_}".encode()).hexdigest()[:40] + ".mp3"
    genres: list[str] = [entry["style"]]
    if number % 4 == 0:
        genres.insert(0, PARENTS.get(entry["style"], "Electronic"))
    unlicensed = (entry["style"], number) in {("Dubstep", 7), ("Indie-Rock", 12)}
    return SiteTrack(
        info={
            "id": id_,
            "handle": handle,
            "url": page,
            "title": title,
            "artistName": artist,
            "artistUrl": f"{SITE}/music/{artist_handle}/" if has_artist_page else None,
            "albumTitle": "-" if is_single else album,
            "playbackUrl": f"{SITE}/track/{handle}/stream/",
            "downloadUrl": f"{SITE}/track/{handle}/download/",
            "fileName": name,
            "fileUrl": f"{FILES}/{name}",
        },
        duration=f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}",
        genres=tuple((name, SLUGS.get(name, name)) for name in genres),
        album_url=album_url,
        licence_url=None if unlicensed else LICENCES[entry["seed"][2] % len(LICENCES)],
        released=date(2020, 1, 1) + timedelta(days=(id_ - FIRST_ID) // 3),
        plays=(id_ * 7919) % 14_000,
        audio=folder / entry["path"],
    )


def _title(path: str) -> str:
    return re.sub(r"^\d\d ", "", path.split("/")[-1].removesuffix(".mp3"))


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or quote(text, safe="")
