"""The best model of a task, chosen where choosing is allowed.

With an official split the champion is chosen by accuracy on validation tracks: the metric that is
published for the split, and never on test tracks, or the published figure would be a maximum over
models. With grouped folds there is nothing else to choose on than the folds, and it is chosen by
balanced accuracy, so that a library's most frequent genre does not decide alone.

A champion is replaced only by a model that is better by more than chance: a figure that moved with
a few new tracks is no reason to put another model into use.

Light: needs pyarrow only, until two models are compared.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from genre_assets.evaluation.metrics import METRICS, genre_of_recall
from genre_assets.lake.schemas import CHAMPIONS

if TYPE_CHECKING:
    from genre_assets.evaluation.scores import Difference

BASELINE = "majority"
"""Never the champion while there is another model."""

_CHOSEN_BY = {"validation": "accuracy", "cv": "balanced_accuracy"}


def choose_champion(
    scores: pa.Table,
    previous: pa.Table,
    predictions: pa.Table,
    members: pa.Table,
    chosen_at: datetime,
) -> pa.Table:
    """Choose the best model of a task.

    Args:
        scores: Rows of ``scores`` of one task.
        previous: The row of ``champions`` that stands, or none. Its model stays unless the 95 %
            interval of what the best one has over it, on the same tracks, lies above zero.
        predictions: Rows of ``predictions`` of the task, which the interval is taken from.
        members: Its rows of ``task_members``.
        chosen_at: The time to write down when the champion is a new one.

    Returns:
        One row of ``champions``, or none when no model has a score to choose by. A first champion
        has the best figure; at a draw it is the one with the lower log-loss, then the first name.
    """
    figures = {(s["model"], s["split"], s["metric"]): s for s in scores.to_pylist()}
    candidates = [
        figure for (_, split, metric), figure in figures.items() if _CHOSEN_BY.get(split) == metric
    ]
    before = previous.to_pylist()[0] if previous.num_rows else {}
    if not candidates:
        return CHAMPIONS.empty()

    most_tracks = max(candidates, key=lambda figure: (figure["n"], figure["model"]))

    def merit(figure: dict) -> tuple:
        loss = figures.get((figure["model"], figure["split"], "log_loss"))
        value = _comparable(figure, most_tracks, predictions, members)
        return (
            figure["model"] == BASELINE,
            float("inf") if value is None else -METRICS[figure["metric"]].merit(value),
            figure["model"] != before.get("model"),
            loss["value"] if loss else float("inf"),
            figure["model"],
        )

    best = min(candidates, key=merit)
    standing = next((f for f in candidates if f["model"] == before.get("model")), None)
    champion, why = best, f"It has the best {_named(best)}."
    if len(candidates) == 1:
        why = "It is the only model that has been scored."
    if standing and standing["model"] not in (best["model"], BASELINE):
        more = _advantage(best, standing, predictions, members)
        interval = (
            f"by {more.gain:.3f} (95 % interval {more.low:+.3f} to {more.high:+.3f})"
            if more
            else "on other tracks"
        )
        if more and more.low > 0:
            why = (
                f"It has a higher {_named(best)} than {standing['model']}, the champion before "
                f"it: {interval}."
            )
        else:
            champion = standing
            why = (
                f"It remains champion, although the {_named(best)} of {best['model']} is higher "
                f"{interval}: the difference may be chance."
            )
    kept = ("task", "model", "split", "metric", "value", "low", "high", "n", "trained_on_synthetic")
    row = {key: champion[key] for key in kept} | {
        "model_path": f"models/task={champion['task']}/{champion['model']}",
        "chosen_at": before["chosen_at"] if champion is standing else chosen_at,
        "why": why,
    }
    return CHAMPIONS.of_rows([row])


def is_best(champion: dict, scores: Iterable[dict]) -> bool:
    """Whether no other model but the baseline has a better figure of the kind it was chosen by.

    Args:
        champion: The row of ``champions`` of a task.
        scores: Rows of ``scores`` of the task.
    """
    merit = METRICS[champion["metric"]].merit
    return all(
        merit(row["value"]) <= merit(champion["value"])
        for row in scores
        if (row["split"], row["metric"]) == (champion["split"], champion["metric"])
        and row["model"] != BASELINE
    )


def ranked(
    accuracies: Mapping[str, float], champion: str | None, losses: Mapping[str, float]
) -> list[str]:
    """The models of a task in the order of its tables: the champion, then by falling accuracy.

    Args:
        accuracies: Accuracy of each model.
        champion: Name of the champion, if there is one.
        losses: Log-loss of models, which decides a draw.
    """

    def place(model: str) -> tuple:
        loss = losses.get(model, float("inf"))
        return model != champion, -accuracies[model], loss, model

    return sorted(accuracies, key=place)


def most_frequent_genres(scores: Iterable[dict], accuracy: dict) -> list[str]:
    """The most frequent genre of the tracks that an accuracy is over, or all that tie.

    Args:
        scores: Rows of ``scores`` of the task.
        accuracy: The one among them.
    """
    tracks_of = {
        genre: row["n"]
        for row in scores
        if (genre := genre_of_recall(row["metric"]))
        and (row["model"], row["split"]) == (accuracy["model"], accuracy["split"])
    }
    most = max(tracks_of.values(), default=0)
    tied = sorted(genre for genre, tracks in tracks_of.items() if tracks == most)
    return tied or [accuracy["most_frequent_genre"]]


def most_frequent_in_words(genres: list[str], tracks: str) -> str:
    """Genres with what they are, such as ``Folk or Pop, the most frequent genres of 9 tracks``."""
    return f"{' or '.join(genres)}, the most frequent genre{'s'[: len(genres) - 1]} of {tracks}"


def below_most_frequent(figures: Iterable[dict]) -> list[str]:
    """Models that are right less often than whoever always predicts the most frequent genre.

    Args:
        figures: Rows of ``scores``, accuracies of one split; those that an older version wrote do
            not know the share of the most frequent genre.
    """
    return [
        figure["model"]
        for figure in figures
        if figure["most_frequent_share"] is not None
        and figure["value"] < figure["most_frequent_share"]
    ]


def _named(figure: dict) -> str:
    return figure["metric"].replace("_", " ")


def _comparable(
    figure: dict, most_tracks: dict, predictions: pa.Table, members: pa.Table
) -> float | None:
    """The figure that a model would have on the tracks of the one that predicted most.

    A model that abstains from difficult tracks must not win by that. So its figure is that of the
    other model, and what it has over it on the tracks that both predicted; None without any.
    """
    if figure["n"] == most_tracks["n"]:
        return figure["value"]
    more = _advantage(figure, most_tracks, predictions, members)
    return most_tracks["value"] + more.gain if more else None


def _advantage(
    best: dict, standing: dict, predictions: pa.Table, members: pa.Table
) -> "Difference | None":
    from genre_assets.evaluation.scores import paired_difference

    return paired_difference(
        predictions, members, best["split"], best["model"], standing["model"], best["metric"]
    )
