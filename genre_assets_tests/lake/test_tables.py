import multiprocessing
import os
import tempfile
import time

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_assets.lake import journal as journals
from genre_assets.lake.schemas import (
    CHAMPIONS,
    FMA_FEATURES,
    LABELS,
    SPECTROGRAMS,
    TABLES,
    TASK_MEMBERS,
    TRACKS,
)
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import connect, refresh_views


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "a lake's folder")


def tracks(*ids, title="t"):
    return TRACKS.of_rows([{"track_id": i, "title": title, "genres": ["Rock"]} for i in ids])


def test_what_is_written_is_read_back_with_the_declared_types(lake):
    lake.write(TRACKS, tracks("folder:1", "folder:2"), "folder_00")
    read = lake.read(TRACKS)
    assert read.schema.equals(TRACKS.schema)
    assert read["track_id"].to_pylist() == ["folder:1", "folder:2"]
    assert read["genres"].to_pylist() == [["Rock"], ["Rock"]]
    assert lake.partitions(TRACKS) == ["folder_00"]


def test_only_the_partitions_asked_for_are_read(lake):
    lake.write(TRACKS, tracks("folder:1"), "folder_00")
    lake.write(TRACKS, tracks("folder:2"), "folder_01")
    read = lake.read(TRACKS, ["folder_01", "folder_09"], columns=["track_id"])
    assert read.to_pydict() == {"track_id": ["folder:2"]}


def test_a_key_that_stands_twice_is_refused_and_the_old_rows_stay(lake):
    lake.write(TRACKS, tracks("folder:1"), "folder_00")
    with pytest.raises(ValueError, match="repeat a key"):
        lake.write(TRACKS, tracks("folder:2", "folder:2"), "folder_00")
    assert lake.read(TRACKS)["track_id"].to_pylist() == ["folder:1"]


def test_a_missing_column_is_refused_by_name(lake):
    with pytest.raises(ValueError, match=r"lack the columns \['title'\]"):
        lake.write(TRACKS, tracks("folder:1").drop(["title"]), "folder_00")


def test_a_partitioned_table_is_not_written_without_its_partition(lake):
    with pytest.raises(ValueError, match="a shard at a time"):
        lake.write(TRACKS, tracks("folder:1"))


def test_a_table_that_never_had_a_row_has_no_folder_and_all_the_same_a_view(lake):
    for table in TABLES.values():
        lake.write(table, table.empty(), table.partitioned_by and "one")
    refresh_views(lake)
    with (
        connect(lake) as ours,
        duckdb.connect(str(lake.places.views), read_only=True) as views,
    ):
        for connection in (ours, views):
            for table in TABLES.values():
                found = connection.execute(f"FROM {table.name}")
                assert [column for column, *_ in found.description] == table.schema.names
                assert found.fetchall() == []
            assert connection.execute("FROM leaderboard").fetchall() == []
    # Of these a partition says, even without rows, that it was worked on.
    assert {path.name for path in lake.root.iterdir() if path.is_dir()} == {
        ".internal", SPECTROGRAMS.name, TASK_MEMBERS.name
    }  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(["folder_00", "folder_01"]), st.booleans())))
@settings(max_examples=25, deadline=None)
def test_a_partition_has_a_file_once_it_had_a_row(writes):
    """Each write is of a partition, and whether it has a row."""
    with tempfile.TemporaryDirectory() as folder:
        lake, rows, there = Lake(folder), {}, set()
        for shard, has_row in writes:
            rows[shard] = [f"folder:{shard}"] if has_row else []
            there |= {shard} if has_row else set()
            lake.write(TRACKS, tracks(*rows[shard]), shard)
        assert lake.partitions(TRACKS) == sorted(there)
        assert lake.places.table(TRACKS).exists() == bool(there)
        for shard, expected in rows.items():
            assert lake.read(TRACKS, [shard])["track_id"].to_pylist() == expected


def test_rows_that_are_gone_do_not_come_back_from_the_file_before(lake):
    lake.write(TRACKS, tracks("folder:1"), "folder_00")
    version = lake.version(TRACKS, "folder_00")
    lake.write(TRACKS, TRACKS.empty(), "folder_00")
    assert lake.read(TRACKS).num_rows == 0
    assert lake.version(TRACKS, "folder_00") not in (version, "none")
    assert connect(lake).execute("FROM tracks").fetchall() == []


def test_a_write_that_fails_leaves_neither_a_half_file_nor_a_temporary_one(lake, monkeypatch):
    lake.write(TRACKS, tracks("folder:1"), "folder_00")

    def fail(rows, path, **options):
        path.write_bytes(b"PAR1 half a file")
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", fail)
    with pytest.raises(OSError, match="disk full"):
        lake.write(TRACKS, tracks("folder:2"), "folder_00")
    assert lake.read(TRACKS)["track_id"].to_pylist() == ["folder:1"]
    assert len(list(lake.path(TRACKS, "folder_00").parent.iterdir())) == 1


