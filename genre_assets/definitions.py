"""The one entry point for Dagster."""

import sys

from genre_assets.orchestration.build import build_definitions
from genre_assets.orchestration.lake_choice import choose_lake
from genre_assets.orchestration.settings import SettingError, read_settings

choose_lake()
try:
    defs = build_definitions(read_settings())
except SettingError:
    # Dagster prints an error with its whole traceback: of this one, the sentence is enough.
    sys.tracebacklimit = 0
    raise
