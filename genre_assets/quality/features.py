"""What the summary features can be: finite, within the bounds of their series, not dead.

Skew and kurtosis are not defined for a row that never changes; there, and only there, both of
them are missing from the features that are computed here.

The bounds follow from how each series is made: chroma is scaled to 1 at most, tonnetz is a
projection of chroma that sums to 1, frequencies end at half the sample rate that the spectra are
read at, and a contrast is a peak above a valley. Over time, the mean and the median lie between
the least and the greatest value.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from genre_assets.lake.feature_columns import (
    MAY_BE_UNDEFINED,
    SERIES_SIZES,
    STATISTICS,
    SUMMARY_COLUMNS,
    column_name,
)
from genre_assets.lake.schemas import SUMMARY_FEATURES, Table
from genre_assets.lake.tables import Lake
from genre_assets.progress import counted
from genre_assets.quality.verdict import MOST_EXAMPLES, Verdict, listed, some

BREAKS_BOUNDS = "a feature is finite and within what it can be"

MANY_TRACKS = 20
"""Different tracks from which on a column that never changes says nothing of any of them."""

_NYQUIST = 22050 / 2
_BOUNDS_OF_SERIES = {
    "chroma_cens": (0.0, 1.0),
    "chroma_cqt": (0.0, 1.0),
    "chroma_stft": (0.0, 1.0),
    "rmse": (0.0, np.inf),
    "spectral_bandwidth": (0.0, _NYQUIST),
    "spectral_centroid": (0.0, _NYQUIST),
    "spectral_contrast": (0.0, np.inf),
    "spectral_rolloff": (0.0, _NYQUIST),
    "tonnetz": (-1.0, 1.0),
    "zcr": (0.0, 1.0),
}
"""Least and greatest value of a series; that of ``mfcc`` has no bounds."""

_LEAST_KURTOSIS = -3.0
_ROUNDING = 1e-3
_STEADY = 2e-7
"""Deviation of a row that never changes but for rounding to single precision, by its mean."""
_SATURATES = ("min", "max")
"""Statistics that may be the same for every track: a chroma reaches its greatest value in each."""


def summary_columns_in(table: Table) -> list[str]:
    """The summary features among the columns of a table."""
    return [name for name in table.schema.names if name in SUMMARY_COLUMNS]


def outside_bounds(table: Table, rows: pa.Table) -> tuple[int, list[dict]]:
    """Count the features that are not what they can be.

    Published tables may lack values, those computed here only what is not defined.

    Args:
        table: The table that the rows are of.
        rows: The rows.

    Returns:
        How many values offend, and some of them as ``key`` and ``values``.
    """
    if not summary_columns_in(table) or not rows.num_rows:
        return 0, []
    may_lack = table is not SUMMARY_FEATURES
    count, examples = 0, []
    for columns, values, wrong, should in _judged(rows, may_lack):
        places = np.argwhere(wrong)
        count += len(places)
        for row, column in places[: MOST_EXAMPLES - len(examples)]:
            value = f"{columns[column]}: {values[row, column]:.6g}"
            key = rows["track_id"][int(row)].as_py()
            examples.append({"key": key, "values": f"{value}, should be {should}"})
    return count, examples


def no_dead_features(lake: Lake, table: Table, partitions: list[str]) -> Verdict:
    """Check that no feature column is empty, or the same for many different tracks.

    Args:
        lake: The lake.
        table: A table of features.
        partitions: Its partitions to look at, together.
    """
    columns = [name for name in table.schema.names if table.schema.field(name).type == pa.float32()]
    contents = "sha256" if "sha256" in table.schema.names else "track_id"
    different: set[str] = set()
    least, greatest = np.full(len(columns), np.nan), np.full(len(columns), np.nan)
    should_have_values = np.zeros(len(columns), bool)
    for partition in partitions:
        rows = lake.read(table, [partition], [contents, *columns])
        if rows.num_rows:
            different.update(rows[contents].to_pylist())
            values = _matrix(rows, columns)
            should_have_values |= ~_undefined(rows, columns).all(axis=0)
            least = np.fmin(least, np.fmin.reduce(values))
            greatest = np.fmax(greatest, np.fmax.reduce(values))
    tracks = len(different)
    empty = [
        name
        for name, low, should in zip(columns, least, should_have_values, strict=True)
        if should and np.isnan(low)
    ]
    constant = {
        name: float(low)
        for name, low, high in zip(columns, least, greatest, strict=True)
        if tracks >= MANY_TRACKS and low == high and not _may_saturate(name)
    }
    found = [f"{counted(len(empty), 'feature')} without any value ({listed(empty)})"] * bool(empty)
    if constant:
        found.append(
            f"{counted(len(constant), 'feature')} with one value for all ({listed(constant)})"
        )
    return Verdict(
        passed=not found,
        sentence=f"{counted(tracks, 'different track')} in {table.name}: "
        + (" and ".join(found) if found else "no feature is dead")
        + ".",
        counts={"tracks": tracks, "empty": len(empty), "constant": len(constant)},
        examples=some(
            [{"feature": name, "found": "no value"} for name in empty]
            + [
                {"feature": name, "found": f"always {value:.6g}"}
                for name, value in constant.items()
            ]
        ),
        # The FMA dataset itself publishes tables that lack columns; ours have to be whole.
        warning=not empty or table is not SUMMARY_FEATURES,
    )


def _judged(
    rows: pa.Table, may_lack: bool
) -> Iterator[tuple[list[str], np.ndarray, np.ndarray, str]]:
    """Blocks of columns with their values, which of them offend, and what they should be."""
    for series, size in SERIES_SIZES.items():
        names = {
            statistic: [column_name(series, statistic, number + 1) for number in range(size)]
            for statistic in STATISTICS
        }
        values = {statistic: _matrix(rows, columns) for statistic, columns in names.items()}
        for statistic in STATISTICS:
            here = values[statistic]
            lacking = np.isnan(here) & (not may_lack)
            if statistic in MAY_BE_UNDEFINED:
                lacking &= ~_have_no_shape(values)
            yield names[statistic], here, np.isinf(here) | lacking, "a finite number"
            low, high = _bounds(series, statistic)
            wrong = np.isfinite(here) & (_less(here, low) | _less(high, here))
            yield names[statistic], here, wrong, f"{low:g} to {high:g}"
        for statistic in ("mean", "median"):
            here = values[statistic]
            wrong = _less(here, values["min"]) | _less(values["max"], here)
            yield names[statistic], here, wrong, "between min and max"


def _have_no_shape(values: dict[str, np.ndarray]) -> np.ndarray:
    """Where skew and kurtosis are both missing because a row never changes."""
    with np.errstate(invalid="ignore"):
        is_steady = values["std"] <= _STEADY * np.abs(values["mean"])
    return is_steady & np.isnan(values["skew"]) & np.isnan(values["kurtosis"])


def _undefined(rows: pa.Table, columns: list[str]) -> np.ndarray:
    """Which values of a table of features are not defined, of shape (rows, columns)."""
    undefined = np.zeros((rows.num_rows, len(columns)), bool)
    for place, name in enumerate(columns):
        series, _, statistic = name.rpartition("_")[0].rpartition("_")
        if name in SUMMARY_COLUMNS and statistic in MAY_BE_UNDEFINED:
            number = int(name.rpartition("_")[2])
            needed = (column_name(series, each, number) for each in STATISTICS)
            of_row = {
                each: rows[other].to_numpy()
                for each, other in zip(STATISTICS, needed, strict=True)
                if other in columns
            }
            undefined[:, place] = len(of_row) == len(STATISTICS) and _have_no_shape(of_row)
    return undefined


def _bounds(series: str, statistic: str) -> tuple[float, float]:
    low, high = _BOUNDS_OF_SERIES.get(series, (-np.inf, np.inf))
    match statistic:
        case "kurtosis":
            return _LEAST_KURTOSIS, np.inf
        case "skew":
            return -np.inf, np.inf
        case "std":
            return 0.0, (high - low) / 2
        case _:
            return low, high


def _less(a: np.ndarray | float, b: np.ndarray | float) -> np.ndarray:
    """Whether a is less than b by more than rounding; what is not finite is never less."""
    with np.errstate(invalid="ignore"):
        room = np.where(np.isfinite(b), _ROUNDING * (1 + np.abs(b)), 0.0)
        return np.isfinite(a) & np.isfinite(b) & (a < b - room)


def _may_saturate(name: str) -> bool:
    series, _, statistic = name.rpartition("_")[0].rpartition("_")
    return series in _BOUNDS_OF_SERIES and statistic in _SATURATES


def _matrix(rows: pa.Table, columns: list[str]) -> np.ndarray:
    # Arrow turns a null among floats into NaN, which is what is wanted here.
    return np.column_stack([rows[name].to_numpy() for name in columns])
