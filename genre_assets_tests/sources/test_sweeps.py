from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_assets.lake.schemas import TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.sources.sweeps import (
    merge_sweep,
    record_sweep,
    shard_fingerprint,
    shards_other_than,
)

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
TUESDAY = MONDAY + timedelta(days=1)
WEDNESDAY = MONDAY + timedelta(days=2)


def tracks(*names, **columns):
    return TRACKS.of_rows(
        [{"track_id": f"folder:{name}", "genres": ["Folk"], **columns} for name in names]
    )


def by_id(table):
    return {row["track_id"].removeprefix("folder:"): row for row in table.to_pylist()}


def test_a_first_sweep_sees_every_track_for_the_first_time():
    swept = merge_sweep(TRACKS.empty(), tracks("b", "a"), MONDAY)

    assert swept.schema.equals(TRACKS.schema)
    assert swept["track_id"].to_pylist() == ["folder:a", "folder:b"]
    assert {row["first_seen_at"] for row in swept.to_pylist()} == {MONDAY}
    assert {row["last_seen_at"] for row in swept.to_pylist()} == {MONDAY}
    assert swept["gone_at"].null_count == 2


def test_a_known_track_keeps_its_first_sight_and_takes_the_new_facts():
    first = merge_sweep(TRACKS.empty(), tracks("a", title="Foood"), MONDAY)

    row = by_id(merge_sweep(first, tracks("a", title="Food"), TUESDAY))["a"]

    assert (row["title"], row["first_seen_at"], row["last_seen_at"]) == ("Food", MONDAY, TUESDAY)


def test_a_track_that_is_no_longer_listed_keeps_its_row_and_the_time_it_went():
    first = merge_sweep(TRACKS.empty(), tracks("a", "b"), MONDAY)
    second = merge_sweep(first, tracks("a"), TUESDAY)

    row = by_id(merge_sweep(second, tracks("a"), WEDNESDAY))["b"]

    assert (row["gone_at"], row["last_seen_at"]) == (TUESDAY, MONDAY)


def test_a_track_that_comes_back_is_no_longer_gone():
    first = merge_sweep(TRACKS.empty(), tracks("a"), MONDAY)
    gone = merge_sweep(first, tracks(), TUESDAY)

    row = by_id(merge_sweep(gone, tracks("a"), WEDNESDAY))["a"]

    assert (row["gone_at"], row["first_seen_at"]) == (None, MONDAY)


def test_a_time_without_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        merge_sweep(TRACKS.empty(), tracks("a"), datetime(2024, 1, 1))


names = st.sets(st.sampled_from("abcdef"))


@given(st.lists(names, min_size=1, max_size=5))
def test_after_any_sweeps_the_listed_are_here_and_every_other_is_gone(sweeps):
    table = TRACKS.empty()
    for day, listed in enumerate(sweeps):
        table = merge_sweep(table, tracks(*listed), MONDAY + timedelta(days=day))

    rows = by_id(table)
    assert rows.keys() == set().union(*sweeps)
    assert {name for name, row in rows.items() if row["gone_at"] is None} == sweeps[-1]
    for name, row in rows.items():
        days = [day for day, listed in enumerate(sweeps) if name in listed]
        assert row["first_seen_at"] == MONDAY + timedelta(days=days[0])
        assert row["last_seen_at"] == MONDAY + timedelta(days=days[-1])


def test_an_unchanged_sweep_has_the_fingerprint_of_the_last():
    first = merge_sweep(TRACKS.empty(), tracks("a", "b"), MONDAY)
    second = merge_sweep(first, tracks("b", "a"), TUESDAY)

    assert shard_fingerprint(second) == shard_fingerprint(first)


def test_a_fingerprint_does_not_depend_on_how_the_rows_are_stored():
    rows = tracks("a", "b", "c", duration_s=1.5)
    pieces = pa.concat_tables([rows.slice(2), rows.slice(0, 2)])

    assert shard_fingerprint(pieces) == shard_fingerprint(rows)


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Other"},
        {"genres": ["Folk", "Rock"]},
        {"genres": []},
        {"file_mtime_ns": 1},
        {"path": "/elsewhere/a.mp3"},
        {"duration_s": float("nan")},
    ],
)
def test_a_change_of_any_fact_changes_the_fingerprint(change):
    assert shard_fingerprint(tracks("a", **change)) != shard_fingerprint(tracks("a"))


