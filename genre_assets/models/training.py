"""Training one model for one task: predictions of tracks it was not trained on, and the model.

Which tracks each fit is made of, and which it predicts, is data: see
:mod:`genre_assets.tasks.splits`. The settings of a model are chosen for each fit by its own
training tracks. Only the fits of the leaky split share the choice of the one that is kept: their
figure is not honest anyway. Fits run beside each other, each in one thread, and come out the same
however many do.

A model abstains from tracks that lack its input. They are named in the facts, with the reason, and
take no part in any fit.

Import late: this module needs pandas and the library of the model.
"""

import time
import warnings
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from genre_assets.lake.schemas import LEAKY_PREDICTIONS, PREDICTIONS, SUMMARY_FEATURES
from genre_assets.models.adapters import model_class
from genre_assets.models.finished_fits import FinishedFits
from genre_assets.models.outcome import TrainedModel, figures_of, prediction_row
from genre_assets.models.protocol import Choice, Examples, Features, Model, ModelSpec
from genre_assets.models.registry import version_of
from genre_assets.progress import Log, Progress, counted, silent
from genre_assets.tasks.fingerprint import fingerprint
from genre_assets.tasks.splits import Fit, fits_of, is_official
from genre_assets.tasks.task import Task, TaskError


def train(
    spec: ModelSpec,
    task: Task,
    members: pa.Table,
    features: pa.Table,
    seed: int = 0,
    log: Log = silent,
    synthetic: bool | None = None,
    finished: FinishedFits | None = None,
    workers: int = 1,
) -> TrainedModel:
    """Train a model for a task.

    Args:
        spec: Which model; one that reads features.
        task: Which task.
        members: Rows of ``task_members``.
        features: Rows of the members' feature table; rows of other tracks are ignored.
        seed: Seed of whatever the model draws at random.
        log: Takes lines about the progress.
        synthetic: Whether members are synthetic music of the demo; None when that is not known.
        finished: The fits that a training which was killed had finished, and where each of these
            is kept; None keeps nothing.
        workers: How many fits run at a time.

    Returns:
        The model, its honest and its leaky predictions.

    Raises:
        TaskError: If there are no members, none of them has features, too few have them for each
            fit, the features were computed by different extractors, or the model reads something
            else.
    """
    started = time.monotonic()
    if not members.num_rows:
        raise TaskError(f"Task {task.name} has no members: build its task_members first.")
    if not all(isinstance(read, Features) for read in spec.inputs):
        raise TaskError(
            f"{spec.name} cannot be trained here: it reads "
            f"{' and '.join(str(read) for read in spec.inputs)}, and not a table with a row of "
            "features for each track."
        )
    rows = _Rows(spec, task, members.sort_by("track_id"), features, synthetic)
    fits = fits_of(rows.members)
    log(f"{counted(len(rows.track_ids), 'track')}, {len(rows.columns)} features")
    for reason, abstained in rows.abstained.items():
        log(f"{spec.name} abstains from {counted(len(abstained), 'track')}: {reason}")
    kept = next(fit for fit in fits if fit.kept)
    rows.require_genres(fits)
    chosen, final, predicted = _fitted(rows, fits, seed, finished, workers, log)
    honest, leaky = [], []
    for fit, probabilities in zip(fits, predicted, strict=True):
        rows_of_fit = rows.as_predictions(probabilities, fit)
        (leaky if fit.protocol == "leaky" else honest).extend(rows_of_fit)
    predictions = PREDICTIONS.of_rows(honest).sort_by("track_id")
    facts = {
        "model": spec.name,
        "description": spec.description,
        "version": version_of(spec),
        "adapter": spec.adapter,
        "task": task.name,
        "seed": seed,
        "feature_table": rows.feature_table,
        "feature_source": rows.feature_source,
        "columns": rows.columns,
        "genres": rows.genres,
        "chosen": chosen.as_facts(),
        "figures": figures_of(predictions),
        "abstained": rows.abstained,
        "trained_on_synthetic": synthetic,
        "data": fingerprint(members, features),
        "n_members": members.num_rows,
        "learnt_from": "training and validation" if is_official(members) else "all",
        "n_learnt": int(kept.fit_on.sum()),
        "n_artists": len(set(rows.members["artist_key"].to_pylist())),
        "seconds": round(time.monotonic() - started, 3),
        "made_at": datetime.now(UTC).isoformat(),
        "libraries": {name: version(name) for name in type(final).libraries},
    }
    return TrainedModel(
        final, predictions, LEAKY_PREDICTIONS.of_rows(leaky).sort_by("track_id"), facts
    )


