"""The one entry point for Dagster: builds the Definitions, nothing else."""

import warnings

import dagster as dg

for category in (dg.BetaWarning, dg.PreviewWarning):
    warnings.filterwarnings("ignore", category=category)

from genre_assets.assets import evaluation, features, ingest, metadata, models  # noqa: E402
from genre_assets.automation import jobs, schedules, sensors  # noqa: E402
from genre_assets.checks import asset_checks  # noqa: E402
from genre_assets.resources import resources_from  # noqa: E402
from genre_assets.settings import read_settings  # noqa: E402

defs = dg.Definitions(
    assets=dg.load_assets_from_modules(
        [ingest, metadata, features, models, evaluation], include_specs=True
    ),
    asset_checks=asset_checks,
    jobs=jobs,
    schedules=schedules,
    sensors=sensors,
    resources=resources_from(read_settings()),
)
