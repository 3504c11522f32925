"""The registry of metrics, which the scores, the report, the rules and the leaderboard follow."""

import numpy as np
import pytest

from genre_assets.evaluation import metrics
from genre_assets.evaluation.metrics import METRICS, Metric, genre_of_recall, recall_of
from genre_assets.evaluation.scores import score
from genre_assets.lake.schemas import LEAKY_PREDICTIONS, PREDICTIONS
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import connect
from genre_assets_tests.evaluation.test_scores import answers, members_of, random_rows


def test_a_metric_that_is_added_is_scored_with_its_interval(monkeypatch, now):
    def error_rate(sums):
        return 1 - sums["hits"][:, 0] / sums["n"][:, 0]

    added = Metric("error_rate", "errors", error_rate, greater_is_better=False)
    monkeypatch.setitem(metrics.METRICS, added.name, added)
    rows = random_rows()
    predictions = PREDICTIONS.of_rows(answers(rows))
    leaky = LEAKY_PREDICTIONS.of_rows(answers(rows))
    figures = {
        (row["split"], row["metric"]): row
        for row in score(predictions, leaky, members_of(rows), now).to_pylist()
    }
    for split in ("cv", "leaky_cv"):
        accuracy, errors = figures[split, "accuracy"], figures[split, "error_rate"]
        assert errors["value"] == pytest.approx(1 - accuracy["value"])
        assert (errors["low"], errors["high"]) == pytest.approx(
            (1 - accuracy["high"], 1 - accuracy["low"])
        )


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_of_two_models_the_one_with_the_right_genres_has_more_merit(metric, now):
    rows = random_rows(60)
    right = [(artist, true, {g: float(g == true) for g in p}) for artist, true, p in rows]
    values = [
        next(
            row["value"]
            for row in score(
                PREDICTIONS.of_rows(answers(each)), LEAKY_PREDICTIONS.empty(), members_of(each), now
            ).to_pylist()
            if row["metric"] == metric.name
        )
        for each in (right, rows)
    ]
    assert metric.merit(values[0]) > metric.merit(values[1])
    assert np.isclose(values[0], (metric.highest or 0) if metric.greater_is_better else 0)


def test_the_leaderboard_shows_every_metric_of_the_honest_split(tmp_path):
    with connect(Lake(tmp_path)) as connection:
        columns = {row[0] for row in connection.execute("DESCRIBE leaderboard").fetchall()}
    assert set(METRICS) <= columns


def test_a_recall_names_its_genre():
    assert genre_of_recall(recall_of("Old-Time / Historic")) == "Old-Time / Historic"
    assert all(genre_of_recall(name) is None for name in METRICS)
