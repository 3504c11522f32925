"""Files of the lake that are not what was written to them."""

import random
import shutil

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genre_assets.lake import set_aside
from genre_assets.lake.files import everything_of
from genre_assets.lake.parquet import DamagedFileError, read_parquet, write_parquet
from genre_assets.lake.schemas import (
    FETCHES,
    SIGHTINGS,
    SUMMARY_FEATURES,
    TABLES,
    TAKEDOWNS,
    TRACKS,
)
from genre_assets.lake.set_aside import LakeError
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import connect, refresh_views


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


def overwrite_the_end(path):
    path.write_bytes(path.read_bytes()[:-40] + b"\xaa" * 40)


def empty(path):
    path.write_bytes(b"")


def fill_with_noise(path):
    path.write_bytes(random.Random(10).randbytes(path.stat().st_size))


def replace_by_a_folder(path):
    path.unlink()
    path.mkdir()


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


DAMAGES = (cut, overwrite_the_end, empty, fill_with_noise, replace_by_a_folder, flip_a_bit)
SAMPLE_OF = {"list": ["a"], "map": [("a", 1.0)], "bool": True, "timestamp": 10**15}


def value_of(kind):
    if pa.types.is_string(kind):
        return "a"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return 1
    return next(value for name, value in SAMPLE_OF.items() if str(kind).startswith(name))


def a_row_of(table):
    """A row without a null, apart from the features, of which one is enough."""
    return table.of_rows([{field.name: value_of(field.type) for field in list(table.schema)[:40]}])


def a_key_of(table):
    return "folder_00" if table.partitioned_by else None


@pytest.fixture
def said():
    return []


@pytest.fixture
def lake(tmp_path, said):
    return Lake(tmp_path / "lake", warn=said.append)


def everything_in(root):
    return {path: path.stat().st_mtime_ns for path in root.rglob("*")}


def test_no_flipped_bit_of_a_file_ever_changes_a_value(tmp_path):
    rows = SIGHTINGS.of_rows([{"track_id": f"fma_site:{n}", "genre": "Rock"} for n in range(50)])
    path = tmp_path / "1.parquet"
    for small in (True, False):
        write_parquet(rows, path, small=small)
        whole = path.read_bytes()
        noticed = 0
        places = range(small, len(whole), 5)
        for place in places:
            flipped = bytearray(whole)
            flipped[place] ^= 1 << place % 8
            path.write_bytes(flipped)
            try:
                assert read_parquet(path, SIGHTINGS.schema).equals(rows)
            except DamagedFileError as damaged:
                assert damaged.path == path
                noticed += 1
        # All but those of the mark that says that there is a checksum.
        assert len(places) - 4 < noticed < len(places)


def test_the_pages_carry_checksums_that_any_reader_of_parquet_can_verify(lake):
    rows = SIGHTINGS.of_rows([{"track_id": f"fma_site:{n}", "genre": "Rock"} for n in range(999)])
    lake.write(SIGHTINGS, rows, "fma_000000")
    path = lake.path(SIGHTINGS, "fma_000000")
    assert pq.read_table(path, page_checksum_verification=True).num_rows == 999
    assert duckdb.sql(f"SELECT count(*) FROM '{path}'").fetchall() == [(999,)]
    content = bytearray(path.read_bytes())
    content[pq.read_metadata(path).row_group(0).column(0).data_page_offset + 60] ^= 1
    path.write_bytes(content)
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(path, page_checksum_verification=True)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_of_any_table_is_set_aside_and_written_again(lake, said, damage):
    for table in TABLES.values():
        rows, key = a_row_of(table), a_key_of(table)
        lake.write(table, rows, key)
        path = lake.path(table, key)
        damage(path)
        said.clear()
        reader = Lake(lake.root, read_only=True, warn=said.append)
        before = everything_in(lake.root)
        if table == TAKEDOWNS:
            assert reader.read(table).equals(rows)
            assert lake.read(table).equals(rows)
        else:
            assert reader.read(table).num_rows == reader.read(table).num_rows == 0
            assert everything_in(lake.root) == before
            assert lake.read(table).num_rows == 0
            assert (lake.root / "set_aside" / path.relative_to(lake.root)).exists()
            assert len(said) == 2
        assert all(str(path) in sentence for sentence in said)
        lake.write(table, rows, key)
        said.clear()
        assert lake.read(table).equals(rows)
        assert not said
    log = (lake.root / "set_aside" / "log.txt").read_text().splitlines()
    assert len(log) >= len(TABLES) - 1


