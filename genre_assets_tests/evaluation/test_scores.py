from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    recall_score,
    top_k_accuracy_score,
)

from genre_assets.evaluation.scores import Difference, paired_difference, score
from genre_assets.lake.schemas import LEAKY_PREDICTIONS, PREDICTIONS, SCORES, TASK_MEMBERS

GENRES = ["Folk", "Jazz", "Pop", "Rock"]


def answers(rows: list[tuple[str, str, dict[str, float]]], model="m", split="cv") -> list[dict]:
    return [
        {
            "task": "t",
            "model": model,
            "track_id": f"folder:{i}",
            "split": split,
            "genre_true": true,
            "genre_pred": max(p, key=p.__getitem__),
            "probabilities": list(p.items()),
        }
        for i, (_, true, p) in enumerate(rows)
    ]


def members_of(rows) -> object:
    return TASK_MEMBERS.of_rows(
        [
            {"task": "t", "track_id": f"folder:{i}", "genre": true, "artist_key": artist}
            for i, (artist, true, _) in enumerate(rows)
        ]
    )


def figures(rows, now, model="m") -> dict[str, dict]:
    told = PREDICTIONS.of_rows(answers(rows, model))
    table = score(told, LEAKY_PREDICTIONS.empty(), members_of(rows), now)
    assert table.schema.equals(SCORES.schema)
    return {row["metric"]: row for row in table.to_pylist()}


def random_rows(n=200, artists=40, seed=0):
    generator = np.random.default_rng(seed)
    return [
        (
            f"artist {generator.integers(artists)}",
            GENRES[generator.integers(3)],
            dict(zip(GENRES, generator.dirichlet(np.ones(4)).tolist(), strict=True)),
        )
        for _ in range(n)
    ]


def test_the_figures_are_those_of_scikit_learn(now):
    rows = random_rows()
    found = figures(rows, now)
    true = [row[1] for row in rows]
    p = np.array([[row[2][genre] for genre in GENRES] for row in rows])
    told = [GENRES[i] for i in p.argmax(axis=1)]
    expected = {
        "accuracy": accuracy_score(true, told),
        "macro_f1": f1_score(true, told, average="macro"),
        "top3_accuracy": top_k_accuracy_score(true, p, k=3, labels=GENRES),
        "log_loss": log_loss(true, p, labels=GENRES),
    }
    with pytest.warns(UserWarning, match="not in y_true"):
        expected["balanced_accuracy"] = balanced_accuracy_score(true, told)
    for genre in GENRES[:3]:
        expected[f"recall:{genre}"] = recall_score(true, told, labels=[genre], average="macro")
    for metric, value in expected.items():
        assert found[metric]["value"] == pytest.approx(value), metric
    assert set(found) == {*expected, "ece"}, "Pop's recall is there, Rock never occurs"
    assert found["recall:Folk"]["n"] == true.count("Folk")
    assert found["accuracy"]["n"] == 200
    assert all(row["low"] <= row["value"] <= row["high"] for row in found.values())
    assert {row["made_at"] for row in found.values()} == {now}


def test_a_model_that_says_the_same_of_everything_gains_nothing_among_the_top_three(now):
    flat = dict.fromkeys(GENRES, 0.25)
    rows = [(f"artist {i}", GENRES[i % 4], flat) for i in range(40)]
    assert figures(rows, now)["top3_accuracy"]["value"] == 0.75


def test_the_calibration_error_of_a_hand_counted_case(now):
    sure, unsure = {"Folk": 1.0, "Jazz": 0.0}, {"Folk": 0.6, "Jazz": 0.4}
    rows = [("a", "Folk", sure), ("b", "Jazz", sure), ("c", "Folk", unsure), ("d", "Jazz", unsure)]
    found = figures(rows, now)
    # Half of the tracks are right in each of two bins: |1 - 0.5| / 2 + |0.6 - 0.5| / 2.
    assert found["ece"]["value"] == pytest.approx(0.3)
    assert "top3_accuracy" not in found


def test_the_interval_is_that_of_a_bootstrap_over_artists_done_track_by_track(now):
    rows = random_rows(n=120, artists=12)
    frame = pd.DataFrame(
        {
            "artist": [row[0] for row in rows],
            "hit": [max(row[2], key=row[2].__getitem__) == row[1] for row in rows],
        }
    )
    by_artist = [group["hit"].to_numpy() for _, group in frame.groupby("artist")]
    generator = np.random.default_rng(1)
    drawn = [
        np.concatenate([by_artist[i] for i in generator.integers(len(by_artist), size=12)]).mean()
        for _ in range(4000)
    ]
    found = figures(rows, now)["accuracy"]
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert found["low"] == pytest.approx(low, abs=0.02)
    assert found["high"] == pytest.approx(high, abs=0.02)


def test_one_artist_with_many_tracks_makes_the_interval_wide(now):
    right, wrong = {"Folk": 0.9, "Jazz": 0.1}, {"Folk": 0.1, "Jazz": 0.9}
    tracks = [("Folk", right)] * 50 + [("Folk", wrong)] * 50
    each_their_own = [(f"artist {i}", *track) for i, track in enumerate(tracks)]
    four_artists = [(f"artist {i // 25}", *track) for i, track in enumerate(tracks)]
    narrow, wide = (figures(rows, now)["accuracy"] for rows in (each_their_own, four_artists))
    assert narrow["value"] == wide["value"] == 0.5
    assert narrow["high"] - narrow["low"] < 0.25 < wide["high"] - wide["low"]


def test_a_single_artist_says_next_to_nothing(now):
    found = figures([("a", "Folk", {"Folk": 0.7, "Jazz": 0.3})] * 3, now)
    assert found["accuracy"]["low"] == pytest.approx(0.025)
    assert found["accuracy"]["high"] == 1


