"""The commands of the README, typed as a user would."""

import os
import signal
import subprocess
import sys

import dagster as dg
import pytest

from genre_assets.cli import main
from genre_assets.definitions import defs
from genre_assets.lake.schemas import TRACKS
from genre_assets.lake.tables import Lake
from genre_assets_tests.assets.conftest import BIN
from genre_assets_tests.assets.shard_runs import write_noise_of_shard

SOURCE = ("-m", "genre_assets.definitions")


def test_the_workspace_loads(platform):
    done = platform.call("dagster", "definitions", "validate")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_graph_is_the_one_of_the_design():
    keys = defs.resolve_asset_graph().get_all_asset_keys()
    assert {key.to_user_string() for key in keys} >= {
        *("fma_site_catalogue", "folder_catalogue", "fma_dataset_catalogue"),
        *("fetches", "audio", "id3_tags", "labels"),
        *("summary_features", "fma_features", "echonest_features", "task_dataset"),
        *("models/logistic_regression", "models/random_forest", "models/svm", "models/majority"),
        *("predictions", "scores", "champion", "evaluation_report"),
    }


@pytest.mark.parametrize(
    ("arguments", "settings", "sentence"),
    [
        (("run", "--task", "tango"), {}, "There is no task 'tango': use one of fma_small,"),
        (("run", "--models", ","), {}, "--models names no model"),
        (
            ("run", "--models", "svm,oracle"),
            {},
            "no model or family of models 'oracle': use one of",
        ),
        (("run",), {"GENRE_ASSETS_FOLDER": "/no/such"}, "GENRE_ASSETS_FOLDER is /no/such"),
        (("run", "--source", "folder"), {}, "needs GENRE_ASSETS_FOLDER"),
        (("run", "--source", "fma-dataset"), {}, "needs GENRE_ASSETS_FMA_DATASET"),
        (("run", "--source", "fma-site"), {}, "needs GENRE_ASSETS_FMA_SITE"),
        (("run",), {"GENRE_ASSETS_FMA_SITE": "https://freemusicarchive.org"}, "_LIVE=yes"),
        (("demo-site", "--rows", "/no/such.json"), {}, "does not hold listing rows"),
        (("take-down", "track", "fma_site:1", "--reason", "x"), {}, "fma_site:1"),
        (("run",), {"GENRE_ASSETS_DATA": "/proc/lake", "DAGSTER_HOME": ""}, "can be written"),
        (("run",), {"DAGSTER_HOME": "relative"}, "DAGSTER_HOME is 'relative', and Dagster needs"),
        (("dev",), {"DAGSTER_HOME": "relative"}, "DAGSTER_HOME is 'relative', and Dagster needs"),
        (("query", "SELECT nothing FROM nowhere"), {}, "The query cannot be answered"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(
    platform, arguments, settings, sentence, monkeypatch, capfd
):
    for name, value in (platform.environment | settings).items():
        monkeypatch.setenv(name, value)
    assert main(list(arguments)) == 2
    said = capfd.readouterr().err
    assert sentence in said
    assert "Traceback" not in said


def test_assets_without_their_settings_fail_in_a_sentence_each(platform):
    done = platform.call(
        "dagster",
        *("asset", "materialize", *SOURCE),
        *("--select", "fma_dataset_catalogue,folder_catalogue,fma_site_catalogue"),
    )
    assert done.returncode == 1
    for sentence in (
        "The source fma-dataset needs GENRE_ASSETS_FMA_DATASET",
        "The source folder needs GENRE_ASSETS_FOLDER",
        "The source fma-site needs GENRE_ASSETS_FMA_SITE",
    ):
        assert sentence in done.stderr


def test_the_demo_site_serves_while_a_command_runs(platform):
    script = (
        "import os, urllib.request as u; "
        "print(u.urlopen(os.environ['GENRE_ASSETS_FMA_SITE'] + '/robots.txt').status)"
    )
    rows = platform.lake.root / "rows.json"
    rows.write_text("[]")
    done = platform.call(
        "genre-assets", "demo-site", "--port", "0", "--rows", str(rows),
        "--", sys.executable, "-c", script,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "200"


def test_the_demo_is_not_mixed_with_real_music(platform, tmp_path, monkeypatch, capfd):
    lake = Lake(tmp_path)
    lake.write(
        TRACKS, TRACKS.of_rows([{"track_id": "folder:a", "shard": "folder_00"}]), "folder_00"
    )
    monkeypatch.setenv("GENRE_ASSETS_DATA", str(tmp_path))
    assert main(["run"]) == 2
    assert "a lake of its own" in capfd.readouterr().err


def test_ctrl_c_ends_the_whole_run(platform, tmp_path):
    for number in range(16):
        write_noise_of_shard(tmp_path / f"{number}.wav", "folder_07", seconds=2)
    with subprocess.Popen(
        [BIN / "genre-assets", "run", "--source", "folder"],
        env=platform.environment | {"GENRE_ASSETS_FOLDER": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        for line in run.stderr:
            if "files' tags read" in line:
                break
        # As a terminal does: to the run and to all processes that it started.
        os.killpg(run.pid, signal.SIGINT)
        _, complaints = run.communicate(timeout=60)
    assert run.returncode == 130, complaints
    *progress, sentence = complaints.splitlines()
    assert sentence == "genre-assets: interrupted; what was finished is kept."
    assert all("tags read" in line for line in progress)
    home = platform.environment["DAGSTER_HOME"]
    with dg.DagsterInstance.from_config(home) as instance:
        (last,) = instance.get_runs(limit=1)
        assert last.status == dg.DagsterRunStatus.CANCELED


def test_a_reader_that_has_enough_is_no_error(platform):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as unread:
        done = subprocess.run(
            [BIN / "genre-assets", "plan", "--json"],
            env=platform.environment,
            stdout=unread,
            stderr=subprocess.PIPE,
            text=True,
            timeout=100,
        )
    assert done.stderr == ""


def test_an_empty_lake_answers_queries(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("GENRE_ASSETS_DATA", str(tmp_path))
    assert main(["query", "--csv", "SELECT count(*) AS tracks FROM fetches"]) == 0
    assert capfd.readouterr().out.splitlines() == ["tracks", "0"]
