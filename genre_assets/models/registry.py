"""All models that can be trained, and what follows from their specifications.

To add a model, write a function that builds it and one entry of ``MODELS`` in a module of
:mod:`genre_assets.models.zoo`; a new module is named here. Names and sentences are needed when
definitions load, the library of a model only when one is built, so import that in the function.

Where a figure had to be chosen, it was chosen on validation tracks or on artist-grouped folds of
training and validation tracks, never on test tracks. The columns of the features are as different
as a tempo and a kurtosis, and many have long tails, so models that measure distances see each
column as normal scores of its quantiles: on Echonest features the SVM then gains 0.7 points over
standard scores, on MFCC statistics 0.5. Everything that is fitted to the data, scalers and
imputed medians too, is part of the model and so is fitted on training rows only. How strongly a
model is regularised and whether it weighs genres alike is chosen for each training set by itself,
among the model's candidates: see :mod:`genre_assets.models.tuning`.
"""

from collections.abc import Iterable, Iterator

from genre_assets.lake.schemas import SPECTROGRAMS, Table
from genre_assets.models.adapters import ADAPTERS
from genre_assets.models.protocol import TRAINER_VERSION, Features, ModelSpec, Spectrograms
from genre_assets.models.zoo import (
    baseline,
    bayes,
    ensembles,
    kernels,
    linear,
    neighbours,
    trees,
)

MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for family in (baseline, linear, neighbours, bayes, trees, kernels, ensembles)
    for spec in family.MODELS
}
"""Every model by its name, its components before it."""


BY_DEFAULT = [spec.name for spec in MODELS.values() if spec.by_default]
"""The models that a run trains where none are named."""

FAMILIES = list(dict.fromkeys(spec.family for spec in MODELS.values()))
"""The families of models, such as ``trees``."""

ALL = "all"
"""What stands for every model where models are named."""


def chosen_by(word: str) -> list[str]:
    """The models that a word names: one model, a family, or all of them; none if it is unknown."""
    if word == ALL:
        return list(MODELS)
    if word in MODELS:
        return [word]
    return [spec.name for spec in MODELS.values() if spec.family == word]


def version_of(spec: ModelSpec) -> str:
    """The version that counts: the model's own, its components' and the trainer's together."""
    versions = [spec.version]
    versions += [f"{name} {version_of(MODELS[name])}" for name in spec.components]
    # The first version of the trainer is not named: models that were stored before it was counted
    # are as good as ever.
    if TRAINER_VERSION != "1":
        versions.append(f"trainer {TRAINER_VERSION}")
    return ", ".join(versions)


def tables_of(spec: ModelSpec, features: Table) -> tuple[Table, ...]:
    """The tables that a model and its components read, each once: its fingerprint covers them.

    Args:
        spec: The model.
        features: The feature table of the task.
    """
    return tuple(dict.fromkeys(_tables(spec, features)))


def _tables(spec: ModelSpec, features: Table) -> Iterator[Table]:
    for read in spec.inputs:
        if isinstance(read, Features):
            yield features
        elif isinstance(read, Spectrograms):
            yield SPECTROGRAMS
        else:
            for name in read.of:
                yield from _tables(MODELS[name], features)


def kinds_of(spec: ModelSpec) -> set[str]:
    """What Dagster's UI shows as the kinds of a model's asset."""
    reads_files = any(isinstance(read, Spectrograms) for read in spec.inputs)
    return {ADAPTERS[spec.adapter].kind} | ({"tfrecord"} if reads_files else set())


def with_components(names: Iterable[str]) -> list[str]:
    """The names of models, those of their components before them, each once."""
    found: dict[str, None] = {}
    for name in names:
        found |= dict.fromkeys([*with_components(MODELS[name].components), name])
    return list(found)
