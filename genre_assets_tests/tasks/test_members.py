from collections import Counter
from datetime import timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_assets.lake.schemas import LABELS, TASK_MEMBERS
from genre_assets.tasks.members import (
    artist_groups,
    build_task,
    members_stand,
)
from genre_assets.tasks.task import TaskError, load_tasks
from genre_assets_tests.models.corpus import a_task, label, labels_of, tables


def frame_of(dataset) -> pd.DataFrame:
    return pd.DataFrame(dataset.members.to_pylist())


def test_the_published_splits_of_the_real_rows(real_tables):
    labels, tracks, features = real_tables
    keys = {name: table["track_id"].to_pylist() for name, table in features.items()}
    tasks = load_tasks()
    counts = {}
    for name in ("fma_echonest12", "fma_hiphop_rock"):
        dataset = build_task(tasks[name], labels, tracks, keys)
        counts[name] = Counter(dataset.members["split"].to_pylist())
        assert dataset.members.num_rows + sum(dataset.left_out.values()) == 25_000
        assert any("is not known" in note for note in dataset.notes)
    assert counts == {
        "fma_echonest12": {"training": 4167, "validation": 585, "test": 529},
        "fma_hiphop_rock": {"training": 1593, "validation": 198, "test": 199},
    }


def test_albums_of_the_real_rows_chain_no_artists_together(real_tables):
    labels, _, _ = real_tables
    known = pd.DataFrame(labels.select(["track_id", "artist_key", "album_key"]).to_pylist())
    known = known[known["artist_key"].notna()]
    groups = artist_groups(
        known["artist_key"].to_numpy(), known["track_id"].to_numpy(), known["album_key"].to_numpy()
    )
    assert len(set(groups)) == known["artist_key"].nunique() == 2325


def test_without_features_the_error_says_what_there_is(real_tables):
    labels, tracks, features = real_tables
    keys = {name: table["track_id"].to_pylist() for name, table in features.items()}
    with pytest.raises(TaskError) as caught:
        build_task(load_tasks()["fma_medium"], labels, tracks, keys)
    message = str(caught.value)
    assert "in this lake no genre has as many with features" in message
    assert "with no row in summary_features (25,000)" in message
    assert "echonest_features has 13,129 rows: use the task available or fma_echonest12" in message
    assert "\n" not in message


def test_folds_keep_artists_apart_and_leaky_folds_do_not():
    dataset = build_task(a_task(), *tables(labels_of({"Folk": 40, "Rock": 60}, 4)))
    frame = frame_of(dataset)
    assert dataset.members.schema.equals(TASK_MEMBERS.schema)
    assert set(frame["split"]) == {"cv"} and set(frame["fold"]) == {0, 1, 2, 3, 4}
    assert frame.groupby("artist_key")["fold"].nunique().max() == 1
    assert frame.groupby("artist_key")["leaky_fold"].nunique().max() > 1
    sizes = [frame.groupby(["genre", fold]).size().tolist() for fold in ("fold", "leaky_fold")]
    assert sizes[0] == sizes[1]


def test_an_artist_is_in_one_fold_with_all_who_share_a_track():
    rows = labels_of({"Folk": 40, "Rock": 60}, 4)
    artists = sorted({row["artist_key"] for row in rows})
    for row in rows:
        row["artist_keys"] = [row["artist_key"]]
    joint = rows[::20]
    for place, row in enumerate(joint):
        row["artist_keys"] = [row["artist_key"], artists[3 * place + 2], "someone else"]
    frame = frame_of(build_task(a_task(), *tables(rows)))
    fold_of = frame.groupby("artist_key")["fold"].agg(set)
    together = {key for row in joint for key in row["artist_keys"]} - {"someone else"}
    assert len(set().union(*(fold_of[key] for key in together))) == 1
    assert frame[frame["artist_key"].isin(together)]["group"].nunique() == 1
    assert frame.groupby("group")["fold"].nunique().max() == 1
    assert frame["group"].nunique() == len(artists) - len(together) + 1


