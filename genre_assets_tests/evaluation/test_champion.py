from datetime import UTC, datetime

import pytest

from genre_assets.evaluation.champion import choose_champion
from genre_assets.lake.schemas import CHAMPIONS, SCORES

NOW = datetime(2024, 5, 6, tzinfo=UTC)
LATER = datetime(2024, 6, 7, tzinfo=UTC)


def scores(*figures):
    return SCORES.of_rows(
        [
            {"task": "t", "model": model, "split": split, "metric": metric, "value": value}
            | {"low": value - 0.1, "high": value + 0.1, "n": 100, "made_at": NOW}
            for model, split, metric, value in figures
        ]
    )


def champion(table, previous=None, at=NOW):
    chosen = choose_champion(table, previous or CHAMPIONS.empty(), at)
    assert chosen.schema.equals(CHAMPIONS.schema)
    return chosen


def test_an_official_split_chooses_on_validation_and_never_on_test():
    table = scores(
        ("svm", "validation", "accuracy", 0.6),
        ("svm", "test", "accuracy", 0.5),
        ("forest", "validation", "accuracy", 0.5),
        ("forest", "validation", "balanced_accuracy", 0.9),
        ("forest", "test", "accuracy", 0.9),
        ("forest", "leaky_test", "accuracy", 0.99),
    )
    (row,) = champion(table).to_pylist()
    assert (row["model"], row["split"], row["metric"], row["value"]) == (
        "svm",
        "validation",
        "accuracy",
        0.6,
    )
    assert row["model_path"] == "models/task=t/svm"
    assert (row["low"], row["high"], row["n"]) == (pytest.approx(0.5), pytest.approx(0.7), 100)


def test_grouped_folds_choose_by_balanced_accuracy():
    table = scores(
        ("svm", "cv", "accuracy", 0.8),
        ("svm", "cv", "balanced_accuracy", 0.4),
        ("forest", "cv", "accuracy", 0.7),
        ("forest", "cv", "balanced_accuracy", 0.5),
    )
    assert champion(table)["model"].to_pylist() == ["forest"]


def test_the_baseline_is_champion_only_when_it_is_alone():
    alone = scores(("majority", "cv", "balanced_accuracy", 0.5))
    assert champion(alone)["model"].to_pylist() == ["majority"]
    beaten_by = scores(
        ("majority", "cv", "balanced_accuracy", 0.5), ("svm", "cv", "balanced_accuracy", 0.4)
    )
    assert champion(beaten_by)["model"].to_pylist() == ["svm"]


def test_a_draw_stays_with_the_previous_then_goes_to_the_lower_loss():
    draw = scores(
        ("svm", "validation", "accuracy", 0.6),
        ("svm", "validation", "log_loss", 1.2),
        ("forest", "validation", "accuracy", 0.6),
        ("forest", "validation", "log_loss", 1.1),
    )
    assert champion(draw)["model"].to_pylist() == ["forest"]
    svm = champion(scores(("svm", "validation", "accuracy", 0.55)))
    (kept,) = champion(draw, svm, LATER).to_pylist()
    assert (kept["model"], kept["value"], kept["chosen_at"]) == ("svm", 0.6, NOW)
    better = scores(
        ("svm", "validation", "accuracy", 0.6), ("forest", "validation", "accuracy", 0.7)
    )
    (new,) = champion(better, svm, LATER).to_pylist()
    assert (new["model"], new["chosen_at"]) == ("forest", LATER)


def test_without_a_figure_to_choose_by_there_is_no_champion():
    assert champion(scores(("svm", "test", "accuracy", 0.9))).num_rows == 0
    assert champion(SCORES.empty()).num_rows == 0