def test_a_track_that_goes_changes_the_fingerprint_once():
    first = merge_sweep(TRACKS.empty(), tracks("a", "b"), MONDAY)
    gone = merge_sweep(first, tracks("a"), TUESDAY)
    still_gone = merge_sweep(gone, tracks("a"), WEDNESDAY)
    back = merge_sweep(still_gone, tracks("a", "b"), WEDNESDAY)

    assert shard_fingerprint(gone) != shard_fingerprint(first)
    assert shard_fingerprint(still_gone) == shard_fingerprint(gone)
    assert shard_fingerprint(back) == shard_fingerprint(first)


def test_a_track_that_was_not_asked_for_but_is_still_there_stays_as_it_is():
    first = merge_sweep(TRACKS.empty(), tracks("a", "b"), MONDAY)
    swept = by_id(merge_sweep(first, tracks("a"), TUESDAY, frozenset({"folder:b", "folder:c"})))
    assert set(swept) == {"a", "b"}
    assert (swept["b"]["gone_at"], swept["b"]["last_seen_at"]) == (None, MONDAY)


def sweep_into(lake, now, *listed, source="folder", **told):
    """Record a sweep, and return what it says of the shards that it had to do with."""
    return record_sweep(lake, source, TRACKS.of_rows(list(listed)), now, **told)


def in_shard(shard, name, **columns):
    source, _, number = name.partition(":")
    return {"track_id": name, "source": source, "source_track_id": number, "shard": shard} | columns


def test_a_sweep_that_says_what_is_gone_has_to_do_with_no_other_shard(tmp_path):
    lake = Lake(tmp_path)
    shards = ["fma_000000", "fma_005000", "fma_010000"]
    old = [in_shard(shard, f"fma_site:{n}") for n, shard in enumerate(shards)]
    sweep_into(lake, MONDAY, *old, source="fma_site")
    paths = [lake.path(TRACKS, shard) for shard in shards]

    swept = sweep_into(lake, TUESDAY, old[2], source="fma_site", gone=frozenset())

    assert swept == {"fma_010000": 0}
    assert [lake.path(TRACKS, shard) for shard in shards[:2]] == paths[:2]
    assert lake.read(TRACKS)["gone_at"].null_count == 3

    swept = sweep_into(lake, TUESDAY, old[2], source="fma_site", gone=frozenset({"fma_site:0"}))

    assert swept == {"fma_000000": 1, "fma_010000": 0}
    assert by_id(lake.read(TRACKS))["fma_site:0"]["gone_at"] == TUESDAY


def test_a_sweep_that_lists_everything_has_to_do_with_every_shard_of_its_source(tmp_path):
    lake = Lake(tmp_path)
    rows = [in_shard(f"folder_0{n}", f"folder:{n}") for n in range(3)]
    sweep_into(lake, MONDAY, *rows)
    sweep_into(lake, MONDAY, in_shard("fma_000000", "fma_site:9"), source="fma_site")

    swept = sweep_into(lake, TUESDAY, rows[0], rows[1])

    assert swept == {"folder_00": 0, "folder_01": 0, "folder_02": 1}


def test_a_shard_that_two_sources_share_keeps_the_rows_of_the_other(tmp_path):
    lake = Lake(tmp_path)
    site = in_shard("fma_000000", "fma_site:9")
    dataset = in_shard("fma_000000", "fma_dataset:9", title="as published")
    sweep_into(lake, MONDAY, dataset, source="fma_dataset")

    sweep_into(lake, TUESDAY, site, source="fma_site")

    rows = by_id(lake.read(TRACKS))
    assert rows["fma_dataset:9"]["title"] == "as published"
    assert (rows["fma_dataset:9"]["gone_at"], rows["fma_site:9"]["gone_at"]) == (None, None)


def test_shards_that_somebody_was_not_told_of_as_they_stand_are_found(tmp_path):
    lake = Lake(tmp_path)
    rows = [in_shard(f"folder_0{n}", f"folder:{n}") for n in range(3)]
    sweep_into(lake, MONDAY, *rows)
    told = {state.shard: state.version for state in shards_other_than(lake, {})}
    assert list(told) == ["folder_00", "folder_01", "folder_02"]
    assert list(shards_other_than(lake, told)) == []

    changed = TRACKS.of_rows([rows[1] | {"title": "Food"}])
    lake.write(TRACKS, changed, "folder_01")
    (state,) = shards_other_than(lake, told)
    assert (state.shard, state.fingerprint) == ("folder_01", shard_fingerprint(changed))
    assert state.rows.equals(changed)
    assert state.version == lake.version(TRACKS, "folder_01") != told["folder_01"]

    known_to_others = told | {"folder_01": None, "folder_02": None}
    again = [state.shard for state in shards_other_than(lake, known_to_others)]
    assert again == ["folder_01", "folder_02"]
