"""The plan of work, for the terminal and for programs."""

import json
from dataclasses import asdict
from itertools import groupby

from rich.console import Console
from rich.table import Table as Grid

from genre_assets.plan import Plan, Work
from genre_assets.progress import duration

_SHOWN = 5
"""Partitions of an asset that are shown unless the asset was asked for by name."""

NOT_COUNTED = (
    "Not counted: labels, the members of tasks, predictions, scores and reports, which are made "
    "whole from tables whenever they are asked for, and models of a task that has no members now, "
    "which are all trained once it has."
)


def print_plan(plan: Plan, in_full: bool) -> None:
    """Print what would be done, why and how long it takes.

    Args:
        plan: The plan.
        in_full: Whether all partitions are shown, or those of each asset that have most to do.
    """
    # Reasons and names are strangers' text: a bracket in them is no markup.
    console = Console(markup=False, emoji=False, highlight=False)
    grid = Grid("asset", "partition", "due", "why", "more, at most", "left alone", "takes")
    for column in grid.columns:
        column.no_wrap = column.header in ("asset", "partition", "takes")
        column.justify = "right" if column.header in ("due", "more, at most", "takes") else "left"
    for asset, group in groupby(plan.work, key=lambda work: work.asset.partition("/")[0]):
        _add_asset(grid, asset, list(group), in_full)
    first, *others = _closing_lines(plan)
    if plan.is_empty:
        console.print(first, soft_wrap=True)
    if grid.rows:
        console.print(grid)
    for line in others if plan.is_empty else [first, *others]:
        console.print(line, soft_wrap=True)


def as_json(plan: Plan) -> str:
    """The plan as JSON: the fields of :class:`~genre_assets.plan.Plan` and whether it is empty."""
    said = asdict(plan) | {
        "listed_at": {source: moment.isoformat() for source, moment in plan.listed_at.items()},
        "is_empty": plan.is_empty,
    }
    return json.dumps(said, indent=2)


def _add_asset(grid: Grid, asset: str, works: list[Work], in_full: bool) -> None:
    told = [work for work in works if not work.is_idle or work.left]
    told.sort(key=lambda work: (-work.items, -work.at_most_more))
    # A line for all others would not save one where there is only one more.
    shown = told if in_full or len(told) <= _SHOWN + 1 else told[:_SHOWN]
    for work in sorted(shown, key=works.index):
        _add_row(grid, work.asset, work.partition, [work])
    if rest := [work for work in told if work not in shown]:
        _add_row(grid, asset, f"{len(rest)} others", rest)
    if len(told) > 1:
        _add_row(grid, asset, "all", told)
    if told:
        grid.add_section()


def _add_row(grid: Grid, asset: str, partition: str, works: list[Work]) -> None:
    due, more = sum(work.items for work in works), sum(work.at_most_more for work in works)
    grid.add_row(
        asset,
        partition,
        f"{due:,}" if due else "",
        _summed([work.due for work in works]),
        f"{more:,}" if more else "",
        _summed([work.left for work in works]),
        _takes(works),
    )


def _summed(counts: list[dict[str, int]]) -> str:
    sums: dict[str, int] = {}
    for count in counts:
        for reason, number in count.items():
            sums[reason] = sums.get(reason, 0) + number
    return "\n".join(f"{number:,} {reason.replace('_', ' ')}" for reason, number in sums.items())


def _takes(works: list[Work]) -> str:
    if all(work.is_idle for work in works):
        return ""
    if any(work.seconds is None and work.items for work in works):
        return "no rate yet"
    known = sum(work.seconds or 0.0 for work in works)
    more = sum(work.at_most_more_seconds or 0.0 for work in works)
    if known and more >= 1:
        return f"{_words(known)}, up to {_words(known + more)}"
    return _words(known + more) if known or more else "no rate yet"


def _words(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else "under 1 s"


def _closing_lines(plan: Plan) -> list[str]:
    known = sum(work.seconds or 0.0 for work in plan.work)
    unmeasured = sorted(
        {work.asset for work in plan.work if not work.is_idle and work.seconds is None}
    )
    if not plan.listed_at:
        lines = ["The lake holds no tracks yet: genre-assets run brings them."]
    elif plan.is_empty:
        lines = ["Nothing is due: all that the sources listed last is up to date."]
    else:
        lines = (
            [f"What is due takes {_words(known)} by the rates of earlier runs."] if known else []
        )
    if unmeasured:
        lines.append(f"How long it takes was never measured of {', '.join(unmeasured)}.")
    lines += [
        f"{source} was last asked what it lists on {moment:%Y-%m-%d %H:%M} UTC; what is new since "
        "is known once it is asked again."
        for source, moment in sorted(plan.listed_at.items())
    ]
    return [*lines, NOT_COUNTED] if plan.listed_at else lines
