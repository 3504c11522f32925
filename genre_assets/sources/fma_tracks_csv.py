"""tracks.csv of the FMA dataset: its rows, and what of them is odd.

The file has two header rows, a third row that holds only the name of the index, and 52 columns
with quoted HTML over many lines. A file that was cut off or whose quotes do not end is refused as
a whole, since nobody knows what it lost. Anything else that is odd concerns its own row: a value
that cannot be right is left out, a row that cannot be used is rejected, and all others are read as
if it were not there.
"""

import csv
import mmap
import os
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.progress import counted
from genre_assets.sources.catalogue import Kind, Rejection, SourceError, printable
from genre_assets.sources.shards import FMA_IDS_PER_SHARD, FMA_SHARD_COUNT, fma_shard

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

SPLITS = ("training", "validation", "test")
"""The parts of the published split."""
LONGEST_TEXT = 4_000
"""Characters that a title or a name may have; the longest real ones have some 250."""

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
_LARGEST_BLOCK = (1 << 31) - 1
_MEND = "unpack tracks.csv from fma_metadata.zip again"
_ID = r"^([0-9]{1,9})(\.0*)?$"
_SECONDS = r"^[0-9]{1,9}(\.[0-9]+)?$"
_FEW = 10
"""Broken rows that may be one row with line breaks in it, and not a file of another kind."""
_SHOWN = 60
"""Characters of an odd value that are shown."""
_GENRE_IDS = r"^\[\s*([0-9]{1,9}(\s*,\s*[0-9]{1,9})*)?\s*\]$"


@dataclass(frozen=True)
class TracksCsv:
    """What tracks.csv lists.

    Attributes:
        rows: A row a track, sorted by ``id``: that number, ``row`` in the file from 1 on, and the
            columns that are used, as text; values that cannot be right are null.
        rejected: Rows that cannot be used, and values that were left out.
        notes: Sentences that count them.
        is_whole: Whether it is known of every row which track it is.
    """

    rows: pa.Table
    rejected: list[Rejection]
    notes: list[str]
    is_whole: bool


def read_tracks_csv(path: Path) -> TracksCsv:
    """Read the tracks of tracks.csv.

    Raises:
        SourceError: If it is another file, is cut off, has a quoted field that does not end, or
            lists no track that can be used.
    """
    names, header_rows = _header(path)
    if _looks_cut_off(path) and (sentence := _break_in(path, len(names), header_rows)):
        raise SourceError(sentence)
    odd = _Odd(str(path))
    rows = _as_text(_read(path, names, header_rows, odd), odd)
    if not rows.num_rows and not odd.rejected:
        raise SourceError(f"{path} lists no track below its header: {_MEND}.")
    rows = _identified(rows, odd)
    if not rows.num_rows:
        first = odd.rejected[0]
        raise SourceError(
            f"No row of {path} has a usable track id; for example, {first.place}: "
            f"{first.reason} The catalogue is kept as it was: mend the file, or {_MEND}."
        )
    rows = _without_odd_values(rows, odd)
    return TracksCsv(rows, odd.rejected, odd.notes(), odd.unidentified == 0)


@dataclass
class _Odd:
    """What is odd about the file and stops nothing."""

    origin: str
    rejected: list[Rejection] = field(default_factory=list)
    unidentified: int = 0
    values: Counter[str] = field(default_factory=Counter)

    def reject(self, row: int, track_id: object, reason: str, *, identified: bool) -> None:
        """Leave out a row."""
        self.unidentified += not identified
        self.rejected.append(Rejection(self.origin, _place(row, track_id), reason))

    def leave_out(self, rows: pa.Table, odd: pa.Array, column: str, reason: str, many: str) -> None:
        """Leave out a value of each row in which it is odd.

        Args:
            rows: Rows with ``row`` and ``id``, and the column.
            odd: In which of them the value is odd.
            column: Name of the column.
            reason: Why the value is left out; ``{value}`` is the value.
            many: What tracks with such a value have, for the note that counts them.
        """
        found = rows.filter(odd).select(["row", "id", column]).to_pylist()
        self.values[many] += len(found)
        for row in found:
            value = printable(row[column])
            shown = repr(value if len(value) <= _SHOWN else f"{value[: _SHOWN - 1]}…")
            place = f"{_place(row['row'], row['id'])}, {column}"
            text = reason.format(value=shown, length=f"{len(value):,}")
            self.rejected.append(Rejection(self.origin, place, text, Kind.VALUE))

    def notes(self) -> list[str]:
        """Sentences that count what is odd."""
        notes = [f"{counted(n, 'track')} with {what}." for what, n in self.values.items() if n]
        if self.unidentified:
            notes.append(
                f"{counted(self.unidentified, 'row')} of {self.origin} have no usable track id."
            )
        return notes


