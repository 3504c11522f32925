"""Trained models on disk: ``<lake>/models/task=<task>/<name>/``.

A folder holds the model (``model.skops``), its predictions and leaky predictions (Parquet),
``training.json``, a card for people (``README.md``) and the credits of its training tracks. It is
written under another name and renamed into place; a reader that meets the moment between two
models notices and reads again. One process at a time stores a model of a name, and none is stored
that was trained on a track that has been taken down meanwhile. Models are stored with skops and
loaded only when every type in the file is on :data:`TRUSTED_TYPES`: no pickle, so a model file
from elsewhere cannot run code.

Import late: this module needs skops and scikit-learn.
"""

import json
import shutil
import uuid
import warnings
import zipfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.documents import parse_json
from genre_assets.errors import UserError
from genre_assets.lake.parquet import DamagedFileError, read_parquet, write_parquet
from genre_assets.lake.schemas import LEAKY_PREDICTIONS, PREDICTIONS, TAKEDOWNS, TRACKS, Table
from genre_assets.lake.staleness import Need
from genre_assets.lake.tables import Lake
from genre_assets.models.card import CARD, SYNTHETIC, SyntheticMusicWarning, card
from genre_assets.models.registry import MODELS
from genre_assets.models.training import ASKED_SPLITS, LEAKY_ASKED_SPLITS, TrainedModel
from genre_assets.progress import Log
from genre_assets.sources import attribution
from genre_assets.takedowns.record import taken_down
from genre_assets.tasks.members import fingerprint
from genre_assets.tasks.task import TaskError

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

TRUSTED_TYPES = frozenset(
    {
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

_MODEL, _FACTS = "model.skops", "training.json"
_PREDICTION_TABLES = (PREDICTIONS, LEAKY_PREDICTIONS)
_TRIES = 3


class ModelError(UserError):
    """A stored model cannot be used; the message says which, why and what to do."""


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
                if not (new / _MODEL).exists():
                    # A take-down moved the folder away, and the files after that made it anew.
                    raise FileNotFoundError(new / _MODEL)
                if folder.exists():
                    folder.rename(old)
                new.rename(folder)
        except FileNotFoundError as error:
            if (new / _MODEL).exists() or not lake.partitions(TAKEDOWNS):
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
    import skops.io

    skops.io.dump(
        trained.estimator, folder / _MODEL, compression=zipfile.ZIP_DEFLATED, compresslevel=1
    )
    for table, rows in zip(
        _PREDICTION_TABLES, (trained.predictions, trained.leaky_predictions), strict=True
    ):
        write_parquet(rows, folder / _file_of(table))
    facts = trained.facts | {"id": identity}
    (folder / _FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
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


def load_model(folder: Path) -> tuple[Any, dict[str, Any]]:
    """Load a model for use.

    Args:
        folder: A model's folder.

    Returns:
        The estimator and the facts of its training. A :class:`SyntheticMusicWarning` is given
        when it was trained on synthetic music.

    Raises:
        ModelError: If the folder holds no model, or one of types that are not trusted.
    """
    facts, estimator = read_facts(folder), _load_estimator(folder / _MODEL)
    while (now := read_facts(folder)) != facts:
        facts, estimator = now, _load_estimator(folder / _MODEL)
    if facts.get("trained_on_synthetic"):
        warnings.warn(f"{folder}: {SYNTHETIC}", SyntheticMusicWarning, stacklevel=2)
    return estimator, facts


def _load_estimator(path: Path) -> Any:
    import skops.io

    try:
        unknown = sorted(set(skops.io.get_untrusted_types(file=path)) - TRUSTED_TYPES)
        if unknown:
            raise ModelError(
                f"{path} is not loaded: it holds types that no model of this package has "
                f"({', '.join(unknown)}); train the model again."
            )
        return skops.io.load(path, trusted=sorted(TRUSTED_TYPES))
    except ModelError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelError(f"{path} cannot be loaded ({reason}): train the model again.") from error


def read_stored(folder: Path) -> StoredModel:
    """Read a model's facts and predictions, all of one training.

    Raises:
        ModelError: If the folder does not hold them.
    """
    for _ in range(_TRIES):
        facts = read_facts(folder)
        try:
            told = [
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
            return StoredModel(folder, facts, *told)
    raise ModelError(f"{folder} lacks its predictions: train the model again.")


def gather_predictions(
    lake: Lake, task: str, members: pa.Table, features: pa.Table
) -> tuple[pa.Table, pa.Table, list[str]]:
    """Collect what all models of a task say of its present members.

    Args:
        lake: The lake.
        task: Name of the task.
        members: Its rows of ``task_members``.
        features: Rows of their feature table.

    Returns:
        Rows of ``predictions``, rows of ``leaky_predictions``, and a note for each stored model
        that is left out, because it was trained on other data or by older code, or its folder is
        damaged.
    """
    current = fingerprint(members, features)
    found: list[StoredModel] = []
    notes = []
    for folder in stored_models(lake, task):
        try:
            stored = read_stored(folder)
            if model_needs(folder.name, stored.facts, current) != Need.NOTHING:
                notes.append(
                    f"{folder.name} is left out: it was trained on other tracks or features than "
                    f"{task} has now, or by older code ({_trained_on(stored.facts)}); train it "
                    "again."
                )
                continue
            _check(stored.predictions, members, "split", ASKED_SPLITS, stored.path)
            _check(
                stored.leaky_predictions, members, "leaky_split", LEAKY_ASKED_SPLITS, stored.path
            )
        except ModelError as error:
            notes.append(f"{folder.name} is left out: {error}")
        else:
            found.append(stored)
    honest = pa.concat_tables([PREDICTIONS.empty(), *(s.predictions for s in found)])
    leaky = pa.concat_tables([LEAKY_PREDICTIONS.empty(), *(s.leaky_predictions for s in found)])
    return honest, leaky, notes


def stored_models(lake: Lake, task: str) -> list[Path]:
    """The folders of the models of a task, by name."""
    folders = sorted(model_folder(lake, task, "*").parent.glob("*/"))
    return [folder for folder in folders if not folder.name.startswith(".")]


def model_needs(name: str, facts: dict[str, Any], current: str) -> Need:
    """Say whether a stored model is to be trained anew.

    Args:
        name: Its name.
        facts: What it was made of.
        current: The fingerprint of its task's members and features.
    """
    known = MODELS.get(name)
    if known is None or facts.get("version") != known.version:
        return Need.VERSION
    return Need.NOTHING if facts.get("data") == current else Need.CHANGED


def trained_before(
    lake: Lake, task: str, name: str, members: pa.Table, features: pa.Table
) -> StoredModel | None:
    """The stored model that training would only make once more, or None when it is to be trained.

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
    needs = model_needs(name, stored.facts, fingerprint(members, features))
    return stored if needs == Need.NOTHING else None


def _trained_on(facts: dict[str, Any]) -> str:
    return f"on {facts['made_at'][:10]}" if "made_at" in facts else "on an unknown date"


def _check(
    predictions: pa.Table, members: pa.Table, column: str, asked: tuple[str, ...], folder: Path
) -> None:
    """Make sure that every member to be predicted is, once, with probabilities that sum to one."""
    splits = zip(members["track_id"].to_pylist(), members[column].to_pylist(), strict=True)
    expected = sorted((track_id, split) for track_id, split in splits if split in asked)
    told = sorted(
        zip(predictions["track_id"].to_pylist(), predictions["split"].to_pylist(), strict=True)
    )
    if told != expected:
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
