"""The FMA research dataset: tracks.csv and genres.csv beside folders of clips.

M. Defferrard, K. Benzi, P. Vandergheynst, X. Bresson: FMA: A Dataset for Music Analysis, ISMIR
2017, https://arxiv.org/abs/1612.01840.
"""

import csv
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.lake.schemas import TRACKS
from genre_assets.lake.vocabulary import FMA_SUBSETS
from genre_assets.progress import Log, counted, silent
from genre_assets.sources.catalogue import (
    Catalogue,
    Rejection,
    SourceError,
    rejected_rows,
)
from genre_assets.sources.fma_clips import Clips, find_clips
from genre_assets.sources.fma_tracks_csv import read_tracks_csv
from genre_assets.sources.fma_zip import PUBLISHED_SHA1, Unpacked, dataset_folder
from genre_assets.sources.licences import licence_of_title, permissions
from genre_assets.sources.registry import FMA_DATASET
from genre_assets.sources.removals import IF_MEANT
from genre_assets.sources.shards import fma_shard

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

PUBLISHED_TRACKS = 106_574


@dataclass(frozen=True)
class Genres:
    """The genres of genres.csv.

    Attributes:
        titles: Title of each genre id.
        parents: Id of each genre's parent; a top genre has none.
    """

    titles: Mapping[int, str]
    parents: Mapping[int, int]

    def depth(self, genre_id: int) -> int:
        """Steps from a genre up to its top genre; 0 for a top genre and an unknown one."""
        seen = {genre_id}
        while (parent := self.parents.get(genre_id)) is not None and parent not in seen:
            seen.add(parent)
            genre_id = parent
        return len(seen) - 1


def read_catalogue(
    root: Path,
    subset: str | None = None,
    *,
    unpack_to: Path | None = None,
    checksums: Mapping[str, str] = PUBLISHED_SHA1,
    known: pa.Table | None = None,
    believe_removals: bool = False,
    log: Log = silent,
) -> Catalogue:
    """List the tracks of the dataset.

    Subsets nest (small in medium in large in full), and a row's own ``subset`` is the smallest
    one that holds it. A track's clip is looked for in the folder of the subset requested, or in
    that of the next larger one that is there.

    Args:
        root: Folder that holds ``fma_metadata`` and ``fma_<subset>``, or their zips.
        subset: small, medium, large or full; None takes the largest one whose audio is there,
            or every row where there is no audio.
        unpack_to: Folder, outside the dataset, where zips are unpacked.
        checksums: SHA-1 of the zips by name.
        known: Rows of ``lake.schemas.TRACKS`` of this source from the last sweep: what was not
            seen this time stays as it is there.
        believe_removals: Whether a person has said that what is not there is gone.
        log: Where progress goes.

    Returns:
        The tracks in the order of their ids, with the size and time of the clips that are there.

    Raises:
        SourceError: If tracks.csv is missing, cut off or malformed, or a zip is not as published.
    """
    metadata = metadata_folder(root, unpack_to=unpack_to, checksums=checksums, log=log)
    notes = list(metadata.notes)
    tracks_csv = metadata.folder / "tracks.csv"
    genres = read_genres(metadata.folder / "genres.csv", notes)
    read = read_tracks_csv(tracks_csv)
    rows = read.rows
    rejected = list(read.rejected)
    notes += read.notes
    if rows.num_rows < PUBLISHED_TRACKS:
        notes.append(f"{tracks_csv} lists {rows.num_rows:,} of the {PUBLISHED_TRACKS} tracks.")
    listed = set(rows["id"].to_pylist())
    subset, audio = _audio_folder(root, subset, unpack_to, checksums, notes, log)
    if subset is not None:
        rows = _of_subset(rows, subset, tracks_csv, rejected)
    clips = None
    if audio is not None:
        notes += audio.notes
        clips = find_clips(audio.folder)
        rejected += clips.rejected
        notes += clips.notes
        unlisted = len(clips.files.keys() - listed)
        if unlisted:
            notes.append(f"{unlisted} clips in {clips.folder} belong to no track of {tracks_csv}.")
    known = TRACKS.empty() if known is None else known
    tracks = _as_tracks(rows, genres, clips, root, subset, notes)
    if clips and not believe_removals:
        tracks = _with_unseen_clips(tracks, known, clips, notes)
    log(f"{counted(tracks.num_rows, 'track')} listed by {tracks_csv}")
    still_there = frozenset(FMA_DATASET.track_id(track_id) for track_id in listed)
    gone = None
    if not believe_removals:
        still_there |= _after_the_end(known, listed, tracks_csv, notes)
        if not read.is_whole:
            notes.append(
                f"Since not every row of {tracks_csv} could be read, no track counts as gone. "
                f"{IF_MEANT}."
            )
            gone = frozenset()
    return Catalogue(tracks, rejected_rows(FMA_DATASET.name, rejected), notes, still_there, gone)


