"""The commands of the README, typed as a user would."""

import signal
import subprocess
import time

import pytest
import soundfile

from genre_assets_tests.assets.conftest import BIN
from genre_assets_tests.features.signals import noise

SOURCE = ("-m", "genre_assets.definitions")


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("dagster", ("definitions", "validate", *SOURCE)),
        ("dagster", ("definitions", "validate")),
        ("dg", ("check", "defs")),
    ],
)
def test_the_definitions_load(platform, program, arguments):
    done = platform.call(program, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_graph_is_the_one_of_the_design(platform):
    done = platform.call("dagster", "asset", "list", *SOURCE)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) >= {
        *("demo_corpus", "folder_catalogue", "fma_dataset_catalogue"),
        *("audio", "id3_tags", "labels"),
        *("summary_features", "fma_features", "echonest_features", "task_dataset"),
        *("models/logistic_regression", "models/random_forest", "models/svm", "models/majority"),
        *("predictions", "scores", "champion", "evaluation_report"),
    }


@pytest.mark.parametrize(
    ("arguments", "settings", "sentence"),
    [
        (("run", "--task", "tango"), {}, "There is no task 'tango': use one of fma_small,"),
        (("run", "--models", "svm,oracle"), {}, "There is no model 'oracle': use one of"),
        (("run",), {"GENRE_ASSETS_FOLDER": "/no/such"}, "GENRE_ASSETS_FOLDER is /no/such"),
        (("run", "--source", "folder"), {}, "needs GENRE_ASSETS_FOLDER"),
        (("run", "--source", "fma-dataset"), {}, "needs GENRE_ASSETS_FMA_DATASET"),
        (("run",), {"GENRE_ASSETS_DATA": "/proc/lake", "DAGSTER_HOME": ""}, "cannot be made"),
        (("query", "SELECT nothing FROM nowhere"), {}, "The query cannot be answered"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(platform, arguments, settings, sentence):
    done = platform.call("genre-assets", *arguments, **settings)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_an_asset_without_its_setting_fails_in_a_sentence(platform):
    done = platform.call(
        "dagster", "asset", "materialize", *SOURCE, "--select", "fma_dataset_catalogue"
    )
    assert done.returncode == 1
    assert "No FMA dataset is set: let GENRE_ASSETS_FMA_DATASET name" in done.stderr


def test_ctrl_c_ends_the_whole_run(platform, tmp_path):
    for number in range(60):
        soundfile.write(tmp_path / f"{number}.wav", noise(22_050, seconds=8), 22_050)
    with subprocess.Popen(
        [BIN / "genre-assets", "run", "--source", "folder"],
        env=platform.environment | {"GENRE_ASSETS_FOLDER": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        for line in run.stderr:
            if "files' tags read" in line:
                break
        time.sleep(1)
        run.send_signal(signal.SIGINT)
        _, complaints = run.communicate(timeout=60)
    assert run.returncode == 130, complaints
    assert "interrupted" in complaints
    assert "labels" not in complaints
    assert "Traceback" not in complaints


def test_the_lake_answers_queries_before_anything_is_in_it(platform):
    done = platform.call("genre-assets", "query", "SELECT count(*) AS tracks FROM fetches")
    assert done.returncode == 0, done.stderr
    assert "0" in done.stdout
