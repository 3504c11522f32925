"""Evaluation: what the models of a task predict, how good that is, the best model, the report."""

from datetime import UTC, datetime

import dagster as dg
import pyarrow as pa

from genre_assets.lake.schemas import (
    CHAMPIONS,
    LEAKY_PREDICTIONS,
    PREDICTIONS,
    SCORES,
    TASK_MEMBERS,
    TASK_NOTES,
)
from genre_assets.models.registry import MODELS
from genre_assets.orchestration.asset_log import log_of, warnings_of
from genre_assets.orchestration.assets.ingest import tracks
from genre_assets.orchestration.assets.materialization import (
    StepRecord,
    in_one_sentence,
    table_asset,
)
from genre_assets.orchestration.assets.metadata import id3_tags
from genre_assets.orchestration.assets.models import (
    enforce_takedowns,
    every_shard_of,
    features_of,
    task_dataset,
    trained_models,
    write_credits,
)
from genre_assets.orchestration.automation import one_run_a_task, stale_model, tasks
from genre_assets.orchestration.resources import LakeResource
from genre_assets.tasks.task import TaskError, load_tasks

GROUP = "evaluation"
OF_A_TASK = {
    "group_name": GROUP,
    "partitions_def": tasks,
    "backfill_policy": one_run_a_task,
    "automation_condition": stale_model,
}
"""What the assets of this module have in common."""


@table_asset(
    PREDICTIONS,
    **OF_A_TASK,
    code_version="2",
    deps=[task_dataset, *trained_models],
)
def predictions(context: dg.AssetExecutionContext, lake: LakeResource) -> None:
    """What each model predicts for tracks it was not trained on, beside the leaky predictions."""
    from genre_assets.models.up_to_date import gather_predictions

    with lake.open() as opened:
        for name in context.partition_keys:
            record = StepRecord()
            members = opened.read(TASK_MEMBERS, [name])
            with in_one_sentence():
                honest, leaky, notes = gather_predictions(
                    opened, name, members, features_of(opened, members)
                )
            opened.write(PREDICTIONS, honest, name)
            opened.write(LEAKY_PREDICTIONS, leaky, name)
            enforce_takedowns(context, opened)
            for note in notes:
                warnings_of(context)(note)
            context.add_asset_metadata(
                record.metadata(
                    members.num_rows,
                    honest,
                    models=dg.MetadataValue.json(sorted(set(honest["model"].to_pylist()))),
                    notes=dg.MetadataValue.json(notes),
                ),
                partition_key=name,
            )


@table_asset(
    SCORES,
    **OF_A_TASK,
    code_version="3",
    deps=[predictions],
)
def scores(context: dg.AssetExecutionContext, lake: LakeResource) -> None:
    """Accuracy and its kin with intervals over artists, honest and leaky side by side."""
    from genre_assets.evaluation.scores import score

    with lake.open() as opened:
        for name in context.partition_keys:
            record = StepRecord()
            honest = opened.read(PREDICTIONS, [name])
            leaky = opened.read(LEAKY_PREDICTIONS, [name])
            members = opened.read(TASK_MEMBERS, [name])
            with in_one_sentence():
                _require_predictions(name, members, honest, leaky)
            figures = score(honest, leaky, members, made_at=datetime.now(UTC))
            opened.write(SCORES, figures, name)
            context.add_asset_metadata(
                record.metadata(honest.num_rows, figures), partition_key=name
            )


@table_asset(
    CHAMPIONS,
    **OF_A_TASK,
    code_version="2",
    deps=[scores],
)
def champion(context: dg.AssetExecutionContext, lake: LakeResource) -> None:
    """The best model of a task, chosen on validation tracks or on folds, never on test tracks."""
    from genre_assets.evaluation.champion import choose_champion

    with lake.open() as opened:
        for name in context.partition_keys:
            record = StepRecord()
            figures = opened.read(SCORES, [name])
            best = choose_champion(
                figures,
                opened.read(CHAMPIONS, [name]),
                opened.read(PREDICTIONS, [name]),
                opened.read(TASK_MEMBERS, [name]),
                chosen_at=datetime.now(UTC),
            )
            for why in best["why"].to_pylist():
                log_of(context)(f"The champion of {name} is {best['model'][0]}. {why}")
            opened.write(CHAMPIONS, best, name)
            context.add_asset_metadata(record.metadata(figures.num_rows, best), partition_key=name)


@dg.asset(
    **OF_A_TASK,
    code_version="2",
    deps=[scores, champion, every_shard_of(tracks), every_shard_of(id3_tags)],
    kinds={"html"},
)
def evaluation_report(context: dg.AssetExecutionContext, lake: LakeResource) -> None:
    """One HTML page a task: scores, honest beside leaky, confusion matrix, recall, mistakes."""
    from genre_assets.evaluation.reports.task import write_report
    from genre_assets.quality.funnel import all_left_out, funnel
    from genre_assets.sources.attribution import named_tracks

    with lake.open() as opened:
        for name in context.partition_keys:
            record = StepRecord()
            members = opened.read(TASK_MEMBERS, [name])
            figures = opened.read(SCORES, [name])
            with in_one_sentence():
                _require_scores(name, members, figures)
            notes = opened.read(TASK_NOTES, [name]).to_pylist()
            path = write_report(
                opened.places.report(name),
                load_tasks()[name],
                members,
                named_tracks(opened, ["title", "artist"]),
                opened.read(PREDICTIONS, [name]),
                figures,
                opened.read(CHAMPIONS, [name]),
                made_at=datetime.now(UTC),
                command="dagster asset materialize -m genre_assets.definitions "
                f"--select group:models,group:evaluation --partition {name}",
                remarks=[note["text"] for note in notes if note["kind"] != "left_out"],
                left_out=all_left_out(funnel(opened, name)),
                descriptions={spec.name: spec.description for spec in MODELS.values()},
            )
            write_credits(opened, members, path.parent)
            enforce_takedowns(context, opened)
            context.add_asset_metadata(
                record.metadata(members.num_rows, members, report=dg.MetadataValue.path(str(path))),
                partition_key=name,
            )


def _require_predictions(task: str, members: pa.Table, honest: pa.Table, leaky: pa.Table) -> None:
    present = set(members["track_id"].to_pylist())
    predicted = {*honest["track_id"].to_pylist(), *leaky["track_id"].to_pylist()}
    if not honest.num_rows or not predicted <= present:
        raise TaskError(
            f"The predictions of task {task} were made for other tracks than it has now: "
            f"materialise models/* and predictions for {task} first."
        )


def _require_scores(task: str, members: pa.Table, figures: pa.Table) -> None:
    if not members.num_rows or not figures.num_rows:
        raise TaskError(f"Task {task} has no scores yet: materialise its scores first.")
