"""Running the fits of a model: one after the other in this process, or in worker processes.

A worker costs seconds to start, in which nothing is fitted. So fits run in this process until what
is left of them is known to take longer than :data:`POOL_PAYS_FROM_S`. Where a fit runs does not
change its result: each uses one thread and a seed of its own.

Import late: this module needs the library of the model.
"""

import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from genre_assets.audio.status import AudioError
from genre_assets.audio.workers import WorkerPool
from genre_assets.models.adapters import model_class
from genre_assets.models.protocol import Choice, Examples, Model, ModelSpec
from genre_assets.progress import Log, silent
from genre_assets.tasks.task import TaskError

POOL_PAYS_FROM_S = 60.0
"""Seconds of fitting that are left when worker processes begin to pay, if there are free cores.
Two workers cost 6 to 7 s of processor time more than this process for a random forest of 1,000
tracks, which takes 52 s here, and 12 to 17 s for boosting of 400, which takes 34 s: they start,
import scikit-learn, and share caches. Where other work keeps the cores busy they gain nothing."""

_NO_LIMIT_S = 30 * 24 * 3600.0


@dataclass(frozen=True)
class Job:
    """One fit of a model with all that it needs, so that another process can run it.

    Attributes:
        number: Number of the fit among those of the model.
        spec: The model.
        choice: Its settings; None chooses them by the training tracks.
        train: The training tracks.
        x: Features of the tracks to predict, of shape (n, columns).
        genres: The genres of the task.
        seed: Seed of whatever is drawn at random.
        balanced: Whether models of the task are compared by balanced accuracy.
        kept: Whether the model itself is wanted, and not only what it predicts.
    """

    number: int
    spec: ModelSpec
    choice: Choice | None
    train: Examples
    x: np.ndarray
    genres: tuple[str, ...]
    seed: int
    balanced: bool
    kept: bool


@dataclass(frozen=True)
class FinishedFit:
    """What a fit gives.

    Attributes:
        choice: The settings that it was made with.
        probabilities: What it predicts, of shape (n, genres).
        model: The model, where it is wanted.
    """

    choice: Choice
    probabilities: np.ndarray
    model: Model | None = None


def search(
    spec: ModelSpec, train: Examples, seed: int, *, balanced: bool, log: Log = silent
) -> Choice:
    """Choose the settings of a model, with one thread."""
    with _quiet(), _one_thread():
        return model_class(spec.adapter).search(spec, train, seed, balanced=balanced, log=log)


def run(job: Job) -> FinishedFit:
    """Fit a model and predict."""
    choice = job.choice
    if choice is None:
        choice = search(job.spec, job.train, job.seed, balanced=job.balanced)
    probabilities = np.zeros((len(job.x), len(job.genres)))
    with _quiet(), _one_thread():
        model = model_class(job.spec.adapter).fit(job.spec, choice, job.train, job.seed)
        if len(job.x):
            places = [job.genres.index(genre) for genre in model.classes_]
            probabilities[:, places] = model.predict_proba(job.x)
            probabilities /= probabilities.sum(axis=1, keepdims=True)
    return FinishedFit(choice, probabilities, model if job.kept else None)


def run_all(
    jobs: Iterator[Job], count: int, expected_s: float, pool: WorkerPool | None
) -> Iterator[tuple[int, FinishedFit]]:
    """Run fits, in worker processes once that pays.

    Args:
        jobs: The fits. They are taken as they are needed, because each holds its data.
        count: How many they are.
        expected_s: Seconds that they take at least, as far as that is known.
        pool: The worker processes, of which none has to run yet; None has none.

    Yields:
        The number of each fit and its result, as they finish.

    Raises:
        TaskError: If a worker process did not finish a fit.
    """
    for left in range(count, 0, -1):
        if pool is not None and left > 1 and expected_s > POOL_PAYS_FROM_S:
            break
        started = time.monotonic()
        job = next(jobs)
        finished = run(job)
        expected_s = (time.monotonic() - started) * (left - 1)
        yield job.number, finished
    else:
        return
    with closing(pool.run(run, jobs, _NO_LIMIT_S, _named)) as results:
        for job, result in results:
            if isinstance(result, AudioError):
                raise TaskError(result.reason)
            yield job.number, result


def _named(job: Job) -> str:
    return f"fit {job.number + 1} of {job.spec.name}"


def _one_thread() -> threadpool_limits:
    # Fits run beside each other, and threads that wait for a core make each many times slower;
    # sums over threads also differ in the last bit.
    return threadpool_limits(limits=1)


def _quiet() -> warnings.catch_warnings:
    # Warnings about the data are the task's; a fit that stops early shows in its scores.
    return warnings.catch_warnings(action="ignore", category=UserWarning)
