"""What is requested unasked, by real ticks over the real graph.

The assets are stand-ins: they carry the dependencies, partitions, code versions and conditions of
the real ones, and what they do is to tell a version. The daemon is a stand-in, too: it evaluates
and launches as Dagster's does, but one thing after the other. As the real one, it knows of
partitions what is registered, and nothing else.
"""

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from unittest.mock import patch

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from genre_assets.definitions import build_definitions
from genre_assets.lake.schemas import AUDIO, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.automation import (
    REQUESTED_BY_AUTOMATION,
    keep_up_to_date,
    present_partitions,
    shards,
    tasks,
    try_again,
)
from genre_assets.orchestration.checks import Check, Subject, checks_of
from genre_assets.orchestration.resources import FmaSite, LakeResource
from genre_assets.orchestration.settings import read_settings
from genre_assets.quality.verdict import Verdict
from genre_assets.refresh.retry import request_retry
from genre_assets.sources.shards import SHARDS
from genre_assets.tasks.task import load_tasks

defs = build_definitions(read_settings({"GENRE_ASSETS_FMA_DATASET": "/"}))
"""As they are where every source that others are made from is set."""

SHARD_STAGES = ["fetches", "audio", "id3_tags", "summary_features"]
GRAPH = defs.resolve_asset_graph()
REAL = {
    key.to_user_string(): asset
    for asset in defs.assets or []
    if isinstance(asset, dg.AssetsDefinition)
    for key in asset.keys
}
MODELS = sorted(name for name in REAL if name.startswith("models/"))
FIRST, SECOND, FAR = "fma_000000", "fma_005000", "fma_240000"
TWO_MODELS = ["models/majority", "models/svm"]
EVALUATION = ["predictions", "scores", "champion", "evaluation_report"]
MONDAY = datetime(2026, 11, 23, 4, 59, 30, tzinfo=UTC)

Requested = dict[str, set[str | None]]


