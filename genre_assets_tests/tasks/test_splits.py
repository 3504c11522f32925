import numpy as np
import pyarrow as pa

from genre_assets.tasks.splits import fits_of, inner_folds, part_of


def members_of(split, leaky_split, fold=None, leaky_fold=None) -> pa.Table:
    nothing = [None] * len(split)
    return pa.table(
        {
            "split": split,
            "leaky_split": leaky_split,
            "fold": fold or nothing,
            "leaky_fold": leaky_fold or nothing,
        }
    )


def described(members) -> list[tuple]:
    return [
        (fit.protocol, np.flatnonzero(fit.fit_on).tolist(), np.flatnonzero(fit.predict).tolist())
        + (("kept",) if fit.kept else ())
        for fit in fits_of(members)
    ]


def test_with_a_published_split_the_model_that_predicts_the_test_tracks_is_kept():
    members = members_of(
        ["training", "training", "validation", "test"],
        ["test", "training", "training", "validation"],
    )
    assert described(members) == [
        ("validation", [0, 1], [2]),
        ("test", [0, 1, 2], [3], "kept"),
        ("leaky", [1, 2, 3], [0]),
    ]


def test_with_folds_the_model_that_is_kept_is_fitted_on_all_tracks():
    members = members_of(["cv"] * 4, ["cv"] * 4, [0, 0, 1, 1], [0, 1, 0, 1])
    assert described(members) == [
        ("cv", [2, 3], [0, 1]),
        ("cv", [0, 1], [2, 3]),
        ("leaky", [1, 3], [0, 2]),
        ("leaky", [0, 2], [1, 3]),
        ("use", [0, 1, 2, 3], [], "kept"),
    ]


def test_a_part_is_of_whole_groups_and_of_every_genre():
    genres = np.array(["Folk"] * 300 + ["Jazz"] * 100)
    groups = np.array([f"{i // 5}" for i in range(400)])
    rows = part_of(genres, groups, 100, seed=0)
    assert 80 <= len(rows) <= 120 and set(genres[rows]) == {"Folk", "Jazz"}
    assert not set(groups[rows]) & set(np.delete(groups, rows))
    assert part_of(genres, groups, 400, seed=0).tolist() == list(range(400))


def test_inner_folds_keep_artists_apart_where_a_genre_has_enough_of_them():
    genres = np.array(["Folk"] * 12 + ["Jazz"] * 6)
    groups = np.array([f"f{i // 2}" for i in range(12)] + ["j"] * 6)
    folds = inner_folds(genres, groups, 3, seed=0)
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups[:12]))
    assert set(folds[:12]) == set(folds[12:]) == {0, 1, 2}
