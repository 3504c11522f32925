"""Which stored models are up to date, and what they predict.

Light: the library of a model is imported when the model is loaded.
"""

from typing import Any

import pyarrow as pa

from genre_assets.lake.schemas import LEAKY_PREDICTIONS, PREDICTIONS, Table, feature_tables
from genre_assets.lake.staleness import Need
from genre_assets.lake.tables import Lake
from genre_assets.models.outcome import TrainedModel
from genre_assets.models.protocol import ModelError, ModelSpec
from genre_assets.models.registry import MODELS, tables_of, version_of
from genre_assets.models.storage import (
    StoredModel,
    load,
    model_folder,
    read_stored,
    stored_models,
)
from genre_assets.progress import counted
from genre_assets.tasks.fingerprint import fingerprint
from genre_assets.tasks.splits import LEAKY_PREDICTED_SPLITS, PREDICTED_SPLITS
from genre_assets.tasks.task import TaskError


def gather_predictions(
    lake: Lake, task: str, members: pa.Table, features: pa.Table
) -> tuple[pa.Table, pa.Table, list[str]]:
    """Collect the predictions of all models of a task for its present members.

    Args:
        lake: The lake.
        task: Name of the task.
        members: Its rows of ``task_members``.
        features: Rows of their feature table.

    Returns:
        Rows of ``predictions``, rows of ``leaky_predictions``, and a note for each stored model
        that is left out, because it was trained on other data or by older code, or its folder is
        damaged, or that abstained from tracks.
    """
    current = _Inputs(lake, members, features)
    found: list[StoredModel] = []
    notes = []
    for folder in stored_models(lake, task):
        try:
            stored = read_stored(folder)
            if (
                folder.name not in MODELS
                or model_needs(folder.name, stored.facts, current.fingerprint(folder.name))
                != Need.NOTHING
            ):
                notes.append(
                    f"{folder.name} is left out: it was trained on other tracks or features than "
                    f"{task} has now, or by older code ({_trained_on(stored.facts)}); train it "
                    "again."
                )
                continue
            _check(stored, stored.predictions, members, "split", PREDICTED_SPLITS)
            _check(stored, stored.leaky_predictions, members, "leaky_split", LEAKY_PREDICTED_SPLITS)
        except ModelError as error:
            notes.append(f"{folder.name} is left out: {error}")
        else:
            found.append(stored)
            notes += [
                f"{folder.name} made no prediction for {counted(len(ids), 'track')}: {reason}."
                for reason, ids in _abstained(stored.facts).items()
            ]
    honest = pa.concat_tables([PREDICTIONS.empty(), *(s.predictions for s in found)])
    leaky = pa.concat_tables([LEAKY_PREDICTIONS.empty(), *(s.leaky_predictions for s in found)])
    return honest, leaky, notes


class _Inputs:
    """The fingerprints of what the models of a task are made of today.

    Args:
        lake: The lake.
        members: Rows of ``task_members`` of the task.
        features: Rows of their feature table.
    """

    def __init__(self, lake: Lake, members: pa.Table, features: pa.Table):
        self._lake, self._members, self._features = lake, members, features
        self._found: dict[tuple[Table, ...], str] = {}

    def fingerprint(self, name: str) -> str:
        """The fingerprint of what the model of this name would be made of."""
        own = feature_tables()[self._members["feature_table"][0].as_py()]
        tables = tables_of(MODELS[name], own)
        if tables not in self._found:
            rows = [self._features if table is own else self._lake.read(table) for table in tables]
            self._found[tables] = fingerprint(self._members, *rows)
        return self._found[tables]


def model_needs(name: str, facts: dict[str, Any], current: str) -> Need:
    """Say whether a stored model has to be trained again.

    Args:
        name: Its name.
        facts: What it was made of.
        current: The fingerprint of what it would be made of today.
    """
    known = MODELS.get(name)
    if known is None or facts.get("version") != version_of(known):
        return Need.VERSION
    return Need.NOTHING if facts.get("data") == current else Need.CHANGED


def trained_before(
    lake: Lake, task: str, name: str, members: pa.Table, features: pa.Table
) -> StoredModel | None:
    """The stored model if training it again would change nothing, or None.

    Args:
        lake: The lake.
        task: Name of the task.
        name: Name of the model.
        members: Rows of ``task_members`` of the task.
        features: Rows of their feature table.
    """
    try:
        stored = read_stored(model_folder(lake, task, name))
    except ModelError:
        return None
    current = _Inputs(lake, members, features).fingerprint(name)
    return stored if model_needs(name, stored.facts, current) == Need.NOTHING else None


def load_components(
    lake: Lake, task: str, spec: ModelSpec, members: pa.Table, features: pa.Table
) -> dict[str, TrainedModel]:
    """Load the components of a model, by their names.

    Args:
        lake: The lake.
        task: Name of the task.
        spec: The model.
        members: Rows of ``task_members`` of the task.
        features: Rows of their feature table.

    Raises:
        TaskError: If one of them is not trained, or is not up to date.
    """
    found = {}
    for name in spec.components:
        model = None
        while stored := trained_before(lake, task, name, members, features):
            facts, model = load(stored.path)
            if facts == stored.facts:
                break
        if stored is None or model is None:
            raise TaskError(
                f"{spec.name} is made of the predictions of {_listed(spec.components)}. For the "
                f"task {task}, {name} is not trained or not up to date: materialise models/{name} "
                "first."
            )
        found[name] = TrainedModel(
            model, stored.predictions, stored.leaky_predictions, stored.facts
        )
    return found


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _abstained(facts: dict[str, Any]) -> dict[str, list[str]]:
    """The ids of the tracks that a model made no prediction for, by reason."""
    return facts.get("abstained", {})


def _trained_on(facts: dict[str, Any]) -> str:
    return f"on {facts['made_at'][:10]}" if "made_at" in facts else "on an unknown date"


def _check(
    stored: StoredModel,
    predictions: pa.Table,
    members: pa.Table,
    column: str,
    predicted: tuple[str, ...],
) -> None:
    """Make sure that every member to be predicted is, once, with probabilities that sum to one."""
    folder = stored.path
    abstained = {key for keys in _abstained(stored.facts).values() for key in keys}
    splits = zip(members["track_id"].to_pylist(), members[column].to_pylist(), strict=True)
    expected = sorted(
        (track_id, split)
        for track_id, split in splits
        if split in predicted and track_id not in abstained
    )
    found = sorted(
        zip(predictions["track_id"].to_pylist(), predictions["split"].to_pylist(), strict=True)
    )
    if found != expected:
        raise ModelError(
            f"{folder} does not have exactly one prediction for each track: train the model again."
        )
    for row in predictions["probabilities"].to_pylist():
        values = [value for _, value in row]
        if not (min(values) >= 0 and abs(sum(values) - 1) < 1e-6):
            raise ModelError(f"{folder} holds probabilities that do not sum to one.")
