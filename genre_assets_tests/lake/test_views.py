"""The leaderboard: one row a model of a task that cannot be taken for another figure."""

from datetime import UTC, datetime

import duckdb
import pytest

from genre_assets.lake.schemas import CHAMPIONS, SCORES
from genre_assets.lake.tables import Lake, write_parquet
from genre_assets.lake.views import connect, refresh_views

NOW = datetime(2026, 5, 6, tzinfo=UTC)


def score(task, model, split, metric, value, n=100):
    return {
        "task": task, "model": model, "split": split, "metric": metric, "value": value,
        "low": value - 0.1, "high": value + 0.1, "n": n, "made_at": NOW,
        "most_frequent_genre": "Folk", "most_frequent_share": 0.324,
        "trained_on_synthetic": False,
    }  # fmt: skip


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path)
    grouped = [
        score("grouped", "svm", "cv", "accuracy", 0.6),
        score("grouped", "svm", "cv", "balanced_accuracy", 0.5),
        score("grouped", "svm", "cv", "macro_f1", 0.4),
        score("grouped", "svm", "cv", "log_loss", 1.5),
        score("grouped", "svm", "cv", "recall:Folk", 0.9, n=30),
        score("grouped", "svm", "leaky_cv", "accuracy", 0.8),
        score("grouped", "svm", "leaky_cv", "balanced_accuracy", 0.79),
        score("grouped", "majority", "cv", "accuracy", 0.162),
    ]
    official = [
        score("official", "svm", "validation", "accuracy", 0.9, n=20),
        score("official", "svm", "test", "accuracy", 0.7),
        score("official", "svm", "leaky_test", "accuracy", 0.75),
        score("official", "forest", "validation", "accuracy", 0.99, n=20),
    ]
    lake.write(SCORES, SCORES.of_rows(grouped), "grouped")
    lake.write(SCORES, SCORES.of_rows(official), "official")
    lake.write(CHAMPIONS, CHAMPIONS.of_rows([{"task": "grouped", "model": "svm"}]), "grouped")
    return lake


def leaderboard(connection, columns):
    return connection.execute(f"SELECT {columns} FROM leaderboard").fetchall()


def test_one_row_a_model_with_the_figures_of_its_honest_split(lake):
    with connect(lake) as connection:
        assert leaderboard(connection, "task, model, split, n, accuracy, leaky_accuracy") == [
            ("grouped", "svm", "cv", 100, 0.6, 0.8),
            ("grouped", "majority", "cv", 100, 0.162, None),
            ("official", "svm", "test", 100, 0.7, 0.75),
        ]
        assert leaderboard(
            connection,
            "round(accuracy_low, 2), round(accuracy_high, 2), balanced_accuracy, macro_f1, "
            "log_loss, most_frequent_genre, most_frequent_share, below_most_frequent, "
            "is_champion, trained_on_synthetic",
        ) == [
            (0.5, 0.7, 0.5, 0.4, 1.5, "Folk", 0.324, False, True, False),
            (0.06, 0.26, None, None, None, "Folk", 0.324, True, False, False),
            (0.6, 0.8, None, None, None, "Folk", 0.324, False, False, False),
        ]


def test_scores_of_an_older_version_are_on_it_with_nulls_for_what_they_do_not_know(lake):
    new = ["most_frequent_genre", "most_frequent_share", "trained_on_synthetic"]
    path = lake.path(SCORES, "grouped")
    write_parquet(lake.read(SCORES, ["grouped"]).drop_columns(new), path)
    columns = f"model, accuracy, {', '.join(new)}, below_most_frequent"
    with connect(lake) as connection:
        rows = leaderboard(connection, columns)
    assert rows[:2] == [
        ("svm", 0.6, None, None, None, None),
        ("majority", 0.162, None, None, None, None),
    ]


def test_the_file_of_views_of_an_older_version_gets_it(lake):
    path = refresh_views(lake)
    with duckdb.connect(str(path)) as connection:
        connection.execute("DROP VIEW leaderboard")
        connection.execute("DELETE FROM definitions WHERE name = 'leaderboard'")
    with duckdb.connect(str(refresh_views(lake)), read_only=True) as connection:
        assert len(leaderboard(connection, "*")) == 3


def test_an_empty_lake_has_an_empty_one(tmp_path):
    with connect(Lake(tmp_path)) as connection:
        assert leaderboard(connection, "*") == []
