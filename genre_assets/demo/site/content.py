"""What the replica is loaded with: the synthetic corpus, or rows that the real site served."""

import re
from pathlib import Path

from genre_assets.demo.corpus import MANIFEST
from genre_assets.demo.plan import DAMAGED, PARENTS
from genre_assets.demo.site.tracks import (
    LICENCES,
    SiteContent,
    SiteTrack,
    file_name,
    new_track,
    path_of,
    play_count,
    release_date,
    slug_of,
)
from genre_assets.documents import parse_json
from genre_assets.errors import UserError

FIRST_ID = 239_000
IDS_PER_ROUND = 240
"""Ids from one track of each artist to the next ones, so that the corpus fills several shards."""

WITHOUT_LICENCE = {("Dubstep", 7), ("Indie-Rock", 12)}
"""Tracks whose pages name no licence, by style and number."""

LONG_HANDLE = 245
"""Characters of the longest handle that the real site is known to have."""


def content_from_corpus(folder: Path) -> SiteContent:
    """The site of the synthetic corpus in a folder, damaged files and copies among its tracks.

    A track keeps its id when the corpus grows. The genre and the artist are the true ones,
    whatever the tags in the file say.

    Raises:
        UserError: If no corpus is there.
    """
    path = folder / MANIFEST
    try:
        manifest = parse_json(path.read_text(encoding="utf-8"))
        planned = {entry["path"]: entry for entry in manifest["tracks"]}
        tracks = [_corpus_track(folder, manifest, entry, _id(entry)) for entry in planned.values()]
        for damaged in manifest["damaged"]:
            entry = planned[damaged["origin"]] | {"path": damaged["path"]}
            tracks.append(_corpus_track(folder, manifest, entry, _id_of_damaged(damaged["mess"])))
    except FileNotFoundError:
        raise UserError(f"There is no demo corpus in {folder}: write one first.") from None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(
            f"{path} is not the manifest of a demo corpus ({type(error).__name__}: {error}): "
            f"remove the folder {folder} and write the corpus again."
        ) from error
    return SiteContent(tuple(sorted(tracks, key=lambda track: -track.id)))


def content_from_rows(path: Path, audio: Path | None = None) -> SiteContent:
    """The site that served the listing rows of a JSON file, row for row.

    Args:
        path: A JSON list of objects with ``data_track_info``, ``duration``, ``genres`` as names
            and URLs, and ``album_url``.
        audio: What every track sounds like; None leaves the file host without files.

    Raises:
        UserError: If the file does not hold such rows.
    """
    try:
        rows = parse_json(path.read_text(encoding="utf-8"))
        return SiteContent(tuple(_served_track(row, audio) for row in rows))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} does not hold listing rows ({type(error).__name__}: {error}): use a JSON list "
            "of objects with data_track_info, duration and genres."
        ) from error


def _served_track(row: dict, audio: Path | None) -> SiteTrack:
    info = row["data_track_info"]
    genres = ((name, path_of(url).rpartition("/")[2]) for name, url in row["genres"])
    return SiteTrack(
        info=info,
        duration=row["duration"],
        genres=tuple(genres),
        album_url=row.get("album_url"),
        licence_url=LICENCES[info["id"] % len(LICENCES)],
        released=release_date(info["id"]),
        plays=play_count(info["id"]),
        instrumental=info["id"] % 2 == 0,
        audio=audio,
    )


def _id(entry: dict) -> int:
    _, style, artist, number = entry["seed"]
    # Rounds of newer tracks lie above older ones, and a larger corpus only adds rounds.
    return FIRST_ID + number * IDS_PER_ROUND + style * 31 + artist % 31


def _id_of_damaged(mess: str) -> int:
    kinds = [kind for kind, _, _ in DAMAGED]
    return FIRST_ID - 10 + kinds.index(mess)


def _corpus_track(folder: Path, manifest: dict, entry: dict, id_: int) -> SiteTrack:
    _, style_number, artist_number, number = entry["seed"]
    style, title, handle = entry["style"], _title(entry["path"]), None
    place = (style, number) if id_ >= FIRST_ID else None
    if place == ("Techno", 3):
        handle = f"{slug_of(title)}-{id_}-{'on-and-' * LONG_HANDLE}"[:LONG_HANDLE]
    if place == ("Garage", 4):
        title += " (Don't & Won't: naïve Größe)"
    genres = [style]
    if number % 4 == 0:
        genres.insert(0, PARENTS.get(style, "Electronic"))
    licence_url = LICENCES[(style_number * 3 + artist_number) % len(LICENCES)]
    file_key = f"{manifest['seed']} {entry['path']}"
    return new_track(
        id_,
        title,
        entry["artist"],
        genres,
        album=None if number % 9 == 8 else entry["path"].split("/")[-2],
        handle=handle,
        artist_has_page=place != ("House", 2),
        licence_url=None if place in WITHOUT_LICENCE else licence_url,
        seconds=manifest["seconds"],
        audio=folder / entry["path"],
        file=f"tracks/{file_name(file_key)}",
    )


def _title(path: str) -> str:
    return re.sub(r"^\d\d ", "", path.split("/")[-1].removesuffix(".mp3"))
