"""Adapters: how models of one library are fitted, saved and loaded.

To add a library, write a module with a subclass of :class:`genre_assets.models.protocol.Model` and
name it in :data:`ADAPTERS`.
"""

from dataclasses import dataclass
from importlib import import_module

from genre_assets.models.protocol import Model, ModelError


@dataclass(frozen=True)
class Adapter:
    """Where an adapter is, and what Dagster's UI calls its kind of model.

    Attributes:
        module: The module, imported when a model is fitted or loaded.
        name: The class in it.
        kind: The kind of the asset.
    """

    module: str
    name: str
    kind: str


# A fixed list: a stored model names its adapter, and must not name any code to be imported.
ADAPTERS = {
    "scikit_learn": Adapter(f"{__name__}.scikit_learn", "ScikitLearnModel", "scikitlearn"),
    "mean": Adapter(f"{__name__}.mean", "MeanModel", "numpy"),
}


def model_class(adapter: str) -> type[Model]:
    """The class of an adapter.

    Raises:
        ModelError: If there is no such adapter.
    """
    if adapter not in ADAPTERS:
        raise ModelError(
            f"This version has no adapter {adapter!r}, only {' and '.join(ADAPTERS)}: train the "
            "model again."
        )
    known = ADAPTERS[adapter]
    return getattr(import_module(known.module), known.name)
