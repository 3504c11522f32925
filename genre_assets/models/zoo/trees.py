"""Ensembles of decision trees."""

from typing import Any

import numpy as np

from genre_assets.models.protocol import ModelSpec
from genre_assets.models.zoo.scaling import grid, imputer


def _random_forest(seed: int, inner_folds: np.ndarray) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline

    # Leaves of two tracks: log-loss falls by a tenth, accuracy stays, the file shrinks by a fifth.
    # One thread: models train beside each other, and sums over threads differ in the last bit.
    return make_pipeline(
        imputer(), RandomForestClassifier(500, min_samples_leaf=2, random_state=seed)
    )


def _boosting(seed: int, inner_folds: np.ndarray) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import KBinsDiscretizer

    # Columns are cut into bins here and not by the boosting itself: once for all candidates, and
    # without weights, with which it takes fifty times as long. Of few tracks, 32 bins are enough.
    # Early stopping would hold out tracks of artists that the model is trained on.
    bins = int(np.clip(len(inner_folds) // 4, 32, 255))
    return make_pipeline(
        imputer(),
        KBinsDiscretizer(
            bins,
            encode="ordinal",
            strategy="quantile",
            quantile_method="linear",
            subsample=None,  # pyright: ignore[reportArgumentType]
        ),
        HistGradientBoostingClassifier(
            learning_rate=0.05,
            max_iter=100,
            max_leaf_nodes=15,
            max_bins=bins,
            l2_regularization=1.0,
            early_stopping=False,  # pyright: ignore[reportArgumentType]
            random_state=seed,
        ),
    )


MODELS = (
    ModelSpec(
        "random_forest",
        "A random forest of 500 trees.",
        _random_forest,
        version="2",
        family="trees",
        candidates=grid(randomforestclassifier__class_weight=(None, "balanced_subsample")),
        while_choosing={"randomforestclassifier__n_estimators": 60},
    ),
    ModelSpec(
        "boosting",
        "Gradient boosting of 100 small trees per genre.",
        _boosting,
        version="2",
        family="trees",
        candidates=grid(
            histgradientboostingclassifier__min_samples_leaf=(10, 20),
            histgradientboostingclassifier__class_weight=(None, "balanced"),
        ),
        while_choosing={
            "histgradientboostingclassifier__max_iter": 40,
            "histgradientboostingclassifier__learning_rate": 0.125,
        },
    ),
)
