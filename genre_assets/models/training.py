"""Training one model for one task: predictions of tracks it was not trained on, and the model.

Which tracks each fit is made of, and which it predicts, is data: see
:mod:`genre_assets.tasks.splits`. The settings of a model are chosen for each fit by its own
training tracks. Only the fits of the leaky split share the choice of the one that is kept: their
figure is not honest anyway.

Each fit that is finished is kept until the model is stored, so that a run that died is continued
where it was. Fits that take long run in worker processes: see :mod:`genre_assets.models.fitting`.

A model abstains from tracks that lack its input. They are named in the facts, with the reason, and
take no part in any fit.

Import late: this module needs pandas and the library of the model.
"""

import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version

import pyarrow as pa

from genre_assets.audio.workers import WorkerPool
from genre_assets.lake.places import Places
from genre_assets.lake.schemas import LEAKY_PREDICTIONS, PREDICTIONS
from genre_assets.models.adapters import model_class
from genre_assets.models.fitting import FinishedFit, Job, run_all, search
from genre_assets.models.kept_fits import KeptFits
from genre_assets.models.outcome import TrainedModel, figures_of
from genre_assets.models.protocol import Choice, ModelSpec
from genre_assets.models.registry import version_of
from genre_assets.models.task_rows import TaskRows, require_one_row_a_track
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
    keep_in: Places | None = None,
    pool: WorkerPool | None = None,
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
        keep_in: Places of the lake that finished fits are kept in and found again; None keeps none.
        pool: Processes for fits that take long; None runs all of them in this one.

    Returns:
        The model, its honest and its leaky predictions.

    Raises:
        TaskError: If there are no members, none of them has features, too few have them for each
            fit, the features were computed by different extractors, or the model reads something
            else than one row of features a track.
    """
    started = time.monotonic()
    if not members.num_rows:
        raise TaskError(f"Task {task.name} has no members: build its task_members first.")
    require_one_row_a_track(spec, members, features)
    rows = TaskRows(spec, task, members.sort_by("track_id"), features, synthetic)
    fits = fits_of(rows.members)
    log(f"{counted(len(rows.track_ids), 'track')}, {len(rows.columns)} features")
    for reason, abstained in rows.abstained.items():
        log(f"{spec.name} abstains from {counted(len(abstained), 'track')}: {reason}")
    rows.require_genres(fits)
    data = fingerprint(members, features)
    chosen, finished = _finished(rows, fits, seed, data, log, keep_in, pool)
    honest, leaky = [], []
    for fit, result in zip(fits, finished, strict=True):
        (leaky if fit.protocol == "leaky" else honest).extend(rows.predictions(result, fit))
    kept, final = next(
        (fit, result.model) for fit, result in zip(fits, finished, strict=True) if fit.kept
    )
    assert final is not None
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
        "data": data,
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


def _finished(
    rows: TaskRows,
    fits: list[Fit],
    seed: int,
    data: str,
    log: Log,
    keep_in: Places | None,
    pool: WorkerPool | None,
) -> tuple[Choice, list[FinishedFit]]:
    """The choice for the kept fit and the result of each fit, also of those that a dead run did."""
    kept = None
    if keep_in:
        made_of = _fingerprint_of(rows, fits, seed, data)
        kept = KeptFits(keep_in, rows.task.name, rows.spec, made_of, rows.track_ids)
    found = {number: kept.read(number, fit) for number, fit in enumerate(fits)} if kept else {}
    results = {number: result for number, result in found.items() if result is not None}
    pending = [number for number in range(len(fits)) if number not in results]
    if results:
        log(f"{len(results)} of {len(fits)} models were fitted by a run that did not finish")
    chosen = next((r.choice for n, r in results.items() if not _chooses(fits[n])), None)
    choosing_s = 0.0
    if chosen is None:
        started = time.monotonic()
        final = next(fit for fit in fits if fit.kept)
        chosen = search(rows.spec, rows.examples(final), seed, balanced=rows.balanced, log=log)
        choosing_s = time.monotonic() - started

    def jobs() -> Iterator[Job]:
        for number in pending:
            fit = fits[number]
            yield rows.job(number, fit, None if _chooses(fit) else chosen, seed)

    expected_s = choosing_s * sum(_chooses(fits[number]) for number in pending)
    progress = Progress("models fitted", len(pending), log)
    with progress.kept_alive():
        for number, result in run_all(jobs(), len(pending), expected_s, pool):
            results[number] = result
            # After the last one the model is stored at once.
            if kept and len(results) < len(fits):
                kept.keep(number, fits[number], result)
            progress.count()
    return chosen, [results[number] for number in range(len(fits))]


def _chooses(fit: Fit) -> bool:
    """Whether settings are chosen for a fit by its own training tracks."""
    return fit.protocol in ("validation", "cv")


def _fingerprint_of(rows: TaskRows, fits: list[Fit], seed: int, data: str) -> str:
    """A hash of all that the fits of a model are made of, and by which code."""
    mark = hashlib.sha256()
    for part in (
        version_of(rows.spec),
        [(name, version(name)) for name in model_class(rows.spec.adapter).libraries],
        seed,
        data,
        rows.columns,
        [(fit.protocol, fit.kept) for fit in fits],
    ):
        mark.update(f"{part!r}\n".encode())
    for fit in fits:
        mark.update(fit.fit_on.tobytes() + fit.predict.tobytes())
    return mark.hexdigest()
