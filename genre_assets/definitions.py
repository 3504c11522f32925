"""The one entry point for Dagster: builds the Definitions, nothing else."""

import sys
import warnings

import dagster as dg

for category in (dg.BetaWarning, dg.PreviewWarning):
    warnings.filterwarnings("ignore", category=category)

from genre_assets.assets import evaluation, features, ingest, metadata, models  # noqa: E402
from genre_assets.automation import jobs, schedules, sensors  # noqa: E402
from genre_assets.checks import asset_checks  # noqa: E402
from genre_assets.resources import resources_from  # noqa: E402
from genre_assets.settings import SettingError, read_settings  # noqa: E402

try:
    settings = read_settings()
except SettingError:
    # Dagster prints an error with its whole traceback: of this one, the sentence is enough.
    sys.tracebacklimit = 0
    raise

defs = dg.Definitions(
    assets=dg.load_assets_from_modules(
        [ingest, metadata, features, models, evaluation], include_specs=True
    ),
    asset_checks=asset_checks,
    jobs=jobs,
    schedules=schedules,
    sensors=sensors,
    resources=resources_from(settings),
)
