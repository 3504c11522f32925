"""Every check of the platform, run by Dagster over a sound lake and over a spoilt one."""

import math
from datetime import timedelta

import dagster as dg
import pytest

from genre_assets.definitions import defs
from genre_assets.lake.schemas import (
    AUDIO,
    CHAMPIONS,
    ECHONEST_FEATURES,
    FEATURE_FAILURES,
    FETCHES,
    FMA_FEATURES,
    ID3_TAGS,
    LABELS,
    PREDICTIONS,
    SCORES,
    SPECTROGRAM_FAILURES,
    SPECTROGRAMS,
    SUMMARY_FEATURES,
    SWEEPS,
    TASK_MEMBERS,
    TRACKS,
)
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.checks import EVERY_MORNING, Check, asset_checks, checks_of
from genre_assets.orchestration.resources import FmaSite, LakeResource
from genre_assets.quality.verdict import Verdict
from genre_assets_tests.quality.sound_lake import (
    NOW,
    SHARD,
    TASK,
    sound_lake_in,
    spoil,
    with_every,
    with_row_twice,
    with_value,
)

SPECS = [spec for checks in asset_checks for spec in checks.check_specs]
STANDING = {"fma_site_catalogue:scrape_fresh", "labels:nothing_failed"}
PLAUSIBLE = {
    *("fma_site_catalogue", "folder_catalogue", "fma_dataset_catalogue", "fetches", "audio"),
    *("id3_tags", "fma_features", "echonest_features"),
}
WARNINGS = {
    *STANDING,
    *(f"{name}:values_plausible" for name in PLAUSIBLE),
    "fma_site_catalogue:sweeps_whole",
    "echonest_features:no_dead_features",
    "fma_features:no_dead_features",
    *(f"{name}:few_failures" for name in ("fetches", "audio", "id3_tags")),
    *(f"{name}:few_failures" for name in ("summary_features", "spectrograms")),
}
BROKEN = {"status": "undecodable", "reason": "It cannot be decoded."}
ROWS_OF = {
    "fma_site_catalogue": TRACKS,
    "folder_catalogue": TRACKS,
    "fma_dataset_catalogue": TRACKS,
    "fetches": FETCHES,
    "audio": AUDIO,
    "id3_tags": ID3_TAGS,
    "labels": LABELS,
    "summary_features": SUMMARY_FEATURES,
    "spectrograms": SPECTROGRAMS,
    "fma_features": FMA_FEATURES,
    "echonest_features": ECHONEST_FEATURES,
    "task_dataset": TASK_MEMBERS,
    "predictions": PREDICTIONS,
    "scores": SCORES,
    "champion": CHAMPIONS,
}
"""The table whose last row is spoilt to see the checks of rows and keys of an asset fail."""


def resources(lake):
    return {"lake": LakeResource(root=str(lake.root)), "fma_site": FmaSite(genres=["Techno"])}


def evaluations(lake, keys, **options):
    """The results of checks by ``asset:check`` and partition, run alone."""
    job = dg.Definitions(
        assets=defs.assets,
        asset_checks=asset_checks,
        resources=dict(defs.resources or {}) | resources(lake),
    ).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.get_subset(asset_check_selection=set(keys)).execute_in_process(
            instance=instance, raise_on_error=False, **options
        )
    return {
        (found.asset_check_key.to_user_string(), found.partition): found
        for found in done.get_asset_check_evaluations()
    }


def run_all(lake):
    """The results of all checks, those of shards for one shard and those of tasks for one task."""
    found = {}
    for partition in (None, SHARD, TASK):
        keys = [spec.key for spec in SPECS if partition_of(spec) == partition]
        tags = {"dagster/partition": partition} if partition else {}
        found |= evaluations(lake, keys, tags=tags)
    return {name: result for (name, _), result in found.items()}