@pytest.mark.parametrize("damage", [empty, replace_by_a_folder, overwrite_the_end])
def test_views_and_queries_go_on_without_a_damaged_file(lake, said, damage):
    lake.write(TRACKS, TRACKS.of_rows([{"track_id": "folder:1"}]), "folder_00")
    lake.write(TRACKS, TRACKS.of_rows([{"track_id": "folder:2"}]), "folder_01")
    damage(lake.path(TRACKS, "folder_00"))
    (lake.path(TRACKS, "folder_01").parent / "zz.parquet").write_bytes(b"hello")
    views = refresh_views(Lake(lake.root, read_only=True))
    with duckdb.connect(str(views), read_only=True) as connection:
        assert connection.execute("SELECT track_id FROM tracks").fetchall() == [("folder:2",)]
    with connect(lake, "SELECT track_id FROM tracks") as connection:
        assert connection.execute("SELECT track_id FROM tracks").fetchall() == [("folder:2",)]
    assert (lake.root / "set_aside/tracks/shard=folder_01/zz.parquet").read_bytes() == b"hello"
    (stranger,) = [sentence for sentence in said if "zz.parquet" in sentence]
    assert "zz.parquet is not a file of the lake and was moved to" in stranger


def test_a_damaged_file_of_views_is_built_again(lake):
    lake.write(TRACKS, TRACKS.of_rows([{"track_id": "folder:1"}]), "folder_00")
    for damage in (cut, empty, fill_with_noise):
        damage(refresh_views(lake))
        with duckdb.connect(str(refresh_views(lake)), read_only=True) as connection:
            assert connection.execute("SELECT track_id FROM tracks").fetchall() == [("folder:1",)]
    replace_by_a_folder(refresh_views(lake))
    with pytest.raises(LakeError, match=r"genre_assets\.duckdb is a folder"):
        refresh_views(lake)


def test_the_file_that_a_damaged_one_had_replaced_takes_its_place(lake, said):
    for size in (1, 2):
        rows = [{"track_id": f"fma_site:{n}", "url": "u", "run_id": "r"} for n in range(size)]
        lake.write(FETCHES, FETCHES.of_rows(rows), "fma_000000")
    cut(lake.path(FETCHES, "fma_000000"))
    assert Lake(lake.root, read_only=True).read(FETCHES).num_rows == 1
    assert lake.read(FETCHES).num_rows == 1
    assert "the next run downloads those again that are missing" in said[0]


def test_a_second_file_of_the_same_name_is_set_aside_beside_the_first(lake):
    for _ in range(2):
        folder = lake.root / "tracks" / "shard=folder_00"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "zz.parquet").write_bytes(b"hello")
        assert lake.read(TRACKS).num_rows == 0
    assert len(list((lake.root / "set_aside/tracks/shard=folder_00").iterdir())) == 2


def taken_down(subject):
    return {"kind": "track", "subject": subject, "track_ids": [], "contents": []}


def test_a_take_down_is_never_lifted_by_a_damaged_record(lake, said):
    lake.write(TAKEDOWNS, TAKEDOWNS.of_rows([taken_down("folder:1")]))
    both = TAKEDOWNS.of_rows([taken_down("folder:1"), taken_down("folder:2")])
    lake.write(TAKEDOWNS, both)
    record = lake.path(TAKEDOWNS)
    fill_with_noise(record)
    assert lake.read(TAKEDOWNS).equals(both)
    assert "its copy" in said[0]
    said.clear()
    assert lake.path(TAKEDOWNS) == record
    copy = lake.root / "takedowns" / "copy" / record.name
    fill_with_noise(copy)
    lake.write(TAKEDOWNS, both)
    assert read_parquet(copy, TAKEDOWNS.schema).equals(both)
    said.clear()
    assert lake.read(TAKEDOWNS).equals(both)
    assert not said

    for path in (record, lake.root / "takedowns" / "copy" / record.name):
        fill_with_noise(path)
    for reader in (lake, Lake(lake.root, read_only=True)):
        for _ in range(2):
            with pytest.raises(
                LakeError, match=r"taken down.*put it back from a backup"
            ) as refused:
                reader.read(TAKEDOWNS)
            assert str(record) in str(refused.value)
    with pytest.raises(LakeError):
        lake.write(TAKEDOWNS, TAKEDOWNS.empty())


