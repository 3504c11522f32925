"""Odd values and missing places of two sources, through the run and its checks."""

import csv
import os
import shutil
from pathlib import PurePath

import dagster as dg
import pytest

from genre_assets.definitions import defs
from genre_assets.lake.schemas import (
    AUDIO,
    FEATURE_FAILURES,
    ID3_TAGS,
    RATES,
    REJECTED_ROWS,
    SUMMARY_FEATURES,
    TRACKS,
)
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.checks import asset_checks
from genre_assets.orchestration.resources import resources_from
from genre_assets.orchestration.settings import read_settings
from genre_assets.sources.shards import FOLDER_SHARDS
from genre_assets_tests.assets.shard_runs import write_noise, write_noise_of_shard
from genre_assets_tests.sources.test_fma_dataset import write_dataset

PER_SHARD = ["audio", "id3_tags", "summary_features"]


class Run:
    """Materialises assets with their checks on one lake, in this process."""

    def __init__(self, root, instance):
        self.lake = Lake(root / "lake")
        self._instance = instance
        self._settings = {"GENRE_ASSETS_DATA": str(root / "lake"), "GENRE_ASSETS_WORKERS": "1"}

    def make(self, *assets, shards=None, task=None, **settings):
        """The sentences of the steps that failed."""
        tags = {}
        if shards:
            tags["dagster/asset_partition_range_start"] = shards[0]
            tags["dagster/asset_partition_range_end"] = shards[1]
        job = dg.Definitions(
            assets=defs.assets,
            asset_checks=asset_checks,
            resources=resources_from(read_settings(self._settings | settings)),
        ).resolve_implicit_global_asset_job_def()
        done = job.execute_in_process(
            instance=self._instance,
            asset_selection=[dg.AssetKey(name) for name in assets],
            partition_key=task,
            tags=tags,
            raise_on_error=False,
        )
        return [
            event.step_failure_data.user_failure_data.description
            if event.step_failure_data.user_failure_data
            else str(event.step_failure_data.error)
            for event in done.get_step_failure_events()
        ]


@pytest.fixture
def run(tmp_path):
    with dg.DagsterInstance.ephemeral() as instance:
        yield Run(tmp_path, instance)


def test_odd_files_of_a_library_stop_nobody_and_an_empty_mount_removes_nothing(run, tmp_path):
    library = tmp_path / "music"
    for name in ("old", "future", "Rock/a", "Rock/b", "$RECYCLE.BIN/deleted"):
        write_noise_of_shard(library / f"{name}.wav", "folder_07")
    (library / "tune.mid").write_bytes(b"MThd")
    os.utime(library / "old.wav", (-(10**8), -(10**8)))
    os.utime(library / "future.wav", (15_032_385_535, 15_032_385_535))
    settings = {"GENRE_ASSETS_FOLDER": str(library)}

    assert run.make("folder_catalogue", **settings) == []
    assert run.make(*PER_SHARD, shards=("folder_07", "folder_07"), **settings) == []

    audio = run.lake.read(AUDIO)
    assert set(audio["status"].to_pylist()) == {"ok"}
    assert run.lake.read(SUMMARY_FEATURES).num_rows == audio.num_rows == 4
    kinds = {row["place"]: row["kind"] for row in run.lake.read(REJECTED_ROWS).to_pylist()}
    assert kinds == {"tune.mid": "sound", "$RECYCLE.BIN": "other"}
    shown = {path.name for path in run.lake.root.iterdir() if not path.name.startswith(".")}
    holding_rows = [TRACKS, REJECTED_ROWS, AUDIO, ID3_TAGS, SUMMARY_FEATURES, RATES]
    assert shown == {run.lake.places.views.name, *(table.name for table in holding_rows)}

    before = run.lake.files(TRACKS)
    shutil.move(library, tmp_path / "unplugged")
    library.mkdir()
    (sentence,) = run.make("folder_catalogue", **settings)
    assert f"The music library {library} is empty: is it mounted?" in sentence
    assert "GENRE_ASSETS_BELIEVE_REMOVALS=yes" in sentence
    shutil.move(tmp_path / "unplugged" / "old.wav", library)
    (sentence,) = run.make("folder_catalogue", **settings)
    assert "Your music library no longer has 3 of its 4 tracks" in sentence
    assert run.lake.files(TRACKS) == before
    believed = settings | {"GENRE_ASSETS_BELIEVE_REMOVALS": "yes"}
    assert run.make("folder_catalogue", **believed) == []
    assert run.lake.read(TRACKS)["gone_at"].null_count == 1