class Platform:
    """The graph with stand-ins for assets, on an instance of its own."""

    def __init__(self, names: Iterable[str]):
        self.instance = dg.DagsterInstance.ephemeral()
        self.log: list[tuple[str, str | None]] = []
        """Each partition of each asset that was made, in the order of making."""
        self.constant: set[str] = set()
        """Assets that come out the same whatever they are made of."""
        self.broken: set[str] = set()
        """Assets that fail."""
        self.meanwhile: dict[str, Callable[[], object]] = {}
        """What happens once while an asset is being made."""
        self._versions: dict[tuple[str, str | None], str] = {}
        self._cursor = None
        self.bad: set[str | None] = set()
        """Partitions of audio that its check finds bad."""
        self.now: datetime | None = None
        self._names = list(names)
        self.deploy()

    def deploy(self, **code_versions: str) -> None:
        """Load the definitions again, some assets with another code version."""
        specs = {
            name: REAL[name].get_asset_spec(dg.AssetKey.from_user_string(name))
            for name in self._names
        }
        for name, version in code_versions.items():
            specs[name] = specs[name].replace_attributes(code_version=version)
        specs["tracks"] = GRAPH.get(dg.AssetKey("tracks")).to_asset_spec()
        self._daemons = self._definitions({name: as_remote(specs[name]) for name in specs})
        self._job = self._definitions(specs).resolve_implicit_global_asset_job_def()

    def _definitions(self, specs: dict[str, dg.AssetSpec]) -> dg.Definitions:
        assets = {name: self._stand_in(name, specs[name]) for name in self._names}
        return dg.Definitions(
            assets=[specs["tracks"], *assets.values()],
            asset_checks=[self._checks_of(assets["audio"])] if "audio" in assets else [],
            resources={"lake": LakeResource(root="nowhere"), "fma_site": FmaSite()},
        )

    def sweep(self, *swept: str, version: str = "1") -> None:
        """Tell of tracks as a catalogue does."""
        shards.register(self.instance, swept)
        for shard in swept:
            self._versions["tracks", shard] = version
            self.instance.report_runless_asset_event(
                dg.AssetMaterialization(
                    "tracks", partition=shard, tags={"dagster/data_version": version}
                )
            )

    def tick(self) -> Requested:
        """What one evaluation of the conditions asks for."""
        registered = cache(self.instance.get_dynamic_partitions)
        # Dagster looks them up thousands of times, and none is added meanwhile.
        with patch.object(self.instance, "get_dynamic_partitions", registered):
            result = dg.evaluate_automation_conditions(
                self._daemons, self.instance, cursor=self._cursor, evaluation_time=self.now
            )
        self._cursor = result.cursor
        keys = map(dg.AssetKey.from_user_string, self._names)
        asked = {key.to_user_string(): set(result.get_requested_partitions(key)) for key in keys}
        return {name: partitions for name, partitions in asked.items() if partitions}

    def carry_out(self, asked: Requested) -> None:
        """Launch what was requested, ranges of shards in one run each."""
        runs: dict[tuple[str | None, ...], list[str]] = {}
        for name, partitions in asked.items():
            for keys in self._runs_of(name, partitions):
                runs.setdefault(keys, []).append(name)
        for keys, names in runs.items():
            self.materialize(names, keys)

    def materialize(self, names: Iterable[str], keys: tuple[str | None, ...] = (None,)) -> bool:
        """Make assets in one run, as a person does."""
        ranged = {
            "dagster/asset_partition_range_start": str(keys[0]),
            "dagster/asset_partition_range_end": str(keys[-1]),
        }
        return self._job.execute_in_process(
            asset_selection=[dg.AssetKey.from_user_string(name) for name in names],
            instance=self.instance,
            partition_key=keys[0] if len(keys) == 1 else None,
            tags=ranged if len(keys) > 1 else None,
            raise_on_error=False,
        ).success

    def staleness(self, names: Iterable[str], partition: str) -> list[StaleStatus]:
        """What the web server says of a partition of assets."""
        resolver = CachingStaleStatusResolver(
            self.instance,
            self._daemons.resolve_asset_graph(),
            LoadingContextForTest(self.instance),
        )
        keys = map(dg.AssetKey.from_user_string, names)
        return [resolver.get_status(key, partition) for key in keys]

    def rest(self, most_ticks: int = 20) -> list[Requested]:
        """Tick and carry out until nothing more is requested: what each tick requested."""
        asked = []
        while each := self.tick():
            asked.append(each)
            assert len(asked) < most_ticks, f"never comes to rest: {asked[-3:]}"
            self.carry_out(each)
        return asked

    def _stand_in(self, name: str, spec: dg.AssetSpec) -> dg.AssetsDefinition:
        @dg.multi_asset(
            name=spec.key.to_python_identifier(),
            specs=[spec],
            backfill_policy=GRAPH.get(spec.key).backfill_policy,
        )
        def stand_in(context: dg.AssetExecutionContext):
            self.meanwhile.pop(name, lambda: None)()
            if name in self.broken:
                raise dg.Failure("broken", allow_retries=False)
            keys = context.partition_keys if spec.partitions_def else [None]
            told = {key: self._make(name, spec, key) for key in keys}
            yield dg.MaterializeResult(asset_key=spec.key)
            for key, version in told.items():
                yield dg.AssetMaterialization(
                    spec.key, partition=key, tags={"dagster/data_version": version}
                )

        return stand_in

    def _checks_of(self, asset: dg.AssetsDefinition) -> dg.AssetChecksDefinition:
        def judge(subject: Subject) -> Verdict:
            self.meanwhile.pop("sound", lambda: None)()
            return Verdict(subject.partition not in self.bad, "looked at")

        return checks_of(asset, Check("sound", "Not bad.", judge, blocking=True))

    def _runs_of(self, name: str, partitions: set[str | None]) -> list[tuple[str | None, ...]]:
        node = GRAPH.get(dg.AssetKey.from_user_string(name))
        if node.partitions_def is None or node.backfill_policy != dg.BackfillPolicy.single_run():
            return [(partition,) for partition in sorted(partitions, key=str)]
        remote = dg.DynamicPartitionsDefinition(name=node.partitions_def.name)
        with dg.partition_loading_context(dynamic_partitions_store=self.instance):
            subset = remote.subset_with_partition_keys([str(key) for key in partitions])
            return [
                tuple(remote.get_partition_keys_in_range(keys))
                for keys in subset.get_partition_key_ranges(remote)
            ]

    def _make(self, name: str, spec: dg.AssetSpec, key: str | None) -> str:
        self.log.append((name, key))
        if name == "task_dataset":
            tasks.register(self.instance, [key])
        parents = [dep.asset_key.to_user_string() for dep in spec.deps]
        made_of = [
            version
            for (parent, partition), version in sorted(self._versions.items(), key=str)
            if parent in parents and (partition in (key, None) or spec.partitions_def is None)
        ]
        if name not in self.constant:
            version = f"{name} {spec.code_version} of {made_of}"
            self._versions[name, key] = hashlib.sha256(version.encode()).hexdigest()
        return self._versions[name, key]


