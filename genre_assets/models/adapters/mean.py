"""The mean of other models, each stored in a folder of its own within the model's folder."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from genre_assets.documents import parse_json
from genre_assets.models.adapters import model_class
from genre_assets.models.protocol import Choice, Examples, Model, ModelError, ModelSpec

_COMPONENTS, _INDEX = "components", "components.json"


@dataclass(frozen=True)
class MeanModel(Model):
    """The mean of the probabilities of its components.

    Attributes:
        components: The name of each component's adapter and the component, by its name.
    """

    components: Mapping[str, tuple[str, Model]]

    @property
    def classes_(self) -> np.ndarray:
        """The genres, in the order of the columns of its probabilities."""
        return np.unique(np.concatenate([m.classes_ for _, m in self.components.values()]))

    @classmethod
    def fit(cls, spec: ModelSpec, choice: Choice, train: Examples, seed: int) -> Self:
        """A mean is not fitted: it is made of models that are."""
        raise ModelError(f"{spec.name} is made of its components and is not fitted by itself.")

    def predict_proba(self, x: Any) -> np.ndarray:
        """Probabilities of shape (n, genres) from features of shape (n, columns)."""
        total = np.zeros((len(x), len(self.classes_)))
        for _, component in self.components.values():
            columns = np.searchsorted(self.classes_, component.classes_)
            total[:, columns] += component.predict_proba(x)
        return total / len(self.components)

    def save(self, folder: Path) -> None:
        """Write the components and a list of them."""
        for name, (_, component) in self.components.items():
            (folder / _COMPONENTS / name).mkdir(parents=True)
            component.save(folder / _COMPONENTS / name)
        index = {name: adapter for name, (adapter, _) in self.components.items()}
        (folder / _INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the components.

        Raises:
            ModelError: If the list of components or one of them cannot be read.
        """
        try:
            index = parse_json((folder / _INDEX).read_text(encoding="utf-8"))
            if not isinstance(index, dict) or not index:
                raise ValueError("it names no components")
        except (OSError, ValueError) as error:
            raise ModelError(
                f"{folder / _INDEX} cannot be read ({error}): train the model again."
            ) from error
        return cls(
            {
                name: (adapter, model_class(adapter).load(folder / _COMPONENTS / name))
                for name, adapter in index.items()
            }
        )