def test_odd_rows_of_a_dataset_stop_nobody_and_ids_that_cannot_be_read_remove_nothing(
    run, tmp_path
):
    root = tmp_path / "fma"
    settings = {"GENRE_ASSETS_FMA_DATASET": str(root)}
    rows = [{"": str(n)} for n in range(2, 8)]
    rows[1] |= {"set/split": "train"}
    rows[2] |= {"track/duration": "-1e99"}
    rows[3] |= {"": "5.0"}
    path = write_dataset(root, *rows)
    write_echonest(path.parent / "echonest.csv", {3: ["0.5", "lots", "20012", "nan"]})
    for n in range(2, 8):
        clip = root / "fma_small" / "000" / f"{n:06d}.mp3"
        clip.parent.mkdir(parents=True, exist_ok=True)
        write_noise(clip, n)
        os.utime(clip, (-5, -5))

    assert run.make("fma_dataset_catalogue", **settings) == []
    assert run.make("echonest_features", **settings) == []
    shards = ("fma_000000", "fma_000000")
    assert run.make("audio", "id3_tags", shards=shards, **settings) == []

    assert run.lake.read(AUDIO)["status"].to_pylist() == ["ok"] * 6
    tracks = run.lake.read(TRACKS).to_pylist()
    assert [row["official_split"] for row in tracks] == ["training", None, *["training"] * 4]
    said = {row["place"]: row["reason"] for row in run.lake.read(REJECTED_ROWS).to_pylist()}
    assert said == {
        "row 2, track id 3, official_split": "Its split 'train' is not one of training, "
        "validation, test, so the track has none.",
        "row 3, track id 4, duration": "Its duration '-1e99' is not a number of seconds.",
        "row 6, track id 3, danceability": "A value that is not a number: 'lots'.",
    }

    before = run.lake.files(TRACKS)
    write_dataset(root, *({"": f"track {n}"} for n in range(2, 8)))
    (sentence,) = run.make("fma_dataset_catalogue", **settings)
    assert sentence.startswith("No row of") and "tracks.csv has a usable track id" in sentence
    write_dataset(root, {"": "2"}, {"": "7"})
    (sentence,) = run.make("fma_dataset_catalogue", **settings)
    assert "The FMA dataset no longer has 4 of its 6 tracks" in sentence
    write_dataset(root, *({"": f"{n}.0"} for n in range(2, 8)))
    shutil.rmtree(root / "fma_small" / "000")
    (sentence,) = run.make("fma_dataset_catalogue", **settings)
    assert "The FMA dataset no longer has 6 of its 6 audio files" in sentence
    assert run.lake.files(TRACKS) == before


def write_echonest(path, rows):
    names = ["acousticness", "danceability", "energy", "instrumentalness"]
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([["", *["echonest"] * 4], ["", *["audio_features"] * 4], ["", *names]])
        writer.writerow(["track_id", *[""] * 4])
        writer.writerows([[2, 0.1, 0.2, 0.3, 0.4], *([n, *row] for n, row in rows.items())])


def test_every_bad_file_ends_as_ok_or_with_a_named_failure(run, real_data):
    folder = real_data / "bad_audio"
    settings = {"GENRE_ASSETS_FOLDER": str(folder), "GENRE_ASSETS_WORKERS": "2"}
    assert run.make("folder_catalogue", **settings) == []
    assert run.make(*PER_SHARD, shards=(FOLDER_SHARDS[0], FOLDER_SHARDS[-1]), **settings) == []
    assert run.make("labels", **settings) == []
    # Seventy-one odd files are no corpus.
    (sentence,) = run.make("task_dataset", task="available", **settings)
    assert sentence.startswith("Task available needs two genres")

    with (folder / "MANIFEST.csv").open() as file:
        files = {row["file"] for row in csv.DictReader(file)}
    assert len(files) == 71
    names = {
        row["track_id"]: PurePath(row["path"]).name for row in run.lake.read(TRACKS).to_pylist()
    }
    assert set(names.values()) == files
    for table in (AUDIO, ID3_TAGS):
        rows = {row["track_id"]: row for row in run.lake.read(table).to_pylist()}
        assert set(rows) == set(names)
        for track, row in rows.items():
            assert (row["status"] == "ok") == (row["reason"] is None), names[track]
            assert row["status"] != "failed", f"{names[track]}: nobody foresaw {row['reason']}"
    sound = run.lake.read(AUDIO)["status"].to_pylist().count("ok")
    extracted = run.lake.read(SUMMARY_FEATURES).num_rows + run.lake.read(FEATURE_FAILURES).num_rows
    assert extracted == sound > 0
