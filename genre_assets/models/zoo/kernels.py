"""Kernel machines."""

from typing import Any

import numpy as np

from genre_assets.models.protocol import ModelSpec
from genre_assets.models.zoo.calibration import calibrated
from genre_assets.models.zoo.scaling import grid, normal_scores


def _svm(seed: int, inner_folds: np.ndarray) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC

    machine = SVC(gamma="scale", cache_size=500, random_state=seed)
    return make_pipeline(*normal_scores(seed), calibrated(machine, inner_folds))


MODELS = (
    ModelSpec(
        "svm",
        "A support vector machine with a Gaussian kernel on normal scores of the features, "
        "its probabilities by temperature scaling on artist-grouped folds.",
        _svm,
        version="2",
        family="kernels",
        by_default=True,
        candidates=grid(
            calibratedclassifiercv__estimator__C=(0.3, 1.0, 5.0),
            calibratedclassifiercv__estimator__class_weight=(None, "balanced"),
        ),
    ),
)