def test_a_file_from_before_a_column_was_declared_reads_as_null(lake):
    old = tracks("folder:1").drop(["album_id"])
    lake.write(TRACKS, tracks("folder:1"), "folder_00")
    pq.write_table(old, lake.path(TRACKS, "folder_00"))
    assert lake.read(TRACKS)["album_id"].to_pylist() == [None]
    assert connect(lake).execute("SELECT album_id FROM tracks").fetchall() == [(None,)]


def test_the_journal_keeps_rows_until_it_is_cleared_and_views_never_see_it(lake):
    journal = lake.journal(TRACKS, "folder_00")
    journal.append(tracks("folder:1"))
    journal.append(tracks("folder:2"))
    journal.append(TRACKS.empty())
    assert lake.journal(TRACKS, "folder_00").read()["track_id"].to_pylist() == [
        "folder:1",
        "folder:2",
    ]
    assert connect(lake).execute("SELECT count(*) FROM tracks").fetchone() == (0,)
    journal.clear()
    assert journal.read().num_rows == 0


def test_a_journal_stays_a_few_files_and_keeps_the_order_of_its_rows(lake, monkeypatch):
    monkeypatch.setattr(journals, "MOST_JOURNAL_FILES", 3)
    journal = lake.journal(TRACKS, "folder_00")
    for number in range(20):
        journal.append(tracks(f"folder:{number}"))
        assert len(list(lake.root.glob(".internal/journal/tracks/folder_00/*"))) <= 3
    assert journal.read()["track_id"].to_pylist() == [f"folder:{n}" for n in range(20)]


