"""Probabilities for classifiers that have none, or that are far too sure of theirs."""

from typing import Any

import numpy as np


def calibrated(classifier: Any, inner_folds: np.ndarray) -> Any:
    """A classifier with temperature scaling on inner folds, which keep artists apart.

    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger: On Calibration of Modern Neural Networks, ICML
    2017. Scaling keeps the order of the genres, so the most probable one remains the one that the
    classifier decides for.

    Args:
        classifier: The classifier.
        inner_folds: The inner fold of each training row, integers of shape (n,).
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import PredefinedSplit

    return CalibratedClassifierCV(
        classifier,
        method="temperature",
        ensemble=False,  # pyright: ignore[reportArgumentType]
        cv=PredefinedSplit(inner_folds),
    )
