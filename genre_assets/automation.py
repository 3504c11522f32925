"""How the graph is cut and run: partitions, backfill policy and jobs.

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

refresh = dg.define_asset_job(
    "refresh",
    dg.AssetSelection.assets("audio", "id3_tags", "labels", "summary_features"),
    description="Bring shards up to date after a sweep: files, tags, labels and features.",
)

train = dg.define_asset_job(
    "train",
    dg.AssetSelection.groups("models", "evaluation"),
    description="Train and evaluate the models of one task, up to its report.",
)

jobs = [refresh, train]