def _place(row: int, track_id: object) -> str:
    return f"row {row}, track id {track_id}"


def _read(path: Path, names: list[str], header_rows: int, odd: _Odd) -> pa.Table:
    """The columns used, as bytes, with the number of each row."""
    from pyarrow import csv as arrow_csv

    bad_rows: list[int] = []

    def leave_out(bad: arrow_csv.InvalidRow) -> str:
        if bad.number is not None:
            number = bad.number - header_rows
            bad_rows.append(number)
            cells = f"It has {bad.actual_columns} of {bad.expected_columns} fields."
            track_id = repr(printable(bad.text.partition(",")[0])[:_SHOWN])
            odd.reject(number, track_id, cells, identified=False)
        return "skip"

    def read(block_bytes: int, handler: Callable | None) -> pa.Table:
        return arrow_csv.read_csv(
            path,
            # Only a serial reading knows the numbers of bad rows.
            read_options=arrow_csv.ReadOptions(
                skip_rows=header_rows,
                column_names=names,
                block_size=block_bytes,
                use_threads=handler is None,
            ),
            parse_options=arrow_csv.ParseOptions(
                newlines_in_values=True, invalid_row_handler=handler
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.binary()),
                include_columns=["id_text", *_COLUMNS.values()],
                strings_can_be_null=True,
                null_values=[""],
            ),
        )

    try:
        rows = read(_BLOCK_BYTES, None)
    except pa.ArrowInvalid:
        # A row of another length, or one longer than a block.
        largest = min(max(path.stat().st_size + 1, _BLOCK_BYTES), _LARGEST_BLOCK)
        try:
            rows = read(largest, leave_out)
        except pa.ArrowInvalid as error:
            detail = " ".join(str(error).split())[:200]
            raise SourceError(f"{path} cannot be read ({detail}): {_MEND}.") from error
    if bad_rows and (not rows.num_rows or len(bad_rows) > max(rows.num_rows, _FEW)):
        raise SourceError(f"{path} is broken in {odd.rejected[0].place}: most rows are like it, "
                          f"{_MEND}.")  # fmt: skip
    bad = set(bad_rows)
    numbers = [n for n in range(1, rows.num_rows + len(bad) + 1) if n not in bad]
    return rows.append_column("row", pa.array(numbers, pa.int64()))


def _as_text(rows: pa.Table, odd: _Odd) -> pa.Table:
    """The same rows as text; bytes that are no UTF-8 are replaced and their rows named."""
    for place, name in enumerate(rows.column_names):
        if name == "row":
            continue
        try:
            column = rows[name].cast(pa.string())
        except pa.ArrowInvalid:
            column, what = [], f"bytes that are no UTF-8 in their {_named(name)}"
            for row, track_id, value in zip(
                rows["row"].to_pylist(), rows["id_text"].to_pylist(), rows[name].to_pylist(),
                strict=True,
            ):  # fmt: skip
                text = None if value is None else value.decode("utf-8", "replace")
                if text is not None and text.encode() != value:
                    odd.values[what] += 1
                    track = text if name == "id_text" else track_id
                    odd.rejected.append(
                        Rejection(
                            odd.origin,
                            f"{_place(row, track)}, {name}",
                            "It holds bytes that are no UTF-8, each replaced by \ufffd.",
                            Kind.VALUE,
                        )
                    )
                column.append(text)
            column = pa.array(column, pa.string())
        rows = rows.set_column(place, name, column)
    return rows


