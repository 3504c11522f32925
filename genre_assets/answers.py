"""The answer to a query, printed so that all of it can be read."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table as Grid

MOST_ROWS_SHOWN = 1000
NARROWEST_COLUMN = 12
WIDTH_IN_A_PIPE = 160


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows as a grid, or one value a line where a grid would squeeze them.

    Args:
        columns: Names of the columns.
        rows: The rows; of more than ``MOST_ROWS_SHOWN`` the first are printed.
    """
    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, WIDTH_IN_A_PIPE)
    shown = rows[:MOST_ROWS_SHOWN]
    if len(columns) * NARROWEST_COLUMN > console.width:
        for row in shown:
            for name, value in zip(columns, row, strict=True):
                console.print(f"{name}: {_text(value)}", soft_wrap=True)
            console.print()
    else:
        grid = Grid(*columns)
        for column in grid.columns:
            column.overflow = "fold"
        for row in shown:
            grid.add_row(*map(_text, row))
        console.print(grid)
    if len(rows) > MOST_ROWS_SHOWN:
        console.print(f"The first {MOST_ROWS_SHOWN:,} rows: say LIMIT and OFFSET to see others.")


def _text(value: object) -> str:
    return "" if value is None else str(value)
