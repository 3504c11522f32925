"""What training a model gives: the model, its predictions and the facts about its training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from genre_assets.models.protocol import Model


@dataclass(frozen=True)
class TrainedModel:
    """A trained model and what it predicts for tracks that it was not trained on.

    Attributes:
        model: The model for use; ``predict_proba`` takes features of shape (n, columns) in the
            order of ``facts["columns"]`` and gives probabilities of shape (n, genres) in the order
            of its ``classes_``.
        predictions: Rows of ``predictions``: by models that were not trained on the track's group.
        leaky_predictions: Rows of ``leaky_predictions``: by models that may have been.
        facts: What the model was made of, as JSON can hold it.
    """

    model: Model
    predictions: pa.Table
    leaky_predictions: pa.Table
    facts: dict[str, Any]


def adapter_of(facts: dict[str, Any]) -> str:
    """The adapter that a model was stored with; there was one before facts named it."""
    return facts.get("adapter", "scikit_learn")


def prediction_row(
    of_track: dict[str, Any], genres: Sequence[str], probabilities: np.ndarray
) -> dict[str, Any]:
    """A row of ``predictions``.

    Args:
        of_track: Its other columns.
        genres: The genres, in the order of the probabilities.
        probabilities: Their probabilities, of shape (genres,).
    """
    return of_track | {
        "genre_pred": genres[int(probabilities.argmax())],
        "probabilities": list(zip(genres, probabilities.tolist(), strict=True)),
    }


def figures_of(predictions: pa.Table) -> dict[str, Any]:
    """How good the model is, for its card; ``scores`` has more.

    Args:
        predictions: Rows of ``predictions`` of one model.
    """
    from genre_assets.tasks.members import most_frequent

    rows = predictions.to_pylist()
    split = "cv" if any(row["split"] == "cv" for row in rows) else "test"
    rows = [row for row in rows if row["split"] == split]
    genres, share = most_frequent([row["genre_true"] for row in rows])
    return {
        "split": split,
        "n": len(rows),
        "accuracy": sum(row["genre_true"] == row["genre_pred"] for row in rows) / len(rows),
        "most_frequent_genre": " or ".join(genres),
        "most_frequent_share": share,
    }
