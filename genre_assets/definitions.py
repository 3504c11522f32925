"""The one entry point for Dagster: builds the Definitions, nothing else."""

import warnings

import dagster as dg

warnings.filterwarnings("ignore", category=dg.BetaWarning)

from genre_assets.assets import evaluation, features, ingest, metadata, models  # noqa: E402
from genre_assets.automation import jobs, schedules  # noqa: E402
from genre_assets.resources import resources_from  # noqa: E402
from genre_assets.settings import read_settings  # noqa: E402

defs = dg.Definitions(
    assets=dg.load_assets_from_modules(
        [ingest, metadata, features, models, evaluation], include_specs=True
    ),
    jobs=jobs,
    schedules=schedules,
    resources=resources_from(read_settings()),
)
