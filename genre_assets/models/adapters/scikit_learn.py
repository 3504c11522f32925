"""Models of scikit-learn, stored with skops.

They are loaded only when every type in the file is in :data:`TRUSTED_TYPES`: no pickle, so a model
file from elsewhere cannot run code.

Import late: this module needs scikit-learn.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from genre_assets.models.protocol import (
    INNER_FOLDS,
    Choice,
    Examples,
    Model,
    ModelError,
    ModelSpec,
)
from genre_assets.models.tuning import at_least, build, choose
from genre_assets.progress import Log, silent
from genre_assets.tasks.splits import inner_folds

TRUSTED_TYPES = frozenset(
    {
        "genre_assets.models.zoo.nearest_tracks.NearestTracks",
        "numpy.dtype",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._TemperatureScaling",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.model_selection._split.PredefinedSplit",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
    }
)
"""Types that the stored models need beyond the ones that skops trusts by itself."""

_FILE = "model.skops"


@dataclass(frozen=True)
class ScikitLearnModel(Model):
    """A fitted classifier of scikit-learn, or anything with its ``fit`` and ``predict_proba``."""

    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn", "numpy", "scipy", "skops")
    estimator: Any

    @property
    def classes_(self) -> np.ndarray:
        """The genres, in the order of the columns of its probabilities."""
        return self.estimator.classes_

    @classmethod
    def search(
        cls,
        spec: ModelSpec,
        train: Examples,
        seed: int,
        *,
        balanced: bool,
        log: Log = silent,
    ) -> Choice:
        """Choose among the candidates: see :func:`genre_assets.models.tuning.choose`."""
        return choose(spec, train.x, train.genre, train.group, seed, balanced=balanced, log=log)

    @classmethod
    def fit(cls, spec: ModelSpec, choice: Choice, train: Examples, seed: int) -> Self:
        """Fit the classifier that the specification builds."""
        rows = at_least(INNER_FOLDS, np.arange(len(train.genre)), train.genre)
        genre = train.genre[rows]
        folds = inner_folds(genre, train.group[rows], INNER_FOLDS, seed)
        return cls(build(spec, choice, seed, folds).fit(train.x[rows], genre))

    def predict_proba(self, x: Any) -> np.ndarray:
        """Probabilities of shape (n, genres) from features of shape (n, columns)."""
        return self.estimator.predict_proba(x)

    def save(self, folder: Path) -> None:
        """Write ``model.skops``."""
        import skops.io

        skops.io.dump(
            self.estimator, folder / _FILE, compression=zipfile.ZIP_DEFLATED, compresslevel=1
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read ``model.skops``.

        Raises:
            ModelError: If it cannot be read, or holds types that are not trusted.
        """
        import skops.io

        path = folder / _FILE
        try:
            unknown = sorted(set(skops.io.get_untrusted_types(file=path)) - TRUSTED_TYPES)
            if unknown:
                raise ModelError(
                    f"{path} is not loaded: it holds types that no model of this package has "
                    f"({', '.join(unknown)}); train the model again."
                )
            return cls(skops.io.load(path, trusted=sorted(TRUSTED_TYPES)))
        except ModelError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise ModelError(
                f"{path} cannot be loaded ({reason}): train the model again."
            ) from error
