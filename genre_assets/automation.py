"""How the graph is cut and run: partitions, backfill policy, automation, jobs and schedules.

This module names assets by group or by key and never imports them, so that the assets can import
their partitions from here.
"""

import dagster as dg

from genre_assets.models.tasks import load_tasks
from genre_assets.sources.shards import SHARDS

shards = dg.StaticPartitionsDefinition(SHARDS)
"""Ranges of FMA track ids, and hash buckets of a music library."""

tasks = dg.StaticPartitionsDefinition(list(load_tasks()))
"""The named sets of genres that models are trained for."""

one_run_for_a_range = dg.BackfillPolicy.single_run()
"""A range of shards is one run, so that its worker processes are started once."""

stale = (
    (
        # A shard with tracks that was never made, such as after the first sweep.
        dg.AutomationCondition.newly_missing()
        # The extractor, probe or reader has another version: its code_version says so.
        | dg.AutomationCondition.code_version_changed()
        # What it is made of has other rows. A sweep that changed nothing tells the same version.
        | dg.AutomationCondition.any_deps_match(dg.AutomationCondition.data_version_changed())
    )
    # Asked for once: a request answers all that happened before it.
    .since(dg.AutomationCondition.newly_requested() | dg.AutomationCondition.initial_evaluation())
    # Shards that hold no tracks are not made, and a shard waits for what it is made of.
    & ~dg.AutomationCondition.any_deps_missing()
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
)
"""When a shard is brought up to date unasked."""

refresh = dg.define_asset_job(
    "refresh",
    dg.AssetSelection.assets("fetches", "audio", "id3_tags", "labels", "summary_features"),
    description="Bring shards up to date after a sweep: downloads, files, tags, labels, features.",
)

scrape = dg.define_asset_job(
    "scrape",
    dg.AssetSelection.assets("fma_site_catalogue"),
    description="Sweep the site's listings and tell which shards changed.",
)

scrape_refresh = dg.ScheduleDefinition(
    name="scrape_refresh",
    job=scrape,
    cron_schedule="17 3 * * *",
    description="Sweep the site every night: what is new since the last sweep, and once a week "
    "every listing to its end. Shards that changed are then brought up to date by their "
    "automation conditions.",
)

train = dg.define_asset_job(
    "train",
    dg.AssetSelection.groups("models", "evaluation"),
    description="Train and evaluate the models of one task, up to its report.",
)

jobs = [scrape, refresh, train]
schedules = [scrape_refresh]
