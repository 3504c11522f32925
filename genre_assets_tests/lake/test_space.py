"""A disk that is full, wherever the lake writes."""

import errno
import os
import sqlite3

import pytest

from genre_assets.audio.workers import WorkerPool
from genre_assets.errors import DiskFullError
from genre_assets.lake import access, space, storage
from genre_assets.lake.access import require_writable, sentence_for
from genre_assets.lake.schemas import TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.lake.tfrecords import write_tfrecord
from genre_assets.lake.views import refresh_views


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.write(TRACKS, TRACKS.of_rows([{"track_id": "folder:1"}]), "folder_00")
    return lake


@pytest.fixture
def full(monkeypatch):
    """What is written to the disk does not get there."""

    def fail(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(storage.os, "fsync", fail)


def test_what_found_no_room_is_told_in_a_sentence_and_nothing_half_written_stays(lake, full):
    before = sorted(lake.root.rglob("*"))
    two = TRACKS.of_rows([{"track_id": "folder:1"}, {"track_id": "folder:2"}])
    with pytest.raises(DiskFullError, match=r"The disk is full: .*up to .* are needed.*Make room"):
        lake.write(TRACKS, two, "folder_00")
    with pytest.raises(DiskFullError, match="The disk is full"):
        write_tfrecord(lake.root / "tracks" / "1.tfrecord", [b"record"])
    assert sorted(lake.root.rglob("*")) == before
    with pytest.raises(DiskFullError, match="The disk is full"):
        lake.journal(TRACKS, "folder_00").append(two)
    assert not [path for path in lake.root.rglob("*") if path.is_file() and path not in before]
    assert lake.read(TRACKS).num_rows == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small file system")
def test_a_disk_that_is_really_full(tmp_path):
    import subprocess

    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)])
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        lake = Lake(small / "lake")
        lake.write(TRACKS, TRACKS.of_rows([{"track_id": "folder:1"}]), "folder_00")
        (small / "ballast").write_bytes(bytes(os.statvfs(small).f_bavail * 4096))
        before = sorted(lake.root.rglob("*"))
        for write in (
            lambda: refresh_views(lake),
            lambda: lake.write(TRACKS, TRACKS.of_rows([{"track_id": "a"}]), "folder_01"),
            lambda: lake.journal(TRACKS, "folder_00").begin("x" * 9999),
            lambda: require_writable(lake.root),
        ):
            with pytest.raises(DiskFullError, match="The disk is full"):
                write()
        assert [p for p in lake.root.rglob("*.tmp")] == []
        assert {p for p in before if p.suffix == ".parquet"} == set(lake.root.rglob("*.parquet"))
        assert lake.read(TRACKS).num_rows == 1
        with sqlite3.connect(small / "history.db") as history:
            with pytest.raises(sqlite3.OperationalError) as refused:
                history.execute("CREATE TABLE runs AS SELECT randomblob(99999)")
            assert "The disk is full" in str(sentence_for(refused.value, lake.root))
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_an_error_of_sqlite_is_the_disk_only_where_there_is_no_room(tmp_path, monkeypatch):
    error = RuntimeError("(sqlite3.OperationalError) disk I/O error")
    assert sentence_for(error, tmp_path) is None
    monkeypatch.setattr(space, "_free_bytes", lambda _: 0)
    assert "0 bytes are free" in str(sentence_for(error, tmp_path))


def test_other_errors_of_files_name_the_file_and_the_rest_is_left_alone(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError) as refused:
        folder.open("w")
    assert f"{folder} cannot be used (Is a directory)" in str(sentence_for(refused.value, tmp_path))
    assert sentence_for(KeyError("a"), tmp_path) is None
    assert sentence_for(FileNotFoundError(2, "No such file", "x"), tmp_path) is None


def test_a_folder_that_cannot_be_written_is_said_to_be_so(tmp_path, monkeypatch):
    def refuse(**_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(access.tempfile, "TemporaryFile", refuse)
    with pytest.raises(Exception, match=r"cannot be written \(Read-only file system\)"):
        require_writable(tmp_path)


def find_no_room(item):
    raise DiskFullError(f"The disk is full: {item}")


def test_a_worker_that_finds_no_room_ends_the_run_and_fails_no_item():
    with WorkerPool(1) as pool, pytest.raises(DiskFullError, match="The disk is full: a"):
        list(pool.run(find_no_room, ["a"], limit_s=60.0))
