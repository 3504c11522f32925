"""Who made what leaves the platform: the credit that goes with a report, a model or an export."""

import csv
from collections.abc import Collection, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.errors import UserError
from genre_assets.lake.schemas import ID3_TAGS, TRACKS
from genre_assets.lake.storage import written_whole
from genre_assets.lake.tables import Lake
from genre_assets.sources.registry import source_named

FILE_NAME = "attribution.csv"
"""Name of the file beside what it credits: it lists every track that went into it."""

COLUMNS = (
    "track_id",
    "title",
    "artist",
    "page_url",
    "license_url",
    "license_spdx",
    "attribution",
)

_NAMES = ("title", "artist")
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_CONTROL = ("\t", "\r", "\n")


def named_tracks(
    lake: Lake, columns: Iterable[str] = COLUMNS, track_ids: Collection[str] | None = None
) -> pa.Table:
    """Columns of ``tracks``, with the title and artist by which a person knows each track.

    A music library gives names of files and folders, which are only a guess: its tracks have the
    title and artist of their tags, where the tags give any. Other sources know them better than
    the tags do, which only fill the gaps.

    Args:
        lake: The lake.
        columns: The columns; ``track_id``, ``source`` and ``shard`` come with them.
        track_ids: The tracks; None for all.
    """
    columns = list(dict.fromkeys(["track_id", "source", "shard", *columns]))
    rows = _of_tracks(lake.read(TRACKS, columns=columns), track_ids).to_pylist()
    # The tags of most shards add nothing and are not read.
    shards = {row["shard"] for row in rows if _names_are_guessed(row) or _lacks_a_name(row)}
    read = [shard for shard in lake.partitions(ID3_TAGS) if shard in shards]
    tags = _of_tracks(lake.read(ID3_TAGS, read, ["track_id", *_NAMES]), track_ids).to_pylist()
    tagged = {row["track_id"]: row for row in tags}
    for row in rows:
        in_tags = tagged.get(row["track_id"], {})
        first, second = (in_tags, row) if _names_are_guessed(row) else (row, in_tags)
        row |= {name: first.get(name) or second.get(name) for name in _NAMES if name in row}
    return pa.Table.from_pylist(rows, pa.schema([TRACKS.schema.field(name) for name in columns]))


def _names_are_guessed(row: dict) -> bool:
    return source_named(row["source"]).guesses_names


def _lacks_a_name(row: dict) -> bool:
    return any(name in row and not row[name] for name in _NAMES)


def _of_tracks(rows: pa.Table, track_ids: Collection[str] | None) -> pa.Table:
    if track_ids is None:
        return rows
    return rows.filter(pc.field("track_id").isin(pa.array(list(track_ids), pa.string())))


def attribution_rows(tracks: pa.Table, track_ids: Iterable[str]) -> pa.Table:
    """The credits of tracks.

    Args:
        tracks: Rows of ``tracks``; those of other tracks are ignored.
        track_ids: The tracks to credit.

    Returns:
        One row a track with :data:`COLUMNS`, in the order in which the tracks are first named.

    Raises:
        ValueError: If a track is not among the rows: nothing may leave without its credit.
    """
    listed = tracks["track_id"].to_pylist()
    place = {track_id: row for row, track_id in enumerate(listed)}
    wanted = list(dict.fromkeys(track_ids))
    if unknown := [track_id for track_id in wanted if track_id not in place]:
        raise ValueError(f"No row of tracks credits {', '.join(unknown[:5])}.")
    chosen = pa.array([place[track_id] for track_id in wanted], pa.int64())
    schema = pa.schema([TRACKS.schema.field(name) for name in COLUMNS])
    return tracks.select(COLUMNS).take(chosen).cast(schema)


def write_attribution(tracks: pa.Table, track_ids: Iterable[str], path: Path | str) -> Path:
    """Write the credits of tracks as a CSV file, UTF-8, that appears whole or not at all.

    A spreadsheet takes a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula and runs
    it; titles come from strangers, so such a cell gets an apostrophe in front.

    Args:
        tracks: Rows of ``tracks``; those of other tracks are ignored.
        track_ids: The tracks to credit.
        path: The file; its folder is made, and what was there is replaced.

    Returns:
        The path.

    Raises:
        UserError: If the file cannot be written.
        ValueError: If a track is not among the rows.
    """
    path = Path(path)
    rows = attribution_rows(tracks, track_ids)
    try:
        with (
            written_whole(path) as temporary,
            temporary.open("x", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file, quoting=csv.QUOTE_ALL)
            writer.writerow(COLUMNS)
            writer.writerows(map(_as_text, row.values()) for row in rows.to_pylist())
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"The attribution cannot be written to {path}: {reason}.") from error
    return path


def _as_text(value: str | None) -> str:
    if value is None:
        return ""
    dangerous = value.startswith(_CONTROL) or value.lstrip().startswith(_FORMULA)
    return f"'{value}" if dangerous else value
