"""Linear models."""

from typing import Any

import numpy as np

from genre_assets.models.protocol import ModelSpec
from genre_assets.models.zoo.scaling import grid, normal_scores


def _logistic_regression(seed: int, inner_folds: np.ndarray) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(*normal_scores(seed), LogisticRegression(max_iter=1000, random_state=seed))


MODELS = (
    ModelSpec(
        "logistic_regression",
        "Multinomial logistic regression on normal scores of the features.",
        _logistic_regression,
        version="2",
        family="linear",
        candidates=grid(
            logisticregression__C=(0.001, 0.01, 0.1),
            logisticregression__class_weight=(None, "balanced"),
        ),
    ),
)