def as_remote(spec: dg.AssetSpec) -> dg.AssetSpec:
    """An asset as Dagster's daemon has it: it knows what partitions are called together."""
    name = getattr(spec.partitions_def, "name", None)
    partitions = dg.DynamicPartitionsDefinition(name=name) if name else spec.partitions_def
    return spec.replace_attributes(partitions_def=partitions)


def brought_up_to_date(platform: Platform) -> Platform:
    """Make two shards that have tracks, and the labels, before the automation is switched on."""
    platform.sweep(FIRST, SECOND)
    platform.materialize(SHARD_STAGES, (FIRST, SECOND))
    platform.materialize(["labels"])
    assert platform.tick() == {}
    platform.log.clear()
    return platform


@pytest.fixture
def platform():
    return Platform([*SHARD_STAGES, "labels"])


@pytest.fixture
def fresh(platform):
    return brought_up_to_date(platform)


def test_without_tracks_nothing_is_asked_for(platform):
    assert platform.rest() == []


def test_a_first_sweep_asks_for_all_shards_that_have_tracks_stage_after_stage(platform):
    platform.tick()
    platform.sweep(FIRST, SECOND, FAR)
    two = {FIRST, SECOND, FAR}
    assert platform.rest() == [
        {"fetches": two},
        {"audio": two},
        {"id3_tags": two, "summary_features": two},
        {"labels": {None}},
    ]
    assert len(platform.log) == len(set(platform.log)) == 4 * 3 + 1


def test_what_was_swept_before_the_automation_is_switched_on_is_not_forgotten(platform):
    platform.sweep(FIRST)
    assert [set(asked) for asked in platform.rest()] == [
        {"fetches"},
        {"audio"},
        {"id3_tags", "summary_features"},
        {"labels"},
    ]


def test_an_unchanged_sweep_asks_for_nothing(fresh):
    fresh.sweep(FIRST, SECOND)
    assert fresh.rest() == []


def test_new_tracks_ask_for_their_shard_alone(fresh):
    fresh.sweep(FIRST)
    fresh.sweep(SECOND, version="2")
    asked = fresh.rest()
    assert asked[0] == {"fetches": {SECOND}}
    assert {key for each in asked for key in set().union(*each.values())} == {SECOND, None}
    assert sorted(fresh.log) == sorted([*((n, SECOND) for n in SHARD_STAGES), ("labels", None)])


def test_a_stage_that_comes_out_the_same_is_the_last_one(fresh):
    fresh.constant = {"audio"}
    fresh.sweep(FIRST, version="another title")
    fresh.rest()
    assert fresh.log == [("fetches", FIRST), ("audio", FIRST), ("labels", None)]


def test_a_new_extractor_asks_for_all_shards_and_then_for_none(fresh):
    fresh.deploy(summary_features="another")
    assert fresh.rest() == [{"summary_features": {FIRST, SECOND}}]


def test_spectrograms_are_kept_up_to_date_in_the_shards_that_somebody_had_made():
    fresh = brought_up_to_date(Platform([*SHARD_STAGES, "labels", "spectrograms"]))
    assert "spectrograms" not in set().union(*fresh.rest())
    fresh.materialize(["spectrograms"], (FIRST,))
    assert fresh.rest() == []
    fresh.deploy(spectrograms="another")
    assert fresh.rest() == [{"spectrograms": {FIRST}}]
    fresh.sweep(FIRST, SECOND, version="other rows")
    asked = fresh.rest()
    assert [each["spectrograms"] for each in asked if "spectrograms" in each] == [{FIRST}]


def test_a_new_probe_asks_for_what_follows_from_it_where_that_changed(fresh):
    fresh.deploy(audio="another")
    both = {FIRST, SECOND}
    assert fresh.rest() == [
        {"audio": both},
        {"id3_tags": both, "summary_features": both},
        {"labels": {None}},
    ]


@pytest.mark.parametrize("name", ["fetches", "labels"])
def test_what_fails_is_asked_for_once_more_and_not_for_ever(fresh, name):
    """Also when a tick sees the second attempt while it has not failed yet."""

    def tick():
        fresh.meanwhile[name] = tick
        assert fresh.tick() == {}

    fresh.meanwhile[name] = tick
    fresh.broken = {name}
    fresh.sweep(FIRST, version="2")
    asked = fresh.rest()
    assert sum(name in each for each in asked) == 2
    assert "summary_features" not in asked[-1]


