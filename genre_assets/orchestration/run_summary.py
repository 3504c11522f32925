"""What a run of the main job did, summed up for the terminal."""

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table as Grid

from genre_assets.documents import parse_json
from genre_assets.evaluation.champion import (
    below_most_frequent,
    most_frequent_genres,
    most_frequent_in_words,
    ranked,
)
from genre_assets.lake.rates import worked_on
from genre_assets.lake.schemas import (
    AUDIO,
    CHAMPIONS,
    FETCHES,
    ID3_TAGS,
    SCORES,
    SUMMARY_FEATURES,
    TRACKS,
)
from genre_assets.lake.tables import Lake
from genre_assets.progress import counted
from genre_assets.quality.failed_tracks import failed_tracks, left_out
from genre_assets.quality.funnel import funnel, sentence, without_audio
from genre_assets.terminal import PlainConsole, complain
from genre_assets.visible import in_one_line

COUNTED = ("rows_in", "dagster/row_count", "failed", "seconds")
"""The entries of a materialisation's metadata that are summed up over its partitions."""


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        failures: One sentence for each asset that failed.
        assets: For each asset that was materialised the sums of :data:`COUNTED`.
        started: When the run began, by the monotonic clock.
        began: When the run began, by the calendar.
        worked_before: Items that this process had worked on before the run, by asset.
    """

    failures: list[str] = field(default_factory=list)
    assets: dict[str, dict[str, float]] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    worked_before: Counter[str] = field(default_factory=worked_on)


def print_summary(lake: Lake, task: str, outcome: Outcome) -> None:
    """Print what was new, what failed, how many tracks got how far, the scores, and where to look.

    Steps that failed go to standard error, a line each that begins with ``FAILED``.
    """
    console = PlainConsole()
    new = new_things(lake, task, outcome)
    if any(new.values()):
        _print_assets(console, outcome)
    _print_failed_tracks(console, lake)
    _print_tracks(console, lake, task if "task_dataset" in outcome.assets else None)
    if "scores" in outcome.assets:
        _print_scores(console, lake, task)
    for text in outcome.failures:
        complain(f"FAILED: {in_one_line(text)}")
    if any(new.values()) or not outcome.failures:
        console.paragraph(_news(new))
    if "evaluation_report" in outcome.assets:
        console.print(f"Report: {lake.places.report(task)}", soft_wrap=True)
    if lake.places.views.exists():
        console.print(f"Views:  {lake.places.views}", soft_wrap=True)


def new_things(lake: Lake, task: str, outcome: Outcome) -> dict[str, int]:
    """How much of everything was new in a run, by what it is, such as ``file read``."""
    done = worked_on()
    done.subtract(outcome.worked_before)
    listed = lake.read(TRACKS, columns=["first_seen_at"])["first_seen_at"].to_pylist()
    return {
        "track listed": sum(moment is not None and moment >= outcome.began for moment in listed),
        "file downloaded": done[FETCHES.name],
        "file read": done[AUDIO.name] or done[ID3_TAGS.name],
        "track analysed": done[SUMMARY_FEATURES.name],
        "model trained": _models_trained_since(lake, task, outcome.began),
    }


def _models_trained_since(lake: Lake, task: str, began: datetime) -> int:
    trained = 0
    for path in lake.places.models_of(task).glob("*/training.json"):
        try:
            moment = datetime.fromisoformat(parse_json(path.read_text(encoding="utf-8"))["made_at"])
            trained += moment >= began
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return trained


def _news(new: dict[str, int]) -> str:
    said = ", ".join(_participle(what, number) for what, number in new.items())
    return f"New in this run: {said}." if any(new.values()) else f"Nothing new: {said}."


def _participle(what: str, number: int) -> str:
    noun, _, done = what.partition(" ")
    return f"{counted(number, noun)} {done}"


def _print_assets(console: PlainConsole, outcome: Outcome) -> None:
    grid = Grid("step", "rows in", "rows out", "failed", "seconds", title="What was done")
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


def _print_failed_tracks(console: PlainConsole, lake: Lake) -> None:
    """Name the tracks that failed, and what the sources left out."""
    kinds = failed_tracks(lake)
    if kinds:
        number = counted(sum(kind.count for kind in kinds), "track")
        console.paragraph(f"In the whole lake {number} failed:")
        for kind in kinds:
            for line in kind.lines():
                console.print(line, soft_wrap=True)
    for line in left_out(lake):
        console.paragraph(line)


def _print_tracks(console: PlainConsole, lake: Lake, task: str | None) -> None:
    """Say how many tracks got how far, and why not more."""
    steps = funnel(lake, task)
    console.paragraph(f"Tracks: {sentence(steps)}")
    if line := without_audio(steps):
        console.paragraph(line)


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
    champion = next(iter(lake.read(CHAMPIONS, [task]).to_pylist()), {})
    best = champion.get("model")
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
    heard = "the published test tracks" if honest == "test" else "artists that no model has heard"
    console.print(
        f"Accuracy is measured on {heard}. The leaky accuracy comes from a random split, in which "
        "models have heard other tracks by the same artists: it is too optimistic."
    )
    if best:
        console.print(f"The champion is the model to use: {best}. {champion['why'] or ''}".rstrip())
    if accuracies:
        _print_baseline(console, rows, list(accuracies.values()))


def _print_baseline(console: Console, scores: list[dict], accuracies: list[dict]) -> None:
    first = accuracies[0]
    if first["most_frequent_genre"] is not None:
        named = most_frequent_in_words(most_frequent_genres(scores, first), "these tracks")
        said = f"Always predicting {named}, has an accuracy of {first['most_frequent_share']:.3f}"
        below = below_most_frequent(accuracies)
        console.print(f"{said}. Worse than that: {', '.join(below)}." if below else f"{said}.")
    if first["trained_on_synthetic"]:
        console.print(
            "These models were trained on the demo's synthetic music: what they predict about "
            "real music means nothing."
        )
