"""The models that can be trained: a name, a sentence and how each is built.

Light: names and sentences are needed when definitions load, scikit-learn only when one is built.
To add a model, write a function that builds it and add one entry to :data:`MODELS`.

Where a figure had to be chosen, it was chosen on validation tracks or on artist-grouped folds of
training and validation tracks, never on test tracks. The columns of the features are as different
as a tempo and a kurtosis, and many have long tails, so models that measure distances see each
column as normal scores of its quantiles: on Echonest features the SVM then gains 0.7 points over
standard scores, on MFCC statistics 0.5. Everything that is fitted to the data, scalers and
imputed medians too, is part of the model and so is fitted on training rows only. How strongly a
model is regularised and whether it weighs genres alike is chosen for each training set by itself,
among the model's candidates: see :mod:`genre_assets.models.tuning`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

INNER_FOLDS = 3
"""Folds of the training rows that a model may calibrate itself on."""


@dataclass(frozen=True)
class ModelSpec:
    """A model that can be trained.

    Attributes:
        name: Its name: the last part of its asset key.
        description: One sentence.
        build: Makes the untrained classifier from a seed and the inner fold of each training row
            (integers of shape (n,), an artist in one fold only); it has ``predict_proba``.
        version: Raised when ``build``, the candidates or what is stored changes, so that models
            built before are out of date. That of a model with parts follows theirs.
        candidates: Parameters to choose among, by scikit-learn's names; none leaves nothing to
            choose.
        while_choosing: Parameters that make a candidate quicker to fit while it is compared with
            the others.
        parts: Names of the models that it is composed of; it is built of their choices.
    """

    name: str
    description: str
    build: Callable[[int, np.ndarray], Any]
    version: str = "1"
    candidates: tuple[dict[str, Any], ...] = ()
    while_choosing: dict[str, Any] = field(default_factory=dict)
    parts: tuple[str, ...] = ()


def _grid(**values: tuple) -> tuple[dict[str, Any], ...]:
    """Every combination of the values."""
    return tuple(dict(zip(values, chosen, strict=True)) for chosen in product(*values.values()))


def _majority(seed: int, inner_folds: np.ndarray) -> Any:
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="prior")


def _logistic_regression(seed: int, inner_folds: np.ndarray) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(
        *_normal_scores(seed), LogisticRegression(max_iter=1000, random_state=seed)
    )


def _random_forest(seed: int, inner_folds: np.ndarray) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline

    # Leaves of two tracks: log-loss falls by a tenth, accuracy stays, the file shrinks by a fifth.
    # One thread: models train beside each other, and sums over threads differ in the last bit.
    return make_pipeline(
        _imputer(), RandomForestClassifier(500, min_samples_leaf=2, random_state=seed)
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
        _imputer(),
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


def _vote(seed: int, inner_folds: np.ndarray) -> Any:
    from sklearn.ensemble import VotingClassifier

    return VotingClassifier(
        [(name, MODELS[name].build(seed, inner_folds)) for name in _VOTERS], voting="soft"
    )


def _svm(seed: int, inner_folds: np.ndarray) -> Any:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import PredefinedSplit
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC

    # Temperature scaling keeps the order of the decision values, so the most probable genre is
    # the one the SVM decides for; the folds keep artists apart, or it would be too sure.
    return make_pipeline(
        *_normal_scores(seed),
        CalibratedClassifierCV(
            SVC(gamma="scale", cache_size=500, random_state=seed),
            method="temperature",
            ensemble=False,  # pyright: ignore[reportArgumentType]
            cv=PredefinedSplit(inner_folds),
        ),
    )


def _imputer() -> Any:
    from sklearn.impute import SimpleImputer

    return SimpleImputer(strategy="median", keep_empty_features=True)


def _normal_scores(seed: int) -> tuple[Any, Any]:
    from sklearn.preprocessing import QuantileTransformer

    scores = QuantileTransformer(n_quantiles=200, output_distribution="normal", random_state=seed)
    return _imputer(), scores


_VOTERS = ("svm", "random_forest", "boosting")

_TRAINED = (
    ModelSpec(
        "majority",
        "Predicts the most frequent genre of the training tracks: what every model must beat.",
        _majority,
        version="2",
    ),
    ModelSpec(
        "logistic_regression",
        "Multinomial logistic regression on normal scores of the features.",
        _logistic_regression,
        version="2",
        candidates=_grid(
            logisticregression__C=(0.001, 0.01, 0.1),
            logisticregression__class_weight=(None, "balanced"),
        ),
    ),
    ModelSpec(
        "random_forest",
        "A random forest of 500 trees.",
        _random_forest,
        version="2",
        candidates=_grid(randomforestclassifier__class_weight=(None, "balanced_subsample")),
        while_choosing={"randomforestclassifier__n_estimators": 60},
    ),
    ModelSpec(
        "svm",
        "A support vector machine with a Gaussian kernel on normal scores of the features, "
        "its probabilities by temperature scaling on artist-grouped folds.",
        _svm,
        version="2",
        candidates=_grid(
            calibratedclassifiercv__estimator__C=(0.3, 1.0, 5.0),
            calibratedclassifiercv__estimator__class_weight=(None, "balanced"),
        ),
    ),
    ModelSpec(
        "boosting",
        "Gradient boosting of 100 small trees per genre.",
        _boosting,
        version="2",
        candidates=_grid(
            histgradientboostingclassifier__min_samples_leaf=(10, 20),
            histgradientboostingclassifier__class_weight=(None, "balanced"),
        ),
        while_choosing={
            "histgradientboostingclassifier__max_iter": 40,
            "histgradientboostingclassifier__learning_rate": 0.125,
        },
    ),
)


def _version_of_all(specs: dict[str, ModelSpec], names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {specs[name].version}" for name in names)


MODELS = {spec.name: spec for spec in _TRAINED}
MODELS["vote"] = ModelSpec(
    "vote",
    "The mean of the probabilities of svm, random_forest and boosting.",
    _vote,
    version=_version_of_all(MODELS, _VOTERS),
    parts=_VOTERS,
)
