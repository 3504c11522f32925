"""The evaluation report of a task.

Import late: this module needs jinja2 and matplotlib.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.evaluation.champion import (
    BASELINE,
    below_most_frequent,
    is_best,
    most_frequent_genres,
    most_frequent_in_words,
    ranked,
)
from genre_assets.evaluation.metrics import METRICS, recall_of
from genre_assets.evaluation.reports.figures import leak_figure, recall_figure
from genre_assets.evaluation.reports.page import write_page
from genre_assets.evaluation.scores import Difference, paired_difference
from genre_assets.tasks.task import Task

MISTAKES = 15
_CONSTANT = "always the same"
_PARTS = ("training", "validation", "test", "cv")


def write_report(
    target: Path,
    task: Task,
    members: pa.Table,
    tracks: pa.Table,
    predictions: pa.Table,
    scores: pa.Table,
    champion: pa.Table,
    made_at: datetime,
    command: str,
    remarks: Sequence[str] = (),
    left_out: Mapping[str, int] | None = None,
    descriptions: Mapping[str, str] | None = None,
) -> Path:
    """Write the report of a task.

    Args:
        target: The HTML file; its folder is made.
        task: The task.
        members: Its rows of ``task_members``.
        tracks: Rows of ``tracks`` with the titles and artists that people know them by, as
            :func:`genre_assets.sources.attribution.named_tracks` gives them.
        predictions: Its rows of ``predictions``.
        scores: Its rows of ``scores``.
        champion: Its row of ``champions``, or none.
        made_at: The time to write down.
        command: What makes the report again.
        remarks: What a reader should know, such as notes and warnings of the task's dataset.
        left_out: Tracks that took no part, counted by reason.
        descriptions: One sentence on each model, by its name.

    Returns:
        The target.
    """
    facts = (
        _facts_of(task, members, made_at)
        | _verdict_of(scores, champion, predictions, members)
        | _boards_of(scores, champion)
        | _leak_of(scores, champion)
        | _champion_of(scores, champion, predictions, tracks)
        | {
            "command": command,
            "synthetic": any(scores["trained_on_synthetic"].to_pylist()),
            "remarks": list(remarks),
            "left_out": sorted((left_out or {}).items(), key=lambda item: (-item[1], item[0])),
            "models": [
                (name, (descriptions or {}).get(name, "no longer registered"))
                for name in sorted(set(scores["model"].to_pylist()))
            ],
        }
    )
    return write_page(target, "task.html.j2", facts)


def _facts_of(task: Task, members: pa.Table, made_at: datetime) -> dict[str, Any]:
    rows = members.to_pylist()
    parts = [part for part in _PARTS if any(row["split"] == part for row in rows)]
    genres = sorted({row["genre"] for row in rows})
    composition = []
    for genre in genres:
        own = [row for row in rows if row["genre"] == genre]
        composition.append(
            {
                "genre": genre,
                "counts": [sum(row["split"] == part for row in own) for part in parts],
                "artists": len({row["artist_key"] for row in own}),
            }
        )
    table = rows[0]["feature_table"]
    if parts == ["cv"]:
        folds = len({row["fold"] for row in rows})
        others = "other fold" if folds == 2 else f"other {folds - 1} folds"
        split_rule = (
            f"The tracks are in {folds} folds, and every track is scored once, by a model that was "
            f"trained on the {others}. Tracks that share an artist, an album or the same bytes are "
            "in one fold."
        )
    else:
        split_rule = (
            "The published split: models trained on its training tracks are compared on its "
            "validation tracks; trained on both, they are measured on its test tracks."
        )
    return {
        "task": task,
        "facts": [
            ("tracks", f"{len(rows):,}"),
            ("artists", f"{len({row['artist_key'] for row in rows}):,}"),
            ("genres", len(genres)),
            ("split", "grouped by artist" if parts == ["cv"] else "published"),
        ],
        "split_rule": split_rule,
        "feature_rule": f"Features come from {table}"
        + (f", columns {task.columns}*" if task.columns else "")
        + f"; a genre needs {task.min_tracks} tracks by {task.min_artists} artists.",
        "parts": ["tracks" if part == "cv" else part for part in parts],
        "composition": composition,
        "made_at": made_at.strftime("%Y-%m-%d %H:%M UTC"),
    }


def _verdict_of(
    scores: pa.Table, champion: pa.Table, predictions: pa.Table, members: pa.Table
) -> dict[str, Any]:
    if not champion.num_rows:
        return {"verdict": ["No model has been scored yet."]}
    best = champion.to_pylist()[0]
    figures = _figures(scores)
    split = _measured_split(scores)
    reached = [
        f"{label} {_in_words(figures[best['model'], split, metric])}"
        for metric, label in (("accuracy", "accuracy"), ("balanced_accuracy", "balanced accuracy"))
        if (best["model"], split, metric) in figures
    ]
    sentences = [
        f"The champion, which is the model to use, is {best['model']}. It was chosen by "
        f"{best['metric'].replace('_', ' ')} on {_named(best['split'])}, and has "
        f"{' and '.join(reached)} on {_named(split)}."
    ]
    if best["why"] and not is_best(best, figures.values()):
        sentences.append(best["why"])
    ranking = _ranking(figures, split, best["model"])
    if rivals := [model for model in ranking if model != best["model"]]:
        compared = paired_difference(predictions, members, split, best["model"], rivals[0])
        own = figures[best["model"], split, "accuracy"]["n"]
        tracks = f"these {own:,} tracks"
        if compared and compared.tracks < own:
            tracks = f"the {compared.tracks:,} tracks that both predicted"
        if compared:
            sentences.append(_compared("It is", f"{rivals[0]} on {tracks}", compared))
    return {"verdict": sentences + _baseline(figures, split, best["model"], predictions, members)}


def _baseline(
    figures: dict, split: str, best: str, predictions: pa.Table, members: pa.Table
) -> list[str]:
    """How the champion and the model majority compare with always saying the same genre."""
    own = figures[best, split, "accuracy"]
    genre, share = own["most_frequent_genre"], own["most_frequent_share"]
    if genre is None:
        return []
    tied = most_frequent_genres(figures.values(), own)
    constant = _always(genre, predictions, split, best)
    compared = paired_difference(
        pa.concat_tables([predictions, constant]), members, split, best, _CONSTANT
    )
    assert compared
    named = most_frequent_in_words(tied, f"these {own['n']:,} tracks")
    sentences = [
        f"Always predicting {named}, is right for {share:.3f} of them: "
        + _compared(f"{best} is", "that", compared)
    ]
    majority = figures.get((BASELINE, split, "accuracy"))
    if majority and majority["value"] < share:
        sentences.append(
            f"The model {BASELINE} gets only {majority['value']:.3f}, because it knows the most "
            "frequent genre of its training tracks alone, and a genre that is frequent in a fold "
            "is rarer in the others: beating it is not enough."
        )
    return sentences


def _always(genre: str, predictions: pa.Table, split: str, model: str) -> pa.Table:
    """The predictions of always saying one genre about the tracks of a split."""
    rows = [
        row
        | {
            "model": _CONSTANT,
            "genre_pred": genre,
            "probabilities": [(name, float(name == genre)) for name, _ in row["probabilities"]],
        }
        for row in predictions.to_pylist()
        if (row["model"], row["split"]) == (model, split)
    ]
    return pa.Table.from_pylist(rows, schema=predictions.schema)


def _compared(subject: str, other: str, more: Difference) -> str:
    """A difference in accuracy as a sentence that needs no decoding."""
    if more.low <= 0 <= more.high:
        return f"{subject} not distinguishable from {other}."
    word = "better" if more.gain > 0 else "worse"
    points = sorted(100 * abs(end) for end in (more.low, more.high))
    return (
        f"{subject} {word} than {other}, by {100 * abs(more.gain):.1f} points of accuracy "
        f"(95 % interval {points[0]:.1f} to {points[1]:.1f})."
    )


def _ranking(figures: dict, split: str, champion: str | None) -> list[str]:
    of_split = {
        metric: {
            model: figure["value"]
            for (model, part, name), figure in figures.items()
            if (part, name) == (split, metric)
        }
        for metric in ("accuracy", "log_loss")
    }
    return ranked(of_split["accuracy"], champion, of_split["log_loss"])


def _boards_of(scores: pa.Table, champion: pa.Table) -> dict[str, Any]:
    figures = _figures(scores)
    best = champion["model"][0].as_py() if champion.num_rows else None
    boards = []
    for split in ("test", "cv", "validation"):
        ranking = _ranking(figures, split, best)
        if not ranking:
            continue
        metrics = [m for m in METRICS if any((model, split, m) in figures for model in ranking)]
        accuracies = [figures[model, split, "accuracy"] for model in ranking]
        below = below_most_frequent(accuracies)
        most = max(figure["n"] for figure in accuracies)
        boards.append(
            {
                "title": _named(split),
                "metrics": [METRICS[metric].label for metric in metrics],
                "rows": [
                    {
                        "model": model,
                        "below": model in below,
                        "tracks": n
                        if (n := figures[model, split, "accuracy"]["n"]) < most
                        else None,
                        "cells": [_cell(figures.get((model, split, m))) for m in metrics],
                    }
                    for model in ranking
                ],
                "most_frequent": _most_frequent_of(figures, accuracies[0]),
                "caption": f"{most:,} tracks, the champion first. Higher is better, "
                "except for log-loss (in nats) and calibration error, which says how far the "
                "probabilities that a model gives are from how often it is right.",
            }
        )
    return {"boards": boards}


def _most_frequent_of(figures: dict, accuracy: dict) -> dict[str, Any] | None:
    if accuracy["most_frequent_genre"] is None:
        return None
    genres = most_frequent_genres(figures.values(), accuracy)
    return {
        "genre": " or ".join(genres),
        "many": len(genres) > 1,
        "share": f"{accuracy['most_frequent_share']:.3f}",
    }


def _leak_of(scores: pa.Table, champion: pa.Table) -> dict[str, Any]:
    figures = _figures(scores)
    split = _measured_split(scores)
    pairs = [
        (model, figures[model, split, "accuracy"], figures[model, f"leaky_{split}", "accuracy"])
        for model in sorted({model for model, _, _ in figures})
        if (model, split, "accuracy") in figures
        and (model, f"leaky_{split}", "accuracy") in figures
    ]
    if not pairs:
        return {"leak_figure": None, "leak_sentence": ""}
    best = champion["model"][0].as_py() if champion.num_rows else pairs[0][0]
    name, honest, leaky = next((pair for pair in pairs if pair[0] == best), pairs[0])
    sentence = (
        f"With artists kept apart, {name} is right for {honest['value']:.1%} of the tracks; split "
        f"at random across artists, for {leaky['value']:.1%}: "
    )
    gap = f"{100 * abs(leaky['value'] - honest['value']):.1f} points"
    if leaky["value"] > honest["high"]:
        sentence += f"{gap} more, which come from knowing the artist, not the genre."
    elif leaky["value"] < honest["low"]:
        sentence += f"{gap} fewer, so the tracks kept apart are easier than random ones."
    else:
        sentence += f"{gap}, a difference that this many artists cannot tell from chance."
    return {"leak_sentence": sentence, "leak_figure": leak_figure(pairs)}


def _champion_of(
    scores: pa.Table, champion: pa.Table, predictions: pa.Table, tracks: pa.Table
) -> dict[str, Any]:
    if not champion.num_rows:
        return {"champion_name": None}
    name = champion["model"][0].as_py()
    split = _measured_split(scores)
    predicted = [
        row for row in predictions.to_pylist() if row["model"] == name and row["split"] == split
    ]
    genres = sorted(genre for genre, _ in predicted[0]["probabilities"])
    counts = Counter((row["genre_true"], row["genre_pred"]) for row in predicted)
    totals = Counter(row["genre_true"] for row in predicted)
    confusion = [
        {
            "genre": true,
            "total": totals[true],
            "cells": [
                {
                    "genre": pred,
                    "count": (count := counts[true, pred]),
                    "shade": f"{0.85 * count / max(totals[true], 1):.3f}",
                    "right": true == pred,
                }
                for pred in genres
            ],
        }
        for true in genres
    ]
    figures = _figures(scores)
    recalls = [
        (genre, figures[name, split, recall_of(genre)])
        for genre in genres
        if (name, split, recall_of(genre)) in figures
    ]
    return {
        "champion_name": name,
        "genres": genres,
        "confusion": confusion,
        "confusion_caption": f"{_named(split).capitalize()}: a row is the label, a column what the "
        "model says; numbers are tracks, shades are shares of the row.",
        "recall_figure": recall_figure(recalls),
        "mistakes": _mistakes(predicted, tracks),
    }


def _mistakes(predicted: list[dict], tracks: pa.Table) -> list[dict[str, str]]:
    wrong = [
        (dict(row["probabilities"])[row["genre_pred"]], row["track_id"], row)
        for row in predicted
        if row["genre_true"] != row["genre_pred"]
    ]
    wrong.sort(key=lambda item: (-item[0], item[1]))
    chosen = wrong[:MISTAKES]
    wanted = pa.array([track_id for _, track_id, _ in chosen], pa.string())
    rows = tracks.filter(pc.field("track_id").isin(wanted)).to_pylist()
    names = {row["track_id"]: row for row in rows}
    return [
        {
            "title": names.get(track_id, {}).get("title") or track_id,
            "artist": names.get(track_id, {}).get("artist") or "unknown",
            "true": row["genre_true"],
            "predicted": row["genre_pred"],
            "probability": f"{probability:.2f}",
        }
        for probability, track_id, row in chosen
    ]


def _figures(scores: pa.Table) -> dict[tuple[str, str, str], dict]:
    return {(row["model"], row["split"], row["metric"]): row for row in scores.to_pylist()}


def _measured_split(scores: pa.Table) -> str:
    return "test" if "test" in scores["split"].to_pylist() else "cv"


def _named(split: str) -> str:
    return {"cv": "held-out tracks"}.get(split, f"{split} tracks")


def _in_words(figure: dict) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _cell(figure: dict | None) -> dict[str, str] | None:
    return {key: f"{figure[key]:.3f}" for key in ("value", "low", "high")} if figure else None
