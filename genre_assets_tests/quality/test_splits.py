from genre_assets.lake.schemas import AUDIO, TASK_MEMBERS
from genre_assets.quality.splits import sides_disjoint
from genre_assets_tests.quality.sound_lake import TASK, spoil, with_every, with_value


def test_folds_by_artist_share_nothing(lake):
    verdict = sides_disjoint(lake, TASK)
    assert verdict.passed
    assert verdict.counts == {"members": 23, "artist": 0, "group": 0, "exact duplicate": 0}


def test_an_artist_in_two_folds_stops_and_is_named(lake):
    spoil(lake, TASK_MEMBERS, with_value(fold=4, group="another"))
    verdict = sides_disjoint(lake, TASK)
    assert not verdict.passed
    assert not verdict.warning
    assert verdict.counts["artist"] == 1
    assert verdict.examples[0]["key"] == "artist 7"
    assert verdict.examples[0]["sides"] == "fold 3, fold 4"


def test_a_group_in_two_folds_stops(lake):
    spoil(lake, TASK_MEMBERS, with_value(fold=4, artist_key="another"))
    assert sides_disjoint(lake, TASK).counts["group"] == 1


def test_the_same_bytes_in_two_folds_stop_though_labels_know_nothing_of_it(lake):
    spoil(lake, AUDIO, lambda rows: [row | {"sha256": "a" * 64} for row in rows[:3]] + rows[3:])
    verdict = sides_disjoint(lake, TASK)
    assert not verdict.passed
    assert verdict.counts == {"members": 23, "artist": 0, "group": 0, "exact duplicate": 1}


def test_an_overlap_of_a_published_split_is_told_and_stops_nothing(lake):
    spoil(lake, TASK_MEMBERS, lambda rows: [
        row | {"split": ("training", "test")[n > 15], "fold": None} for n, row in enumerate(rows)
    ])  # fmt: skip
    verdict = sides_disjoint(lake, TASK)
    assert not verdict.passed
    assert verdict.warning
    assert "on several sides of the published split" in verdict.sentence


def test_one_published_part_per_artist_passes(lake):
    spoil(lake, TASK_MEMBERS, with_every(split="training", fold=None))
    assert sides_disjoint(lake, TASK).passed
