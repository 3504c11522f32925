"""Models: the members of each task, and one asset for each model of the registry."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa

from genre_assets.audio.workers import WorkerPool
from genre_assets.lake.schemas import (
    LABELS,
    SPECTROGRAMS,
    SUMMARY_FEATURES,
    TASK_MEMBERS,
    TASK_NOTES,
    TRACKS,
    feature_tables,
)
from genre_assets.lake.tables import Lake
from genre_assets.models.protocol import ModelSpec, Spectrograms
from genre_assets.models.registry import MODELS, kinds_of, version_of
from genre_assets.orchestration.asset_log import log_of, warnings_of
from genre_assets.orchestration.assets.features import echonest_features, fma_features
from genre_assets.orchestration.assets.ingest import tracks
from genre_assets.orchestration.assets.materialization import (
    PartitionResults,
    StepRecord,
    in_one_sentence,
    table_asset,
)
from genre_assets.orchestration.assets.metadata import labels
from genre_assets.orchestration.automation import (
    REQUESTED_BY_AUTOMATION,
    one_run_a_task,
    register_partitions,
    stale_model,
    stale_task,
    tasks,
)
from genre_assets.orchestration.resources import LakeResource, Workers
from genre_assets.progress import Log
from genre_assets.tasks.task import TaskError, load_tasks

if TYPE_CHECKING:
    from genre_assets.models.storage import StoredModel
    from genre_assets.tasks.members import TaskDataset

GROUP = "models"


def every_shard_of(asset: dg.AssetsDefinition | dg.AssetSpec | str) -> dg.AssetDep:
    """A dependency of a task on all shards of an asset."""
    return dg.AssetDep(asset, partition_mapping=dg.AllPartitionMapping())


@table_asset(
    TASK_MEMBERS,
    group_name=GROUP,
    partitions_def=tasks,
    backfill_policy=one_run_a_task,
    code_version="1",
    automation_condition=stale_task,
    deps=[
        labels,
        every_shard_of(tracks),
        every_shard_of(SUMMARY_FEATURES.name),
        fma_features,
        echonest_features,
    ],
)
def task_dataset(
    context: dg.AssetExecutionContext, lake: LakeResource
) -> Iterator[dg.MaterializeResult | dg.AssetMaterialization]:
    """The tracks that take part in a task, split so that no artist is on both sides."""
    from genre_assets.tasks.fingerprint import fingerprint
    from genre_assets.tasks.members import build_task, members_stand

    with lake.open() as opened:
        results = PartitionResults(context)
        for name in context.partition_keys:
            record = StepRecord()
            labelled = opened.read(LABELS)
            with in_one_sentence():
                dataset = build_task(
                    load_tasks()[name],
                    labelled,
                    opened.read(TRACKS, columns=["track_id", "official_split", "subset"]),
                    {
                        table.name: opened.read(table, columns=["track_id"])["track_id"].to_pylist()
                        for table in feature_tables().values()
                    },
                )
            members = opened.read(TASK_MEMBERS, [name])
            stand = (
                REQUESTED_BY_AUTOMATION.items() <= context.run.tags.items()
                and members.num_rows > 0
                and members_stand(members, dataset.members, opened.age(TASK_MEMBERS, name))
            )
            if stand:
                log_of(context)(f"{name}: too few members changed to train models anew")
            else:
                members = dataset.members
                opened.write(TASK_MEMBERS, members, name)
                opened.write(TASK_NOTES, _notes_of(name, dataset), name)
                enforce_takedowns(context, opened)
            register_partitions(context.instance, opened)
            for note in dataset.notes:
                log_of(context)(note)
            for warning in dataset.warnings:
                warnings_of(context)(warning)
            results.add(
                name,
                record.metadata(
                    labelled.num_rows,
                    members,
                    feature_table=dataset.feature_table,
                    would_be_members=dataset.members.num_rows,
                    left_out_by_reason=dg.MetadataValue.json(dataset.left_out),
                    notes=dg.MetadataValue.json(dataset.notes + dataset.warnings),
                ),
                fingerprint(members, features_of(opened, members)),
            )
        yield from results.all()


def _notes_of(task: str, dataset: "TaskDataset") -> pa.Table:
    said = [("left_out", reason, tracks) for reason, tracks in dataset.left_out.items()]
    said += [("warning", text, None) for text in dataset.warnings]
    said += [("note", text, None) for text in dataset.notes]
    return TASK_NOTES.of_rows(
        [{"task": task, "kind": k, "text": text, "tracks": n} for k, text, n in said]
    )


def _dependencies_of(spec: ModelSpec) -> list[dg.AssetDep | dg.AssetsDefinition]:
    """What an asset depends on: its task, and whatever else the model reads.

    The members of a task depend on the feature tables, so that a model does not have to.
    """
    spectrograms = any(isinstance(read, Spectrograms) for read in spec.inputs)
    return [
        task_dataset,
        *([every_shard_of(SPECTROGRAMS.name)] if spectrograms else []),
        *(dg.AssetDep(dg.AssetKey(["models", name])) for name in spec.components),
    ]


def _model_asset(spec: ModelSpec) -> dg.AssetsDefinition:
    @dg.asset(
        key=["models", spec.name],
        description=spec.description,
        group_name=GROUP,
        partitions_def=tasks,
        backfill_policy=one_run_a_task,
        code_version=version_of(spec),
        automation_condition=stale_model,
        deps=_dependencies_of(spec),
        kinds=kinds_of(spec),
    )
    def model(context: dg.AssetExecutionContext, lake: LakeResource, workers: Workers) -> None:
        with lake.open() as opened, workers.open() as pool:
            for name in context.partition_keys:
                record = StepRecord()
                with in_one_sentence():
                    members, trained = bring_up_to_date(
                        opened, name, spec, log_of(context), pool if workers.count > 1 else None
                    )
                enforce_takedowns(context, opened)
                context.add_asset_metadata(
                    record.metadata(
                        members.num_rows,
                        trained.predictions,
                        model=dg.MetadataValue.path(str(trained.path)),
                        facts=dg.MetadataValue.json(trained.facts),
                    ),
                    partition_key=name,
                )

    return model


def bring_up_to_date(
    lake: Lake, task: str, spec: ModelSpec, log: Log, pool: WorkerPool | None = None
) -> tuple[pa.Table, "StoredModel"]:
    """Train and store a model of a task, unless it would come out the same.

    One run at a time does so: a second one waits, and then finds the model up to date. A run that
    died is continued.

    Args:
        lake: The lake.
        task: Name of the task.
        spec: The model.
        log: Takes lines about the progress.
        pool: Processes for fits that take long; None runs all of them in this one.

    Returns:
        The members of the task, and the model as it is stored.

    Raises:
        TaskError: If it cannot be trained, or a model that it is made of is not up to date.
    """
    from genre_assets.models.combining import combine
    from genre_assets.models.kept_fits import forget_fits
    from genre_assets.models.storage import read_stored, save_model, training_turn
    from genre_assets.models.training import train
    from genre_assets.models.up_to_date import load_components, trained_before

    with training_turn(lake, task, spec.name, log):
        members = lake.read(TASK_MEMBERS, [task])
        features = features_of(lake, members)
        stored = trained_before(lake, task, spec.name, members, features)
        if stored:
            log(
                f"{spec.name} is up to date: it was trained on {stored.facts['made_at'][:10]} on "
                f"these tracks of {task}, by this version of its code."
            )
            write_credits(lake, members, stored.path)
        else:
            if spec.components:
                trained = combine(spec, load_components(lake, task, spec, members, features))
            else:
                synthetic = has_synthetic(lake, members)
                trained = train(
                    spec,
                    load_tasks()[task],
                    members,
                    features,
                    log=log,
                    synthetic=synthetic,
                    keep_in=lake.places,
                    pool=pool,
                )
            try:
                stored = read_stored(save_model(lake, trained, members))
            except TaskError:
                # A track was taken down meanwhile, and nothing that was made of it may remain.
                forget_fits(lake.places, task, spec.name)
                raise
        forget_fits(lake.places, task, spec.name)
    return members, stored


def enforce_takedowns(context: dg.AssetExecutionContext, lake: Lake) -> None:
    """Remove what a take-down that came while the asset was made has missed."""
    from genre_assets.takedowns.removal import enforce

    enforce(lake, lake.store, log_of(context))


def has_synthetic(lake: Lake, members: pa.Table) -> bool:
    """Whether members of a task are synthetic music of the demo."""
    labelled = lake.read(LABELS, columns=["track_id", "synthetic"])
    ours = set(members["track_id"].to_pylist())
    return any(row["synthetic"] and row["track_id"] in ours for row in labelled.to_pylist())


def write_credits(lake: Lake, members: pa.Table, folder: Path) -> None:
    """Credit the members of a task beside what was made of them."""
    from genre_assets.sources.attribution import FILE_NAME, named_tracks, write_attribution

    write_attribution(named_tracks(lake), members["track_id"].to_pylist(), folder / FILE_NAME)


def features_of(lake: Lake, members: pa.Table) -> pa.Table:
    """The features of a task's members, from the table that the task takes them from."""
    if not members.num_rows:
        raise TaskError(
            "The task has no members, as before it is first built and after a take-down: "
            "materialise its task_dataset first."
        )
    return lake.read(feature_tables()[members["feature_table"][0].as_py()])


trained_models = [_model_asset(spec) for spec in MODELS.values()]
