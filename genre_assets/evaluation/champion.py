"""The best model of a task, chosen where choosing is allowed.

With an official split the champion is chosen by accuracy on validation tracks: the metric that is
published for the split, and never on test tracks, or the published figure would be a maximum over
models. With grouped folds there is nothing else to choose on than the folds, and it is chosen by
balanced accuracy, so that a library's most frequent genre does not decide alone.

Light: needs pyarrow only.
"""

from datetime import datetime

import pyarrow as pa

from genre_assets.lake.schemas import CHAMPIONS

BASELINE = "majority"
"""Never the champion while there is another model."""

_CHOSEN_BY = {"validation": "accuracy", "cv": "balanced_accuracy"}


def choose_champion(scores: pa.Table, previous: pa.Table, chosen_at: datetime) -> pa.Table:
    """Choose the best model of a task.

    Args:
        scores: Rows of ``scores`` of one task.
        previous: The row of ``champions`` that stands, or none; at a draw it stays.
        chosen_at: The time to write down when the champion is a new one.

    Returns:
        One row of ``champions``, or none when no model has a score to choose by. A draw that the
        previous champion has no part in goes to the lower log-loss, then to the first name.
    """
    figures = {(s["model"], s["split"], s["metric"]): s for s in scores.to_pylist()}
    candidates = [
        figure for (_, split, metric), figure in figures.items() if _CHOSEN_BY.get(split) == metric
    ]
    before = previous.to_pylist()[0] if previous.num_rows else {}
    if not candidates:
        return CHAMPIONS.empty()

    def merit(figure: dict) -> tuple:
        loss = figures.get((figure["model"], figure["split"], "log_loss"))
        return (
            figure["model"] == BASELINE,
            -figure["value"],
            figure["model"] != before.get("model"),
            loss["value"] if loss else float("inf"),
            figure["model"],
        )

    best = min(candidates, key=merit)
    stays = best["model"] == before.get("model")
    kept = ("task", "model", "split", "metric", "value", "low", "high", "n")
    row = {key: best[key] for key in kept} | {
        "model_path": f"models/task={best['task']}/{best['model']}",
        "chosen_at": before["chosen_at"] if stays else chosen_at,
    }
    return CHAMPIONS.of_rows([row])
