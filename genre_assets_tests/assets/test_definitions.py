import dagster as dg
import pytest

from genre_assets.definitions import defs
from genre_assets.lake.schemas import TABLES
from genre_assets.orchestration import resources
from genre_assets.orchestration.resources import LakeResource
from genre_assets.sources.shards import SHARDS
from genre_assets.tasks.task import load_tasks

SPECS = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
GRAPH = defs.resolve_asset_graph()


def test_the_groups_are_those_of_the_design():
    assert {spec.group_name for spec in SPECS.values()} == {
        *("ingest", "metadata", "features", "models", "evaluation")
    }


def test_tracks_are_an_external_asset_that_the_catalogues_write_shard_by_shard():
    assert "tracks" in SPECS
    node = GRAPH.get(dg.AssetKey("tracks"))
    assert node.is_external
    assert {key.to_user_string() for key in node.parent_keys} == {
        "fma_site_catalogue",
        "folder_catalogue",
        "fma_dataset_catalogue",
    }
    assert node.partitions_def.names == SHARDS


@pytest.mark.parametrize("name", sorted(SPECS))
def test_every_asset_that_is_made_here_has_a_code_version_and_says_what_it_is(name):
    node = GRAPH.get(SPECS[name].key)
    assert node.is_external or SPECS[name].code_version
    assert SPECS[name].description


@pytest.mark.parametrize("name", ["fetches", "audio", "id3_tags", "summary_features", "labels"])
def test_a_range_of_shards_is_one_run(name):
    policy = GRAPH.get(dg.AssetKey(name)).backfill_policy
    assert policy == dg.BackfillPolicy.single_run()


@pytest.mark.parametrize("name", sorted(set(SPECS) & set(TABLES)))
def test_a_table_shows_its_columns_and_what_they_mean(name):
    columns = SPECS[name].metadata["dagster/column_schema"].columns
    assert [column.name for column in columns] == TABLES[name].schema.names
    assert all(column.description for column in columns)


def test_under_a_hundred_shards_so_that_staleness_is_known_downstream():
    assert len(SHARDS) < 100


def test_the_jobs_are_partitioned_by_shard_and_by_task():
    refresh, train = defs.resolve_job_def("refresh"), defs.resolve_job_def("train")
    assert refresh.partitions_def.names == SHARDS
    assert train.partitions_def.names == list(load_tasks())


def test_the_site_is_swept_every_night_once_the_schedule_is_switched_on():
    schedule = defs.resolve_schedule_def("scrape_refresh")
    assert schedule.cron_schedule == "17 3 * * *"
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    job = defs.resolve_job_def("scrape")
    assert {key.to_user_string() for key in job.asset_layer.executable_asset_keys} == {
        "fma_site_catalogue"
    }


def test_no_asset_waits_for_the_place_of_a_run_that_may_have_been_killed():
    assert {key: node.pools for key in GRAPH.get_all_asset_keys()
            if (node := GRAPH.get(key)).pools} == {}  # fmt: skip


@pytest.mark.parametrize("name", ["fetches", "audio", "id3_tags", "summary_features"])
def test_shards_that_changed_are_brought_up_to_date_unasked(name):
    assert GRAPH.get(dg.AssetKey(name)).automation_condition is not None


def test_the_process_of_a_step_ends_with_the_run_that_started_it(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(resources, "end_with_parent", lambda: asked.append(True))
    with LakeResource(root=str(tmp_path)).open():
        assert asked == [True]
