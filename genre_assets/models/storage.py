"""Trained models on disk: ``<lake>/models/task=<task>/<name>/``.

A folder holds the model (as its adapter saves it), its predictions and leaky predictions (Parquet),
``training.json``, a card for people (``README.md``) and the credits of its training tracks. It is
written under another name and renamed into place; a reader that meets the moment between two
models notices and reads again. One process at a time stores a model of a name, and none is stored
that was trained on a track that has been taken down meanwhile.

Light: the library of a model is imported when the model is saved or loaded.
"""

import json
import shutil
import uuid
import warnings
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.documents import parse_json
from genre_assets.lake.parquet import DamagedFileError, read_parquet, write_parquet
from genre_assets.lake.schemas import LEAKY_PREDICTIONS, PREDICTIONS, TAKEDOWNS, TRACKS, Table
from genre_assets.lake.staleness import Need
from genre_assets.lake.tables import Lake
from genre_assets.models.adapters import model_class
from genre_assets.models.card import CARD, SYNTHETIC, SyntheticMusicWarning, card
from genre_assets.models.outcome import TrainedModel, adapter_of
from genre_assets.models.protocol import Model, ModelError, ModelSpec
from genre_assets.models.registry import MODELS, tables_of, version_of
from genre_assets.progress import Log, counted
from genre_assets.sources import attribution
from genre_assets.takedowns.record import taken_down
from genre_assets.tasks.fingerprint import fingerprint
from genre_assets.tasks.splits import LEAKY_PREDICTED_SPLITS, PREDICTED_SPLITS
from genre_assets.tasks.task import FEATURE_TABLES, TaskError

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

_FACTS = "training.json"
_PREDICTION_TABLES = (PREDICTIONS, LEAKY_PREDICTIONS)
_TRIES = 3


@dataclass(frozen=True)
class StoredModel:
    """What a model's folder holds beside the model.

    Attributes:
        path: The folder.
        facts: What the model was made of.
        predictions: Rows of ``predictions``.
        leaky_predictions: Rows of ``leaky_predictions``.
    """

    path: Path
    facts: dict[str, Any]
    predictions: pa.Table
    leaky_predictions: pa.Table


def model_folder(lake: Lake, task: str, name: str) -> Path:
    """The folder of a model of a task."""
    return lake.root / "models" / f"task={task}" / name


def training_turn(lake: Lake, task: str, name: str, log: Log) -> AbstractContextManager[None]:
    """The turn at training a model: a second run waits, and then finds the model trained."""
    return lake.turn(f"training.{task}.{name}", f"is training {name} for {task}", log)


def save_model(lake: Lake, trained: TrainedModel, members: pa.Table | None = None) -> Path:
    """Store a trained model in place of the one before.

    Args:
        lake: The lake.
        trained: The model.
        members: Rows of ``task_members`` that it was trained on: they are credited beside it, and
            the model is refused when one of them has been taken down. None checks and credits
            nothing.

    Returns:
        The model's folder.

    Raises:
        TaskError: If a track was taken down while the model was trained.
    """
    name, task = trained.facts["model"], trained.facts["task"]
    folder = model_folder(lake, task, name)
    identity = uuid.uuid4().hex
    new, old = (folder.with_name(f".{name}.{identity}.{age}") for age in ("new", "old"))
    with lake.turn(f"saving.{task}.{name}", f"is storing {name} of {task}"):
        # Whoever else stores this model waits, so that these are of runs that were killed.
        for leftover in folder.parent.glob(f".{name}.*"):
            shutil.rmtree(leftover, ignore_errors=True)
        new.mkdir(parents=True)
        try:
            _write(lake, trained, members, new, identity)
            # A take-down is recorded under this lock before it removes anything: either it is seen
            # here, or it finds the model, with its credits, in place.
            with lake.lock(TAKEDOWNS):
                _refuse_taken_down(lake, members, trained)
                if not (new / _FACTS).exists():
                    # A take-down moved the folder away, and the files after that made it anew.
                    raise FileNotFoundError(new / _FACTS)
                if folder.exists():
                    folder.rename(old)
                new.rename(folder)
        except FileNotFoundError as error:
            if (new / _FACTS).exists() or not lake.partitions(TAKEDOWNS):
                raise
            raise TaskError(
                f"Task {task} was removed by a take-down while {name} was being stored: "
                "materialise its task_dataset, then its models again."
            ) from error
        finally:
            for leftover in (new, old):
                shutil.rmtree(leftover, ignore_errors=True)
    return folder


