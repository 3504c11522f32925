"""Which parts of the graph the main job runs, and over which shards."""

import pytest

from genre_assets.lake.schemas import SPECTROGRAMS, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.orchestration import main_job
from genre_assets.orchestration.main_job import run_pipeline
from genre_assets.orchestration.settings import read_settings

SHARDS = ["folder_03", "folder_05", "folder_07"]


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    return read_settings({"GENRE_ASSETS_DATA": str(tmp_path / "lake")})


@pytest.fixture
def lake(settings):
    lake = Lake(settings.data)
    for shard in SHARDS:
        row = {"track_id": f"folder:{shard}", "source": "folder", "shard": shard}
        lake.write(TRACKS, TRACKS.of_rows([row]), shard)
    return lake


@pytest.fixture
def phases(monkeypatch):
    """The phases of a run, which do nothing."""
    seen = []

    class Run:
        def __init__(self, settings, instance, outcome, interrupts):
            pass

        def phase(self, assets, shards=None, task=None, ops=None):
            seen.append((assets, shards or task))

    monkeypatch.setattr(main_job, "_Run", Run)
    return seen


def run(settings):
    assert run_pipeline(settings, "folder", "available", ["svm"], "auto") == 0


def test_all_shards_that_have_tracks_are_one_range_and_then_comes_the_task(settings, lake, phases):
    run(settings)
    assert phases[0] == (["folder_catalogue"], None)
    assert phases[1] == (
        ["fetches", "audio", "id3_tags", "summary_features"],
        ("folder_03", "folder_07"),
    )
    assert phases[4:] == [
        (["models/svm"], "available"),
        (["predictions", "scores", "champion", "evaluation_report"], "available"),
    ]


def test_spectrograms_that_all_shards_have_come_from_the_same_decoding(settings, lake, phases):
    for shard in SHARDS:
        lake.write(SPECTROGRAMS, SPECTROGRAMS.empty(), shard, keep_empty=True)
    run(settings)
    assert phases[1] == (
        ["fetches", "audio", "id3_tags", "summary_features", "spectrograms"],
        ("folder_03", "folder_07"),
    )


def test_where_nobody_asked_for_spectrograms_none_are_made(settings, lake, phases):
    lake.write(SPECTROGRAMS, SPECTROGRAMS.empty(), "folder_05", keep_empty=True)
    run(settings)
    assert "spectrograms" not in phases[1][0]
    assert phases[2] == (["spectrograms"], ("folder_05", "folder_05"))
    assert phases[3] == (["labels"], None)