def test_a_journal_whose_merging_was_killed_has_lost_no_row(lake, monkeypatch):
    monkeypatch.setattr(journals, "MOST_JOURNAL_FILES", 2)
    journal = lake.journal(TRACKS, "folder_00")
    journal.append(tracks("folder:1"))
    journal.append(tracks("folder:2"))

    def killed(path, **options):
        if path.suffix == ".parquet":
            raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(journals.Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            journal.append(tracks("folder:3"))
    assert set(journal.read()["track_id"].to_pylist()) == {f"folder:{n}" for n in (1, 2, 3)}


def test_what_was_begun_is_remembered_until_the_journal_is_cleared(lake):
    journal = lake.journal(TRACKS, "folder_00")
    assert not journal.begun()
    for item in ("a", "b", "a"):
        journal.begin(item)
    assert lake.journal(TRACKS, "folder_00").begun() == {"a": 2, "b": 1}
    journal.clear()
    assert not journal.begun()


def test_a_cleared_journal_leaves_no_half_file_of_a_killed_run(lake):
    journal = lake.journal(TRACKS, "folder_00")
    journal.append(tracks("folder:1"))
    folder = lake.places.journal(TRACKS) / "folder_00"
    (folder / ".1.parquet.tmp").write_bytes(b"half")
    journal.clear()
    assert list(folder.iterdir()) == []


def test_looking_at_the_lake_writes_nothing(lake):
    refresh_views(lake)
    before = {path: path.stat().st_mtime_ns for path in lake.root.rglob("*.parquet")}
    connect(lake).close()
    assert {path: path.stat().st_mtime_ns for path in lake.root.rglob("*.parquet")} == before


def test_every_view_answers_on_an_empty_lake_with_its_declared_columns(lake):
    with connect(lake) as connection:
        for table in TABLES.values():
            relation = connection.sql(f'SELECT * FROM "{table.name}"')
            assert relation.columns == table.schema.names
            assert relation.fetchall() == []


def test_a_view_sees_every_partition_and_keeps_the_types(lake):
    lake.write(TRACKS, tracks("folder:1"), "folder_00")
    lake.write(TRACKS, tracks("folder:2"), "folder_01")
    with connect(lake) as connection:
        rows = connection.execute("SELECT track_id, genres FROM tracks ORDER BY ALL").fetchall()
    assert rows == [("folder:1", ["Rock"]), ("folder:2", ["Rock"])]


def test_the_views_are_left_alone_while_they_are_as_declared(lake):
    before = refresh_views(lake).stat().st_ino
    assert refresh_views(lake).stat().st_ino == before


def test_the_file_of_views_is_rebuilt_when_the_lake_was_moved(lake, tmp_path):
    lake.write(LABELS, LABELS.of_rows([{"track_id": "folder:1"}]))
    refresh_views(lake)
    lake.root.rename(tmp_path / "moved")
    views = refresh_views(Lake(tmp_path / "moved"))
    with duckdb.connect(str(views), read_only=True) as connection:
        assert connection.execute("SELECT track_id FROM labels").fetchall() == [("folder:1",)]


def test_a_connection_sees_the_lake_as_it_was_when_it_was_opened(lake):
    lake.write(CHAMPIONS, CHAMPIONS.of_rows([{"task": "t", "model": "old"}]), "t")
    with connect(lake) as before:
        lake.write(CHAMPIONS, CHAMPIONS.of_rows([{"task": "t", "model": "new"}]), "t")
        with connect(lake) as after:
            assert after.execute("SELECT model FROM champions").fetchall() == [("new",)]
        assert before.execute("SELECT model FROM champions").fetchall() == [("old",)]


def test_the_same_rows_are_not_written_again(lake):
    lake.write(TRACKS, tracks("folder:1"), "folder_00")
    before = lake.path(TRACKS, "folder_00")
    lake.write(TRACKS, tracks("folder:1"), "folder_00")
    assert lake.path(TRACKS, "folder_00") == before


def test_a_superseded_file_goes_a_day_after_its_successor_came(lake):
    for title in ("one", "two", "three"):
        lake.write(TRACKS, tracks("folder:1", title=title), "folder_00")
    one, two, three = sorted(lake.path(TRACKS, "folder_00").parent.iterdir())
    yesterday = two.stat().st_mtime - 25 * 3600
    os.utime(two, (yesterday, yesterday))
    refresh_views(lake)
    assert not one.exists()
    assert two.exists() and three.exists()
    assert lake.read(TRACKS)["title"].to_pylist() == ["three"]


def test_what_a_killed_write_left_goes_after_a_day(lake):
    lake.write(TRACKS, tracks("folder:1"), "folder_00")
    folder = lake.path(TRACKS, "folder_00").parent
    old, new = folder / ".1.parquet.old.tmp", folder / ".1.parquet.new.tmp"
    for path in (old, new):
        path.write_bytes(b"half")
    yesterday = old.stat().st_mtime - 25 * 3600
    os.utime(old, (yesterday, yesterday))
    refresh_views(lake)
    assert not old.exists()
    assert new.exists()


def _rewrite_for_ever(root, stop):
    lake = Lake(root)
    state = 0
    while not stop.is_set():
        state += 1
        lake.write(TRACKS, tracks(*map(str, range(500 + state % 300)), title=str(state)), "fma_0")


def test_readers_see_whole_states_only_while_a_shard_is_rewritten(lake):
    lake.write(TRACKS, tracks(*map(str, range(500)), title="0"), "fma_0")
    context = multiprocessing.get_context("forkserver")
    stop = context.Event()
    writer = context.Process(target=_rewrite_for_ever, args=(lake.root, stop))
    writer.start()
    states = set()
    try:
        for _ in range(1_000):
            with connect(lake) as reader:
                for _ in range(3):
                    count, distinct, state, states_seen = reader.execute(
                        "SELECT count(*), count(DISTINCT track_id), any_value(title)::INT,"
                        " count(DISTINCT title) FROM tracks"
                    ).fetchone()
                    assert states_seen == 1
                    assert count == distinct == 500 + state % 300
                    states.add(state)
            assert len(lake.read(TRACKS, columns=["title"])["title"].unique()) == 1
            if len(states) >= 20:
                break
    finally:
        stop.set()
        writer.join()
    assert len(states) >= 20, "the writer never got to write, so the test showed nothing"


def test_every_column_says_what_it_means():
    for table in TABLES.values():
        for field in table.schema:
            assert field.metadata[b"description"], f"{table.name}.{field.name}"


def test_the_summary_columns_are_those_of_features_csv_in_its_order():
    names = [name for name in FMA_FEATURES.schema.names if name not in ("track_id",)][1:]
    assert len(names) == 518
    assert names == sorted(names)
    assert (names[0], names[-1]) == ("chroma_cens_kurtosis_01", "zcr_std_01")
    assert all(FMA_FEATURES.schema.field(n).type == pa.float32() for n in names)


def take_the_turn(root, taken):
    with Lake(root).turn("extraction", "is analysing"):
        taken.set()
        time.sleep(60)


@pytest.fixture
def other_run(tmp_path):
    processes = multiprocessing.get_context("spawn")
    taken = processes.Event()
    run = processes.Process(target=take_the_turn, args=(tmp_path, taken))
    run.start()
    assert taken.wait(60)
    yield run
    run.kill()
    run.join()


def test_who_waits_for_a_turn_says_so_and_has_it_once_the_other_run_is_killed(tmp_path, other_run):
    said = []

    def log(line):
        said.append(line)
        other_run.kill()

    with Lake(tmp_path).turn("extraction", "is analysing", log):
        assert said == ["Another run is analysing: waiting until it is done"]
    said.clear()
    with Lake(tmp_path).turn("extraction", "is analysing", log):
        assert said == []