@pytest.mark.parametrize("name", ["fetches", "labels"])
def test_what_failed_is_made_at_the_second_try_and_what_follows_from_it(fresh, name):
    fresh.broken = {name}
    fresh.sweep(FIRST, version="2")
    asked: Requested = {}
    while name not in asked:
        asked = fresh.tick()
        fresh.carry_out(asked)
    fresh.broken = set()
    fresh.rest()
    assert sorted(fresh.log) == sorted([*((n, FIRST) for n in SHARD_STAGES), ("labels", None)])


def test_a_shard_that_failed_twice_is_asked_for_again_when_its_tracks_change(fresh):
    fresh.broken = {"fetches"}
    fresh.sweep(FIRST, version="2")
    fresh.rest()
    fresh.broken = set()
    fresh.sweep(FIRST, version="3")
    assert fresh.rest()[0] == {"fetches": {FIRST}}
    fresh.broken = {"fetches"}
    fresh.sweep(FIRST, version="4")
    assert sum("fetches" in asked for asked in fresh.rest()) == 2


@pytest.mark.parametrize("ticks_before", [0, 1])
def test_a_change_that_arrives_while_a_run_is_going_is_asked_for_after_it(fresh, ticks_before):
    """Also when it arrives before the tick that learns of the request."""
    during = []

    def another_sweep():
        during.extend(fresh.tick() for _ in range(ticks_before))
        fresh.sweep(FIRST, version="3")
        during.append(fresh.tick())

    fresh.sweep(FIRST, version="2")
    fresh.meanwhile["fetches"] = another_sweep
    asked = fresh.tick()
    assert asked == {"fetches": {FIRST}}
    fresh.carry_out(asked)
    assert during == [{}] * (ticks_before + 1)
    assert fresh.tick() == {"fetches": {FIRST}}


def test_downstream_waits_while_upstream_is_being_made(fresh):
    during = []
    fresh.deploy(summary_features="another")
    fresh.meanwhile["audio"] = lambda: during.append(fresh.tick())
    fresh.materialize(["audio"], (FIRST, SECOND))
    assert during == [{}]
    assert fresh.tick()["summary_features"] == {FIRST, SECOND}


def test_downstream_waits_for_upstream_that_is_asked_for_in_the_same_tick(fresh):
    fresh.deploy(audio="another", summary_features="another")
    assert fresh.tick() == {"audio": {FIRST, SECOND}}


def test_a_bad_table_goes_no_further_and_when_it_is_mended_what_follows_does(fresh):
    fresh.bad = {FIRST}
    fresh.sweep(FIRST, SECOND, version="2")
    asked = fresh.rest()
    assert asked[2:] == [{"id3_tags": {SECOND}, "summary_features": {SECOND}}]
    fresh.bad = set()
    fresh.materialize(["audio"], (FIRST,))
    asked = fresh.rest()
    assert asked == [{"id3_tags": {FIRST}, "summary_features": {FIRST}}, {"labels": {None}}]


def test_downstream_waits_for_the_checks_of_what_it_is_made_of(fresh):
    during = []
    fresh.sweep(FIRST, version="2")
    fresh.carry_out(fresh.tick())
    fresh.meanwhile["sound"] = lambda: during.append(fresh.tick())
    fresh.carry_out(fresh.tick())
    assert during == [{}]
    assert set(fresh.tick()) == {"id3_tags", "summary_features"}


def test_one_shard_made_by_hand_up_to_its_features_needs_no_more(fresh):
    fresh.materialize(["audio", "id3_tags", "summary_features"], (FIRST,))
    assert [asked for asked in fresh.rest() if asked != {"labels": {None}}] == []


def test_published_features_follow_the_dataset_and_are_asked_for_nowhere_else():
    platform = Platform(["fma_dataset_catalogue", "fma_features", "echonest_features"])
    assert platform.rest() == []
    platform.materialize(["fma_dataset_catalogue"])
    both = {"fma_features": {None}, "echonest_features": {None}}
    assert platform.rest() == [both]


