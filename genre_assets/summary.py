"""What a run of the main job did, summed up for the terminal."""

import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table as Grid

from genre_assets.evaluation.champion import below_most_frequent, ranked
from genre_assets.lake.schemas import (
    AUDIO,
    CHAMPIONS,
    FEATURE_FAILURES,
    ID3_TAGS,
    REJECTED_ROWS,
    SCORES,
    SPECTROGRAM_FAILURES,
)
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import FILE_NAME

COUNTED = ("rows_in", "dagster/row_count", "failed", "seconds")
"""The entries of a materialisation's metadata that are summed up over its partitions."""


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        failures: One sentence for each asset that failed.
        assets: For each asset that was materialised the sums of :data:`COUNTED`.
        started: When the run began, by the monotonic clock.
    """

    failures: list[str] = field(default_factory=list)
    assets: dict[str, dict[str, float]] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)


def print_summary(lake: Lake, task: str, outcome: Outcome) -> None:
    """Print what was materialised, which files failed, the scores, and where to look on.

    Failures go to standard error, a line each that begins with ``FAILED``.
    """
    # Paths and tags are strangers' text: a bracket in them is no markup.
    console = Console(markup=False, emoji=False, highlight=False)
    _print_assets(console, outcome)
    _print_failed_files(console, lake)
    if "scores" in outcome.assets:
        _print_scores(console, lake, task)
    for sentence in outcome.failures:
        print(f"FAILED: {sentence}", file=sys.stderr, flush=True)
    if "evaluation_report" in outcome.assets:
        console.print(f"Report: {lake.root / 'reports' / task / 'index.html'}", soft_wrap=True)
    if (lake.root / FILE_NAME).exists():
        console.print(f"Views:  {lake.root / FILE_NAME}", soft_wrap=True)
    console.print(f"Done in {time.monotonic() - outcome.started:.0f} s.")


def _print_assets(console: Console, outcome: Outcome) -> None:
    grid = Grid("asset", "rows in", "rows out", "failed", "seconds", title="Materialised")
    for column in grid.columns[1:]:
        column.justify = "right"
    for name, sums in outcome.assets.items():
        if sums["seconds"]:
            grid.add_row(
                name,
                f"{sums['rows_in']:,.0f}",
                f"{sums['dagster/row_count']:,.0f}",
                f"{sums['failed']:,.0f}" if sums["failed"] else "",
                f"{sums['seconds']:.1f}",
            )
    if grid.rows:
        console.print(grid)


def _print_failed_files(console: Console, lake: Lake) -> None:
    """Say what failed, by table and kind, with one reason each."""
    grid = Grid(
        "table",
        "failure",
        "rows",
        "for instance",
        title="What failed, in the whole lake",
    )
    grid.columns[-1].overflow = "fold"
    for table in (AUDIO, ID3_TAGS, FEATURE_FAILURES, SPECTROGRAM_FAILURES):
        rows = lake.read(table, columns=["status", "reason"]).to_pylist()
        kinds = Counter(_kind(row) for row in rows if row["status"] != "ok")
        examples = {_kind(row): row for row in reversed(rows) if row["status"] != "ok"}
        for kind, count in kinds.most_common():
            example = examples[kind]
            grid.add_row(table.name, example["status"], f"{count:,}", example["reason"])
    rejected = lake.read(REJECTED_ROWS).to_pylist()
    for source, count in Counter(row["source"] for row in rejected).items():
        first = next(row for row in rejected if row["source"] == source)
        grid.add_row(
            REJECTED_ROWS.name, source, f"{count:,}", f"{first['place']}: {first['reason']}"
        )
    if grid.rows:
        console.print(grid)


def _kind(row: dict) -> tuple[str, str]:
    """What failed in the same way: missing files are told apart by why they are missing."""
    reason = row["reason"] or ""
    return row["status"], re.split(r"[:,.]", reason)[0] if row["status"] == "missing" else ""


def _print_scores(console: Console, lake: Lake, task: str) -> None:
    rows = lake.read(SCORES, [task]).to_pylist()
    figures = {(r["model"], r["split"]): r for r in rows if r["metric"] == "accuracy"}
    if not figures:
        return
    honest = "test" if any(split == "test" for _, split in figures) else "cv"
    grid = Grid(
        "model", "accuracy", "95 % interval", "leaky accuracy", "tracks", title=f"Task {task}"
    )
    accuracies = {model: row for (model, split), row in figures.items() if split == honest}
    losses = {
        r["model"]: r["value"] for r in rows if (r["split"], r["metric"]) == (honest, "log_loss")
    }
    best = next(iter(lake.read(CHAMPIONS, [task])["model"].to_pylist()), None)
    for model in ranked({m: row["value"] for m, row in accuracies.items()}, best, losses):
        row, leaky = accuracies[model], figures.get((model, f"leaky_{honest}"))
        grid.add_row(
            f"{model} (champion)" if model == best else model,
            f"{row['value']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
            f"{leaky['value']:.3f}" if leaky else "",
            f"{row['n']:,}",
        )
    console.print(grid)
    heard = "the published test tracks" if honest == "test" else "artists that no model heard"
    console.print(
        f"Accuracy is on {heard}; the leaky figure, on a random split, is what ignoring artists "
        "would have claimed."
    )
    if accuracies:
        _print_baseline(console, list(accuracies.values()))


def _print_baseline(console: Console, accuracies: list[dict]) -> None:
    first = accuracies[0]
    if first["most_frequent_genre"] is not None:
        said = (
            f"Always predicting {first['most_frequent_genre']}, the most frequent genre of these "
            f"tracks, has an accuracy of {first['most_frequent_share']:.3f}"
        )
        below = below_most_frequent(accuracies)
        console.print(f"{said}; below it: {', '.join(below)}." if below else f"{said}.")
    if first["trained_on_synthetic"]:
        console.print(
            "These models were trained on the demo's synthetic music: what they say about real "
            "music means nothing."
        )
