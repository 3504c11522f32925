"""Trained models on disk: ``<lake>/models/task=<task>/<name>/``.

A folder holds the model (``model.skops``), its predictions and leaky predictions (Parquet) and
``training.json``. It is written under another name and renamed into place; a reader that meets
the moment between two models notices and reads again. Models are stored with skops and loaded
only when every type in the file is on :data:`TRUSTED_TYPES`: no pickle, so a model file from
elsewhere cannot run code.

Import late: this module needs skops and scikit-learn.
"""

import json
import shutil
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from genre_assets.documents import parse_json
from genre_assets.due import Need
from genre_assets.errors import UserError
from genre_assets.lake.parquet import DamagedFileError, read_parquet, write_parquet
from genre_assets.lake.schemas import LEAKY_PREDICTIONS, PREDICTIONS, Table
from genre_assets.lake.tables import Lake
from genre_assets.models.dataset import fingerprint
from genre_assets.models.registry import MODELS
from genre_assets.models.training import ASKED_SPLITS, LEAKY_ASKED_SPLITS, TrainedModel

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


def save_model(lake: Lake, trained: TrainedModel) -> Path:
    """Store a trained model in place of the one before.

    Returns:
        The model's folder.
    """
    import skops.io

    name = trained.facts["model"]
    folder = model_folder(lake, trained.facts["task"], name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for leftover in folder.parent.glob(f".{name}.*"):
        shutil.rmtree(leftover, ignore_errors=True)
    identity = uuid.uuid4().hex
    new, old = (folder.with_name(f".{name}.{identity}.{age}") for age in ("new", "old"))
    new.mkdir()
    try:
        skops.io.dump(
            trained.estimator, new / _MODEL, compression=zipfile.ZIP_DEFLATED, compresslevel=1
        )
        write_parquet(trained.predictions, new / _file_of(PREDICTIONS))
        write_parquet(trained.leaky_predictions, new / _file_of(LEAKY_PREDICTIONS))
        facts = trained.facts | {"id": identity}
        (new / _FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        for leftover in (new, old):
            shutil.rmtree(leftover, ignore_errors=True)
    return folder


def load_model(folder: Path) -> tuple[Any, dict[str, Any]]:
    """Load a model for use.

    Args:
        folder: A model's folder.

    Returns:
        The estimator and the facts of its training.

    Raises:
        ModelError: If the folder holds no model, or one of types that are not trusted.
    """
    import skops.io

    facts = read_facts(folder)
    path = folder / _MODEL
    try:
        unknown = sorted(set(skops.io.get_untrusted_types(file=path)) - TRUSTED_TYPES)
        if unknown:
            raise ModelError(
                f"{path} is not loaded: it holds types that no model of this package has "
                f"({', '.join(unknown)}); train the model again."
            )
        return skops.io.load(path, trusted=sorted(TRUSTED_TYPES)), facts
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
                    f"{folder.name} is left out: it was trained on other members or features of "
                    f"{task}, or by older code (on {stored.facts.get('made_at', 'an unknown date')}"
                    "); train it again."
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
        raise ModelError(f"{folder} does not say one thing of each track: train the model again.")
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