def _identified(rows: pa.Table, odd: _Odd) -> pa.Table:
    """The rows that can become tracks, with their number as ``id``; the others are rejected."""
    text = pc.fill_null(pc.utf8_trim_whitespace(rows["id_text"]), "")
    # Table programs write ids as 2.0 where another cell of the column is empty.
    numeric = pc.match_substring_regex(text, _ID)
    whole = pc.replace_substring_regex(text, r"\..*$", "")
    numbers = pc.cast(pc.if_else(numeric, whole, "-1"), pa.int64())
    rows = rows.append_column("id", numbers)
    in_range = pc.and_(
        pc.greater_equal(numbers, 0), pc.less(numbers, FMA_IDS_PER_SHARD * FMA_SHARD_COUNT)
    )
    for row in rows.filter(pc.invert(in_range)).select(["row", "id_text", "id"]).to_pylist():
        reason = _why_no_id(row["id"])
        odd.reject(row["row"], repr(row["id_text"]), reason, identified=row["id"] >= 0)
    rows = rows.filter(in_range)
    first = rows.group_by("id").aggregate([("row", "min")])["row_min"]
    is_first = pc.is_in(rows["row"], value_set=first.combine_chunks())
    for row in rows.filter(pc.invert(is_first)).select(["row", "id"]).to_pylist():
        reason = f"Track id {row['id']} is in an earlier row already."
        odd.reject(row["row"], row["id"], reason, identified=False)
    return rows.filter(is_first).sort_by("id")


def _why_no_id(number: int) -> str:
    if number < 0:
        return "Its track id is not a whole number of 0 or more."
    try:
        fma_shard(number)
    except ValueError as error:
        return str(error)
    raise AssertionError(f"Track id {number} was held to be unusable and is not.")


def _without_odd_values(rows: pa.Table, odd: _Odd) -> pa.Table:
    """The rows without the values that cannot be right."""
    for name in _COLUMNS.values():
        rows = _null_where(
            rows,
            name,
            pc.greater(pc.utf8_length(rows[name]), LONGEST_TEXT),
            f"Its {_named(name)} has {{length}} characters, over {LONGEST_TEXT:,}.",
            f"a {_named(name)} of more than {LONGEST_TEXT:,} characters",
            odd,
        )
    rows = _null_where(
        rows,
        "official_split",
        pc.invert(pc.is_in(rows["official_split"], value_set=pa.array(SPLITS))),
        f"Its split {{value}} is not one of {', '.join(SPLITS)}, so the track has none.",
        f"a split that is not one of {', '.join(SPLITS)}",
        odd,
    )
    rows = _null_where(
        rows,
        "duration",
        pc.invert(pc.match_substring_regex(rows["duration"], _SECONDS)),
        "Its duration {value} is not a number of seconds.",
        "a duration that is not a number of seconds",
        odd,
    )
    return _null_where(
        rows,
        "genre_ids",
        pc.invert(pc.match_substring_regex(rows["genre_ids"], _GENRE_IDS)),
        "Its genre list {value} cannot be read.",
        "a genre list that cannot be read, and so without genres",
        odd,
    )


def _null_where(
    rows: pa.Table, name: str, condition: pa.ChunkedArray, reason: str, many: str, odd: _Odd
) -> pa.Table:
    is_odd = pc.and_(pc.fill_null(condition, False), pc.is_valid(rows[name]))
    if not pc.any(is_odd).as_py():
        return rows
    odd.leave_out(rows, is_odd, name, reason, many)
    place = rows.schema.get_field_index(name)
    return rows.set_column(place, name, pc.if_else(is_odd, None, rows[name]))


def _named(column: str) -> str:
    return column.replace("official_", "").replace("_", " ").removesuffix(" text")


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
    """One sentence on the row where a file breaks off, or None when it is whole after all."""
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
                f"{path} ends without a line break after row {row}, track id {last}, so that row "
                f"may be cut off: {_MEND}, or add a line break if the row is complete."
            )
    return None
