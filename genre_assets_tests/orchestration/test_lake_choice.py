"""Which lake is used where no setting names one."""

from pathlib import Path

import pytest

from genre_assets.lake.schemas import TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.lake_choice import choose_lake, default_lake

DATA, DEMO = Path("data"), Path("data/demo")
REPLICA = {"GENRE_ASSETS_FMA_SITE": "http://127.0.0.1:8765"}
LIVE = {"GENRE_ASSETS_FMA_SITE": "https://freemusicarchive.org"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENRE_ASSETS_DATA", "")
    for name in ("FOLDER", "FMA_DATASET", "FMA_SITE"):
        monkeypatch.delenv(f"GENRE_ASSETS_{name}", raising=False)


def make_lake(folder: Path, page_url: str | None) -> None:
    row = {"track_id": "x:1", "shard": "fma_000000", "page_url": page_url}
    Lake(folder).write(TRACKS, TRACKS.of_rows([row]), "fma_000000")


def make_demo(folder: Path) -> None:
    make_lake(folder, "https://freemusicarchive.test/music/a/b/c/")


@pytest.mark.parametrize(
    ("settings", "source", "lake"),
    [
        ({}, "demo", DEMO),
        ({}, "folder", DATA),
        ({}, "fma-dataset", DATA),
        (REPLICA, "fma-site", DEMO),
        (LIVE, "fma-site", DATA),
        (REPLICA, None, DEMO),
        (LIVE, None, DATA),
        ({"GENRE_ASSETS_FOLDER": "~/Music"}, None, DATA),
        ({"GENRE_ASSETS_FMA_DATASET": "~/fma"} | REPLICA, None, DATA),
        ({"GENRE_ASSETS_FMA_SITE": "nonsense"}, None, DATA),
        ({}, None, DEMO),
    ],
)
def test_the_demo_has_a_lake_of_its_own(settings, source, lake):
    assert default_lake(settings, source) == lake


@pytest.mark.parametrize(("settings", "source"), [({}, "demo"), (REPLICA, "fma-site"), ({}, None)])
def test_a_demo_that_the_version_before_made_is_gone_on_with(settings, source):
    make_demo(DATA)
    assert default_lake(settings, source) == DATA


def test_once_real_music_came_to_it_the_demo_has_its_own():
    make_demo(DATA)
    make_lake(DATA, None)
    assert default_lake({}, "demo") == DEMO
    assert default_lake({}, None) == DATA


def test_where_both_exist_one_line_says_which_is_used_and_how_to_choose(capsys):
    make_demo(DEMO)
    assert default_lake({}) == DEMO
    assert capsys.readouterr().err == ""
    make_lake(DATA, None)
    assert default_lake({}) == DATA
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "GENRE_ASSETS_DATA=data/demo" in said


def test_the_choice_holds_for_all_processes_that_are_started(monkeypatch, tmp_path):
    assert choose_lake("demo") == tmp_path / DEMO
    assert choose_lake("folder") == tmp_path / DEMO


def test_a_setting_is_never_overruled(monkeypatch):
    monkeypatch.setenv("GENRE_ASSETS_DATA", "elsewhere")
    assert choose_lake("demo") == Path("elsewhere")
