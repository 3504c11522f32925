"""Where things lie in a lake, and what becomes of a lake of an earlier version."""

from filelock import FileLock

from genre_assets.lake.schemas import AUDIO, TRACKS
from genre_assets.lake.tables import Lake

SHARD = "folder_00"


def earlier_lake(root):
    """A lake with a table, an unfinished shard and an unfinished download in their old places."""
    lake = Lake(root)
    lake.write(TRACKS, TRACKS.of_rows([{"track_id": "folder:a"}]), SHARD)
    lake.journal(AUDIO, SHARD).append(AUDIO.of_rows([{"track_id": "folder:a"}]))
    with lake.held(AUDIO, SHARD):
        lake.store.partial("a download").write_bytes(b"half of it")
    for folder in lake.places.internal.iterdir():
        folder.rename(root / folder.name)
    lake.places.internal.rmdir()


def seen(root):
    return sorted(path.name for path in root.iterdir() if not path.name.startswith("."))


def what_is_unfinished(lake):
    rows = lake.journal(AUDIO, SHARD).read()["track_id"].to_pylist()
    return rows, [path.read_bytes() for path in lake.places.partial.glob("*.part")]


UNFINISHED = (["folder:a"], [b"half of it"])


def test_only_what_a_person_looks_for_is_in_view(tmp_path):
    earlier_lake(tmp_path)
    assert seen(tmp_path) == ["journal", "locks", "partial", "tracks"]
    lake = Lake(tmp_path)
    assert seen(tmp_path) == ["tracks"]
    assert what_is_unfinished(lake) == UNFINISHED
    assert what_is_unfinished(Lake(tmp_path)) == UNFINISHED


def test_a_lake_that_is_only_read_is_left_as_it_is(tmp_path):
    earlier_lake(tmp_path)
    lake = Lake(tmp_path, read_only=True)
    assert what_is_unfinished(lake) == UNFINISHED
    assert seen(tmp_path) == ["journal", "locks", "partial", "tracks"]


def test_nothing_is_moved_while_a_run_is_at_work(tmp_path):
    earlier_lake(tmp_path)
    with FileLock(next((tmp_path / "locks").glob("*.lock"))):
        lake = Lake(tmp_path)
        assert seen(tmp_path) == ["journal", "locks", "partial", "tracks"]
        assert what_is_unfinished(lake) == UNFINISHED
    # The next program that opens the lake moves it, and whoever had it open before follows.
    Lake(tmp_path)
    assert what_is_unfinished(lake) == UNFINISHED


def test_a_move_that_was_killed_is_finished(tmp_path):
    earlier_lake(tmp_path)
    (tmp_path / ".internal" / "partial").mkdir(parents=True)
    for path in (tmp_path / "partial").iterdir():
        path.rename(tmp_path / ".internal" / "partial" / path.name)
    assert what_is_unfinished(Lake(tmp_path)) == UNFINISHED
    assert seen(tmp_path) == ["tracks"]
