"""What a model is: a specification, and an object that can be fitted, saved and loaded.

A :class:`ModelSpec` is data. It is needed when definitions load, so this module imports no library
that trains anything. What an asset depends on, what its fingerprint covers and which version counts
all follow from a specification's inputs: see :mod:`genre_assets.models.registry`.

A :class:`Model` does the work. There is one class for each library, an adapter, in
:mod:`genre_assets.models.adapters`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from genre_assets.errors import UserError
from genre_assets.progress import Log, silent

INNER_FOLDS = 3
"""Folds of the training tracks that a model may search its settings or calibrate itself on."""

TRAINER_VERSION = "1"
"""Raised when training itself changes so that every model comes out differently."""


class ModelError(UserError):
    """A stored model cannot be used; the message says which, why and what to do."""


@dataclass(frozen=True)
class Features:
    """A row of the feature table that the task uses.

    Attributes:
        family: Prefix of the columns to use, such as ``"mfcc"``; empty takes all of the task's.
    """

    family: str = ""


@dataclass(frozen=True)
class Spectrograms:
    """The spectrograms of a track's segments.

    Attributes:
        kind: Which of them, such as ``"mel"``.
    """

    kind: str


@dataclass(frozen=True)
class Predictions:
    """Stored predictions of other models, for tracks that they were not trained on.

    Attributes:
        of: Names of the models, the components.
    """

    of: tuple[str, ...]


Input = Features | Spectrograms | Predictions


@dataclass(frozen=True)
class ModelSpec:
    """A model that can be trained.

    Attributes:
        name: Its name: the last part of its asset key.
        description: One sentence.
        build: Makes the untrained classifier from a seed and the inner fold of each training row
            (integers of shape (n,), an artist in one fold only); it has ``fit`` and
            ``predict_proba``. None where the adapter needs none.
        version: Raised when ``build``, the candidates or what is stored changes, so that models
            built before are stale. Those of its components count as well, without being repeated.
        family: The family of models that it belongs to, such as ``"trees"``.
        paper: Where it was published.
        inputs: What it reads of a track.
        adapter: Name of the adapter that fits, saves and loads it.
        candidates: Settings to choose among, by the library's names; none leaves nothing to choose.
        while_choosing: Settings that make a candidate quicker to fit while it is compared with the
            others.
        by_default: Whether it is trained by a run that names no models.
    """

    name: str
    description: str
    build: Callable[[int, np.ndarray], Any] | None = None
    version: str = "1"
    family: str = ""
    paper: str = ""
    inputs: tuple[Input, ...] = (Features(),)
    adapter: str = "scikit_learn"
    candidates: tuple[dict[str, Any], ...] = ()
    while_choosing: dict[str, Any] = field(default_factory=dict)
    by_default: bool = False

    @property
    def components(self) -> tuple[str, ...]:
        """Names of the models whose predictions it reads."""
        return tuple(
            name for read in self.inputs if isinstance(read, Predictions) for name in read.of
        )

    def untrained(self, seed: int, inner_folds: np.ndarray) -> Any:
        """The classifier that ``build`` makes."""
        if self.build is None:
            raise ModelError(f"{self.name} is made of its components and is not fitted by itself.")
        return self.build(seed, inner_folds)

    @property
    def family_of_features(self) -> str:
        """Prefix of the feature columns that it reads; empty for all."""
        return next((read.family for read in self.inputs if isinstance(read, Features)), "")


@dataclass(frozen=True)
class Choice:
    """The settings that were chosen for a model.

    Attributes:
        settings: Settings by the library's names.
        frequencies: Share of the genre frequencies in its probabilities.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    frequencies: float = 0.0

    def as_facts(self) -> dict[str, Any]:
        """The choice as JSON can hold it."""
        facts = {name.rpartition("__")[2]: value for name, value in self.settings.items()}
        return facts | ({"genre_frequencies": self.frequencies} if self.frequencies else {})


@dataclass(frozen=True)
class Examples:
    """The tracks that a model is fitted to.

    Attributes:
        x: Features of shape (n, columns), NaN where unknown.
        genre: Genre of each track.
        group: Group of each: its artist, with whatever shares an album or bytes.
    """

    x: np.ndarray
    genre: np.ndarray
    group: np.ndarray


class Model(ABC):
    """A fitted model.

    A model that stops early or calibrates itself holds out artists of the tracks that it is fitted
    to, by :func:`genre_assets.tasks.splits.inner_folds`. It never sees the tracks that it is going
    to predict.
    """

    libraries: ClassVar[tuple[str, ...]] = ()
    """Distributions whose versions are recorded with the model."""

    @property
    @abstractmethod
    def classes_(self) -> np.ndarray:
        """The genres, in the order of the columns of its probabilities."""

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
        """Choose settings by training tracks alone; where nothing is to be chosen, none.

        Args:
            spec: The model's specification.
            train: The training tracks.
            seed: Seed of whatever is drawn at random.
            balanced: Whether models of the task are compared by balanced accuracy.
            log: Takes lines about the progress.
        """
        return Choice()

    @classmethod
    @abstractmethod
    def fit(cls, spec: ModelSpec, choice: Choice, train: Examples, seed: int) -> Self:
        """Fit a model with the settings that were chosen for it."""

    @abstractmethod
    def predict_proba(self, x: Any) -> np.ndarray:
        """Probabilities of shape (n, genres) from features of shape (n, columns)."""

    def predict(self, x: Any) -> np.ndarray:
        """The most probable genre of each row."""
        return self.classes_[self.predict_proba(x).argmax(axis=1)]

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the model into a folder that exists."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            ModelError: If the folder holds no model that can be loaded safely.
        """
