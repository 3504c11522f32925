"""How the graph is cut and run: partitions, backfill policies, automation, jobs and schedules.

This module names assets by group or by key and never imports them, so that the assets can import
their partitions from here.

Three kinds of assets keep themselves up to date, each by a condition of its own: shards
(:data:`stale`), the labels of all shards (:data:`stale_labels`), and what belongs to a task
(:data:`stale_task` for its members, :data:`stale_model` for what is made of them). Each is a wish
(something happened that has not been answered by a request yet) and what the wish has to wait
for. Dagster evaluates them every 30 seconds.
"""

import json

import dagster as dg

from genre_assets.lake.schemas import TASK_MEMBERS, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.partitions import NamedPartitions
from genre_assets.orchestration.resources import FmaSite, LakeResource
from genre_assets.sources.registry import FMA_SITE
from genre_assets.sources.shards import SHARDS
from genre_assets.tasks.task import load_tasks

shards = NamedPartitions("shards", SHARDS)
"""Ranges of FMA track ids, and hash buckets of a music library; registered once they hold tracks.
"""

tasks = NamedPartitions("tasks", load_tasks())
"""The named sets of genres that models are trained for; registered once they have members."""


def register_partitions(instance: dg.DagsterInstance, lake: Lake) -> None:
    """Register the shards and the tasks that a lake holds."""
    shards.register(instance, lake.partitions(TRACKS))
    tasks.register(instance, lake.partitions(TASK_MEMBERS))


one_run_for_a_range = dg.BackfillPolicy.single_run()
"""A range of shards is one run, so that its worker processes are started once."""

one_run_a_task = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)
"""A task that has too few tracks fails alone."""

REQUESTED_BY_AUTOMATION = {"genre_assets/asked_by": "automation"}
"""Tag of the runs that no person requested."""

WEEKLY = "0 5 * * 1"
"""When the members of the tasks are looked at though nothing else called for it."""

_if = dg.AutomationCondition

_changed_elsewhere = (
    # What a materialisation says of its content is another than before. An asset that was made
    # anew and came out the same stops here: nothing below it is requested.
    _if.data_version_changed()
    # Who materialises an asset and its parent in one run, by hand, has no need of another one.
    & ~_if.executed_with_root_target()
).with_label("changed_elsewhere")

_failed_for_the_first_time = (
    _if.execution_failed()
    # Until it succeeds, a failure is the same failure: without this the second attempt, which has
    # not failed while it runs, would fail for the first time again, and so on for ever.
    .since(_if.newly_updated())
    .newly_true()
    .with_label("failed_for_the_first_time")
)


def _pending(happened: dg.AutomationCondition) -> dg.AutomationCondition:
    """True from when something happens until a request that came after it."""
    # Not until an update: a run that was going when its input changed has read the old one, and
    # its end is no answer. And not by a request of the same tick in which more happened: a tick
    # learns of the request of the tick before it, so whatever it sees happen came later.
    # Nothing is forgiven when the sensor is switched on, unlike in Dagster's own conditions: what
    # is missing then, after a first sweep, is requested.
    return happened.since(_if.newly_requested() & ~happened).with_label("unanswered")


# A task that no one ever trained is not trained unasked: most lakes have tracks for one or two of
# them, and the others would fail. Nor are spectrograms made that nobody requested: they take more
# disk than all else that is made of a track. What happens before is no reason to make anew what a
# person has just made for the first time.
_in_use = ~_if.missing()

_waits_for_no_one = (
    # What it is made of will change in this tick's runs, or is changing.
    ~_if.any_deps_match(_if.will_be_requested()).with_label("any_deps_will_be_requested")
    & ~_if.any_deps_in_progress()
    # A bad table goes no further. Its checks stop what follows in the same run by themselves;
    # here the next stage is another run.
    & ~_if.any_deps_match(
        _if.any_checks_match(_if.check_failed() | _if.in_progress(), blocking_only=True)
    ).with_label("any_deps_unsound")
    # Another run of it reads its input before or after the change, nobody knows.
    & ~_if.in_progress()
)

stale = (
    _pending(
        # It was never made, such as after the first sweep.
        _if.newly_missing()
        # The extractor, probe or reader has another version: its code_version says so.
        | _if.code_version_changed()
        # What it is made of has other rows. A sweep that changed nothing reports the same version.
        | _if.any_deps_match(_changed_elsewhere)
        # Once more: the site was down, the disk full, the process killed. Not for ever: a shard
        # that fails twice waits for a change, or for a person.
        | _failed_for_the_first_time
    )
    # A shard without tracks is not made, and one is made stage after stage, not all in one run:
    # only so can a stage that changed nothing be the last.
    & ~_if.any_deps_match(_if.missing()).with_label("any_deps_not_made")
    & _waits_for_no_one
)
"""When a shard of ``fetches``, ``audio``, ``id3_tags`` or ``summary_features`` is made anew."""

stale_if_made = (
    _pending(
        (
            _if.code_version_changed()
            | _if.any_deps_match(_changed_elsewhere)
            | _failed_for_the_first_time
        )
        & _in_use
    )
    & _waits_for_no_one
)
"""When a shard of ``spectrograms`` is made anew that somebody requested."""