def partition_of(spec):
    if spec.partitions_def is None:
        return None
    return SHARD if SHARD in spec.partitions_def.names else TASK


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    lake = sound_lake_in(tmp_path_factory.mktemp("sound"))
    for failures in (FEATURE_FAILURES, SPECTROGRAM_FAILURES):
        spoil(lake, failures, lambda rows: [])
    spoil(lake, AUDIO, lambda rows: rows[1:])  # whose features had failed
    return run_all(lake)


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory):
    """The results over a lake in which every check has something to find."""
    lake = sound_lake_in(tmp_path_factory.mktemp("spoilt"))
    twice_and_bad = {
        TRACKS: {"source_track_id": "7", "duration_s": -1.0},
        FETCHES: {"bytes": -1, "status": 7},
        AUDIO: {"sha256": "abc", "sample_rate": 0},
        ID3_TAGS: {"sha256": "abc", "bpm": -1.0},
        LABELS: {"evidence": None},
        SUMMARY_FEATURES: {"mfcc_mean_01": math.inf, "sha256": "f" * 64},
        SPECTROGRAMS: {"frames": -1, "sha256": "f" * 64},
        FMA_FEATURES: {"feature_source": None, "chroma_cens_max_01": 7.0},
        ECHONEST_FEATURES: {"feature_source": None, "valence": 2.0},
        TASK_MEMBERS: {"genre": None},
        PREDICTIONS: {"probabilities": [("Techno", 0.9)]},
        SCORES: {"value": 0.9},
        CHAMPIONS: {"value": 0.9},
    }
    for table, values in twice_and_bad.items():
        spoil(lake, table, with_value(**values))
        spoil(lake, table, with_row_twice)
    spoil(lake, TRACKS, with_value(source_track_id="7", duration_s=-1.0), partition="folder_00")
    spoil(lake, TRACKS, with_row_twice, partition="folder_00")
    spoil(lake, AUDIO, lambda rows: [row | BROKEN for row in rows[:6]] + rows[6:])
    spoil(lake, ID3_TAGS, with_every(status="bad_tags", reason="They are damaged."))
    spoil(lake, FETCHES, with_every(outcome="timed_out", reason="The host is slow."))
    for failures in (FEATURE_FAILURES, SPECTROGRAM_FAILURES):
        spoil(lake, failures, lambda rows: [
            rows[0] | {"track_id": f"fma_site:{n}", "status": "silent"} for n in range(6)
        ])  # fmt: skip
    spoil(lake, SUMMARY_FEATURES, with_every(tonnetz_skew_02=math.nan))
    spoil(lake, FMA_FEATURES, with_every(tonnetz_skew_02=math.nan))
    spoil(lake, ECHONEST_FEATURES, with_every(tempo=120.0))
    spoil(lake, TASK_MEMBERS, lambda rows: [*rows[:-1], rows[-1] | {"fold": 4}])
    week_ago = NOW - timedelta(days=7)
    spoil(lake, SWEEPS, with_value(claimed=30, started_at=week_ago, finished_at=week_ago))
    return run_all(lake)


@pytest.mark.parametrize("name", sorted(spec.key.to_user_string() for spec in SPECS))
def test_a_check_passes_what_is_sound_and_fails_what_deserves_it(sound, spoilt, name):
    assert sound[name].passed, sound[name].description
    assert not spoilt[name].passed
    severity = dg.AssetCheckSeverity.WARN if name in WARNINGS else dg.AssetCheckSeverity.ERROR
    assert spoilt[name].severity == severity
    assert spoilt[name].description.endswith(".")
    examples = spoilt[name].metadata["examples"].records
    assert 1 <= len(examples) <= 10
    assert all(example.data for example in examples)


def test_every_table_of_the_lake_is_checked_by_some_asset():
    assert set(ROWS_OF) == {spec.asset_key.to_user_string() for spec in SPECS}
    for name in ROWS_OF:
        own = {spec.name: spec for spec in SPECS if spec.asset_key == dg.AssetKey(name)}
        assert own["rows_valid"].blocking
        assert own["keys_unique"].blocking
    assert {spec.name for spec in SPECS if spec.blocking} == {
        *("rows_valid", "keys_unique", "sides_disjoint", "files_whole"),
    }


def test_checks_have_the_partitions_of_their_asset():
    graph = defs.resolve_asset_graph()
    for spec in SPECS:
        assert spec.partitions_def == graph.get(spec.asset_key).partitions_def


def stub_graph(verdicts, blocking=True):
    """An asset of three shards, its one check, and what is made of it."""
    cut = dg.StaticPartitionsDefinition(["a", "b", "c"])
    options = {"partitions_def": cut, "backfill_policy": dg.BackfillPolicy.single_run()}

    @dg.asset(**options)
    def upstream() -> None: ...

    @dg.asset(deps=[upstream], **options)
    def downstream() -> None: ...

    check = Check("good", "It is.", lambda s: verdicts[s.partition], blocking=blocking)
    return [upstream, downstream], [checks_of(upstream, check)]


