"""The answer to a query: as a table for a person, or as CSV or JSON for a program.

A table rounds numbers to what can be read; CSV and JSON keep all their digits.
"""

import csv
import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from rich.table import Table as Grid

from genre_assets.terminal import WIDTH_IN_A_PIPE as WIDTH_IN_A_PIPE
from genre_assets.terminal import PlainConsole, say
from genre_assets.visible import in_one_line, visible

MOST_ROWS_SHOWN = 1000
NARROWEST_COLUMN = 12
"""Characters that are left of a long text in a table before there is none."""
_DIGITS = 6

Rows = Iterable[Sequence[object]]


def print_rows(columns: Sequence[str], rows: Rows) -> None:
    """Print rows as a table, or one value a line where a table would squeeze them.

    Args:
        columns: Names of the columns.
        rows: The rows; of more than ``MOST_ROWS_SHOWN`` the first are printed.
    """
    console = PlainConsole()
    remaining = iter(rows)
    shown = [row for _, row in zip(range(MOST_ROWS_SHOWN), remaining, strict=False)]
    if not shown:
        say(f"No rows. Columns: {', '.join(columns)}.")
    elif _narrowest(columns, shown) > console.width:
        for row in shown:
            for name, value in zip(columns, row, strict=True):
                say(f"{in_one_line(name)}: {readable(value)}")
            say("")
    else:
        console.print(_grid(columns, shown))
    if next(remaining, None) is not None:
        say(
            f"The first {MOST_ROWS_SHOWN:,} rows are shown: add LIMIT and OFFSET to see others, or "
            "write all of them with --csv or --json."
        )


def print_csv(columns: Sequence[str], rows: Rows) -> None:
    """Print rows as CSV with a header: null is empty, lists and maps are JSON, bytes are hex.

    A file or a pipe gets the text as it is; on a terminal control characters are written out.
    """
    shown: Callable[[str], str] = visible if sys.stdout.isatty() else str
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([shown(name) for name in columns])
    for row in rows:
        writer.writerow([shown(_csv_cell(value)) for value in row])


def print_json(columns: Sequence[str], rows: Rows) -> None:
    """Print rows as a JSON array of objects, one row a line.

    Times are ISO 8601, bytes hex, maps objects; what JSON has no number for (NaN, infinity) is
    null. Of columns of one name the later ones get a number: ``id``, ``id_2``.
    """
    names = _distinct_names(columns)
    lines = (_json(dict(zip(names, row, strict=True))) for row in rows)
    first = next(lines, None)
    if first is None:
        print("[]")
        return
    print("[", first, sep="\n", end="")
    for line in lines:
        print(",", line, sep="\n", end="")
    print("\n]")


def readable(value: object) -> str:
    """A value in one line for a person: numbers rounded to what can be read, null as nothing."""
    return "" if value is None else in_one_line(_readable(value))


def _readable(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case float():
            return _rounded(value)
        case bytes():
            return value.hex()
        case datetime():
            return value.replace(microsecond=0).isoformat(sep=" ")
        case dict():
            inside = (f"{_readable(key)}: {_readable(each)}" for key, each in value.items())
            return f"{{{', '.join(inside)}}}"
        case list() | tuple():
            return f"[{', '.join(map(_readable, value))}]"
    return str(value)


def _rounded(value: float) -> str:
    """Six significant digits, and never less than all those before the point."""
    if not math.isfinite(value) or value == 0:
        return str(value)
    magnitude = math.floor(math.log10(abs(value)))
    if not -5 < magnitude < 15:
        return f"{value:.{_DIGITS}g}"
    return str(round(value, max(1, _DIGITS - 1 - magnitude)))


def _narrowest(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
    """Characters that a table needs at least, with a bar and two spaces around each column."""
    longest = [len(name) for name in columns]
    for row in rows:
        longest = [max(n, len(readable(value))) for n, value in zip(longest, row, strict=True)]
    return 1 + sum(3 + min(NARROWEST_COLUMN, length) for length in longest)


def _grid(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Grid:
    grid = Grid(*map(in_one_line, columns))
    for column, values in zip(grid.columns, zip(*rows, strict=True), strict=True):
        column.overflow = "fold"
        present = [value for value in values if value is not None]
        if present and all(isinstance(value, int | float | Decimal) for value in present):
            column.justify = "right"
    for row in rows:
        grid.add_row(*map(readable, row))
    return grid


def _csv_cell(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case float():
            return repr(value)
        case list() | tuple() | dict():
            return _json(value)
        case bool():
            return str(value).lower()
    return str(_plain(value))


def _json(value: object) -> str:
    text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)
    # The same data in another spelling: JSON writes any character as \uXXXX.
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return json.dumps(character, ensure_ascii=True)[1:-1]


def _plain(value: object) -> object:
    """A value in the types of JSON."""
    match value:
        case bool() | int() | str() | None:
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case bytes():
            return value.hex()
        case dict():
            return {str(_plain(key)): _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
    return str(value)


def _distinct_names(columns: Sequence[str]) -> list[str]:
    names: list[str] = []
    for name in columns:
        candidate, number = name, 1
        while candidate in names:
            number += 1
            candidate = f"{name}_{number}"
        names.append(candidate)
    return names
