"""Which tracks a model is fitted on and which it then predicts.

With a published split a model fitted on the training tracks predicts the validation tracks, on
which models are compared; then one fitted on training and validation tracks predicts the test
tracks, and is the one that is kept: the published figure is a figure of the stored file. (The
FMA's own baselines use training tracks only; the validation tracks are a tenth more.) With
grouped folds every track is predicted by a model fitted on the other folds, and the one that is
kept is fitted on all.

Light: scikit-learn is imported where folds are drawn.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

FOLDS = 5
"""Folds of a task without a published split, where every genre has as many groups."""
PREDICTED_SPLITS = ("validation", "test", "cv")
"""Splits whose tracks are predicted."""
LEAKY_PREDICTED_SPLITS = ("test", "cv")
"""Leaky splits likewise: a leaky figure only stands beside the one that is measured."""
_ATTEMPTS = 20


@dataclass(frozen=True)
class Fit:
    """One fit of a model.

    Attributes:
        fit_on: The members that it is fitted on, booleans of shape (n,).
        predict: The members that it predicts afterwards, likewise; it was fitted on none of them.
        protocol: What its predictions count for; ``"use"`` predicts nothing.
        kept: Whether it is the fit that is stored for use.
    """

    fit_on: np.ndarray
    predict: np.ndarray
    protocol: Literal["validation", "test", "cv", "leaky", "use"]
    kept: bool = False


def is_official(members: pa.Table) -> bool:
    """Whether members are split as published, and not into folds."""
    return any(split != "cv" for split in members["split"].to_pylist())


def fits_of(members: pa.Table) -> list[Fit]:
    """The fits of a model of a task, the honest ones before the leaky ones.

    Args:
        members: Rows of ``task_members`` of one task.
    """
    fits = [*_fits(members, ""), *_fits(members, "leaky_")]
    if not any(fit.kept for fit in fits):
        everyone = np.ones(members.num_rows, dtype=bool)
        fits.append(Fit(everyone, ~everyone, "use", kept=True))
    return fits


def _fits(members: pa.Table, prefix: Literal["", "leaky_"]) -> Iterator[Fit]:
    split = np.array(members[f"{prefix}split"].to_pylist())
    if is_official(members):
        if not prefix:
            yield Fit(split == "training", split == "validation", "validation")
        honest = not prefix
        yield Fit(split != "test", split == "test", "test" if honest else "leaky", kept=honest)
        return
    folds = np.array(members[f"{prefix}fold"].to_pylist())
    for fold in sorted(set(folds.tolist())):
        yield Fit(folds != fold, folds == fold, "leaky" if prefix else "cv")


def grouped_folds(
    genres: np.ndarray, groups: np.ndarray, seed: int
) -> tuple[np.ndarray, list[str]]:
    """Number the fold that each track is predicted in; a group is never in two.

    There are no more folds than the rarest genre has groups: with more, that genre would be missing
    from whole folds, and models of such a fold would be trained mostly on genres that it lacks.

    Args:
        genres: Genre of each track.
        groups: Group of each track.
        seed: Seed of the shuffle.

    Returns:
        The fold of each track, integers of shape (n,), and warnings for an operator.
    """
    notes: list[str] = []
    counts = {genre: len(own) for genre, own in _distinct(genres, groups).items()}
    folds = min(FOLDS, *counts.values())
    if folds < FOLDS:
        rarest = sorted(genre for genre, count in counts.items() if count == folds)
        have = "has" if len(rarest) == 1 else "have"
        notes.append(
            f"There are {folds} folds instead of {FOLDS}, because {' and '.join(rarest)} {have} "
            f"only {folds} groups of tracks that share no artist, album or bytes with the others."
        )
    assigned, alone = np.zeros(len(genres), dtype=np.int64), []
    for attempt in range(_ATTEMPTS):
        assigned = stratified_group_folds(genres, groups, folds, seed + attempt)
        alone = sorted(g for g, own in _distinct(genres, assigned).items() if len(own) < 2)
        if not alone:
            return assigned, notes
    for genre in alone:
        notes.append(
            f"All tracks of {genre} are in one fold: no model is both trained and tested on it."
        )
    return assigned, notes


def shuffled_within_genres(genres: np.ndarray, seed: int) -> np.ndarray:
    """A permutation of the tracks that moves each only to places of its own genre."""
    generator = np.random.default_rng(seed)
    order = np.arange(len(genres))
    for genre in sorted(set(genres.tolist())):
        rows = np.flatnonzero(genres == genre)
        order[rows] = generator.permutation(rows)
    return order


def stratified_group_folds(
    genres: np.ndarray, groups: np.ndarray, folds: int, seed: int
) -> np.ndarray:
    """Number the fold of each row: a group is in one fold only, genres are spread evenly.

    Args:
        genres: Genre of each row.
        groups: Group of each row.
        folds: Number of folds.
        seed: Seed of the shuffle.

    Returns:
        The fold of each row, integers of shape (n,).
    """
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    assigned = np.zeros(len(genres), dtype=np.int64)
    # A genre with fewer groups than folds is reported by grouped_folds.
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        for fold, (_, tested) in enumerate(splitter.split(genres, genres, groups)):
            assigned[tested] = fold
    return assigned


def inner_folds(genres: np.ndarray, groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Number the folds of training rows for calibration or tuning, an artist in one fold only.

    A genre with fewer groups than folds is cut by track instead: each inner model has to have
    seen every genre, and a figure that is too sure is better than none.

    Args:
        genres: Genre of each row.
        groups: Group of each row.
        folds: Number of folds.
        seed: Seed of the shuffle.

    Returns:
        The fold of each row, integers of shape (n,).
    """
    few = {genre for genre, own in _distinct(genres, groups).items() if len(own) < folds}
    split_up = [
        f"row {row}" if genre in few else str(group)
        for row, (genre, group) in enumerate(zip(genres.tolist(), groups.tolist(), strict=True))
    ]
    return stratified_group_folds(genres, np.array(split_up), folds, seed)


def _distinct(genres: np.ndarray, values: np.ndarray) -> dict[str, set]:
    """The distinct values of each genre."""
    found: dict[str, set] = {}
    for genre, value in zip(genres.tolist(), values.tolist(), strict=True):
        found.setdefault(genre, set()).add(value)
    return found


def part_of(genres: np.ndarray, groups: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Rows of whole groups, about as many of each genre as in all, where all are too many.

    Args:
        genres: Genre of each row.
        groups: Group of each row.
        most: How many rows are wanted, about; fewer than that are all taken.
        seed: Seed of the choice.

    Returns:
        Numbers of the rows, ascending.
    """
    parts = -(-len(genres) // most)
    if parts == 1:
        return np.arange(len(genres))
    return np.flatnonzero(stratified_group_folds(genres, groups, parts, seed) == 0)