def test_the_official_split_is_kept_and_shared_artists_are_told():
    rows = labels_of({"Folk": 20, "Rock": 20}, 2)
    parts = ["training"] * 14 + ["validation"] * 2 + ["test"] * 4
    tracks = {
        row["track_id"]: {"official_split": part, "subset": "small"}
        for row, part in zip(rows, parts * 2, strict=True)
    }
    task = a_task(split="official", subset="small")
    dataset = build_task(task, *tables(rows, tracks))
    assert dataset.notes == []
    frame = frame_of(dataset)
    assert frame["fold"].isna().all()
    assert Counter(frame["split"]) == Counter(frame["leaky_split"]) == Counter(parts * 2)
    assert (frame["split"] != frame["leaky_split"]).any()

    rows[19] = label(rows[19]["track_id"], "Folk", "Folk artist 0")
    (note,) = build_task(task, *tables(rows, tracks)).notes
    assert note.endswith("duplicates: 1, with 1 validation or test track.")


def test_an_empty_part_of_the_official_split_is_an_error():
    rows = labels_of({"Folk": 10, "Rock": 10})
    tracks = {row["track_id"]: {"official_split": "training"} for row in rows}
    with pytest.raises(TaskError, match="no validation and no test tracks"):
        build_task(a_task(split="official"), *tables(rows, tracks))


def test_everyone_left_out_is_counted_by_reason():
    rows = labels_of({"Folk": 10, "Rock": 10, "Spoken": 3})
    rows += [
        label("folder:none", None, "x"),
        label("folder:bad", "Rock", "x", excluded="silent"),
        label("folder:quiet", "Rock", "x"),
        label("folder:demo", "Rock", "x", synthetic=True),
    ]
    labels, tracks, keys = tables(rows)
    keys["echonest_features"].remove("folder:quiet")
    dataset = build_task(a_task(), labels, tracks, keys)
    assert dataset.left_out == {
        "from the synthetic demo": 1,
        "excluded: silent": 1,
        "with no genre of this task": 1,
        "with no row in echonest_features": 1,
        "of Spoken, which has too few tracks": 3,
    }
    assert dataset.warnings == [
        "Spoken is left out of test_task: 3 tracks by 2 artists, needs 4 by 2."
    ]
    assert dataset.members.num_rows == 20


def test_synthetic_tracks_take_part_while_there_is_nothing_else():
    rows = [row | {"synthetic": True} for row in labels_of({"Folk": 10, "Rock": 10})]
    assert build_task(a_task(), *tables(rows)).members.num_rows == 20
    real_without_features = [*rows, label("folder:real", "Rock", "x")]
    labels, tracks, keys = tables(real_without_features)
    keys["echonest_features"].remove("folder:real")
    assert build_task(a_task(), labels, tracks, keys).members.num_rows == 20


def test_a_genre_by_one_artist_cannot_be_learnt_and_tested():
    rows = labels_of({"Folk": 10, "Rock": 10}) + labels_of({"Jazz": 9}, tracks_per_artist=9)
    dataset = build_task(a_task(), *tables(rows))
    assert "Jazz is left out of test_task: 9 tracks by 1 artist," in dataset.warnings[0]
    two_artists_one_album = labels_of({"Jazz": 8}, tracks_per_artist=4)
    rows = rows[:20] + [row | {"album_key": "Duets"} for row in two_artists_one_album]
    dataset = build_task(a_task(), *tables(rows))
    assert "all its 8 tracks share artists, albums or bytes" in dataset.warnings[0]


