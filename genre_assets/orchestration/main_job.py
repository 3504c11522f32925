"""The main job: the whole graph for one source and one task, materialised through Dagster."""

from collections.abc import Callable

import dagster as dg
import pyarrow.compute as pc

from genre_assets.lake.access import require_writable
from genre_assets.lake.schemas import SPECTROGRAMS, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.models.registry import BY_DEFAULT, MODELS, with_components
from genre_assets.orchestration.build import build_definitions
from genre_assets.orchestration.console import one_line_console
from genre_assets.orchestration.dagster_home import instance_of, prepare_home
from genre_assets.orchestration.interrupts import Interrupts
from genre_assets.orchestration.run_summary import COUNTED, Outcome, print_summary
from genre_assets.orchestration.settings import Settings
from genre_assets.orchestration.stale_shards import PER_SHARD, span_of_stale_shards
from genre_assets.sources.registry import Source
from genre_assets.terminal import complain, say

EVALUATION = ["predictions", "scores", "champion", "evaluation_report"]


def run_pipeline(
    settings: Settings, source: Source, task: str, models: list[str] | None, sweep: str
) -> int:
    """Materialise the graph from the source's catalogue to the task's report, and sum it up.

    Args:
        settings: The settings that the definitions were loaded with.
        source: The source to read.
        task: Name of the task to train and evaluate.
        models: Names of the models to train, besides those that they are made of; None trains
            those that are trained by default, and those that the task was trained with before.
        sweep: How a site is swept: auto, full or incremental.

    Returns:
        The exit status: 0, or 1 if any asset failed.

    Raises:
        UserError: If Dagster's records have no place to lie in.
        KeyboardInterrupt: If Ctrl-C or SIGTERM arrived, before the next part of the graph begins.
    """
    lake = Lake(settings.data)
    outcome = Outcome()
    require_writable(lake.root)
    require_writable(prepare_home(lake.root))
    with Interrupts() as interrupts, instance_of(lake) as (instance, died):
        for sentence in died:
            complain(sentence)
        phase = _Run(settings, instance, outcome, interrupts).phase
        modes = {source.catalogue: {"config": {"mode": sweep}}} if source.is_site else {}
        phase(source.ingest, ops=modes)
        present = _shards_with_tracks(lake, source)
        if not outcome.failures and not present:
            outcome.failures.append(f"There are no tracks in {source.words}.")
        if not outcome.failures:
            stale = span_of_stale_shards(lake, settings, instance, present)
            _bring_up_to_date(lake, phase, stale)
            phase(["labels"])
            phase(["task_dataset"], task=task)
        if not outcome.failures:
            names = models or [*BY_DEFAULT, *_trained_before(lake, task)]
            phase([f"models/{name}" for name in with_components(names)], task=task)
            phase(EVALUATION, task=task)
    print_summary(lake, task, outcome)
    return 1 if outcome.failures else 0


def _bring_up_to_date(lake: Lake, phase: Callable[..., None], shards: list[str]) -> None:
    """Download, read and analyse what is stale in a range of shards."""
    if not shards:
        say("No track is new or changed: there is nothing to download, read or analyse.")
        return
    made = [shard for shard in shards if lake.path(SPECTROGRAMS, shard)]
    with_shards = [SPECTROGRAMS.name] if made == shards else []
    phase(PER_SHARD + with_shards, shards=(shards[0], shards[-1]))
    # Some shards have spectrograms and others were never meant to: each of those by itself.
    for shard in [] if with_shards else made:
        phase([SPECTROGRAMS.name], shards=(shard, shard))


class _Run:
    """Runs parts of the graph in this process, one after the other, on one instance."""

    def __init__(
        self,
        settings: Settings,
        instance: dg.DagsterInstance,
        outcome: Outcome,
        interrupts: Interrupts,
    ):
        defs = build_definitions(settings)
        self._job = dg.Definitions(
            assets=defs.assets,
            asset_checks=defs.asset_checks,
            resources=defs.resources,
            loggers={"console": one_line_console},
        ).resolve_implicit_global_asset_job_def()
        self._instance = instance
        self._outcome = outcome
        self._interrupts = interrupts

    def phase(
        self,
        assets: list[str],
        shards: tuple[str, str] | None = None,
        task: str | None = None,
        ops: dict | None = None,
    ) -> None:
        """Materialise assets, for a range of shards or for a task where they are partitioned.

        Raises:
            KeyboardInterrupt: If Ctrl-C or SIGTERM arrived meanwhile.
        """
        tags = {}
        if shards:
            tags = {
                "dagster/asset_partition_range_start": shards[0],
                "dagster/asset_partition_range_end": shards[1],
            }
        result = self._job.execute_in_process(
            instance=self._instance,
            asset_selection=[dg.AssetKey(name.split("/")) for name in assets],
            partition_key=task,
            tags=tags,
            run_config={"loggers": {"console": {}}, "ops": ops or {}},
            raise_on_error=False,
        )
        try:
            self._interrupts.raise_if_any()
        except KeyboardInterrupt:
            self._cancel(result.dagster_run)
            raise
        for event in result.get_asset_materialization_events():
            self._count(event)
        for event in result.get_step_failure_events():
            self._outcome.failures.append(_sentence(event))

    def _cancel(self, run: dg.DagsterRun) -> None:
        # Dagster takes an interruption that it did not ask for itself for a failure.
        if run.status == dg.DagsterRunStatus.FAILURE:
            self._instance.report_run_canceled(run, "The run was interrupted by Ctrl-C or SIGTERM.")

    def _count(self, event: dg.DagsterEvent) -> None:
        materialization = event.step_materialization_data.materialization
        name = materialization.asset_key.to_user_string()
        sums = self._outcome.assets.setdefault(name, dict.fromkeys(COUNTED, 0.0))
        for key in COUNTED:
            value = materialization.metadata.get(key)
            if isinstance(value, dg.IntMetadataValue | dg.FloatMetadataValue):
                sums[key] += value.value or 0


def _sentence(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    name = (event.step_key or "").replace("__", "/")
    if data.user_failure_data and data.user_failure_data.description:
        return f"{name}: {data.user_failure_data.description}"
    error = data.error.cause or data.error if data.error else None
    return f"{name}: {error.message.strip() if error else 'failed without a word'}"


def _trained_before(lake: Lake, task: str) -> list[str]:
    from genre_assets.models.storage import stored_models

    stored = {folder.name for folder in stored_models(lake, task)}
    return [name for name in MODELS if name in stored]


def _shards_with_tracks(lake: Lake, source: Source) -> list[str]:
    listed = lake.read(TRACKS, columns=["source", "shard", "gone_at"])
    ours = (pc.field("source") == source.name) & pc.field("gone_at").is_null()
    present = set(listed.filter(ours)["shard"].to_pylist())
    return [shard for shard in source.shards if shard in present]
