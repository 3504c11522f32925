"""Features that the FMA dataset's author published: ``features.csv`` and ``echonest.csv``.

Both have three header rows that name a column together, then a row that says ``track_id``, then a
row a track. They are read by Arrow's CSV reader into the columns that the lake declares.

Light: importing this module imports nothing heavier than Arrow and NumPy.
"""

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from genre_assets.errors import UserError
from genre_assets.lake.feature_columns import column_name
from genre_assets.lake.schemas import ECHONEST_FEATURES, FMA_FEATURES, Table
from genre_assets.sources.shards import fma_shard

FMA_FEATURE_SOURCE = "FMA features.csv, librosa 0.5"
ECHONEST_FEATURE_SOURCE = "Echonest via FMA echonest.csv"

HEADER_ROWS = 3
NO_VALUES = "the row holds no values"
NOT_FINITE = "the row holds a value that is not a finite number"
REPEATED = "an earlier row holds the same track id"
OUTSIDE_SHARDS = "the track id lies outside the shards"


@dataclass(frozen=True)
class Precomputed:
    """What a file of precomputed features holds.

    Attributes:
        shards: The rows of each shard that has any, conforming to the table's schema.
        left_out: How many rows were left out, by reason.
    """

    shards: dict[str, pa.Table]
    left_out: dict[str, int]


def read_fma_features(path: Path) -> Precomputed:
    """Read the dataset's ``features.csv`` into rows of ``fma_features``.

    Args:
        path: The file; features that it lacks become null.

    Raises:
        UserError: If the file is missing, cut short or malformed; names the file and the row.
    """
    return _read(path, FMA_FEATURES, FMA_FEATURE_SOURCE, _summary_column)


def read_echonest_features(path: Path) -> Precomputed:
    """Read the dataset's ``echonest.csv`` into rows of ``echonest_features``.

    Args:
        path: The file; of its columns the eight audio features are taken.

    Raises:
        UserError: If the file is missing, cut short or malformed; names the file and the row.
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
    rows = _read_rows(path, file_columns, [name for name in features if name in file_columns])
    shards, reasons = _shards_and_reasons(path, rows)
    complete = _conforming(rows, table, source)
    rows_of = defaultdict(list)
    for row, shard in enumerate(shards):
        if shard is not None:
            rows_of[shard].append(row)
    return Precomputed(
        {shard: complete.take(rows_of[shard]) for shard in sorted(rows_of)},
        dict(Counter(reason for reason in reasons if reason is not None)),
    )


def _conforming(rows: pa.Table, table: Table, source: str) -> pa.Table:
    columns = {
        "track_id": pa.array(
            [f"fma_dataset:{track_id}" for track_id in rows["track_id"].to_pylist()]
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
            "replace it by the file in fma_metadata.zip."
        )
    columns = ["track_id"]
    for position, levels in enumerate(list(zip(*names, strict=True))[1:], start=1):
        name = name_of(*levels)
        columns.append(name if name in features else f"column {position}")
    if not set(columns) & set(features):
        raise UserError(
            f"{path} has none of the columns it should have, such as {features[0]}: "
            "replace it by the file in fma_metadata.zip."
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


def _read_rows(path: Path, file_columns: list[str], features: list[str]) -> pa.Table:
    def read(use_threads: bool) -> pa.Table:
        return pyarrow.csv.read_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(
                skip_rows=HEADER_ROWS + 1, column_names=file_columns, use_threads=use_threads
            ),
            # Album names in the full echonest.csv may hold line breaks.
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=["track_id", *features],
                column_types={"track_id": pa.int64(), **dict.fromkeys(features, pa.float32())},
            ),
        )

    try:
        return read(use_threads=True)
    except pa.ArrowInvalid:
        pass
    try:
        return read(use_threads=False)  # Slower, but the error then says which row it is.
    except pa.ArrowInvalid as error:
        raise UserError(f"{path} is damaged {_where(error)}: fetch it again.") from error


def _where(error: pa.ArrowInvalid) -> str:
    found = re.search(r"Row #(\d+): (.*)", str(error).splitlines()[0])
    if not found:
        return f"({str(error).splitlines()[0][:120]})"
    row, what = found.groups()
    return f"at row {row} ({what[:120]})"


def _shards_and_reasons(path: Path, rows: pa.Table) -> tuple[list[str | None], list[str | None]]:
    """The shard of each row, or why the row is left out."""
    values = np.column_stack([column.to_numpy() for column in rows.columns[1:]])
    empty = np.all(np.isnan(values), axis=1).tolist()
    infinite = np.any(np.isinf(values), axis=1).tolist()
    shards, reasons, seen = [], [], set()
    for row, track_id in enumerate(rows["track_id"].to_pylist()):
        if track_id is None:
            number = row + HEADER_ROWS + 2
            raise UserError(f"{path} has no track id at row {number}: fetch it again.")
        shard = reason = None
        try:
            shard = fma_shard(track_id)
        except ValueError:
            reason = OUTSIDE_SHARDS
        if track_id in seen:
            reason = REPEATED
        elif empty[row]:
            reason = NO_VALUES
        elif infinite[row]:
            reason = NOT_FINITE
        seen.add(track_id)
        shards.append(None if reason else shard)
        reasons.append(reason)
    return shards, reasons
