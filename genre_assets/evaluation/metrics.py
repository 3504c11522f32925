"""What models are measured by: each metric's name, direction and definition.

Every metric is a function of sums over tracks, so that the resamples of a bootstrap cost one matrix
product (:mod:`genre_assets.evaluation.scores`). To add a metric, write such a function and add one
entry to :data:`METRICS`; the scores, the report and the rules for the table ``scores`` follow.

Light: needs numpy only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Sums = Mapping[str, np.ndarray]
"""Sums over tracks, by name, each of shape (resamples, columns).

One column: ``n``, all tracks; ``hits``, those whose genre was predicted; ``top3``, those whose
genre was among the three most probable; ``loss``, the negative log-probabilities of the true
genres, in nats. A column for each genre: ``true``, its tracks; ``predicted``, the tracks that were
taken for it; ``right``, those that are both. A column for each bin of confidence:
``bin_confidence``, the sum of the confidences in it, and ``bin_hits``.
"""


@dataclass(frozen=True)
class Metric:
    """A figure that says how good a model is.

    Attributes:
        name: What the table ``scores`` calls it.
        label: What a reader sees.
        function: The figure from :data:`Sums`, of shape (resamples,); NaN where it is undefined.
        greater_is_better: Its direction.
        highest: The highest possible value, or None if there is none; the lowest is 0.
        least_genres: A task with fewer genres has no such figure.
        on_leaky_split: Whether it is worth computing for the leaky split, too.
    """

    name: str
    label: str
    function: Callable[[Sums], np.ndarray]
    greater_is_better: bool = True
    highest: float | None = 1.0
    least_genres: int = 2
    on_leaky_split: bool = True

    def merit(self, value: float) -> float:
        """A number that is greater for the better of two values."""
        return value if self.greater_is_better else -value


def recall(sums: Sums) -> np.ndarray:
    """The share of each genre's tracks that were recognised, of shape (resamples, genres)."""
    return _ratio(sums["right"], sums["true"])


def recall_of(genre: str) -> str:
    """What the table ``scores`` calls the recall of a genre."""
    return f"{_RECALL}{genre}"


def genre_of_recall(metric: str) -> str | None:
    """The genre that a metric is the recall of; None if it is another metric."""
    return metric.removeprefix(_RECALL) if metric.startswith(_RECALL) else None


_RECALL = "recall:"


def _accuracy(sums: Sums) -> np.ndarray:
    return sums["hits"][:, 0] / sums["n"][:, 0]


def _balanced_accuracy(sums: Sums) -> np.ndarray:
    return _mean_of_known(recall(sums))


def _macro_f1(sums: Sums) -> np.ndarray:
    return _mean_of_known(_ratio(2 * sums["right"], sums["true"] + sums["predicted"]))


def _top3_accuracy(sums: Sums) -> np.ndarray:
    return sums["top3"][:, 0] / sums["n"][:, 0]


def _log_loss(sums: Sums) -> np.ndarray:
    return sums["loss"][:, 0] / sums["n"][:, 0]


def _calibration_error(sums: Sums) -> np.ndarray:
    """Guo et al., *On Calibration of Modern Neural Networks*, ICML 2017."""
    gaps = np.abs(sums["bin_confidence"] - sums["bin_hits"])
    return gaps.sum(axis=1) / sums["n"][:, 0]


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    return np.where(known, values, 0).sum(axis=1) / known.sum(axis=1)


METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", _accuracy),
        Metric("balanced_accuracy", "balanced", _balanced_accuracy),
        Metric("macro_f1", "macro F1", _macro_f1),
        Metric("top3_accuracy", "top 3", _top3_accuracy, least_genres=4),
        Metric(
            "log_loss",
            "log-loss",
            _log_loss,
            greater_is_better=False,
            highest=None,
            on_leaky_split=False,
        ),
        Metric(
            "ece",
            "calibration error",
            _calibration_error,
            greater_is_better=False,
            on_leaky_split=False,
        ),
    )
}
"""Every metric but the recall of each genre, in the order in which a reader sees them."""
