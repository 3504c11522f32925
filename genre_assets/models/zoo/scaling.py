"""How features are prepared for estimators of scikit-learn, and the grids of their settings."""

from itertools import product
from typing import Any


def grid(**values: tuple) -> tuple[dict[str, Any], ...]:
    """Every combination of the values."""
    return tuple(dict(zip(values, chosen, strict=True)) for chosen in product(*values.values()))


def imputer() -> Any:
    """A step that fills in the median of a column where a value is missing."""
    from sklearn.impute import SimpleImputer

    return SimpleImputer(strategy="median", keep_empty_features=True)


def normal_scores(seed: int) -> tuple[Any, Any]:
    """Steps that replace each value with the normal score of its quantile."""
    from sklearn.preprocessing import QuantileTransformer

    scores = QuantileTransformer(n_quantiles=200, output_distribution="normal", random_state=seed)
    return imputer(), scores