@pytest.mark.parametrize(
    ("tracks_per_artist", "genres", "folds"),
    [
        (4, {"Folk": 8, "Rock": 8}, 2),
        (4, {"Folk": 40, "Rock": 40, "Jazz": 8}, 2),
        (4, {"Folk": 40, "Rock": 12}, 3),
        (4, {"Folk": 40, "Rock": 20}, 5),
        (2, {"Folk": 40, "Rock": 40}, 5),
    ],
)
def test_there_are_no_more_folds_than_the_rarest_genre_has_groups(tracks_per_artist, genres, folds):
    dataset = build_task(a_task(), *tables(labels_of(genres, tracks_per_artist)))
    frame = frame_of(dataset)
    assert set(frame.groupby("genre")["fold"].nunique()) == {folds}
    assert set(frame["fold"]) == set(range(folds))
    said = [text for text in dataset.warnings if text.startswith(f"There are {folds} folds")]
    assert len(said) == (folds < 5)


def test_duplicates_and_albums_are_one_group_and_compilations_are_not():
    rows = labels_of({"Folk": 40, "Rock": 40})
    rows[0]["album_key"] = rows[10]["album_key"] = "Split single"
    rows[20]["duplicate_of"] = rows[30]["track_id"]
    for row in rows[40:80:2]:
        row["album_key"] = "Greatest of all"
    dataset = build_task(a_task(), *tables(rows))
    group = frame_of(dataset).set_index("track_id")["group"]
    assert group[rows[0]["track_id"]] == group[rows[10]["track_id"]]
    assert group[rows[20]["track_id"]] == group[rows[30]["track_id"]]
    assert group.nunique() == 40 - 2
    assert dataset.notes[0].startswith("1 album of 4 artists or more: a compilation's tracks")


def test_styles_are_the_most_specific_sub_genre_that_the_task_names():
    rows = [
        label(f"folder:{style}{i}", "Electronic", f"{style} {i}", subgenres=styles)
        for style, styles in (
            ("a", ["Deep House", "House"]),
            ("b", ["Techno"]),
            ("c", ["Techno", "House"]),
        )
        for i in range(5)
    ]
    named = a_task(level="subgenre", genres=("House", "Techno"))
    dataset = build_task(named, *tables(rows))
    assert Counter(frame_of(dataset)["genre"]) == {"House": 5, "Techno": 5}
    assert dataset.left_out["with several genres of this task"] == 5
    any_style = frame_of(build_task(a_task(level="subgenre"), *tables(rows)))
    assert Counter(any_style["genre"]) == {"Deep House": 5, "Techno": 10}


def test_an_open_top_genre_keeps_a_track_out_of_top_genre_tasks_only():
    rows = [
        label(
            f"folder:{style}{i}",
            None,
            f"{style} {i}",
            subgenres=[style],
            excluded="several top genres: Electronic, Rock",
        )
        for style in ("House", "Techno")
        for i in range(5)
    ]
    styles = build_task(a_task(level="subgenre", genres=("House", "Techno")), *tables(rows))
    assert Counter(frame_of(styles)["genre"]) == {"House": 5, "Techno": 5}
    with pytest.raises(TaskError, match=r"several top genres: Electronic, Rock \(10\)"):
        build_task(a_task(genres=("Electronic", "Rock")), *tables(rows))


def test_demo_tracks_without_their_mark_do_not_count_as_real_ones():
    rows = [
        label(f"folder:{genre}{i}", genre, f"{genre} {i}", synthetic=True)
        for genre in ("Folk", "Rock")
        for i in range(5)
    ]
    rows.append(label("folder:no tags", None, None, excluded="without any genre information"))
    assert build_task(a_task(), *tables(rows)).members.num_rows == 10


def test_the_first_feature_table_that_tells_genres_apart_is_used():
    labels, tracks, keys = tables(labels_of({"Folk": 10, "Rock": 10}))
    keys["summary_features"] = [k for k in keys["echonest_features"] if "Folk" in k]
    task = a_task(features=("summary_features", "echonest_features"))
    dataset = build_task(task, labels, tracks, keys)
    assert dataset.feature_table == "echonest_features"
    assert set(dataset.members["feature_table"].to_pylist()) == {"echonest_features"}


