"""The FMA research dataset: tracks.csv and genres.csv beside folders of clips.

M. Defferrard, K. Benzi, P. Vandergheynst, X. Bresson: FMA: A Dataset for Music Analysis, ISMIR
2017, https://arxiv.org/abs/1612.01840. ``tracks.csv`` has two header rows, a third row that holds
only the name of the index, and 52 columns with quoted HTML over many lines.
"""

import csv
import mmap
import os
import re
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.lake.schemas import TRACKS
from genre_assets.progress import Log, silent
from genre_assets.sources.catalogue import (
    Catalogue,
    Rejection,
    SourceError,
    printable,
    rejected_rows,
)
from genre_assets.sources.fma_zip import PUBLISHED_SHA1, Unpacked, dataset_folder
from genre_assets.sources.licences import licence_of_title, permissions
from genre_assets.sources.shards import FMA_IDS_PER_SHARD, FMA_SHARD_COUNT, fma_shard

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

SOURCE = "fma_dataset"
FMA_SUBSETS = ("small", "medium", "large", "full")
"""Each holds the ones before it."""
PUBLISHED_TRACKS = 106_574

_COLUMNS = {
    ("track", "title"): "title",
    ("artist", "name"): "artist",
    ("artist", "id"): "artist_id",
    ("album", "title"): "album",
    ("album", "id"): "album_id",
    ("track", "genres"): "genre_ids",
    ("track", "genre_top"): "genre_top",
    ("set", "split"): "official_split",
    ("set", "subset"): "subset",
    ("track", "license"): "licence",
    ("track", "duration"): "duration",
}
_BLOCK_BYTES = 16 << 20
_MEND = "unpack tracks.csv from fma_metadata.zip again"
_NO_TEXT = re.compile("[\udc80-\udcff]")
_CLIP = re.compile(r"\d{6}\.mp3")


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


@dataclass(frozen=True)
class _Clips:
    """The audio files that lie in a subset's folder: id to bytes and modification time."""

    folder: Path
    files: dict[int, tuple[int, int]]
    rejected: list[Rejection]
    notes: list[str]


def read_catalogue(
    root: Path,
    subset: str | None = None,
    *,
    unpack_to: Path | None = None,
    checksums: Mapping[str, str] = PUBLISHED_SHA1,
    log: Log = silent,
) -> Catalogue:
    """List the tracks of the dataset.

    Subsets nest (small in medium in large in full), and a row's own ``subset`` is the smallest
    one that holds it. A track's clip is looked for in the folder of the subset asked for, or in
    that of the next larger one that is there.

    Args:
        root: Folder that holds ``fma_metadata`` and ``fma_<subset>``, or their zips.
        subset: small, medium, large or full; None takes the largest one whose audio is there,
            or every row where there is no audio.
        unpack_to: Folder, outside the dataset, where zips are unpacked.
        checksums: SHA-1 of the zips by name.
        log: Where progress goes.

    Returns:
        The tracks in the order of their ids, with the size and time of the clips that are there.

    Raises:
        SourceError: If tracks.csv is missing, cut off or malformed, or a zip is not as published.
    """
    metadata = metadata_folder(root, unpack_to=unpack_to, checksums=checksums, log=log)
    rejected, notes = list(metadata.rejected), list(metadata.notes)
    tracks_csv = metadata.folder / "tracks.csv"
    genres = read_genres(metadata.folder / "genres.csv", notes)
    rows = _read_tracks_csv(tracks_csv)
    if rows.num_rows < PUBLISHED_TRACKS:
        notes.append(f"{tracks_csv} lists {rows.num_rows} of the {PUBLISHED_TRACKS} tracks.")
    rows = _usable(rows, tracks_csv, rejected)
    listed = set(rows["id"].to_pylist())
    subset, audio = _audio_folder(root, subset, unpack_to, checksums, notes, log)
    if subset is not None:
        rows = _of_subset(rows, subset, tracks_csv, rejected)
    clips = None
    if audio is not None:
        rejected += audio.rejected
        notes += audio.notes
        clips = _scan_clips(audio.folder)
        rejected += clips.rejected
        notes += clips.notes
        unlisted = len(clips.files.keys() - listed)
        if unlisted:
            notes.append(f"{unlisted} clips in {clips.folder} belong to no track of {tracks_csv}.")
    tracks = _as_tracks(rows, genres, clips, root, subset, notes)
    log(f"{tracks.num_rows} tracks listed by {tracks_csv}")
    still_there = frozenset(f"{SOURCE}:{track_id}" for track_id in listed)
    return Catalogue(tracks, rejected_rows(SOURCE, rejected), notes, still_there)


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


