"""Builds the Definitions of the platform from its settings."""

import warnings

import dagster as dg

for category in (dg.BetaWarning, dg.PreviewWarning):
    warnings.filterwarnings("ignore", category=category)

from genre_assets.orchestration.assets import evaluation, features, ingest, metadata, models  # noqa: E402
from genre_assets.orchestration.automation import jobs, schedules, sensors  # noqa: E402
from genre_assets.orchestration.checks import asset_checks  # noqa: E402
from genre_assets.orchestration.resources import resources_from  # noqa: E402
from genre_assets.orchestration.settings import Settings  # noqa: E402
from genre_assets.sources.registry import SOURCES  # noqa: E402


def build_definitions(settings: Settings) -> dg.Definitions:
    """The platform as the settings make it.

    An asset that cannot be made with these settings is still defined: whoever materialises it gets
    a sentence that names the setting it needs. It is not kept up to date automatically.
    """
    not_set = [source for source in SOURCES.values() if not settings.place_of(source)]
    cannot_be_made = {name for source in not_set for name in source.published_features}

    def as_it_can_be_made(spec: dg.AssetSpec) -> dg.AssetSpec:
        if spec.key.to_user_string() not in cannot_be_made:
            return spec
        return spec.replace_attributes(automation_condition=None)

    loaded = dg.load_assets_from_modules(
        [ingest, metadata, features, models, evaluation], include_specs=True
    )
    assets = [a for a in loaded if isinstance(a, dg.AssetsDefinition | dg.AssetSpec)]
    return dg.Definitions(
        assets=list(dg.map_asset_specs(as_it_can_be_made, assets)),
        asset_checks=asset_checks,
        jobs=jobs,
        schedules=schedules,
        sensors=sensors,
        resources=resources_from(settings),
        # A process for each step would cost more than most steps do: three seconds to begin. What
        # is long has worker processes of its own.
        executor=dg.in_process_executor,
    )
