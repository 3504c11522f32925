"""What every model must beat."""

from typing import Any

import numpy as np

from genre_assets.models.protocol import ModelSpec


def _majority(seed: int, inner_folds: np.ndarray) -> Any:
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="prior")


MODELS = (
    ModelSpec(
        "majority",
        "Predicts the most frequent genre of the training tracks: what every model must beat.",
        _majority,
        version="2",
        family="baseline",
        by_default=True,
    ),
)