def _read_tracks_csv(path: Path) -> pa.Table:
    """Rows of tracks.csv as text: the columns used, and ``id_text`` and ``row`` before them."""
    from pyarrow import csv as arrow_csv

    names, header_rows = _header(path)
    if _looks_cut_off(path) and (sentence := _break_in(path, len(names), header_rows)):
        raise SourceError(sentence)
    try:
        rows = arrow_csv.read_csv(
            path,
            read_options=arrow_csv.ReadOptions(
                skip_rows=header_rows, column_names=names, block_size=_BLOCK_BYTES
            ),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=["id_text", *_COLUMNS.values()],
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid as error:
        sentence = _break_in(path, len(names), header_rows)
        if sentence is None:
            detail = " ".join(str(error).split())[:200]
            sentence = f"{path} cannot be read ({detail}): {_MEND}."
        raise SourceError(sentence) from error
    if not rows.num_rows:
        raise SourceError(f"{path} lists no track below its header: {_MEND}.")
    return rows.append_column("row", pa.array(range(1, rows.num_rows + 1), pa.int64()))


def _header(path: Path) -> tuple[list[str], int]:
    """Names of all columns, ours by our names, and the number of rows before the first track."""
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            head = list(islice(csv.reader(file), 3))
    except (OSError, csv.Error) as error:
        raise SourceError(f"{path} cannot be read ({error}): {_MEND}.") from error
    pairs = list(zip(*head[:2], strict=False)) if len(head) >= 2 else []
    lacking = [f"{level}/{name}" for level, name in _COLUMNS if (level, name) not in pairs]
    if lacking or len(head[0]) != len(head[1]):
        named = f"lacks the columns {', '.join(lacking)}" if lacking else "has an uneven header"
        raise SourceError(f"{path} is not the FMA's tracks.csv, it {named}: {_MEND}.")
    names = [
        _COLUMNS[pair] if pair in _COLUMNS and pair not in pairs[:n] else f"column_{n}"
        for n, pair in enumerate(pairs)
    ]
    names[0] = "id_text"
    has_index_row = len(head) == 3 and head[2][:1] == ["track_id"]
    return names, 3 if has_index_row else 2


def _looks_cut_off(path: Path) -> bool:
    """Whether the last row lacks its end, or some quoted field is never closed."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[-1:] != b"\n":
            return True
        quotes = sum(
            data[start : start + _BLOCK_BYTES].count(b'"')
            for start in range(0, len(data), _BLOCK_BYTES)
        )
    return quotes % 2 == 1


def _break_in(path: Path, columns: int, header_rows: int) -> str | None:
    """One sentence on the first row that is broken, or None when every row is whole."""
    row, last = 0, "none"
    # Large free text is normal here, and the limit is one of the whole process.
    limit = csv.field_size_limit(sys.maxsize)
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            for cells in islice(csv.reader(file, strict=True), header_rows, None):
                if not cells:
                    continue
                row += 1
                broken = f"{path} is broken in row {row}, track id {printable(cells[0])!r}, which"
                if len(cells) != columns:
                    return f"{broken} has {len(cells)} of {columns} fields: {_MEND}."
                if _NO_TEXT.search("".join(cells)):
                    return f"{broken} holds bytes that are no UTF-8: {_MEND}."
                last = cells[0]
    except csv.Error as error:
        return (
            f"{path} is broken in row {row + 1}, the one after track id {last} ({error}): {_MEND}."
        )
    finally:
        csv.field_size_limit(limit)
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            return (
                f"{path} stops within row {row}, track id {last}, which no line break ends: "
                f"{_MEND}, or end the row if it is whole."
            )
    return None


def _usable(rows: pa.Table, path: Path, rejected: list[Rejection]) -> pa.Table:
    """The rows that can become tracks, with their number as ``id``; the others are rejected."""
    text = pc.fill_null(pc.utf8_trim_whitespace(rows["id_text"]), "")
    numeric = pc.match_substring_regex(text, r"^[0-9]{1,9}$")
    numbers = pc.cast(pc.if_else(numeric, text, "-1"), pa.int64())
    in_range = pc.and_(
        pc.greater_equal(numbers, 0), pc.less(numbers, FMA_IDS_PER_SHARD * FMA_SHARD_COUNT)
    )
    rows = rows.append_column("id", numbers)
    for row in rows.filter(pc.invert(in_range)).select(["row", "id_text", "id"]).to_pylist():
        rejected.append(_bad_id(path, row))
    rows = rows.filter(in_range)
    first = rows.group_by("id").aggregate([("row", "min")])["row_min"]
    is_first = pc.is_in(rows["row"], value_set=first.combine_chunks())
    for row in rows.filter(pc.invert(is_first)).select(["row", "id"]).to_pylist():
        reason = f"Track id {row['id']} stands in an earlier row already."
        rejected.append(Rejection(str(path), f"row {row['row']}, track id {row['id']}", reason))
    return rows.filter(is_first).sort_by("id")


def _bad_id(path: Path, row: dict) -> Rejection:
    place = f"row {row['row']}, track id {row['id_text']!r}"
    if row["id"] < 0:
        return Rejection(str(path), place, "Its track id is not a whole number from 0 on.")
    try:
        fma_shard(row["id"])
    except ValueError as error:
        return Rejection(str(path), place, str(error))
    raise AssertionError(f"Track id {row['id']} was held to be unusable and is not.")


def _of_subset(rows: pa.Table, subset: str, path: Path, rejected: list[Rejection]) -> pa.Table:
    """The rows of a subset; a row that names no known subset belongs to the full one only."""
    known = pc.fill_null(pc.is_in(rows["subset"], value_set=pa.array(FMA_SUBSETS)), False)
    for row in rows.filter(pc.invert(known)).select(["row", "id", "subset"]).to_pylist():
        if subset == "full":
            break
        reason = f"Its subset {row['subset']!r} is none of {', '.join(FMA_SUBSETS)}."
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


def _scan_clips(folder: Path) -> _Clips:
    """Look through ``000/`` to ``999/`` once."""
    clips = _Clips(folder, {}, [], [])
    others = 0
    for shelf in _entries(folder, clips.rejected):
        if not re.fullmatch(r"\d{3}", shelf.name) or not shelf.is_dir():
            continue
        for entry in _entries(Path(shelf.path), clips.rejected):
            if not _CLIP.fullmatch(entry.name) or not entry.name.startswith(shelf.name):
                others += 1
                continue
            try:
                status = entry.stat()
            except OSError as error:
                reason = f"The file cannot be examined ({error.strerror})."
                clips.rejected.append(Rejection(str(folder), entry.path, reason))
                continue
            if entry.is_file():
                clips.files[int(entry.name[:6])] = (status.st_size, status.st_mtime_ns)
    if others:
        clips.notes.append(f"{others} files in {folder} are not named like clips.")
    return clips


def _entries(folder: Path, rejected: list[Rejection]) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        reason = f"The folder cannot be read ({error.strerror})."
        rejected.append(Rejection(str(folder), str(folder), reason))
        return []


def _as_tracks(
    rows: pa.Table,
    genres: Genres,
    clips: _Clips | None,
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
        "track_id": pc.binary_join_element_wise(SOURCE, id_text, ":"),
        "source": [SOURCE] * len(ids),
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
        "duration_s": _seconds(rows["duration"], notes),
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
    odd = 0
    titles = []
    for text in lists:
        text = text or "[]"
        if text not in cache:
            if not re.fullmatch(r"\[\s*(\d{1,9}(\s*,\s*\d{1,9})*)?\s*\]", text):
                odd += 1
                titles.append([])
                continue
            ids = sorted(map(int, re.findall(r"\d+", text)), key=lambda i: -genres.depth(i))
            unknown.update(i for i in ids if i not in genres.titles)
            cache[text] = [genres.titles.get(i, str(i)) for i in dict.fromkeys(ids)]
        titles.append(cache[text])
    if odd:
        notes.append(f"{odd} tracks have a genre list that cannot be read and get no genres.")
    if unknown and genres.titles:
        named = ", ".join(str(i) for i in sorted(unknown)[:10])
        notes.append(f"{len(unknown)} genre ids are not in genres.csv, such as {named}.")
    return titles


def _whole(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Ids as text, without the ``.0`` that a table program adds to columns with gaps."""
    return pc.replace_substring_regex(ids, r"^(\d+)\.0$", r"\1")


def _seconds(durations: pa.ChunkedArray, notes: list[str]) -> pa.ChunkedArray:
    """Durations as numbers; one that is no positive number is null, with a note."""
    usable = pc.fill_null(pc.match_substring_regex(durations, r"^[0-9]{1,9}(\.[0-9]+)?$"), False)
    odd = pc.sum(pc.and_(pc.invert(usable), pc.is_valid(durations))).as_py() or 0
    if odd:
        notes.append(f"{odd} tracks have a duration that is no number of seconds.")
    return pc.cast(pc.if_else(usable, durations, None), pa.float64())