def _after_the_end(
    known: pa.Table, listed: set[int], tracks_csv: Path, notes: list[str]
) -> frozenset[str]:
    """Known tracks beyond the last one listed: the file looks as if its end were cut off."""
    present = known.filter(pc.is_null(known["gone_at"]))["source_track_id"].to_pylist()
    later = [number for number in present if number.isdecimal() and int(number) > max(listed)]
    if later:
        notes.append(
            f"{tracks_csv} ends with track id {max(listed)}, and {counted(len(later), 'track')} "
            f"after it {'is' if len(later) == 1 else 'are'} known and kept: was the file cut off? "
            f"{IF_MEANT}."
        )
    return frozenset(FMA_DATASET.track_id(number) for number in later)


def _with_unseen_clips(
    tracks: pa.Table, known: pa.Table, clips: Clips, notes: list[str]
) -> pa.Table:
    """The tracks, with the known clips of those whose folder could not be looked into."""
    files = ["path", "file_bytes", "file_mtime_ns"]
    had = {
        row["track_id"]: row
        for row in known.select(["track_id", *files]).to_pylist()
        if row["file_bytes"] is not None
    }
    found = tracks.select(["track_id", "source_track_id", *files]).to_pylist()
    kept = 0
    for row in found:
        if (
            row["file_bytes"] is None
            and row["track_id"] in had
            and clips.is_unseen(int(row["source_track_id"]))
        ):
            row |= had[row["track_id"]]
            kept += 1
    if not kept:
        return tracks
    notes.append(
        f"{counted(kept, 'clip')} in {clips.folder} could not be looked for, and "
        f"{'is' if kept == 1 else 'are'} kept as still there: is everything mounted?"
    )
    for name in files:
        place = tracks.schema.get_field_index(name)
        column = pa.array([row[name] for row in found], tracks.schema.field(name).type)
        tracks = tracks.set_column(place, tracks.schema.field(name), column)
    return tracks


def metadata_folder(
    root: Path,
    *,
    unpack_to: Path | None = None,
    checksums: Mapping[str, str] = PUBLISHED_SHA1,
    log: Log = silent,
) -> Unpacked:
    """The folder that holds tracks.csv, genres.csv, features.csv and echonest.csv.

    Raises:
        SourceError: If neither ``fma_metadata/tracks.csv`` nor ``fma_metadata.zip`` is there.
    """
    unpacked = dataset_folder(root, "fma_metadata", unpack_to, checksums, log)
    if unpacked is None or not (unpacked.folder / "tracks.csv").is_file():
        raise SourceError(
            f"{root / 'fma_metadata' / 'tracks.csv'} is not there: put fma_metadata.zip of the "
            "FMA dataset, or the folder unpacked from it, there."
        )
    return unpacked


def read_genres(path: Path, notes: list[str]) -> Genres:
    """Read genres.csv; a missing or odd one leaves a note, and genres keep their ids as names.

    Args:
        path: The file, with the columns genre_id, parent and title.
        notes: Takes a sentence when something is odd.
    """
    titles: dict[int, str] = {}
    parents: dict[int, int] = {}
    odd = 0
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                try:
                    genre_id, parent = int(row["genre_id"]), int(row["parent"] or 0)
                    title = row["title"].strip()
                except (KeyError, TypeError, ValueError, AttributeError):
                    odd += 1
                    continue
                if title:
                    titles[genre_id] = title
                if parent:
                    parents[genre_id] = parent
    except FileNotFoundError:
        notes.append(f"{path} is not there, so genres are named by their ids.")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        notes.append(f"{path} cannot be read ({error}), so some genres are named by their ids.")
    if odd:
        notes.append(f"{odd} rows of {path} name no genre and were left out.")
    return Genres(titles, parents)


def _of_subset(rows: pa.Table, subset: str, path: Path, rejected: list[Rejection]) -> pa.Table:
    """The rows of a subset; a row that names no known subset belongs to the full one only."""
    known = pc.fill_null(pc.is_in(rows["subset"], value_set=pa.array(FMA_SUBSETS)), False)
    for row in rows.filter(pc.invert(known)).select(["row", "id", "subset"]).to_pylist():
        if subset == "full":
            break
        reason = f"Its subset {row['subset']!r} is not one of {', '.join(FMA_SUBSETS)}."
        rejected.append(Rejection(str(path), f"row {row['row']}, track id {row['id']}", reason))
    if subset == "full":
        return rows
    inner = pa.array(FMA_SUBSETS[: FMA_SUBSETS.index(subset) + 1])
    return rows.filter(pc.is_in(rows["subset"], value_set=inner))


