"""Decision trees, and ensembles of them."""

from typing import Any

import numpy as np

from genre_assets.models.protocol import ModelSpec
from genre_assets.models.zoo.calibration import calibrated
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
            # Splits that see a third of the columns: on validation tracks 1 to 2 points better.
            max_features=0.3,
            max_bins=bins,
            l2_regularization=1.0,
            early_stopping=False,  # pyright: ignore[reportArgumentType]
            random_state=seed,
        ),
    )


def _decision_tree(seed: int, inner_folds: np.ndarray) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeClassifier

    return make_pipeline(imputer(), DecisionTreeClassifier(random_state=seed))


def _extra_trees(seed: int, inner_folds: np.ndarray) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.pipeline import make_pipeline

    return make_pipeline(
        imputer(), ExtraTreesClassifier(500, min_samples_leaf=2, random_state=seed)
    )


def _bagging(seed: int, inner_folds: np.ndarray) -> Any:
    from sklearn.ensemble import BaggingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(min_samples_leaf=2, random_state=seed)
    trees = BaggingClassifier(tree, n_estimators=100, random_state=seed)
    return make_pipeline(imputer(), trees)


def _adaboost(seed: int, inner_folds: np.ndarray) -> Any:
    from sklearn.ensemble import AdaBoostClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(max_depth=3, max_features="sqrt", random_state=seed)
    boosted = AdaBoostClassifier(tree, n_estimators=200, learning_rate=0.5, random_state=seed)
    # The votes of its trees are much alike, so that as probabilities they say next to nothing.
    return make_pipeline(imputer(), calibrated(boosted, inner_folds))


MODELS = (
    ModelSpec(
        "random_forest",
        "A random forest of 500 trees.",
        _random_forest,
        version="2",
        family="trees",
        by_default=True,
        candidates=grid(randomforestclassifier__class_weight=(None, "balanced_subsample")),
        while_choosing={"randomforestclassifier__n_estimators": 60},
    ),
    ModelSpec(
        "extra_trees",
        "Extremely randomised trees, 500 of them.",
        _extra_trees,
        family="trees",
        paper="P. Geurts, D. Ernst and L. Wehenkel, Extremely randomized trees, 2006",
        candidates=grid(extratreesclassifier__class_weight=(None, "balanced")),
        while_choosing={"extratreesclassifier__n_estimators": 60},
    ),
    ModelSpec(
        "decision_tree",
        "A single decision tree.",
        _decision_tree,
        family="trees",
        candidates=grid(
            decisiontreeclassifier__min_samples_leaf=(2, 8, 20),
            decisiontreeclassifier__class_weight=(None, "balanced"),
        ),
    ),
    ModelSpec(
        "bagging",
        "Bagging of 100 decision trees, each of a part of the features.",
        _bagging,
        family="trees",
        paper="L. Breiman, Bagging predictors, 1996",
        # Of hundreds of features a fifth is enough for a tree, of eight it is only one.
        candidates=grid(
            baggingclassifier__max_features=(0.2, 0.6),
            baggingclassifier__estimator__class_weight=(None, "balanced"),
        ),
        while_choosing={"baggingclassifier__n_estimators": 30},
    ),
    ModelSpec(
        "adaboost",
        "AdaBoost on 200 small trees, its probabilities by temperature scaling on artist-grouped "
        "folds.",
        _adaboost,
        family="trees",
        paper="Y. Freund and R. Schapire, A decision-theoretic generalization of on-line learning "
        "and an application to boosting, 1997",
        candidates=grid(
            calibratedclassifiercv__estimator__estimator__class_weight=(None, "balanced")
        ),
        while_choosing={"calibratedclassifiercv__estimator__n_estimators": 50},
    ),
    ModelSpec(
        "boosting",
        "Gradient boosting of 100 small trees per genre.",
        _boosting,
        version="3",
        family="trees",
        by_default=True,
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
