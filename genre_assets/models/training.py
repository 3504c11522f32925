"""Training one model for one task: predictions of tracks it was not trained on, and the model.

With an official split a model trained on the training tracks predicts the validation tracks, on
which models are compared; then one trained on training and validation tracks predicts the test
tracks, and is the one that is kept: the published figure is a figure of the stored file. (The
FMA's own baselines use training tracks only; the validation tracks are a tenth more.) With
grouped folds every track is predicted by a model trained on the other folds, and the one that is
kept is trained on all.

Strength and class weights (see :mod:`genre_assets.models.tuning`) are chosen for each of these
models by its own training tracks. Only the models of the leaky split share the choice of the one
that is kept: their figure is not honest anyway.

Import late: this module needs pandas and scikit-learn.
"""

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from genre_assets.lake.schemas import LEAKY_PREDICTIONS, PREDICTIONS, SUMMARY_FEATURES
from genre_assets.models.registry import INNER_FOLDS, ModelSpec
from genre_assets.models.tuning import Choice, at_least, build, choose
from genre_assets.progress import Log, Progress, counted, silent
from genre_assets.tasks.members import fingerprint, inner_folds, most_frequent
from genre_assets.tasks.task import Task, TaskError

ASKED_SPLITS = ("validation", "test", "cv")
"""Splits whose tracks a model is asked about."""
LEAKY_ASKED_SPLITS = ("test", "cv")
"""Leaky splits likewise: a leaky figure only stands beside the one that is measured."""
_LIBRARIES = ("scikit-learn", "numpy", "scipy", "skops")


@dataclass(frozen=True)
class TrainedModel:
    """A trained model and what it says of tracks it never learnt from.

    Attributes:
        estimator: The model for use; ``predict_proba`` takes features of shape (n, columns) in
            the order of ``facts["columns"]`` and gives probabilities of shape (n, genres) in the
            order of its ``classes_``.
        predictions: Rows of ``predictions``: by models that never learnt from the track's group.
        leaky_predictions: Rows of ``leaky_predictions``: by models that may have.
        facts: What the model was made of, as JSON can hold it.
    """

    estimator: Any
    predictions: pa.Table
    leaky_predictions: pa.Table
    facts: dict[str, Any]