class TestTasks:
    @pytest.fixture
    def trained(self):
        """A platform on which a person trained one model of a task."""
        platform = Platform(name for name in REAL if name not in MODELS or name in TWO_MODELS)
        platform.materialize(["fma_dataset_catalogue", "fma_features", "echonest_features"])
        brought_up_to_date(platform)
        platform.materialize(["task_dataset", "models/svm", *EVALUATION], ("six_styles",))
        assert platform.rest() == []
        platform.log.clear()
        return platform

    def test_no_task_is_trained_that_no_one_ever_trained(self):
        of_tasks = {"task_dataset", "models/svm"}
        platform = brought_up_to_date(Platform([*SHARD_STAGES, "labels", *of_tasks]))
        platform.sweep(FIRST, version="2")
        assert not {name for asked in platform.rest() for name in asked} & of_tasks

    def test_one_that_was_trained_is_followed_through_to_its_report(self, trained):
        trained.sweep(FIRST, version="2")
        asked = trained.rest()
        after_labels = asked[next(n for n, each in enumerate(asked) if "labels" in each) + 1 :]
        names = ["task_dataset", "models/svm", *EVALUATION]
        assert after_labels == [{name: {"six_styles"}} for name in names]

    def test_members_that_stand_have_no_model_trained(self, trained):
        trained.constant = {"task_dataset"}
        trained.sweep(FIRST, version="2")
        trained.rest()
        made = [name for name, _ in trained.log if name not in [*SHARD_STAGES, "labels"]]
        assert made == ["task_dataset"]

    def test_the_members_of_tasks_in_use_are_looked_at_once_a_week(self, trained):
        trained.constant = {"task_dataset"}
        trained.now = MONDAY
        assert trained.rest() == []
        trained.now = MONDAY + timedelta(minutes=1)
        assert trained.rest() == [{"task_dataset": {"six_styles"}}]
        trained.now = MONDAY + timedelta(days=6)
        assert trained.rest() == []


def test_the_automation_is_on_and_marks_its_runs():
    assert list(defs.sensors or []) == [keep_up_to_date, try_again, present_partitions]
    assert keep_up_to_date.default_status == dg.DefaultSensorStatus.RUNNING
    assert keep_up_to_date.run_tags == REQUESTED_BY_AUTOMATION


def test_another_try_that_was_asked_for_is_made_once(tmp_path):
    lake = Lake(tmp_path)
    failed = {"track_id": "folder:1", "status": "undecodable", "reason": "broken"}
    sound = {"track_id": "folder:2", "status": "ok", "probe_version": 1}
    lake.write(
        TRACKS, TRACKS.of_rows([{"track_id": "folder:1", "shard": "folder_00"}]), "folder_00"
    )
    lake.write(AUDIO, AUDIO.of_rows([failed | {"probe_version": 1}, sound]), "folder_00")
    lake.write(AUDIO, AUDIO.of_rows([sound]), "folder_01")
    cursor = None

    def look():
        nonlocal cursor
        context = dg.build_sensor_context(
            cursor=cursor, resources={"lake": LakeResource(root=str(tmp_path))}
        )
        result = try_again(context)
        cursor = result.cursor
        return [(r.asset_selection, r.partition_key) for r in result.run_requests]

    assert look() == []
    assert request_retry(lake).marked == {"audio": {"folder_00": 1}}
    assert look() == [([dg.AssetKey("audio")], "folder_00")]
    assert look() == []
    lake.write(AUDIO, AUDIO.of_rows([failed | {"probe_version": 2}, sound]), "folder_00")
    assert look() == []


def test_each_asset_that_can_be_made_from_others_is_kept_up_to_date():
    catalogues = {name for name in REAL if name.endswith("_catalogue")}
    assert len(catalogues) == 3
    for name in REAL:
        condition = GRAPH.get(dg.AssetKey.from_user_string(name)).automation_condition
        assert (condition is None) == (name in catalogues), name


def test_what_the_settings_cannot_make_is_not_asked_for():
    graph = build_definitions(read_settings({})).resolve_asset_graph()
    conditions = {
        name: graph.get(dg.AssetKey(name.split("/"))).automation_condition for name in REAL
    }
    kept = {name for name, condition in conditions.items() if condition is not None}
    published = {"fma_features", "echonest_features"}
    assert kept == {n for n in REAL if not n.endswith("_catalogue")} - published


@pytest.mark.parametrize(("site", "asked"), [(None, 0), ("http://127.0.0.1:8765", 1)])
def test_the_site_is_swept_at_night_where_there_is_one(site, asked):
    schedule = defs.resolve_schedule_def("scrape_refresh")
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance, resources={"fma_site": FmaSite(base=site)}, scheduled_execution_time=MONDAY
        )
        tick = schedule.evaluate_tick(context)
    assert len(tick.run_requests or []) == asked
    assert bool(tick.skip_message) == (not asked)