_labels_wanted = _pending(
    _if.newly_missing()
    | _if.code_version_changed()
    # Updated, not changed: a track that got another title or genre has the same audio as before,
    # and yet its shard of audio is made anew, because tracks changed. Tracks themselves are not
    # listened to: labels would be made once before and once after the stages that follow.
    | _if.any_deps_match(_if.newly_updated() & ~_if.executed_with_root_target()).ignore(
        dg.AssetSelection.assets("tracks")
    )
    | _failed_for_the_first_time
)

stale_labels = (
    _labels_wanted
    # Labels are of all shards, most of which have no tracks and are never made. One shard of
    # each table is enough to begin with.
    & _if.all_deps_match(~_if.missing()).with_label("all_deps_begun")
    # A shard may be about to go on with its next stage, in a run that is no run of labels.
    & ~_if.any_deps_match(stale)
    .ignore(dg.AssetSelection.assets("tracks"))
    .with_label("any_shard_stale")
    & _waits_for_no_one
)
"""When the labels of all tracks are made anew: once a refresh of shards has come to rest."""


stale_task = (
    _pending(
        (
            _if.code_version_changed()
            # Who takes part depends on labels and on who has features. Every refresh of shards
            # ends with labels, so tracks need no ear of their own.
            | _if.any_deps_match(_changed_elsewhere).ignore(dg.AssetSelection.assets("tracks"))
            # Once a week a change counts that was too small to count when it happened.
            | _if.cron_tick_passed(WEEKLY)
            | _failed_for_the_first_time
        )
        & _in_use
    )
    # Features may be there before the labels of the same tracks.
    & ~_if.any_deps_match(_labels_wanted)
    .allow(dg.AssetSelection.assets("labels"))
    .with_label("labels_wanted")
    & _waits_for_no_one
)
"""When the members of a task are looked at anew.

``task_dataset`` then keeps the members, and reports the same data version, unless enough of
them changed (see :func:`genre_assets.tasks.members.members_stand`); only a new version has
models trained. So a change counts by its size and not by the day it fell on, what the models
learnt from is what the lake shows, and no condition needs to look into a table.
"""

stale_model = (
    _pending(
        (
            _if.code_version_changed()
            # A report shows titles and tags too, but a new title is no reason to write it anew.
            | _if.any_deps_match(_changed_elsewhere).ignore(
                dg.AssetSelection.assets("tracks", "id3_tags")
            )
            | _failed_for_the_first_time
        )
        & _in_use
    )
    & _waits_for_no_one
)
"""When a model of a task is trained anew, and what follows from it: predictions to report."""

keep_up_to_date = dg.AutomationConditionSensorDefinition(
    "keep_up_to_date",
    target=dg.AssetSelection.all() | dg.AssetSelection.all_asset_checks(),
    # It only finishes what a sweep began, and sweeps are begun by a person or by a schedule that
    # a person switched on.
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    run_tags=REQUESTED_BY_AUTOMATION,
    description="Brings up to date what changed, stage after stage: shards, labels, the tasks in "
    "use and their models.",
)


@dg.sensor(
    target=dg.AssetSelection.assets(
        "fetches", "audio", "id3_tags", "summary_features", "spectrograms"
    ),
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def try_again(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult:
    """Makes the shards again that ``genre-assets retry`` marked."""
    from genre_assets.refresh.retry import requested_retries

    found, looked_at = requested_retries(Lake(lake.root), json.loads(context.cursor or "{}"))
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=f"{asset} {shard} {version}",
                asset_selection=[dg.AssetKey(asset)],
                partition_key=shard,
                tags=REQUESTED_BY_AUTOMATION,
            )
            for (asset, shard), version in found.items()
        ],
        cursor=json.dumps(looked_at),
    )


@dg.sensor(minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def present_partitions(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SkipReason:
    """Registers the shards and tasks that the lake holds; launches nothing.

    Runs register what they make. This is for a lake that was made with other records of Dagster,
    or by the version before this one.
    """
    register_partitions(context.instance, Lake(lake.root))
    return dg.SkipReason("Whatever the lake holds is registered.")


refresh = dg.define_asset_job(
    "refresh",
    dg.AssetSelection.assets("fetches", "audio", "id3_tags", "labels", "summary_features"),
    description="Bring shards up to date after a sweep: downloads, files, tags, labels, features.",
)

scrape = dg.define_asset_job(
    "scrape",
    dg.AssetSelection.assets(FMA_SITE.catalogue),
    # A sweep whose process died is begun once more. One that failed said why, and asking the
    # site at once again would only be impolite.
    tags={"dagster/max_retries": "1", "dagster/retry_on_asset_or_op_failure": "false"},
    description="Sweep the site's listings and report which shards changed.",
)


@dg.schedule(
    job=scrape,
    cron_schedule="17 3 * * *",
    # Stopped: no site is contacted unless a person says so.
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Sweep the site every night: what is new since the last sweep, and once a week "
    "every listing to its end. Shards that changed are then brought up to date by "
    "keep_up_to_date.",
)
def scrape_refresh(fma_site: FmaSite) -> dg.RunRequest | dg.SkipReason:
    """Asks for a sweep where there is a site to sweep."""
    if not fma_site.base:
        return dg.SkipReason(FMA_SITE.not_set)
    return dg.RunRequest()


train = dg.define_asset_job(
    "train",
    dg.AssetSelection.groups("models", "evaluation"),
    description="Train and evaluate the models of one task, up to its report.",
)

jobs = [scrape, refresh, train]
schedules = [scrape_refresh]
sensors = [keep_up_to_date, try_again, present_partitions]