def _audio_folder(
    root: Path,
    subset: str | None,
    unpack_to: Path | None,
    checksums: Mapping[str, str],
    notes: list[str],
    log: Log,
) -> tuple[str | None, Unpacked | None]:
    """The subset to list, and the folder its clips are in."""
    there = [
        name
        for name in FMA_SUBSETS
        if (root / f"fma_{name}").is_dir() or (root / f"fma_{name}.zip").is_file()
    ]
    if subset is None:
        if not there:
            notes.append(f"No fma_<subset> folder lies in {root}: there is metadata only.")
            return None, None
        subset = holder = there[-1]
    else:
        larger = FMA_SUBSETS[FMA_SUBSETS.index(subset) :]
        holder = next((name for name in larger if name in there), None)
        if holder is None:
            notes.append(f"No clips of fma_{subset} lie in {root}: there is metadata only.")
            return subset, None
        if holder != subset:
            notes.append(f"The clips of fma_{subset} are taken from fma_{holder}.")
    return subset, dataset_folder(root, f"fma_{holder}", unpack_to, checksums, log)


def _as_tracks(
    rows: pa.Table,
    genres: Genres,
    clips: Clips | None,
    root: Path,
    subset: str | None,
    notes: list[str],
) -> pa.Table:
    ids = rows["id"].to_pylist()
    id_text = pc.cast(rows["id"], pa.string())
    titles = rows["title"].to_pylist()
    artists = rows["artist"].to_pylist()
    licence_titles = rows["licence"].to_pylist()
    licences = [licence_of_title(title or "") for title in licence_titles]
    allowed = [permissions(licence) for licence in licences]
    files = clips.files if clips else {}
    found = [files.get(track_id, (None, None)) for track_id in ids]
    folder = clips.folder if clips else (root / f"fma_{subset}" if subset else None)
    columns = {
        "track_id": pc.binary_join_element_wise(FMA_DATASET.name, id_text, ":"),
        "source": [FMA_DATASET.name] * len(ids),
        "source_track_id": id_text,
        "shard": [fma_shard(track_id) for track_id in ids],
        "title": titles,
        "artist": artists,
        "artist_id": _whole(rows["artist_id"]),
        "album": rows["album"],
        "album_id": _whole(rows["album_id"]),
        "genres": _genre_titles(rows["genre_ids"].to_pylist(), genres, notes),
        "genre_top": rows["genre_top"],
        "official_split": rows["official_split"],
        "subset": rows["subset"],
        "license_url": [licence.url for licence in licences],
        "license_spdx": [licence.spdx for licence in licences],
        "allows_derivatives": [derivatives for derivatives, _ in allowed],
        "allows_commercial_use": [commercial for _, commercial in allowed],
        "attribution": [
            attribution(title, artist, licence)
            for title, artist, licence in zip(titles, artists, licence_titles, strict=True)
        ],
        "duration_s": pc.cast(rows["duration"], pa.float64()),
        "path": [clip_path(folder, track_id) if folder else None for track_id in ids],
        "file_bytes": [size for size, _ in found],
        "file_mtime_ns": [mtime for _, mtime in found],
    }
    schema = TRACKS.schema
    return pa.table(
        [_column(columns.get(field.name), field.type, len(ids)) for field in schema],
        schema=schema,
    )


def _column(values: list | pa.ChunkedArray | None, kind: pa.DataType, rows: int):
    if values is None:
        return pa.nulls(rows, kind)
    return pa.array(values, kind) if isinstance(values, list) else pc.cast(values, kind)


def clip_path(folder: Path | str, track_id: int) -> str:
    """Where a clip lies in a subset's folder, such as ``fma_small/000/000002.mp3``."""
    name = f"{track_id:06d}"
    return f"{folder}/{name[:3]}/{name}.mp3"


def attribution(title: str | None, artist: str | None, licence: str | None) -> str | None:
    """The credit line ``"Title" by Artist, licence`` from what is known of it."""
    work = f'"{title}"' if title else None
    if artist:
        work = f"{work} by {artist}" if work else f"Untitled by {artist}"
    if work is None:
        return None
    return f"{work}, {licence}" if licence else work


def _genre_titles(lists: list[str | None], genres: Genres, notes: list[str]) -> list[list[str]]:
    """Titles of the genres of each row, most specific first and else in the order given."""
    cache: dict[str, list[str]] = {}
    unknown: Counter[int] = Counter()
    titles = []
    for text in lists:
        text = text or "[]"
        if text not in cache:
            ids = sorted(map(int, re.findall(r"\d+", text)), key=lambda i: -genres.depth(i))
            unknown.update(i for i in ids if i not in genres.titles)
            cache[text] = [genres.titles.get(i, str(i)) for i in dict.fromkeys(ids)]
        titles.append(cache[text])
    if unknown and genres.titles:
        named = ", ".join(str(i) for i in sorted(unknown)[:10])
        notes.append(f"{len(unknown)} genre ids are not in genres.csv, such as {named}.")
    return titles


def _whole(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Ids as text, without the ``.0`` that a table program adds to columns with gaps."""
    return pc.replace_substring_regex(ids, r"^(\d+)\.0$", r"\1")
