"""Trained models on disk: ``<lake>/models/task=<task>/<name>/``.

A folder holds the model (as its adapter saves it), its predictions and leaky predictions (Parquet),
``training.json``, a card for people (``README.md``) and the credits of its training tracks. It is
written under another name and renamed into place; a reader that meets the moment between two
models notices and reads again. One process at a time stores a model of a name, and none is stored
that was trained on a track that has been taken down meanwhile.

Light: the library of a model is imported when the model is saved or loaded.
"""

import json
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
from genre_assets.lake.storage import folder_written_whole, whole_folders
from genre_assets.lake.tables import Lake
from genre_assets.models.adapters import model_class
from genre_assets.models.card import CARD, SYNTHETIC, SyntheticMusicWarning, card
from genre_assets.models.outcome import TrainedModel, adapter_of
from genre_assets.models.protocol import Model, ModelError
from genre_assets.progress import Log
from genre_assets.sources import attribution
from genre_assets.takedowns.record import taken_down
from genre_assets.tasks.task import TaskError

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
    return lake.places.models_of(task) / name


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
    turn = lake.turn(f"saving.{task}.{name}", f"is storing {name} of {task}")
    with turn, folder_written_whole(folder) as (new, swap):
        try:
            _write(lake, trained, members, new, identity)
            # A take-down is recorded under this lock before it removes anything: either it is seen
            # here, or it finds the model, with its credits, in place.
            with lake.lock(TAKEDOWNS):
                _refuse_taken_down(lake, members, trained)
                if not (new / _FACTS).exists():
                    # A take-down moved the folder away, and the files after that made it anew.
                    raise FileNotFoundError(new / _FACTS)
                swap()
        except FileNotFoundError as error:
            if (new / _FACTS).exists() or not lake.partitions(TAKEDOWNS):
                raise
            raise TaskError(
                f"Task {task} was removed by a take-down while {name} was being stored: "
                "materialise its task_dataset, then its models again."
            ) from error
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
    facts, model = load(folder)
    while read_facts(folder) != facts:
        facts, model = load(folder)
    if facts.get("trained_on_synthetic"):
        warnings.warn(f"{folder}: {SYNTHETIC}", SyntheticMusicWarning, stacklevel=2)
    return model, facts


def load(folder: Path) -> tuple[dict[str, Any], Model]:
    """Load a model and its facts, which may be of two trainings when it is stored meanwhile."""
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


def stored_models(lake: Lake, task: str) -> list[Path]:
    """The folders of the models of a task, by name."""
    return whole_folders(lake.places.models_of(task))


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
