"""The main job on the FMA's metadata alone, with the features that its author published."""

import csv

import pytest

LAST_TRACK = 20_000
"""Of four shards, for each of the 31 makes the run longer."""


@pytest.fixture(scope="module")
def run(platform, real_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("metadata") / "fma_metadata"
    folder.mkdir()
    for path in (real_data / "fma_metadata_only" / "fma_metadata").iterdir():
        with path.open(newline="") as file, (folder / path.name).open("w", newline="") as first:
            rows = csv.reader(file)
            kept = (
                row
                for row in rows
                if path.stem == "genres" or not row[0].isdigit() or int(row[0]) < LAST_TRACK
            )
            csv.writer(first).writerows(kept)

    def run(*arguments, dataset=folder.parent):
        return platform.call(
            "genre-assets",
            *("run", "--source", "fma-dataset", "--models", "majority", *arguments),
            GENRE_ASSETS_FMA_DATASET=str(dataset),
        )

    return run


def test_a_model_of_published_features_needs_no_audio(platform, run):
    done = run("--task", "fma_hiphop_rock")
    assert done.returncode == 0, done.stdout + done.stderr
    assert platform.query("SELECT count(*) FROM tracks") == [(3_399,)]
    assert platform.query(
        "SELECT task, split, n FROM scores WHERE metric = 'accuracy' AND model = 'majority'"
        " AND split = 'test'"
    ) == [("fma_hiphop_rock", "test", 24)]


def test_a_truncated_tracks_csv_is_one_error_that_names_the_row(platform, run, real_data, tmp_path):
    (tmp_path / "fma_metadata").mkdir()
    (tmp_path / "fma_metadata" / "tracks.csv").symlink_to(
        real_data / "bad_metadata" / "tracks_truncated.csv"
    )
    before = platform.query("SELECT count(*), max(last_seen_at)::VARCHAR FROM tracks")
    done = run(dataset=tmp_path)
    assert done.returncode == 1
    failed = [line for line in done.stderr.splitlines() if line.startswith("FAILED")]
    assert any("tracks.csv" in line and "row 683" in line for line in failed), failed
    assert "Traceback" not in done.stderr
    assert platform.query("SELECT count(*), max(last_seen_at)::VARCHAR FROM tracks") == before
