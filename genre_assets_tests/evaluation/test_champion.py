from datetime import UTC, datetime

import pytest

from genre_assets.evaluation.champion import (
    below_most_frequent,
    choose_champion,
    is_best,
    ranked,
)
from genre_assets.lake.schemas import CHAMPIONS, PREDICTIONS, SCORES, TASK_MEMBERS

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


def champion(table, previous=None, at=NOW, predictions=None):
    if predictions is None:
        predictions = PREDICTIONS.empty()
    members = TASK_MEMBERS.of_rows(
        [
            {"task": "t", "track_id": track_id, "artist_key": track_id}
            for track_id in sorted(set(predictions["track_id"].to_pylist()))
        ]
    )
    chosen = choose_champion(table, previous or CHAMPIONS.empty(), predictions, members, at)
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


def test_a_model_that_abstains_from_difficult_tracks_does_not_win_by_that():
    def predicted(model, right, of=100):
        return [
            {
                "task": "t",
                "model": model,
                "track_id": f"folder:{i}",
                "split": "cv",
                "genre_true": "Folk",
                "genre_pred": "Folk" if i < right else "Rock",
                "probabilities": [("Folk", float(i < right)), ("Rock", float(i >= right))],
            }
            for i in range(of)
        ]

    def figure(model, value, n):
        row = {"task": "t", "model": model, "split": "cv", "metric": "balanced_accuracy"}
        return row | {"value": value, "low": value, "high": value, "n": n, "made_at": NOW}

    # Of the first fifty tracks forest recognises all, careful 48; it abstains from the others.
    predictions = PREDICTIONS.of_rows([*predicted("forest", 80), *predicted("careful", 48, 50)])
    table = SCORES.of_rows([figure("forest", 0.8, 100), figure("careful", 0.96, 50)])
    assert champion(table, predictions=predictions)["model"].to_pylist() == ["forest"]
    better = PREDICTIONS.of_rows([*predicted("forest", 40), *predicted("careful", 48, 50)])
    table = SCORES.of_rows([figure("forest", 0.4, 100), figure("careful", 0.96, 50)])
    assert champion(table, predictions=better)["model"].to_pylist() == ["careful"]


def test_the_baseline_is_champion_only_when_it_is_alone():
    (alone,) = champion(scores(("majority", "cv", "balanced_accuracy", 0.5))).to_pylist()
    assert (alone["model"], alone["why"]) == (
        "majority",
        "It is the only model that has been scored.",
    )
    beaten_by = scores(
        ("majority", "cv", "balanced_accuracy", 0.5), ("svm", "cv", "balanced_accuracy", 0.4)
    )
    assert champion(beaten_by)["model"].to_pylist() == ["svm"]


def answers(**right):
    """Predictions for 100 tracks of as many artists: a model has so many right, the first ones."""
    return PREDICTIONS.of_rows(
        [
            {"task": "t", "model": model, "track_id": f"{i:03d}", "split": "validation"}
            | {"genre_true": "Rock", "genre_pred": "Rock" if i < hits else "Folk"}
            | {"probabilities": [("Folk", float(i >= hits)), ("Rock", float(i < hits))]}
            for model, hits in right.items()
            for i in range(100)
        ]
    )


def test_a_draw_goes_to_the_lower_loss():
    draw = scores(
        ("svm", "validation", "accuracy", 0.6),
        ("svm", "validation", "log_loss", 1.2),
        ("forest", "validation", "accuracy", 0.6),
        ("forest", "validation", "log_loss", 1.1),
    )
    assert champion(draw)["model"].to_pylist() == ["forest"]


@pytest.mark.parametrize(("hits", "who"), [(60, "svm"), (61, "svm"), (75, "forest")])
def test_a_champion_stays_until_another_is_better_by_more_than_chance(hits, who):
    svm = champion(scores(("svm", "validation", "accuracy", 0.55)))
    now = scores(
        ("svm", "validation", "accuracy", 0.6), ("forest", "validation", "accuracy", hits / 100)
    )
    (row,) = champion(now, svm, LATER, answers(svm=60, forest=hits)).to_pylist()
    assert (row["model"], row["chosen_at"]) == (who, NOW if who == "svm" else LATER)
    assert row["value"] == (0.6 if who == "svm" else hits / 100)
    assert row["why"].startswith("It remains" if hits == 61 else "It has")
    assert is_best(row, now.to_pylist()) == (hits != 61)


def test_the_baseline_and_a_model_that_is_gone_give_way_to_the_best():
    better = scores(("svm", "cv", "balanced_accuracy", 0.6))
    for before in ("majority", "gone"):
        standing = champion(scores((before, "cv", "balanced_accuracy", 0.9)))
        both = (
            better
            if before == "gone"
            else scores(
                ("svm", "cv", "balanced_accuracy", 0.6), (before, "cv", "balanced_accuracy", 0.9)
            )
        )
        assert champion(both, standing, LATER)["model"].to_pylist() == ["svm"]


def test_without_a_figure_to_choose_by_there_is_no_champion():
    assert champion(scores(("svm", "test", "accuracy", 0.9))).num_rows == 0
    assert champion(SCORES.empty()).num_rows == 0


def test_a_table_begins_with_the_champion_and_then_falls():
    accuracies = {"svm": 0.5, "forest": 0.6, "vote": 0.6, "majority": 0.1}
    losses = {"svm": 1.0, "forest": 1.2, "vote": 1.1}
    assert ranked(accuracies, "svm", losses) == ["svm", "vote", "forest", "majority"]
    assert ranked(accuracies, None, {}) == ["forest", "vote", "svm", "majority"]


def test_models_below_the_most_frequent_genre_are_named():
    figures = [
        {"model": model, "value": value, "most_frequent_share": share}
        for model, value, share in (("a", 0.3, 0.324), ("b", 0.324, 0.324), ("old", 0.1, None))
    ]
    assert below_most_frequent(figures) == ["a"]
