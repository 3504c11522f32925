"""Dagster's records of a lake: their place, and the runs in them that died."""

import os
import signal
import subprocess
import sys

import dagster as dg
import pytest

from genre_assets.errors import UserError
from genre_assets.lake.schemas import TASK_MEMBERS, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.orchestration import dagster_home
from genre_assets.orchestration.dagster_home import close_dead_runs, instance_of, prepare_home
from genre_assets.orchestration.settings import read_settings

KILLED_AT_WORK = """
import os, signal, dagster as dg

@dg.asset
def killed():
    os.kill(os.getpid(), signal.SIGKILL)

dg.materialize([killed], instance=dg.DagsterInstance.get())
"""


@pytest.fixture(autouse=True)
def no_home(monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def test_a_run_whose_process_was_killed_is_closed_and_one_that_lives_is_not(lake):
    prepare_home(lake.root)
    killed = subprocess.run([sys.executable, "-c", KILLED_AT_WORK], check=False)
    assert killed.returncode == -signal.SIGKILL
    under_way = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    seen = []

    @dg.asset
    def alive(context: dg.AssetExecutionContext):
        seen.append(close_dead_runs(context.instance))
        seen.append([run.run_id for run in context.instance.get_runs(under_way)])

    with dg.DagsterInstance.get() as instance:
        (dead,) = instance.get_runs()
        assert dead.status == dg.DagsterRunStatus.STARTED
        # While a run is going in this process.
        living = dg.materialize([alive], instance=instance)
        (sentence,), still_under_way = seen
        assert dead.run_id[:8] in sentence
        assert still_under_way == [living.run_id]
        closed = instance.get_run_by_id(dead.run_id)
        assert closed and closed.status == dg.DagsterRunStatus.FAILURE
        assert living.success
        assert close_dead_runs(instance) == []


def test_a_process_that_was_given_the_number_of_a_dead_one_is_another(monkeypatch):
    now = dagster_home.psutil.Process().create_time()
    assert dagster_home._is_alive(os.getpid(), now + 60)
    assert not dagster_home._is_alive(os.getpid(), now - 60)


def test_what_a_lake_of_the_version_before_holds_is_registered(lake):
    for shard in ("folder_03", "fma_005000"):
        row = {"track_id": f"x:{shard}", "shard": shard}
        lake.write(TRACKS, TRACKS.of_rows([row]), shard)
    lake.write(TASK_MEMBERS, TASK_MEMBERS.empty(), "available", keep_empty=True)
    with instance_of(lake) as (instance, died):
        assert died == []
        assert list(instance.get_dynamic_partitions("shards")) == ["fma_005000", "folder_03"]
        assert list(instance.get_dynamic_partitions("tasks")) == ["available"]


def test_dagsters_records_lie_in_the_lake_with_a_configuration_that_follows_the_package(tmp_path):
    home = prepare_home(tmp_path)
    assert home == tmp_path / "dagster"
    assert os.environ["DAGSTER_HOME"] == str(home)
    assert "max_concurrent_runs" in (home / "dagster.yaml").read_text()
    # As an older checkout left it, from where it was since moved.
    (home / "dagster.yaml").unlink()
    (home / "dagster.yaml").symlink_to(tmp_path / "moved" / "dagster.yaml")
    prepare_home(tmp_path)
    assert "max_concurrent_runs" in (home / "dagster.yaml").read_text()


def test_a_configuration_of_ones_own_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    prepare_home(tmp_path / "lake")
    assert (tmp_path / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


def test_a_home_that_is_no_full_path_is_refused_and_nothing_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "rel")
    with pytest.raises(UserError, match=r"DAGSTER_HOME is 'rel'.* full path"):
        read_settings()
    assert list(tmp_path.iterdir()) == []
