"""The figures of models, with intervals from a bootstrap over artists.

Tracks of one artist are not independent, so what is drawn with replacement is artists, all their
tracks with them (the cluster bootstrap: Field and Welsh, *Bootstrapping clustered data*, JRSS B
2007). Every metric is a function of sums over artists; a resample is a row of weights, and a
thousand of them are one matrix product.

Import late: this module needs pandas.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa

from genre_assets.evaluation.metrics import METRICS, genre_of_recall, recall, recall_of
from genre_assets.lake.schemas import SCORES
from genre_assets.tasks.members import most_frequent

RESAMPLES = 1000
ECE_BINS = 15
_CHUNK = 100
_NO_SHARES = ("log_loss", "ece")
"""Metrics that are not the share of something that was right."""


def score(
    predictions: pa.Table,
    leaky_predictions: pa.Table,
    members: pa.Table,
    made_at: datetime,
    seed: int = 0,
) -> pa.Table:
    """Score every model of a task on every split that it predicted.

    The figures are those of :data:`~genre_assets.evaluation.metrics.METRICS` and the recall of each
    genre; of leaky predictions, under ``leaky_test`` and ``leaky_cv``, those that are worth it.

    Args:
        predictions: Rows of ``predictions`` of one task.
        leaky_predictions: Its rows of ``leaky_predictions``.
        members: Its rows of ``task_members``.
        made_at: The time to write down.
        seed: Seed of the resamples; the same ones serve all models of a split.

    Beside each figure stands the most frequent genre among the tracks of its split, with its share
    of them. That is the accuracy of always predicting it. The model ``majority`` may do worse: it
    predicts the most frequent genre of its training tracks, and with folds by artist a genre that
    is frequent in a fold is rarer in the others.

    Returns:
        Rows of ``scores``; intervals are the 2.5 and 97.5 percentiles over 1,000 resamples. Of a
        model that is always right, or always wrong, they are the exact ones for as many trials as
        there are artists.
    """
    rows = []
    for kind, table in (("", predictions), ("leaky_", leaky_predictions)):
        for (split, model), predicted in _by_split_and_model(table, members):
            genres, share = most_frequent(predicted["genre_true"].tolist())
            synthetic = predicted["trained_on_synthetic"].iloc[0]
            for metric, value, low, high, n in _figures_with_intervals(predicted, seed):
                if kind and (metric not in METRICS or not METRICS[metric].on_leaky_split):
                    continue
                rows.append(
                    {
                        "task": members["task"][0].as_py(),
                        "model": model,
                        "split": f"{kind}{split}",
                        "metric": metric,
                        "value": value,
                        "low": low,
                        "high": high,
                        "n": n,
                        "made_at": made_at,
                        "most_frequent_genre": genres[0],
                        "most_frequent_share": share,
                        "trained_on_synthetic": synthetic,
                    }
                )
    return SCORES.of_rows(rows)


@dataclass(frozen=True)
class Difference:
    """How much better one model is than another on the tracks that both predicted.

    Attributes:
        gain: The figure of the first less that of the second.
        low: Lower end of its 95 % interval.
        high: Upper end.
        tracks: Tracks that both predicted.
    """

    gain: float
    low: float
    high: float
    tracks: int


def paired_difference(
    predictions: pa.Table,
    members: pa.Table,
    split: str,
    first: str,
    second: str,
    metric: str = "accuracy",
    seed: int = 0,
) -> Difference | None:
    """How much better one model is than another on the tracks that both predicted.

    Args:
        predictions: Rows of ``predictions`` of one task.
        members: Its rows of ``task_members``.
        split: ``"validation"``, ``"test"`` or ``"cv"``.
        first: Name of a model.
        second: Name of the model it is compared with.
        metric: A metric of :func:`score`.
        seed: Seed of the resamples.

    Returns:
        The difference, with an interval from resamples of artists that both models share; None if
        they predicted none of the same tracks.

    Raises:
        KeyError: If a model has no predictions on the split, or there is no such metric.
    """
    of_model = {
        model: rows
        for (part, model), rows in _by_split_and_model(predictions, members)
        if part == split
    }
    one, other = (of_model[model] for model in (first, second))
    common = sorted({*one["track_id"]} & {*other["track_id"]})
    if not common:
        return None
    pair = [_Sums(rows.loc[rows["track_id"].isin(common)]) for rows in (one, other)]
    value = np.subtract(*(sums.figures()[metric] for sums in pair))
    drawn = np.subtract(*(sums.resampled(seed)[metric] for sums in pair))
    return Difference(float(value[0]), *_interval(drawn, float(value[0])), len(common))


def _by_split_and_model(
    predictions: pa.Table, members: pa.Table
) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    frame = pd.DataFrame(predictions.drop_columns("probabilities").to_pydict())
    frame["probabilities"] = [dict(row) for row in predictions["probabilities"].to_pylist()]
    artists = dict(
        zip(members["track_id"].to_pylist(), members["artist_key"].to_pylist(), strict=True)
    )
    frame["artist"] = [artists[track_id] for track_id in frame["track_id"]]
    frame = frame.sort_values(["artist", "track_id"])
    for key, rows in frame.groupby(["split", "model"], sort=True):
        split, model = tuple(key)  # pyright: ignore[reportArgumentType]
        yield (str(split), str(model)), rows


def _figures_with_intervals(
    predicted: pd.DataFrame, seed: int
) -> Iterator[tuple[str, float, float, float, int]]:
    sums = _Sums(predicted)
    drawn = sums.resampled(seed)
    for metric, (value,) in sums.figures().items():
        if np.isnan(value):
            continue
        n = sums.tracks_of(metric)
        low, high = _interval(drawn[metric], float(value))
        if low == high and metric not in _NO_SHARES:
            low, high = _interval_without_variation(float(value), sums.artists_of(metric))
        yield metric, float(value), low, high, n


def _interval_without_variation(value: float, artists: int) -> tuple[float, float]:
    """The 95 % interval of a share that is the same in every resample.

    Where a model is always right, or always wrong, resamples of what was seen cannot show how rare
    a mistake may be. The exact interval takes each artist for one trial (Clopper and Pearson, *The
    use of confidence or fiducial limits*, Biometrika 1934).
    """
    unseen = 1 - 0.025 ** (1 / max(artists, 1))
    if value == 1:
        return 1 - unseen, 1.0
    if value == 0:
        return 0.0, unseen
    return value, value


def _interval(drawn: np.ndarray, value: float) -> tuple[float, float]:
    """The 95 % percentile interval; a resample in which a genre does not occur says nothing."""
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return value, value
    low, high = np.percentile(drawn, [2.5, 97.5])
    # Resamples of a calibration error are larger than the figure itself, which cannot be negative.
    return min(float(low), value), max(float(high), value)


class _Sums:
    """Sums over the tracks of each artist, from which every figure follows.

    Args:
        predicted: What one model predicts for the tracks of one split, sorted by artist.
    """

    def __init__(self, predicted: pd.DataFrame):
        self.genres = sorted(predicted["probabilities"].iloc[0])
        places = {genre: i for i, genre in enumerate(self.genres)}
        true = np.array([places[genre] for genre in predicted["genre_true"]])
        best = np.array([places[genre] for genre in predicted["genre_pred"]])
        p = np.array([[row[genre] for genre in self.genres] for row in predicted["probabilities"]])
        n, k = p.shape
        rows = np.arange(n)
        eye = np.eye(k)
        hit = (true == best).astype(float)
        p_true = p[rows, true]
        confidence = p[rows, best]
        # Guo et al. take bins open on the left, so that a confidence of 1 is in the last one.
        which_bin = np.clip(np.ceil(confidence * ECE_BINS).astype(int) - 1, 0, ECE_BINS - 1)
        in_bin = np.eye(ECE_BINS)[which_bin]
        per_track = {
            "n": np.ones((n, 1)),
            "hits": hit[:, None],
            # A stable order, so that a model that says the same of every genre gains nothing.
            "top3": (np.argsort(-p, axis=1, kind="stable")[:, :3] == true[:, None])
            .any(axis=1, keepdims=True)
            .astype(float),
            "loss": -np.log(np.clip(p_true, np.finfo(float).eps, 1))[:, None],
            "true": eye[true],
            "predicted": eye[best],
            "right": eye[true] * hit[:, None],
            "bin_confidence": in_bin * confidence[:, None],
            "bin_hits": in_bin * hit[:, None],
        }
        artists, starts = np.unique(predicted["artist"].to_numpy(dtype=str), return_index=True)
        self.artists = len(artists)
        self._columns = np.cumsum([part.shape[1] for part in per_track.values()])[:-1]
        self._names = list(per_track)
        order = np.argsort(starts)
        self._sums = np.add.reduceat(
            np.concatenate(list(per_track.values()), axis=1), starts[order], axis=0
        )

    def figures(self) -> dict[str, np.ndarray]:
        """Every figure over all artists, each of shape (1,); NaN where nothing is to be said."""
        return self._from_totals(self._sums.sum(axis=0, keepdims=True))

    def resampled(self, seed: int) -> dict[str, np.ndarray]:
        """Every figure over each resample of artists, each of shape (RESAMPLES,)."""
        generator = np.random.default_rng(seed)
        totals = []
        for _ in range(0, RESAMPLES, _CHUNK):
            drawn = generator.integers(self.artists, size=(_CHUNK, self.artists))
            drawn += np.arange(_CHUNK)[:, None] * self.artists
            weights = np.bincount(drawn.ravel(), minlength=_CHUNK * self.artists)
            totals.append(weights.reshape(_CHUNK, self.artists).astype(float) @ self._sums)
        return self._from_totals(np.concatenate(totals))

    def tracks_of(self, metric: str) -> int:
        """Tracks that a figure is over."""
        totals = self._named(self._sums.sum(axis=0, keepdims=True))
        if genre := genre_of_recall(metric):
            return round(totals["true"][0, self.genres.index(genre)])
        return round(totals["n"][0, 0])

    def artists_of(self, metric: str) -> int:
        """Artists whose tracks a figure is over."""
        if genre := genre_of_recall(metric):
            true = self._named(self._sums)["true"]
            return int((true[:, self.genres.index(genre)] > 0).sum())
        return self.artists

    def _named(self, totals: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(self._names, np.split(totals, self._columns, axis=1), strict=True))

    def _from_totals(self, totals: np.ndarray) -> dict[str, np.ndarray]:
        sums = self._named(totals)
        figures = {
            metric.name: metric.function(sums)
            for metric in METRICS.values()
            if len(self.genres) >= metric.least_genres
        }
        return figures | dict(zip(map(recall_of, self.genres), recall(sums).T, strict=True))
