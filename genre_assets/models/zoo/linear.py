"""Linear models."""

from typing import Any

import numpy as np

from genre_assets.models.protocol import ModelSpec
from genre_assets.models.zoo.scaling import grid, normal_scores


def _logistic_regression(seed: int, inner_folds: np.ndarray) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(*normal_scores(seed), LogisticRegression(max_iter=1000, random_state=seed))


def _lda(seed: int, inner_folds: np.ndarray) -> Any:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.pipeline import make_pipeline

    return make_pipeline(*normal_scores(seed), LinearDiscriminantAnalysis(solver="lsqr"))


MODELS = (
    ModelSpec(
        "logistic_regression",
        "Multinomial logistic regression on normal scores of the features.",
        _logistic_regression,
        version="2",
        family="linear",
        by_default=True,
        candidates=grid(
            logisticregression__C=(0.001, 0.01, 0.1),
            logisticregression__class_weight=(None, "balanced"),
        ),
    ),
    ModelSpec(
        "lda",
        "Linear discriminant analysis on normal scores of the features, its covariance shrunk.",
        _lda,
        family="linear",
        paper="O. Ledoit and M. Wolf, Honey, I shrunk the sample covariance matrix, 2004",
        candidates=grid(lineardiscriminantanalysis__shrinkage=("auto", 0.3, 0.6, 0.9)),
    ),
)
