"""Features that the FMA dataset's author published: ``features.csv`` and ``echonest.csv``.

Both have three header rows that name a column together, then a row that says ``track_id``, then a
row a track. They are read by Arrow's CSV reader into the columns that the lake declares. A row or
a value that cannot be right is left out by itself and named; a file that was cut short is refused.

Light: importing this module imports nothing heavier than Arrow and NumPy.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from genre_assets.errors import UserError
from genre_assets.lake.feature_columns import column_name
from genre_assets.lake.schemas import ECHONEST_FEATURES, FMA_FEATURES, Table
from genre_assets.sources.catalogue import Kind, Rejection, printable
from genre_assets.sources.registry import FMA_DATASET
from genre_assets.sources.shards import fma_shard

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

FMA_FEATURE_SOURCE = "FMA features.csv, librosa 0.5"
ECHONEST_FEATURE_SOURCE = "Echonest via FMA echonest.csv"

HEADER_ROWS = 3
NO_VALUES = "the row holds no values"
NOT_FINITE = "the row holds a value that is not a finite number"
REPEATED = "an earlier row holds the same track id"
OUTSIDE_SHARDS = "the track id lies outside the shards"
NO_TRACK_ID = "the track id is not a whole number of 0 or more"
OTHER_LENGTH = "the row has another number of fields than the header"
NO_NUMBER = "a value that is not a number"

_ID = r"^([0-9]{1,9})(\.0*)?$"
_NUMBER = (
    r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$|^\s*[+-]?(?i:inf|infinity)\s*$"
)
_LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Precomputed:
    """What a file of precomputed features holds.

    Attributes:
        shards: The rows of each shard that has any, conforming to the table's schema.
        left_out: How many rows were left out, by reason.
        rejected: What was left out, each row and value by itself.
    """

    shards: dict[str, pa.Table]
    left_out: dict[str, int]
    rejected: list[Rejection] = field(default_factory=list)


def read_fma_features(path: Path) -> Precomputed:
    """Read the dataset's ``features.csv`` into rows of ``fma_features``.

    Args:
        path: The file; features that it lacks become null.

    Raises:
        UserError: If the file is missing, cut short, of another kind, or has no row to use.
    """
    return _read(path, FMA_FEATURES, FMA_FEATURE_SOURCE, _summary_column)


def read_echonest_features(path: Path) -> Precomputed:
    """Read the dataset's ``echonest.csv`` into rows of ``echonest_features``.

    Args:
        path: The file; of its columns the eight audio features are taken.

    Raises:
        UserError: If the file is missing, cut short, of another kind, or has no row to use.
    """
    return _read(path, ECHONEST_FEATURES, ECHONEST_FEATURE_SOURCE, _audio_feature)


def _summary_column(feature: str, statistic: str, number: str) -> str | None:
    return column_name(feature, statistic, int(number)) if number.isdecimal() else None


def _audio_feature(origin: str, group: str, name: str) -> str | None:
    return name if (origin, group) == ("echonest", "audio_features") else None


def _read(
    path: Path, table: Table, source: str, name_of: Callable[[str, str, str], str | None]
) -> Precomputed:
    features = [n for n in table.schema.names if n not in ("track_id", "feature_source")]
    file_columns = _file_columns(path, features, name_of)
    _refuse_unfinished(path)
    left_out = _LeftOut(path)
    rows = _read_rows(path, file_columns, [n for n in features if n in file_columns], left_out)
    shards = _shards(rows, left_out)
    if left_out.rows and not any(shards):
        first = left_out.rejected[0]
        raise UserError(
            f"No row of {path} can be used; for example, {first.place}: {first.reason} The "
            "features are kept as they were: replace it with the file in fma_metadata.zip."
        )
    complete = _conforming(rows, table, source)
    rows_of = defaultdict(list)
    for row, shard in enumerate(shards):
        if shard is not None:
            rows_of[shard].append(row)
    return Precomputed(
        {shard: complete.take(rows_of[shard]) for shard in sorted(rows_of)},
        dict(left_out.rows),
        left_out.rejected,
    )


class _LeftOut:
    """Rows and values that are left out."""

    def __init__(self, path: Path):
        self.rows: Counter[str] = Counter()
        self.rejected: list[Rejection] = []
        self._origin = str(path)

    def row(self, number: int, track_id: object, reason: str) -> None:
        self.rows[reason] += 1
        self._name(f"row {number}, track id {track_id}", reason)

    def value(self, number: int, track_id: object, column: str, value: str) -> None:
        shown = value if len(value) <= _LONGEST_SHOWN else f"{value[: _LONGEST_SHOWN - 1]}…"
        self._name(f"row {number}, track id {track_id}, {column}", f"{NO_NUMBER}: {shown!r}")

    def _name(self, place: str, reason: str) -> None:
        sentence = f"{reason[0].upper()}{reason[1:]}."
        self.rejected.append(Rejection(self._origin, place, sentence, Kind.VALUE))


def _conforming(rows: pa.Table, table: Table, source: str) -> pa.Table:
    columns = {
        "track_id": pa.array(
            [FMA_DATASET.track_id(track_id) for track_id in rows["track_id"].to_pylist()]
        ),
        "feature_source": pa.repeat(source, rows.num_rows),
    }
    return pa.table(
        {
            field.name: columns[field.name]
            if field.name in columns
            else rows[field.name]
            if field.name in rows.column_names
            else pa.nulls(rows.num_rows, field.type)
            for field in table.schema
        },
        schema=table.schema,
    )


def _file_columns(
    path: Path, features: list[str], name_of: Callable[[str, str, str], str | None]
) -> list[str]:
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            reader = csv.reader(file)
            header = [next(reader, []) for _ in range(HEADER_ROWS + 1)]
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check the dataset.") from error
    except csv.Error as error:
        raise UserError(f"{path} is not a CSV file ({error}): fetch it again.") from error
    *names, id_row = header
    if len({len(row) for row in header}) != 1 or id_row[:1] != ["track_id"]:
        raise UserError(
            f"{path} does not begin with three header rows and a row that says track_id: "
            "replace it with the file in fma_metadata.zip."
        )
    columns = ["track_id"]
    for position, levels in enumerate(list(zip(*names, strict=True))[1:], start=1):
        name = name_of(*levels)
        columns.append(name if name in features else f"column {position}")
    if not set(columns) & set(features):
        raise UserError(
            f"{path} has none of the columns it should have, such as {features[0]}: "
            "replace it with the file in fma_metadata.zip."
        )
    if len(set(columns)) < len(columns):
        repeated = next(name for name, times in Counter(columns).items() if times > 1)
        raise UserError(f"{path} has the column {repeated} twice: replace it.")
    return columns


def _refuse_unfinished(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(-1, 2)
        if file.read() != b"\n":
            file.seek(0)
            row = sum(1 for _ in file)
            raise UserError(
                f"{path} ends in the middle of row {row}: it was cut short, fetch it again."
            )


def _read_rows(
    path: Path, file_columns: list[str], features: list[str], left_out: _LeftOut
) -> pa.Table:
    """The rows with a whole number for ``track_id`` where they have one, and their ``row``."""
    try:
        rows = pyarrow.csv.read_csv(
            path,
            read_options=_read_options(file_columns),
            parse_options=_parse_options(),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=["track_id", *features],
                column_types={"track_id": pa.int64(), **dict.fromkeys(features, pa.float32())},
            ),
        )
    except pa.ArrowInvalid:
        return _read_row_by_row(path, file_columns, features, left_out)
    numbers = range(HEADER_ROWS + 2, HEADER_ROWS + 2 + rows.num_rows)
    return rows.append_column("row", pa.array(numbers, pa.int64()))


def _read_options(file_columns: list[str], *, serial: bool = False) -> pyarrow.csv.ReadOptions:
    return pyarrow.csv.ReadOptions(
        skip_rows=HEADER_ROWS + 1,
        column_names=file_columns,
        use_threads=not serial,
        block_size=64 << 20 if serial else None,
    )


def _parse_options(handler: Callable | None = None) -> pyarrow.csv.ParseOptions:
    # Album names in the full echonest.csv may hold line breaks.
    return pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=handler)


def _read_row_by_row(
    path: Path, file_columns: list[str], features: list[str], left_out: _LeftOut
) -> pa.Table:
    """The same of a file with odd values: slower, and only what is odd is left out."""
    bad_rows = set()

    def leave_out(bad: pyarrow.csv.InvalidRow) -> str:
        if bad.number is not None and bad.number not in bad_rows:
            bad_rows.add(bad.number)
            track_id = repr(printable(bad.text.partition(",")[0])[:_LONGEST_SHOWN])
            left_out.row(bad.number, track_id, OTHER_LENGTH)
        return "skip"

    parts, read = [], 0
    try:
        # Reading all values as text at once would take many times the memory of the numbers.
        with pyarrow.csv.open_csv(
            path,
            read_options=_read_options(file_columns, serial=True),
            parse_options=_parse_options(leave_out),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=["track_id", *features],
                column_types=dict.fromkeys(["track_id", *features], pa.binary()),
                strings_can_be_null=True,
            ),
        ) as batches:
            for batch in batches:
                parts.append(_as_numbers(pa.table(batch), features, read, bad_rows, left_out))
                read += batch.num_rows
    except pa.ArrowInvalid as error:
        detail = str(error).splitlines()[0][:120]
        raise UserError(f"{path} is damaged ({detail}): fetch it again.") from error
    if len(bad_rows) > read:
        raise UserError(
            f"{path} is damaged: {len(bad_rows):,} of its rows have another number of fields than "
            "its header. Fetch it again."
        )
    return pa.concat_tables(parts)


def _as_numbers(
    batch: pa.Table, features: list[str], read: int, bad_rows: set[int], left_out: _LeftOut
) -> pa.Table:
    """Numbers of the text of some rows; what is no number is null, and named."""
    numbers = _numbers_of_rows(batch.num_rows, read, bad_rows)
    ids = _text(batch["track_id"])
    trimmed = pc.fill_null(pc.utf8_trim_whitespace(ids), "")
    whole = pc.if_else(
        pc.match_substring_regex(trimmed, _ID),
        pc.replace_substring_regex(trimmed, r"\..*$", ""),
        None,
    )
    columns = {"track_id": whole.cast(pa.int64())}
    for name in features:
        try:
            columns[name] = _text(batch[name]).cast(pa.float32())
        except pa.ArrowInvalid:
            text = _text(batch[name])
            is_odd = pc.and_(
                pc.is_valid(text),
                pc.invert(pc.match_substring_regex(pc.fill_null(text, ""), _NUMBER)),
            )
            for row in pc.indices_nonzero(is_odd).to_pylist():
                value = text[row].as_py()
                left_out.value(numbers[row], ids[row].as_py(), name, value)
            plain = pc.utf8_trim_whitespace(pc.if_else(is_odd, None, text))
            columns[name] = pa.array(
                [None if value is None else float(value) for value in plain.to_pylist()],
                pa.float32(),
            )
    return pa.table({**columns, "row": pa.array(numbers, pa.int64())})


def _numbers_of_rows(rows: int, read: int, bad_rows: set[int]) -> list[int]:
    """The numbers in the file of some rows, of which those with other lengths are skipped."""
    number, skipped = HEADER_ROWS + 1, read
    found = []
    while len(found) < rows:
        number += 1
        if number in bad_rows:
            continue
        if skipped:
            skipped -= 1
            continue
        found.append(number)
    return found


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        texts = [v if v is None else v.decode("utf-8", "replace") for v in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])


def _shards(rows: pa.Table, left_out: _LeftOut) -> list[str | None]:
    """The shard of each row; None where the row is left out."""
    features = [name for name in rows.column_names if name not in ("track_id", "row")]
    if not rows.num_rows:
        return []
    values = np.column_stack([rows[name].to_numpy() for name in features])
    empty = np.all(np.isnan(values), axis=1).tolist()
    infinite = np.any(np.isinf(values), axis=1).tolist()
    shards, seen = [], set()
    ids_and_rows = zip(rows["track_id"].to_pylist(), rows["row"].to_pylist(), strict=True)
    for row, (track_id, number) in enumerate(ids_and_rows):
        shard = reason = None
        if track_id is None or track_id < 0:
            reason = NO_TRACK_ID
        elif track_id in seen:
            reason = REPEATED
        elif empty[row]:
            reason = NO_VALUES
        elif infinite[row]:
            reason = NOT_FINITE
        else:
            try:
                shard = fma_shard(track_id)
            except ValueError:
                reason = OUTSIDE_SHARDS
        seen.add(track_id)
        if reason:
            left_out.row(number, track_id, reason)
        shards.append(None if reason else shard)
    return shards