def materialise(assets, checks, tmp_path, **options):
    job = dg.Definitions(
        assets=assets, asset_checks=checks, resources=resources(Lake(tmp_path))
    ).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(instance=instance, raise_on_error=False, **options)
        states = instance.event_log_storage.get_asset_check_partition_info(
            [spec.key for found in checks for spec in found.check_specs]
        )
    return done, {s.partition_key: (s.latest_execution_status.name, s.is_current) for s in states}


A_TO_C = {"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "c"}
GOOD = Verdict(True, "All is well.")
BAD = Verdict(False, "One row is bad.")


def test_each_partition_of_a_range_has_a_result_of_its_own_in_one_run(tmp_path):
    assets, checks = stub_graph({"a": GOOD, "b": BAD, "c": GOOD})
    _, states = materialise(assets, checks, tmp_path, tags=A_TO_C)
    assert states == {"a": ("SUCCEEDED", True), "b": ("FAILED", True), "c": ("SUCCEEDED", True)}


def test_a_blocking_check_that_fails_stops_what_is_downstream_with_its_sentence(tmp_path):
    assets, checks = stub_graph({"a": GOOD, "b": BAD, "c": GOOD})
    done, _ = materialise(assets, checks, tmp_path, tags=A_TO_C)
    (failure,) = done.get_step_failure_events()
    assert failure.step_failure_data.user_failure_data.description == "good of b: One row is bad."
    made = {event.asset_key.to_user_string() for event in done.get_asset_materialization_events()}
    assert made == {"upstream"}


@pytest.mark.parametrize(
    ("verdict", "blocking"), [(BAD, False), (Verdict(False, "Look.", warning=True), True)]
)
def test_a_check_that_does_not_block_and_a_warning_stop_nothing(tmp_path, verdict, blocking):
    assets, checks = stub_graph({"a": verdict}, blocking)
    done, states = materialise(assets, checks, tmp_path, partition_key="a")
    assert done.success
    assert states == {"a": ("FAILED", True)}


def test_no_value_from_outside_fails_a_check_that_blocks(tmp_path):
    lake = sound_lake_in(tmp_path)
    spoil(lake, FETCHES, with_every(url=None, outcome="no_file", reason="There is none.", status=7))
    spoil(lake, AUDIO, with_every(mtime_ns=-1, sample_rate=-5, channels=0, duration_s=math.inf))
    spoil(lake, ID3_TAGS, with_value(bpm=-1.0, year=-44, bitrate=-1))
    spoil(lake, SUMMARY_FEATURES, with_every(zcr_std_01=0.0, zcr_skew_01=0.0))
    names = {spec.key for spec in SPECS if partition_of(spec) == SHARD and spec.blocking}
    found = evaluations(lake, names, tags={"dagster/partition": SHARD})
    assert [name for (name, _), result in found.items() if not result.passed] == []


def test_checks_asked_for_without_a_partition_look_at_all_that_were_made(tmp_path):
    assets, checks = stub_graph({"a": GOOD, "b": BAD, "c": GOOD})
    job = dg.Definitions(
        assets=assets, asset_checks=checks, resources=resources(Lake(tmp_path))
    ).resolve_implicit_global_asset_job_def()
    (spec,) = checks[0].check_specs
    with dg.DagsterInstance.ephemeral() as instance:
        for made in ("a", "b"):
            instance.report_runless_asset_event(dg.AssetMaterialization("upstream", partition=made))
        alone = job.get_subset(asset_check_selection={spec.key})
        done = alone.execute_in_process(instance=instance, raise_on_error=False)
    looked = {found.partition: found.passed for found in done.get_asset_check_evaluations()}
    assert looked == {"a": True, "b": False}


def test_the_standing_checks_look_again_every_morning_though_nothing_was_made():
    definitions = dg.Definitions(
        assets=defs.assets, asset_checks=asset_checks, resources=defs.resources
    )
    hour, minute = int(EVERY_MORNING.split()[1]), int(EVERY_MORNING.split()[0])
    tick = NOW.replace(hour=hour, minute=minute, second=0, microsecond=0)
    with dg.DagsterInstance.ephemeral() as instance:
        before = dg.evaluate_automation_conditions(
            definitions,
            instance=instance,
            asset_selection=dg.AssetSelection.all_asset_checks(),
            evaluation_time=tick - timedelta(minutes=1),
        )
        after = dg.evaluate_automation_conditions(
            definitions,
            instance=instance,
            asset_selection=dg.AssetSelection.all_asset_checks(),
            evaluation_time=tick + timedelta(minutes=1),
            cursor=before.cursor,
        )
    assert before.total_requested == 0
    requested = {found.key.to_user_string() for found in after.results if found.true_subset.size}
    assert requested == STANDING
