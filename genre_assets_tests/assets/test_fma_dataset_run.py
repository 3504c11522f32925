"""The main job on a real piece of the FMA dataset."""

import pytest


@pytest.fixture(scope="module")
def ran(platform, real_data):
    done = platform.call(
        "genre-assets",
        *("run", "--source", "fma-dataset", "--task", "available", "--models", "majority"),
        GENRE_ASSETS_FMA_DATASET=str(real_data / "fma"),
        GENRE_ASSETS_FMA_SUBSET="medium",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return platform, done


def test_every_clip_has_features_and_every_row_without_a_clip_says_so(ran):
    platform, _ = ran
    assert platform.query("SELECT count(*), count(DISTINCT sha256) FROM summary_features") == [
        (126, 126)
    ]
    by_status = dict(platform.query("SELECT status, count(*) FROM audio GROUP BY 1"))
    assert by_status == {"ok": 126, "missing": 68}
    assert platform.query(
        "SELECT count(*) FROM audio JOIN tracks t USING (track_id) WHERE audio.status = 'missing'"
        " AND contains(reason, printf('fma_medium/000/%06d.mp3', t.source_track_id::INT))"
    ) == [(68,)]


def test_tags_are_read_and_spellings_of_an_artist_are_one(ran):
    platform, _ = ran
    assert platform.query("SELECT count(*) FROM id3_tags WHERE status = 'ok'") == [(126,)]
    spelled_apart = platform.query(
        """
        SELECT count(DISTINCT lower(spelling)), count(DISTINCT artist_key) FROM (
            SELECT artist AS spelling, track_id FROM tracks
            UNION ALL SELECT artist, track_id FROM id3_tags
        ) JOIN labels USING (track_id)
        WHERE regexp_matches(lower(spelling), 'redfearn|ed askew|askew ed')
        """
    )
    ((spellings, artists),) = spelled_apart
    assert spellings > artists
    assert artists == 2


def test_no_artist_is_tested_by_a_model_that_learnt_from_it(ran):
    platform, _ = ran
    assert platform.query(
        'SELECT count(*) FROM (SELECT "group" FROM task_members GROUP BY 1'
        " HAVING count(DISTINCT fold) > 1)"
    ) == [(0,)]
    assert platform.query("SELECT DISTINCT split FROM predictions") == [("cv",)]


def test_the_honest_and_the_leaky_figure_stand_side_by_side(ran):
    platform, done = ran
    figures = platform.query(
        "SELECT split FROM scores WHERE model = 'majority' AND metric = 'accuracy'"
        " AND low <= value AND value <= high ORDER BY 1"
    )
    assert figures == [("cv",), ("leaky_cv",)]
    assert "leaky accuracy" in done.stdout
    report = platform.lake.root / "reports" / "available" / "index.html"
    assert "majority" in report.read_text()