def test_a_record_of_take_downs_from_before_there_were_copies_is_read_and_never_passed_over(lake):
    folder = lake.root / "takedowns" / "all"
    folder.mkdir(parents=True)
    for version in (1, 2):
        rows = [taken_down(f"folder:{n}") for n in range(version)]
        pq.write_table(TAKEDOWNS.of_rows(rows), folder / f"{version:020d}.parquet")
    rows = lake.read(TAKEDOWNS)
    assert rows.num_rows == 2
    # The next run writes the same record, and the copy that is missing.
    copy = Lake(shutil.copytree(lake.root, lake.root.with_name("copy")))
    copy.write(TAKEDOWNS, rows)
    cut(copy.path(TAKEDOWNS))
    assert copy.read(TAKEDOWNS).equals(rows)
    cut(lake.path(TAKEDOWNS))
    with pytest.raises(LakeError, match="taken down"):
        lake.read(TAKEDOWNS)


def test_a_file_from_before_there_were_checksums_is_read_and_left_as_it_is(lake, said):
    folder = lake.root / "tracks" / "shard=folder_00"
    folder.mkdir(parents=True)
    rows = TRACKS.of_rows([{"track_id": "folder:1"}])
    pq.write_table(rows, folder / f"{7:020d}.parquet")
    assert lake.read(TRACKS).equals(rows)
    lake.write(TRACKS, rows, "folder_00")
    assert [path.name for path in folder.iterdir()] == [f"{7:020d}.parquet"]
    # One whose text is not text is found out before anybody looks at it.
    content = (folder / f"{7:020d}.parquet").read_bytes()
    (folder / f"{7:020d}.parquet").write_bytes(content.replace(b"folder:1", b"folder:\xff"))
    assert lake.read(TRACKS).num_rows == 0
    assert len(said) == 1


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_journal_costs_its_own_rows_only(lake, said, damage):
    journal = lake.journal(SUMMARY_FEATURES, "folder_00")
    for number in range(3):
        journal.append(SUMMARY_FEATURES.of_rows([{"track_id": f"folder:{number}"}]))
        journal.begin(f"content {number}")
    files = sorted((lake.places.journal(SUMMARY_FEATURES) / "folder_00").glob("*.parquet"))
    damage(files[1])
    reader = Lake(lake.root, read_only=True, warn=said.append)
    left = ["folder:0", "folder:2"]
    journal_as_read = reader.journal(SUMMARY_FEATURES, "folder_00").read()
    assert journal_as_read["track_id"].to_pylist() == left
    assert files[1].exists()
    assert [r["track_id"] for r in everything_of(lake, SUMMARY_FEATURES, ["track_id"])] == left
    assert journal.read()["track_id"].to_pylist() == left
    assert not files[1].exists()
    damage(files[0].with_name("begun.txt"))
    assert journal.begun().total() <= 3
    journal.begin("content 3")
    assert journal.begun()["content 3"] == 1
    journal.clear()
    assert journal.read().num_rows == 0
    assert all(str(files[1]) in sentence for sentence in said[:2])


def test_a_file_that_cannot_be_moved_is_left_out(lake, said, monkeypatch):
    lake.write(TRACKS, TRACKS.of_rows([{"track_id": "folder:1"}]), "folder_00")
    cut(lake.path(TRACKS, "folder_00"))

    def refuse(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(set_aside.Path, "rename", refuse)
    assert lake.read(TRACKS).num_rows == lake.read(TRACKS).num_rows == 0
    assert len(said) == 1 and "is left out" in said[0]


def test_a_file_that_the_system_does_not_give_out_is_no_damaged_file(lake, monkeypatch):
    lake.write(TRACKS, TRACKS.of_rows([{"track_id": "folder:1"}]), "folder_00")
    path = lake.path(TRACKS, "folder_00")

    def fail(_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as context:
        context.setattr(set_aside.Path, "read_bytes", fail)
        with pytest.raises(Exception, match=r"cannot be read \(Input/output error\)"):
            lake.read(TRACKS)
    assert path.exists()
    assert lake.read(TRACKS).num_rows == 1


def test_a_set_aside_folder_can_be_deleted(lake):
    lake.write(TRACKS, TRACKS.of_rows([{"track_id": "folder:1"}]), "folder_00")
    cut(lake.path(TRACKS, "folder_00"))
    lake.read(TRACKS)
    shutil.rmtree(lake.root / "set_aside")
    assert lake.read(TRACKS).num_rows == 0
