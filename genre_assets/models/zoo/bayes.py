"""Models that take the features of a genre for independent of each other."""

from typing import Any

import numpy as np

from genre_assets.models.protocol import ModelSpec
from genre_assets.models.zoo.calibration import calibrated
from genre_assets.models.zoo.scaling import grid, normal_scores


def _naive_bayes(seed: int, inner_folds: np.ndarray) -> Any:
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import make_pipeline

    # Features that say the same are counted as often as they say it, and make it far too sure.
    return make_pipeline(*normal_scores(seed), calibrated(GaussianNB(), inner_folds))


MODELS = (
    ModelSpec(
        "naive_bayes",
        "Gaussian naive Bayes on normal scores of the features, its probabilities by temperature "
        "scaling on artist-grouped folds.",
        _naive_bayes,
        family="bayes",
        candidates=grid(calibratedclassifiercv__estimator__var_smoothing=(1e-9, 0.1, 1.0)),
    ),
)