def test_the_order_of_the_rows_does_not_matter(now):
    rows = random_rows(60)
    told = PREDICTIONS.of_rows(answers(rows))
    args = (LEAKY_PREDICTIONS.empty(), members_of(rows), now)
    backwards = told.take(list(range(60))[::-1])
    assert score(told, *args).equals(score(backwards, *args))


def test_leaky_figures_are_marked_and_few(trained, scored):
    _, members, _, _ = trained
    scores, _ = scored
    split_metrics = Counter(
        (row["split"], row["metric"]) for row in scores.to_pylist() if row["model"] == "svm"
    )
    leaky = {metric for split, metric in split_metrics if split == "leaky_cv"}
    assert leaky == {"accuracy", "balanced_accuracy", "macro_f1", "top3_accuracy"}
    assert {split for split, _ in split_metrics} == {"cv", "leaky_cv"}
    figures = {(r["model"], r["split"], r["metric"]): r["value"] for r in scores.to_pylist()}
    assert figures["svm", "leaky_cv", "accuracy"] > figures["svm", "cv", "accuracy"]
    assert members.num_rows == next(iter(scores["n"].to_pylist()))


def test_a_paired_difference_is_tighter_than_the_figures_themselves(now):
    rows = random_rows()
    # A model that differs on every fiftieth track only.
    other = [
        (artist, true, {g: float(g == true) for g in GENRES} if i % 50 == 0 else p)
        for i, (artist, true, p) in enumerate(rows)
    ]
    told = PREDICTIONS.of_rows(answers(rows, "a") + answers(other, "b"))
    more = paired_difference(told, members_of(rows), "cv", "b", "a")
    alone = figures(rows, now)["accuracy"]
    assert 0 <= more.low <= more.gain <= more.high
    assert more.gain == pytest.approx(figures(other, now)["accuracy"]["value"] - alone["value"])
    assert more.high - more.low < (alone["high"] - alone["low"]) / 2
    assert more.tracks == len(rows)
    with pytest.raises(KeyError):
        paired_difference(told, members_of(rows), "cv", "b", "missing")


def test_a_model_that_is_always_right_is_not_certain(now):
    """Seven artists without a mistake leave room for two in five."""
    rows = [(f"artist {i % 7}", GENRES[i % 4], {GENRES[i % 4]: 1.0}) for i in range(28)]
    rows = [(a, true, dict.fromkeys(GENRES, 0.0) | p) for a, true, p in rows]
    found = figures(rows, now)
    assert (found["accuracy"]["value"], found["accuracy"]["high"]) == (1.0, 1.0)
    assert found["accuracy"]["low"] == pytest.approx(0.025 ** (1 / 7))
    assert found["recall:Folk"]["low"] == pytest.approx(0.025 ** (1 / 7))
    wrong = [
        (a, true, p | {true: 0.0, "Pop" if true != "Pop" else "Folk": 1.0}) for a, true, p in rows
    ]
    accuracy = figures(wrong, now)["accuracy"]
    assert (accuracy["value"], accuracy["low"]) == (0.0, 0.0)
    assert accuracy["high"] == pytest.approx(1 - 0.025 ** (1 / 7))


def test_models_are_compared_on_the_tracks_that_both_predicted():
    rows = [(f"artist {i}", "Folk", {"Folk": 0.9, "Rock": 0.1}) for i in range(40)]
    wrong = [(artist, true, {"Folk": 0.1, "Rock": 0.9}) for artist, true, _ in rows]
    # Right for the half that it predicts, as the other one is there, which is wrong elsewhere.
    careful = answers(rows, "careful")[:20]
    bold = answers(rows, "bold")[:20] + answers(wrong, "bold")[20:]
    elsewhere = answers(rows, "elsewhere")[30:]
    told = PREDICTIONS.of_rows([*careful, *bold, *elsewhere])
    more = paired_difference(told, members_of(rows), "cv", "careful", "bold")
    assert more == Difference(0.0, 0.0, 0.0, 20)
    assert paired_difference(told, members_of(rows), "cv", "careful", "elsewhere") is None


def test_the_share_of_the_most_frequent_genre_stands_beside_every_figure(now):
    """Always the same is right for half of these, and majority, fold by fold, for none."""
    rows = [(f"artist {i}", "Folk" if i < 5 else "Rock", {}) for i in range(10)]
    other = {"Folk": {"Folk": 0.0, "Rock": 1.0}, "Rock": {"Folk": 1.0, "Rock": 0.0}}
    found = figures([(artist, true, other[true]) for artist, true, _ in rows], now, "majority")
    assert found["accuracy"]["value"] == 0
    for row in found.values():
        assert (row["most_frequent_genre"], row["most_frequent_share"]) == ("Folk", 0.5)


def test_a_score_says_that_its_model_was_trained_on_synthetic_music(now):
    rows = random_rows(20)
    told = [row | {"trained_on_synthetic": True} for row in answers(rows)]
    args = (LEAKY_PREDICTIONS.empty(), members_of(rows), now)
    scores = score(PREDICTIONS.of_rows(told), *args)
    assert set(scores["trained_on_synthetic"].to_pylist()) == {True}
    scores = score(PREDICTIONS.of_rows(answers(rows)), *args)
    assert set(scores["trained_on_synthetic"].to_pylist()) == {None}


def test_nothing_predicted_is_nothing_scored(now):
    members = members_of(random_rows(3))
    assert score(PREDICTIONS.empty(), LEAKY_PREDICTIONS.empty(), members, now).num_rows == 0
