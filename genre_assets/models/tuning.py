"""Choosing a model's strength and class weights, by training tracks alone.

Every candidate of a model predicts each inner fold of the training tracks after it was fitted to
the other ones; artists are never in two of them. Accuracy on a rare genre and honest probabilities
pull in different directions: weights that make a model name a rare genre more often also make its
probabilities too high for it. So the choice is made in two steps. First, by log-loss: a candidate
has to keep half of what the best one gains over the mere frequencies of the genres. Then, among
those that do, by what models are compared by afterwards: balanced accuracy with grouped folds, and
accuracy with a published split, where weights for rare genres would only do harm.

Where no candidate gains anything, because the features say too little about the genres, the
probabilities of the best one are mixed with the frequencies until they are worth no less.

Import late: this module needs scikit-learn.
"""

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline

from genre_assets.models.protocol import INNER_FOLDS, Choice, ModelSpec
from genre_assets.progress import Log, Progress, counted, silent
from genre_assets.tasks.splits import inner_folds, part_of

MOST_TRACKS = 1000
"""Training tracks that a choice is made on, whole artists of them; more would only take longer."""
GAIN_TO_KEEP = 1 / 2
"""Share of the best candidate's gain in log-loss that a candidate has to keep."""
MIXTURES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the genre frequencies that may be mixed in."""


def choose(
    spec: ModelSpec,
    x: np.ndarray,
    genre: np.ndarray,
    group: np.ndarray,
    seed: int,
    *,
    balanced: bool,
    log: Log = silent,
) -> Choice:
    """Choose the settings of a model.

    Args:
        spec: The model.
        x: Features of the training tracks, of shape (n, columns), NaN where unknown.
        genre: Genre of each.
        group: Group of each: its artist, with whatever shares an album or bytes.
        seed: Seed of the inner folds and of the model.
        balanced: Whether models are compared by balanced accuracy.
        log: Takes lines about the progress.

    Returns:
        One of the model's candidates.
    """
    candidates = [c for c in spec.candidates if balanced or not any(map(_weighs, c.items()))]
    if not candidates:
        return Choice()
    rows = part_of(genre, group, MOST_TRACKS, seed)
    x, genre, group = x[rows], genre[rows], group[rows]
    log(
        f"{spec.name}: choosing settings among {counted(len(candidates), 'candidate')} on "
        f"{counted(len(genre), 'track')}"
    )
    tested_in = inner_folds(genre, group, INNER_FOLDS, seed)
    fits = len(candidates) * len(np.unique(tested_in))
    progress = Progress("candidate fits done", fits, log)
    frequencies, predicted = _out_of_fold(
        spec, candidates, x, genre, group, tested_in, seed, progress
    )
    places = np.unique(genre, return_inverse=True)[1]
    return _best(candidates, frequencies, predicted, places, balanced)


def _weighs(setting: tuple[str, Any]) -> bool:
    name, value = setting
    return name.endswith("class_weight") and value is not None


def _best(
    candidates: list[dict[str, Any]],
    frequencies: np.ndarray,
    predicted: list[np.ndarray],
    places: np.ndarray,
    balanced: bool,
) -> Choice:
    losses = [_log_loss(p, places) for p in predicted]
    best, by_chance = min(losses), _log_loss(frequencies, places)
    if best >= by_chance:
        place = losses.index(best)
        shares = {
            share: _log_loss(_mixed(predicted[place], frequencies, share), places)
            for share in MIXTURES
        }
        return Choice(candidates[place], min(shares, key=lambda share: shares[share]))
    enough = by_chance - GAIN_TO_KEEP * (by_chance - best)
    accuracy = _balanced_accuracy if balanced else _accuracy
    place = max(
        (place for place, loss in enumerate(losses) if loss <= enough),
        key=lambda place: (accuracy(predicted[place], places), -losses[place]),
    )
    return Choice(candidates[place])


def build(spec: ModelSpec, choice: Choice, seed: int, folds: np.ndarray) -> Any:
    """The untrained model with what was chosen for it.

    Args:
        spec: The model.
        choice: The choice.
        seed: Seed of the model.
        folds: The inner fold of each training row, integers of shape (n,).
    """
    model = spec.untrained(seed, folds)
    if choice.settings:
        model.set_params(**choice.settings)
    if not choice.frequencies:
        return model
    return VotingClassifier(
        [("model", model), ("frequencies", DummyClassifier(strategy="prior"))],
        voting="soft",
        weights=[1 - choice.frequencies, choice.frequencies],
    )


def _out_of_fold(
    spec: ModelSpec,
    candidates: list[dict[str, Any]],
    x: np.ndarray,
    genre: np.ndarray,
    group: np.ndarray,
    tested_in: np.ndarray,
    seed: int,
    progress: Progress,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Out-of-fold predictions of the genre frequencies and of each candidate."""
    genres = np.unique(genre)
    frequencies = np.zeros((len(genre), len(genres)))
    predicted = [np.zeros_like(frequencies) for _ in candidates]
    for fold in np.unique(tested_in):
        tested = tested_in == fold
        fit_on = at_least(INNER_FOLDS, np.flatnonzero(~tested), genre)
        frequencies[tested] = (genre[fit_on][:, None] == genres).mean(axis=0)
        base = spec.untrained(seed, inner_folds(genre[fit_on], group[fit_on], INNER_FOLDS, seed))
        base = base.set_params(**spec.while_choosing)
        # Scaling is the same for all candidates, and what takes longest on few tracks.
        scaling = base[:-1].fit(x[fit_on]) if isinstance(base, Pipeline) else None
        seen = scaling.transform(x) if scaling is not None else x
        for candidate, probabilities in zip(candidates, predicted, strict=True):
            model: Any = clone(base)
            model.set_params(**candidate)
            model = model[-1] if scaling is not None else model
            model.fit(seen[fit_on], genre[fit_on])
            columns = np.searchsorted(genres, model.classes_)
            probabilities[np.ix_(tested, columns)] = model.predict_proba(seen[tested])
            progress.count()
    return frequencies, predicted


def at_least(count: int, rows: np.ndarray, genre: np.ndarray) -> np.ndarray:
    """The rows, those of a genre with fewer than ``count`` repeated until it has that many.

    A fold of a small lake may leave one track of a genre to train on, and a model that
    calibrates itself on inner folds has to meet every genre in each.
    """
    parts = [rows]
    for name in np.unique(genre[rows]):
        own = rows[genre[rows] == name]
        if len(own) < count:
            parts.append(np.resize(own, count - len(own)))
    return np.concatenate(parts)


def _mixed(probabilities: np.ndarray, frequencies: np.ndarray, share: float) -> np.ndarray:
    return (1 - share) * probabilities + share * frequencies


def _log_loss(probabilities: np.ndarray, places: np.ndarray) -> float:
    of_truth = probabilities[np.arange(len(places)), places]
    return float(-np.log(np.clip(of_truth, np.finfo(float).eps, 1)).mean())


def _accuracy(probabilities: np.ndarray, places: np.ndarray) -> float:
    return float((probabilities.argmax(axis=1) == places).mean())


def _balanced_accuracy(probabilities: np.ndarray, places: np.ndarray) -> float:
    right = probabilities.argmax(axis=1) == places
    return float(np.mean([right[places == place].mean() for place in np.unique(places)]))