@given(
    artists=st.lists(st.tuples(st.sampled_from("FRJ"), st.integers(1, 6)), min_size=4, max_size=40),
    seed=st.integers(0, 3),
    order=st.randoms(use_true_random=False),
)
@settings(max_examples=40, deadline=None)
def test_any_lake_is_split_cleanly_whatever_the_order_of_its_rows(artists, seed, order):
    rows = [
        label(f"folder:{number}.{i}", genre, f"artist {number}")
        for number, (genre, count) in enumerate(artists)
        for i in range(count)
    ]
    labels, tracks, keys = tables(rows)
    try:
        dataset = build_task(a_task(), labels, tracks, keys, seed)
    except TaskError:
        enough = [
            genre
            for genre in "FRJ"
            if sum(n for g, n in artists if g == genre) >= 4
            and sum(g == genre for g, n in artists) >= 2
        ]
        assert len(enough) < 2
        return
    frame = frame_of(dataset)
    assert frame.groupby("group")["fold"].nunique().max() == 1
    folds = frame["fold"].nunique()
    assert 2 <= folds <= min(5, frame.groupby("genre")["group"].nunique().min())
    assert set(frame.groupby("genre")["fold"].nunique()) == {folds}
    assert dataset.members.num_rows + sum(dataset.left_out.values()) == len(rows)
    order.shuffle(rows)
    again = build_task(a_task(), LABELS.of_rows(rows), tables(rows)[1], keys, seed)
    assert again.members.equals(dataset.members)


class TestMembersStand:
    """A task of 40 tracks by 20 artists, and what a refresh may make of it."""

    DAY = timedelta(days=1)

    @staticmethod
    def members(rows):
        return build_task(a_task(), *tables(rows)).members

    @pytest.fixture
    def rows(self):
        return labels_of({"Folk": 20, "Rock": 20})

    def newcomers(self, count):
        return labels_of({"Folk": 20 + 2 * count, "Rock": 20})[20 : 20 + count]

    def test_they_do_when_nothing_changed(self, rows):
        standing = self.members(rows)
        assert members_stand(standing, self.members(rows), self.DAY)
        assert members_stand(standing, self.members(rows), 30 * self.DAY)

    @pytest.mark.parametrize(("count", "stand"), [(1, True), (2, False), (8, False)])
    def test_a_few_newcomers_wait_and_many_do_not(self, rows, count, stand):
        found = self.members(rows + self.newcomers(count))
        assert found.num_rows == 40 + count
        assert members_stand(self.members(rows), found, self.DAY) is stand

    def test_a_newcomer_waits_no_longer_than_a_week(self, rows):
        found = self.members(rows + self.newcomers(1))
        assert not members_stand(self.members(rows), found, 7 * self.DAY)

    def test_one_corrected_genre_waits_and_two_do_not(self, rows):
        standing = self.members(rows)
        for changed, stand in ((1, True), (2, False)):
            corrected = [row | {"genre_top": "Rock"} for row in rows[:changed]]
            found = self.members(corrected + rows[changed:])
            assert members_stand(standing, found, self.DAY) is stand

    def test_who_leaves_does_not_wait(self, rows):
        assert not members_stand(self.members(rows), self.members(rows[1:]), self.DAY)

    def test_members_found_to_belong_together_across_folds_do_not_wait(self, rows):
        standing = self.members(rows)
        fold = dict(
            zip(standing["track_id"].to_pylist(), standing["fold"].to_pylist(), strict=True)
        )
        first = rows[0]["track_id"]
        (apart,) = [r["track_id"] for r in rows if fold[r["track_id"]] != fold[first]][:1]
        linked = [r | {"album_key": "one"} if r["track_id"] in (first, apart) else r for r in rows]
        found = self.members(linked)
        assert members_stand(standing, found, self.DAY) is False