def test_what_a_lake_holds_is_registered(tmp_path):
    lake = Lake(tmp_path)
    for shard in (SECOND, FIRST):
        rows = TRACKS.of_rows([{"track_id": f"fma_site:{shard}", "shard": shard}])
        lake.write(TRACKS, rows, shard)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(
            instance, resources={"lake": LakeResource(root=str(tmp_path))}
        )
        present_partitions(context)
        assert list(instance.get_dynamic_partitions("shards")) == [FIRST, SECOND]


def test_a_finished_lake_is_complete():
    """Every partition that the web server knows of was made."""
    platform = brought_up_to_date(Platform([*SHARD_STAGES, "labels", "task_dataset"]))
    platform.materialize(["task_dataset"], ("six_styles",))
    for name in [*SHARD_STAGES, "task_dataset"]:
        made = platform.instance.get_materialized_partitions(dg.AssetKey(name))
        known = "tasks" if name == "task_dataset" else "shards"
        assert made == set(platform.instance.get_dynamic_partitions(known)), name


class TestRanges:
    @pytest.fixture
    def instance(self):
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance

    def taken(self, instance, start, end):
        with dg.partition_loading_context(dynamic_partitions_store=instance):
            return shards.get_partition_keys_in_range(dg.PartitionKeyRange(start, end))

    def test_of_what_is_registered_those_between_the_ends(self, instance):
        shards.register(instance, [FAR, SECOND, "folder_03"])
        assert self.taken(instance, FIRST, "folder_15") == [SECOND, FAR, "folder_03"]
        assert self.taken(instance, FIRST, FAR) == [SECOND, FAR]

    def test_where_nothing_is_registered_all_between_the_ends(self, instance):
        assert self.taken(instance, FIRST, "folder_15") == SHARDS
        assert self.taken(instance, FIRST, SECOND) == [FIRST, SECOND]

    def test_one_key_is_itself(self, instance):
        assert self.taken(instance, FAR, FAR) == [FAR]

    def test_the_ranges_of_the_daemon_lose_no_shard_whatever_was_registered_first(self, instance):
        shards.register(instance, [FAR])
        shards.register(instance, [FIRST, "folder_03"])
        remote = dg.DynamicPartitionsDefinition(name="shards")
        with dg.partition_loading_context(dynamic_partitions_store=instance):
            for wanted in ([FAR, FIRST], [FIRST, "folder_03"], [FAR, FIRST, "folder_03"]):
                subset = remote.subset_with_partition_keys(wanted)
                (ends,) = subset.get_partition_key_ranges(remote)
                assert set(wanted) <= set(shards.get_partition_keys_in_range(ends))

    def test_a_name_that_is_none_is_refused(self, instance):
        with pytest.raises(dg.DagsterInvalidInvocationError):
            self.taken(instance, FIRST, "fma_000001")


def test_staleness_is_seen_where_labels_changed():
    platform = Platform(name for name in REAL if name not in MODELS or name in TWO_MODELS)
    platform.materialize(["fma_dataset_catalogue", "fma_features", "echonest_features"])
    brought_up_to_date(platform)
    of_task = ["task_dataset", *TWO_MODELS, *EVALUATION]
    platform.materialize(of_task, ("six_styles",))
    assert set(platform.staleness(of_task, "six_styles")) == {StaleStatus.FRESH}
    platform.sweep(FIRST, version="2")
    platform.materialize([*SHARD_STAGES], (FIRST,))
    platform.materialize(["labels"])
    assert platform.staleness(["task_dataset"], "six_styles") == [StaleStatus.STALE]
    platform.materialize(["task_dataset"], ("six_styles",))
    assert set(platform.staleness(["task_dataset"], "six_styles")) == {StaleStatus.FRESH}
    assert set(platform.staleness(TWO_MODELS, "six_styles")) == {StaleStatus.STALE}


def test_a_task_fails_alone():
    assert len(load_tasks()) > 1 and FIRST in SHARDS
    for name in ["task_dataset", *MODELS, "predictions", "evaluation_report"]:
        policy = GRAPH.get(dg.AssetKey.from_user_string(name)).backfill_policy
        assert policy == dg.BackfillPolicy.multi_run(max_partitions_per_run=1), name
