"""What a training that was killed had finished, so that the next one goes on from there."""

import hashlib
import json
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa

from genre_assets.lake.storage import discard, folder_written_whole, whole_folders, written_whole
from genre_assets.lake.tables import Lake
from genre_assets.models.protocol import Choice, Model, ModelError, ModelSpec
from genre_assets.models.registry import version_of
from genre_assets.tasks.fingerprint import fingerprint

_MODEL = "model"
_CHOICE = "choice.json"


class FinishedFits:
    """The fits of one model that is being trained, each kept on disk as soon as it is finished.

    Fits of other members, features, code or seed do not count, and are deleted.

    Args:
        lake: The lake.
        task: Name of the task.
        spec: The model.
        members: Rows of ``task_members`` that it is trained on.
        features: Rows of their feature table.
        seed: Seed of whatever the model draws at random.
    """

    def __init__(
        self,
        lake: Lake,
        task: str,
        spec: ModelSpec,
        members: pa.Table,
        features: pa.Table,
        seed: int = 0,
    ):
        made_of = f"{fingerprint(members, features)} {version_of(spec)} {seed}"
        name = hashlib.sha256(made_of.encode()).hexdigest()[:32]
        self._trash = lake.places.trash
        self._all = lake.places.fits_of(task) / spec.name
        self._folder = self._all / name
        for other in whole_folders(self._all):
            if other.name != name:
                discard(other, self._trash)

    def choice(self) -> Choice | None:
        """The settings that were chosen for the model for use; None if they were not yet."""
        try:
            facts = json.loads((self._folder / _CHOICE).read_text(encoding="utf-8"))
            return Choice(facts["settings"], facts["frequencies"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep_choice(self, choice: Choice) -> None:
        """Keep the settings that were chosen for the model for use."""
        facts = {"settings": choice.settings, "frequencies": choice.frequencies}
        with written_whole(self._folder / _CHOICE) as path:
            path.write_text(json.dumps(facts), encoding="utf-8")

    def probabilities(self, number: int, shape: tuple[int, int]) -> np.ndarray | None:
        """What a fit predicted, of shape (tracks, genres); None if it is not finished."""
        try:
            found = np.load(self._path(number), allow_pickle=False)
        except (OSError, ValueError, EOFError, BadZipFile):
            return None
        return found if found.shape == shape else None

    def keep(self, number: int, probabilities: np.ndarray) -> None:
        """Keep what a fit predicted: from now on it counts as finished."""
        with written_whole(self._path(number)) as path, path.open("wb") as file:
            np.save(file, probabilities, allow_pickle=False)

    def model(self, kind: type[Model]) -> Model | None:
        """The model for use; None if it is not fitted yet."""
        try:
            return kind.load(self._folder / _MODEL)
        except (ModelError, OSError):
            return None

    def keep_model(self, model: Model) -> None:
        """Keep the model for use."""
        with folder_written_whole(self._folder / _MODEL) as (folder, swap):
            model.save(folder)
            swap()

    def forget(self) -> None:
        """Delete everything, once the model is stored."""
        discard(self._all, self._trash)

    def _path(self, number: int) -> Path:
        return self._folder / f"fit_{number:03d}.npy"