def _fitted(
    rows: "_Rows",
    fits: list[Fit],
    seed: int,
    finished: FinishedFits | None,
    workers: int,
    log: Log,
) -> tuple[Choice, Model, list[np.ndarray]]:
    """Make all fits: the settings and the model for use, and what each fit predicts."""
    kind = model_class(rows.spec.adapter)
    progress = Progress("models fitted", len(fits), log)

    def choose() -> Choice:
        choice = finished.choice() if finished else None
        if choice is None:
            choice = rows.search(next(fit for fit in fits if fit.kept), seed, log)
            if finished:
                finished.keep_choice(choice)
        return choice

    def fitted(number: int) -> tuple[np.ndarray, Model | None]:
        fit = fits[number]
        before = finished.probabilities(number, rows.shape_of(fit)) if finished else None
        model = finished.model(kind) if finished and fit.kept else None
        if before is None or (fit.kept and model is None):
            own = fit.protocol in ("validation", "cv")
            model = rows.fit(fit, rows.search(fit, seed) if own else chosen.result(), seed)
            before = rows.predict(model, fit)
            if finished and fit.kept:
                finished.keep_model(model)
            if finished:
                finished.keep(number, before)
        return before, model if fit.kept else None

    with _silenced(), _one_thread(), progress.kept_alive():
        pool = ThreadPoolExecutor(workers, initializer=_one_thread)
        try:
            chosen = pool.submit(choose)
            made = [pool.submit(fitted, number) for number in range(len(fits))]
            for one in as_completed(made):
                one.result()
                progress.count()
        finally:
            # Of fits that have not begun none is wanted after an error or Ctrl-C.
            pool.shutdown(cancel_futures=True)
    predicted, models = zip(*(one.result() for one in made), strict=True)
    return chosen.result(), next(filter(None, models)), list(predicted)


class _Rows:
    """The members that have the model's input as arrays, in the order of their track ids."""

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
        """Make sure that what is left after abstentions has something to tell apart."""
        if self.abstained and any(len(set(self.genre[fit.fit_on].tolist())) < 2 for fit in fits):
            raise TaskError(
                f"Task {self.task.name}: only {len(self.track_ids)} members have a row in "
                f"{self.feature_table}, too few to fit {self.spec.name}: build its task_members "
                "again."
            )

    def search(self, fit: Fit, seed: int, log: Log = silent) -> Choice:
        return model_class(self.spec.adapter).search(
            self.spec,
            self._examples(fit),
            seed,
            balanced=not is_official(self.members),
            log=log,
        )

    def fit(self, fit: Fit, choice: Choice, seed: int) -> Model:
        return model_class(self.spec.adapter).fit(self.spec, choice, self._examples(fit), seed)

    def _examples(self, fit: Fit) -> Examples:
        on = fit.fit_on
        return Examples(self.x[on], self.genre[on], self.group[on])

    def shape_of(self, fit: Fit) -> tuple[int, int]:
        """Tracks that a fit predicts, and genres."""
        return int(fit.predict.sum()), len(self.genres)

    def predict(self, model: Model, fit: Fit) -> np.ndarray:
        """Probabilities of the tracks that a fit predicts, of shape (tracks, genres)."""
        probabilities = np.zeros(self.shape_of(fit))
        if not len(probabilities):
            return probabilities
        places = [self.genres.index(genre) for genre in model.classes_]
        probabilities[:, places] = model.predict_proba(self.x[fit.predict])
        return probabilities / probabilities.sum(axis=1, keepdims=True)

    def as_predictions(self, probabilities: np.ndarray, fit: Fit) -> list[dict[str, Any]]:
        """Rows of ``predictions`` for what a fit predicts."""
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
                probabilities[i],
            )
            for i, row in enumerate(np.flatnonzero(fit.predict).tolist())
        ]


def _one_thread() -> threadpool_limits:
    # Fits run beside each other, and threads that wait for a core make each many times slower; sums
    # over threads also differ in the last bit. Each thread of ours has a limit of its own to set.
    return threadpool_limits(limits=1)


def _silenced() -> warnings.catch_warnings:
    # Warnings about the data are the task's; a fit that stops early shows in its scores.
    return warnings.catch_warnings(action="ignore", category=UserWarning)