def _write(
    lake: Lake, trained: TrainedModel, members: pa.Table | None, folder: Path, identity: str
) -> None:
    # The facts come first: should a take-down move the folder away, they are gone with it.
    facts = trained.facts | {"id": identity}
    (folder / _FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    trained.model.save(folder)
    for table, rows in zip(
        _PREDICTION_TABLES, (trained.predictions, trained.leaky_predictions), strict=True
    ):
        write_parquet(rows, folder / _file_of(table))
    (folder / CARD).write_text(card(facts), encoding="utf-8")
    if members is not None:
        attribution.write_attribution(
            attribution.named_tracks(lake),
            members["track_id"].to_pylist(),
            folder / attribution.FILE_NAME,
        )


def _refuse_taken_down(lake: Lake, members: pa.Table | None, trained: TrainedModel) -> None:
    if members is None or not lake.partitions(TAKEDOWNS):
        return
    listed = lake.read(TRACKS, columns=["track_id", "artist"])
    own = listed.filter(pc.is_in(listed["track_id"], value_set=members["track_id"]))
    if gone := sorted(taken_down(lake).reasons(own)):
        raise TaskError(
            f"{trained.facts['model']} of {trained.facts['task']} is not stored: {gone[0]} was "
            "taken down while the model was trained on it. Materialise the task's task_dataset, "
            "then its models again."
        )


def load_model(folder: Path) -> tuple[Model, dict[str, Any]]:
    """Load a model for use.

    Args:
        folder: A model's folder.

    Returns:
        The model and the facts of its training. A :class:`SyntheticMusicWarning` is given when it
        was trained on synthetic music.

    Raises:
        ModelError: If the folder holds no model that can be loaded safely.
    """
    facts, model = _load(folder)
    while read_facts(folder) != facts:
        facts, model = _load(folder)
    if facts.get("trained_on_synthetic"):
        warnings.warn(f"{folder}: {SYNTHETIC}", SyntheticMusicWarning, stacklevel=2)
    return model, facts


def _load(folder: Path) -> tuple[dict[str, Any], Model]:
    facts = read_facts(folder)
    return facts, model_class(adapter_of(facts)).load(folder)


def read_stored(folder: Path) -> StoredModel:
    """Read a model's facts and predictions, all of one training.

    Raises:
        ModelError: If the folder does not hold them.
    """
    for _ in range(_TRIES):
        facts = read_facts(folder)
        try:
            predictions = [
                read_parquet(folder / _file_of(table), table.schema) for table in _PREDICTION_TABLES
            ]
        except FileNotFoundError:
            continue
        except DamagedFileError as error:
            raise ModelError(
                f"The predictions in {folder} cannot be read ({error.reason}): train the model "
                "again."
            ) from error
        if read_facts(folder) == facts:
            return StoredModel(folder, facts, *predictions)
    raise ModelError(f"{folder} lacks its predictions: train the model again.")


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


def stored_models(lake: Lake, task: str) -> list[Path]:
    """The folders of the models of a task, by name."""
    folders = sorted(model_folder(lake, task, "*").parent.glob("*/"))
    return [folder for folder in folders if not folder.name.startswith(".")]


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
        own = FEATURE_TABLES[self._members["feature_table"][0].as_py()]
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
            facts, model = _load(stored.path)
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


def _file_of(table: Table) -> str:
    return f"{table.name}.parquet"


def read_facts(folder: Path) -> dict[str, Any]:
    """What a stored model was made of.

    Raises:
        ModelError: If the folder does not say it.
    """
    try:
        facts = parse_json((folder / _FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} holds no readable {_FACTS}: train the model again.") from error
    if not isinstance(facts, dict):
        raise ModelError(f"{folder / _FACTS} holds no facts: train the model again.")
    return facts
