"""The tracks of a task as the arrays that a model is fitted to, and what it predicts as rows."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from genre_assets.lake.schemas import SUMMARY_FEATURES
from genre_assets.models.fitting import FinishedFit, Job
from genre_assets.models.outcome import prediction_row
from genre_assets.models.protocol import (
    Choice,
    Examples,
    Features,
    ModelSpec,
    Predictions,
    Spectrograms,
)
from genre_assets.tasks.splits import Fit, is_official
from genre_assets.tasks.task import Task, TaskError


def require_one_row_a_track(spec: ModelSpec, members: pa.Table, features: pa.Table) -> None:
    """Make sure that a model reads what training can give it: one row of features a track.

    Raises:
        TaskError: If it reads something else, or a member has several rows.
    """
    for read in spec.inputs:
        match read:
            case Spectrograms():
                what = f"{read.kind} spectrograms, of which a track has many"
            case Predictions():
                what = f"the predictions of {' and '.join(read.of)}"
            case Features():
                continue
        raise TaskError(
            f"{spec.name} cannot be trained on features: it reads {what}, and training reads one "
            "row of features a track."
        )
    counts = Counter(features["track_id"].to_pylist())
    several = [key for key in members["track_id"].to_pylist() if counts[key] > 1]
    if several:
        table = members["feature_table"][0]
        raise TaskError(
            f"{spec.name} cannot be trained: training reads one row of features a track, and "
            f"{table} has {counts[several[0]]} of {several[0]}; materialise {table} again first."
        )


class TaskRows:
    """The members that have the model's input as arrays, in the order of their track ids.

    Args:
        spec: The model.
        task: The task.
        members: Rows of ``task_members``, sorted by track id.
        features: Rows of the members' feature table; rows of other tracks are ignored.
        synthetic: Whether members are synthetic music of the demo; None when that is not known.

    Raises:
        TaskError: If no member has features, or they cannot be used together.
    """

    def __init__(
        self,
        spec: ModelSpec,
        task: Task,
        members: pa.Table,
        features: pa.Table,
        synthetic: bool | None,
    ):
        self.spec = spec
        self.task = task
        self.synthetic = synthetic
        self.genres = sorted(set(members["genre"].to_pylist()))
        self.feature_table = members["feature_table"][0].as_py()
        place = {key: i for i, key in enumerate(features["track_id"].to_pylist())}
        missing = [key for key in members["track_id"].to_pylist() if key not in place]
        if len(missing) == members.num_rows:
            raise TaskError(
                f"Task {task.name}: {len(missing)} members, such as {missing[0]}, have no row "
                f"in {self.feature_table}: build its task_members again."
            )
        self.abstained = {f"no row in {self.feature_table}": missing} if missing else {}
        self.members = members.filter([k in place for k in members["track_id"].to_pylist()])
        self.track_ids = self.members["track_id"].to_pylist()
        self.genre = np.array(self.members["genre"].to_pylist())
        self.group = np.array(self.members["group"].to_pylist())
        prefix = spec.family_of_features
        columns = [n for n in task.feature_columns(self.feature_table) if n.startswith(prefix)]
        if not columns:
            raise TaskError(
                f"Task {task.name}: {spec.name} reads columns of {self.feature_table} that begin "
                f"with {prefix}, and the task uses none."
            )
        x, self.feature_source = self._features(
            features.take([place[key] for key in self.track_ids]), columns
        )
        # A column that no member has a value of says nothing; the author's features.csv may come
        # with some of its series only. Of our own features all columns are kept, so that whatever
        # extract() gives can be predicted.
        known = np.asarray(np.isfinite(x).any(axis=0))
        if known.any() and self.feature_table == SUMMARY_FEATURES.name:
            known[:] = True
        self.columns = [
            name for name, is_known in zip(columns, known.tolist(), strict=True) if is_known
        ]
        self.x = x[:, known]
        if not self.columns:
            raise TaskError(
                f"Task {task.name}: {self.feature_table} holds no value of its members."
            )

    def _features(self, ours: pa.Table, columns: list[str]) -> tuple[np.ndarray, str]:
        sources = sorted(set(ours["feature_source"].to_pylist()))
        if "extractor_version" in ours.column_names and len(ours["extractor_version"].unique()) > 1:
            raise TaskError(
                f"Task {self.task.name}: {self.feature_table} mixes versions of the extractor: "
                "materialise it for all shards first."
            )
        if len(sources) > 1:
            raise TaskError(
                f"Task {self.task.name}: {self.feature_table} mixes features of "
                f"{' and '.join(sources)}: compute them again with one extractor."
            )
        x = np.column_stack([ours[name].to_numpy() for name in columns]).astype(np.float32)
        x[~np.isfinite(x)] = np.nan
        return x, sources[0]

    def require_genres(self, fits: list[Fit]) -> None:
        """Make sure that what is left after abstentions has something to tell apart.

        Raises:
            TaskError: If a fit would have fewer than two genres.
        """
        if self.abstained and any(len(set(self.genre[fit.fit_on].tolist())) < 2 for fit in fits):
            raise TaskError(
                f"Task {self.task.name}: only {len(self.track_ids)} members have a row in "
                f"{self.feature_table}, too few to fit {self.spec.name}: build its task_members "
                "again."
            )

    @property
    def balanced(self) -> bool:
        """Whether models of the task are compared by balanced accuracy."""
        return not is_official(self.members)

    def examples(self, fit: Fit) -> Examples:
        """The tracks that a fit is made of."""
        on = fit.fit_on
        return Examples(self.x[on], self.genre[on], self.group[on])

    def job(self, number: int, fit: Fit, choice: Choice | None, seed: int) -> Job:
        """A fit with all that it needs; without a choice its settings are chosen, too."""
        return Job(
            number,
            self.spec,
            choice,
            self.examples(fit),
            self.x[fit.predict],
            tuple(self.genres),
            seed,
            self.balanced,
            fit.kept,
        )

    def predictions(self, result: FinishedFit, fit: Fit) -> list[dict[str, Any]]:
        """Rows of ``predictions`` or ``leaky_predictions`` of a fit."""
        split = self.members["leaky_split" if fit.protocol == "leaky" else "split"]
        return [
            prediction_row(
                {
                    "task": self.task.name,
                    "model": self.spec.name,
                    "track_id": self.track_ids[row],
                    "split": split[row].as_py(),
                    "genre_true": str(self.genre[row]),
                    "trained_on_synthetic": self.synthetic,
                },
                self.genres,
                result.probabilities[i],
            )
            for i, row in enumerate(np.flatnonzero(fit.predict).tolist())
        ]
