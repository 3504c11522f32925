"""The main job on the FMA's metadata alone, with the features that its author published."""

import pytest


@pytest.fixture(scope="module")
def run(platform, real_data):
    def run(*arguments, dataset=real_data / "fma_metadata_only"):
        return platform.call(
            "genre-assets",
            *("run", "--source", "fma-dataset", *arguments),
            GENRE_ASSETS_FMA_DATASET=str(dataset),
        )

    return run


def test_echonest_features_tell_twelve_genres_apart(platform, run):
    done = run("--task", "fma_echonest12", "--models", "boosting,majority")
    assert done.returncode == 0, done.stdout + done.stderr
    assert platform.query("SELECT count(*) FROM tracks") == [(25_000,)]
    ((value, n),) = platform.query(
        "SELECT value, n FROM scores WHERE task = 'fma_echonest12' AND split = 'test'"
        " AND metric = 'accuracy' AND model = 'boosting'"
    )
    assert n == 529
    # Published for gradient boosting: 0.577. Of 529 tracks, one standard error is 0.021.
    assert value >= 0.55


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