def train(
    spec: ModelSpec,
    task: Task,
    members: pa.Table,
    features: pa.Table,
    seed: int = 0,
    log: Log = silent,
    synthetic: bool | None = None,
) -> TrainedModel:
    """Train a model for a task.

    Args:
        spec: Which model.
        task: Which task.
        members: Rows of ``task_members``.
        features: Rows of the members' feature table; rows of other tracks are ignored.
        seed: Seed of whatever the model draws at random.
        log: Takes lines about the progress.
        synthetic: Whether members are synthetic music of the demo; None when that is not known.

    Returns:
        The model, its honest and its leaky predictions.

    Raises:
        TaskError: If there are no members, a member has no features, or the features were
            computed by different extractors.
    """
    started = time.monotonic()
    if not members.num_rows:
        raise TaskError(f"Task {task.name} has no members: build its task_members first.")
    rows = _Rows(task, members.sort_by("track_id"), features, synthetic)
    parts = {kind: list(rows.parts(kind)) for kind in ("", "leaky_")}
    fits = sum(map(len, parts.values())) + (not rows.official)
    log(f"{counted(members.num_rows, 'track')}, {len(rows.columns)} features")
    kept = rows.split != "test"
    chosen = rows.choose(spec, kept, seed, log)
    final = None
    told: dict[str, pa.Table] = {}
    progress = Progress("models fitted", fits, log)
    with progress.kept_alive():
        for kind, schema in (("", PREDICTIONS), ("leaky_", LEAKY_PREDICTIONS)):
            answers = []
            for learnt, asked, what in parts[kind]:
                own = kind == "" and not np.array_equal(learnt, kept)
                choice = rows.choose(spec, learnt, seed) if own else chosen
                model = rows.fit(spec, choice, learnt, seed)
                answers += rows.ask(model, spec.name, asked, kind)
                progress.count()
                if what == "test":
                    final = model
            told[kind] = schema.of_rows(answers).sort_by("track_id")
        if final is None:
            final = rows.fit(spec, chosen, kept, seed)
            progress.count()
    facts = {
        "model": spec.name,
        "description": spec.description,
        "version": spec.version,
        "task": task.name,
        "seed": seed,
        "feature_table": rows.feature_table,
        "feature_source": rows.feature_source,
        "columns": rows.columns,
        "genres": rows.genres,
        "chosen": chosen.as_facts(),
        "figures": _figures(told[""], "test" if rows.official else "cv"),
        "trained_on_synthetic": synthetic,
        "data": fingerprint(members, features),
        "n_members": members.num_rows,
        "learnt_from": "training and validation" if rows.official else "all",
        "n_learnt": int(kept.sum()),
        "n_artists": len(set(members["artist_key"].to_pylist())),
        "seconds": round(time.monotonic() - started, 3),
        "made_at": datetime.now(UTC).isoformat(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }
    return TrainedModel(final, told[""], told["leaky_"], facts)


class _Rows:
    """The members as arrays, in the order of their track ids."""

    def __init__(self, task: Task, members: pa.Table, features: pa.Table, synthetic: bool | None):
        self.task = task
        self.synthetic = synthetic
        self.track_ids = members["track_id"].to_pylist()
        self.genre = np.array(members["genre"].to_pylist())
        self.group = np.array(members["group"].to_pylist())
        self.split = np.array(members["split"].to_pylist())
        self.genres = sorted(set(self.genre.tolist()))
        self.official = bool((self.split != "cv").any())
        self.feature_table = members["feature_table"][0].as_py()
        self._members = members
        columns = task.feature_columns(self.feature_table)
        x, self.feature_source = self._features(features, columns)
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

    def _features(self, features: pa.Table, columns: list[str]) -> tuple[np.ndarray, str]:
        place = {key: i for i, key in enumerate(features["track_id"].to_pylist())}
        missing = [key for key in self.track_ids if key not in place]
        if missing:
            raise TaskError(
                f"Task {self.task.name}: {len(missing)} members, such as {missing[0]}, have no row "
                f"in {self.feature_table}: build its task_members again."
            )
        ours = features.take([place[key] for key in self.track_ids])
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

    def parts(self, kind: str) -> Iterator[tuple[np.ndarray, np.ndarray, str]]:
        """Which rows each model learns and which it is asked about."""
        split = np.array(self._members[f"{kind}split"].to_pylist())
        if self.official:
            if not kind:
                yield split == "training", split == "validation", "validation"
            yield split != "test", split == "test", f"{kind}test"
            return
        folds = np.array(self._members[f"{kind}fold"].to_pylist())
        for number in sorted(set(folds.tolist())):
            yield folds != number, folds == number, f"{kind}fold {number}"

    def choose(self, spec: ModelSpec, learnt: np.ndarray, seed: int, log: Log = silent) -> Choice:
        with _silenced(), _one_thread():
            return choose(
                spec,
                self.x[learnt],
                self.genre[learnt],
                self.group[learnt],
                seed,
                balanced=not self.official,
                log=log,
            )

    def fit(self, spec: ModelSpec, choice: Choice, learnt: np.ndarray, seed: int) -> Any:
        rows = at_least(INNER_FOLDS, np.flatnonzero(learnt), self.genre)
        genre = self.genre[rows]
        folds = inner_folds(genre, self.group[rows], INNER_FOLDS, seed)
        with _silenced(), _one_thread():
            return build(spec, choice, seed, folds).fit(self.x[rows], genre)

    def ask(self, model: Any, name: str, asked: np.ndarray, kind: str) -> list[dict]:
        probabilities = np.zeros((int(asked.sum()), len(self.genres)))
        places = [self.genres.index(genre) for genre in model.classes_]
        with _one_thread():
            probabilities[:, places] = model.predict_proba(self.x[asked])
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        split = np.array(self._members[f"{kind}split"].to_pylist())
        best = probabilities.argmax(axis=1)
        return [
            {
                "task": self.task.name,
                "model": name,
                "track_id": self.track_ids[row],
                "split": str(split[row]),
                "genre_true": str(self.genre[row]),
                "genre_pred": self.genres[best[i]],
                "probabilities": list(zip(self.genres, probabilities[i].tolist(), strict=True)),
                "trained_on_synthetic": self.synthetic,
            }
            for i, row in enumerate(np.flatnonzero(asked))
        ]


def _figures(predictions: pa.Table, split: str) -> dict[str, Any]:
    """What the card says of a model's worth; the scores say more."""
    rows = [row for row in predictions.to_pylist() if row["split"] == split]
    genres, share = most_frequent([row["genre_true"] for row in rows])
    return {
        "split": split,
        "n": len(rows),
        "accuracy": sum(row["genre_true"] == row["genre_pred"] for row in rows) / len(rows),
        "most_frequent_genre": " or ".join(genres),
        "most_frequent_share": share,
    }


def _one_thread() -> threadpool_limits:
    # Models train beside each other, and threads that wait for a core make each many times
    # slower; sums over threads also differ in the last bit.
    return threadpool_limits(limits=1)


def _silenced() -> warnings.catch_warnings:
    # What is worth a warning is said in the task's own words; a fit that stops early shows in its
    # scores.
    return warnings.catch_warnings(action="ignore", category=UserWarning)
