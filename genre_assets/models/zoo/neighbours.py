"""Models that compare a track with those that are most like it."""

from typing import Any

import numpy as np

from genre_assets.models.protocol import ModelSpec
from genre_assets.models.zoo.calibration import calibrated
from genre_assets.models.zoo.scaling import grid, normal_scores


def _knn(seed: int, inner_folds: np.ndarray) -> Any:
    from sklearn.pipeline import make_pipeline

    from genre_assets.models.zoo.nearest_tracks import NearestTracks

    # In hundreds of columns a tree of neighbours is no quicker than looking at all of them.
    neighbours = NearestTracks(weights="distance", algorithm="brute")
    return make_pipeline(*normal_scores(seed), calibrated(neighbours, inner_folds))


MODELS = (
    ModelSpec(
        "knn",
        "The genres of the nearest tracks, by normal scores of the features, its probabilities by "
        "temperature scaling on artist-grouped folds.",
        _knn,
        family="neighbours",
        candidates=grid(calibratedclassifiercv__estimator__n_neighbors=(5, 15, 30)),
    ),
)
