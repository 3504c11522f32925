"""Finished fits of a model that is not trained yet, so that a run that died is continued.

Each is a Parquet file, and the fit that is kept for use also has a folder with the model, as its
adapter saves it. They lie in a folder that is named after the fingerprint of all that the fits are
made of; those of another fingerprint are deleted. Each file names every track of the task that has
the model's input, those that the fit learnt from too, so that a take-down finds it.

Light: the library of the model is imported when a model is saved or loaded.
"""

import contextlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa

from genre_assets.lake.parquet import DamagedFileError, read_parquet, write_parquet
from genre_assets.lake.places import Places
from genre_assets.lake.storage import folder_written_whole, whole_folders
from genre_assets.models.adapters import model_class
from genre_assets.models.fitting import FinishedFit
from genre_assets.models.protocol import Choice, ModelError, ModelSpec
from genre_assets.tasks.splits import Fit

_SCHEMA = pa.schema(
    [
        ("track_id", pa.string()),
        ("probabilities", pa.list_(pa.float64())),
        ("choice", pa.string()),
    ]
)


class KeptFits:
    """The finished fits of one training of a model.

    Only the process whose turn it is to train the model may use them.

    Args:
        places: The lake's places.
        task: Name of the task.
        spec: The model.
        fingerprint: Fingerprint of all that the fits are made of.
        track_ids: Ids of the tracks, in the order of the rows of each fit.
    """

    def __init__(
        self,
        places: Places,
        task: str,
        spec: ModelSpec,
        fingerprint: str,
        track_ids: list[str],
    ):
        self._adapter = spec.adapter
        self._track_ids = track_ids
        everything = places.fits_of(task) / spec.name
        self._folder = everything / fingerprint
        for other in whole_folders(everything):
            if other != self._folder:
                shutil.rmtree(other, ignore_errors=True)

    def read(self, number: int, fit: Fit) -> FinishedFit | None:
        """The result of a fit, if it is there and whole."""
        try:
            rows = read_parquet(self._file(number), _SCHEMA).to_pylist()
            model = model_class(self._adapter).load(self._model) if fit.kept else None
        except (FileNotFoundError, DamagedFileError, ModelError):
            return None
        found = [row["probabilities"] for row in rows if row["probabilities"] is not None]
        choice = Choice(**json.loads(rows[0]["choice"]))
        return FinishedFit(choice, np.array(found), model)

    def keep(self, number: int, fit: Fit, finished: FinishedFit) -> None:
        """Keep the result of a fit.

        Raises:
            DiskFullError: If there is no room for it.
        """
        predicted = iter(finished.probabilities.tolist())
        rows = pa.table(
            [
                self._track_ids,
                [next(predicted) if is_predicted else None for is_predicted in fit.predict],
                [json.dumps(asdict(finished.choice))] * len(self._track_ids),
            ],
            schema=_SCHEMA,
        )
        # A take-down may remove the folder at any time; the model is then refused in the end.
        with contextlib.suppress(FileNotFoundError):
            if finished.model is not None:
                with folder_written_whole(self._model) as (new, swap):
                    finished.model.save(new)
                    swap()
            write_parquet(rows, self._file(number))

    def _file(self, number: int) -> Path:
        return self._folder / f"{number}.parquet"

    @property
    def _model(self) -> Path:
        return self._folder / "model"


def forget_fits(places: Places, task: str, model: str) -> None:
    """Delete the finished fits of a model, which is stored by now."""
    folder = places.fits_of(task)
    shutil.rmtree(folder / model, ignore_errors=True)
    with contextlib.suppress(OSError):
        # The task's folder, unless it holds fits of another model.
        folder.rmdir()
        folder.parent.rmdir()
