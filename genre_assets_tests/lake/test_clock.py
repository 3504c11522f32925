"""A clock that jumps 400 days ahead for one run, and then back."""

import os
import time
from datetime import timedelta

import pytest

from genre_assets.features.spectrogram_files import remove_unlisted
from genre_assets.lake.rates import record_rate, seconds_an_item
from genre_assets.lake.schemas import TASK_MEMBERS, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import refresh_views

AHEAD_S = 400 * 24 * 3600


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture
def ahead(monkeypatch):
    """Lets a function run while the clock is ahead; the files that it writes are dated likewise."""
    now, now_ns = time.time, time.time_ns

    def run(function, lake):
        before = {path: path.stat().st_mtime_ns for path in lake.root.rglob("*")}
        with monkeypatch.context() as context:
            context.setattr(time, "time", lambda: now() + AHEAD_S)
            context.setattr(time, "time_ns", lambda: now_ns() + AHEAD_S * 10**9)
            function()
        for path in lake.root.rglob("*"):
            if path.is_file() and before.get(path) != path.stat().st_mtime_ns:
                os.utime(path, (now() + AHEAD_S, now() + AHEAD_S))

    return run


def tracks(title):
    return TRACKS.of_rows([{"track_id": "folder:1", "title": title}])


def test_the_newest_rows_are_those_that_were_written_last(lake, ahead):
    lake.write(TRACKS, tracks("before"), "folder_00")
    ahead(lambda: lake.write(TRACKS, tracks("ahead"), "folder_00"), lake)
    assert lake.read(TRACKS)["title"].to_pylist() == ["ahead"]
    for title in ("back", "later"):
        lake.write(TRACKS, tracks(title), "folder_00")
        assert lake.read(TRACKS)["title"].to_pylist() == [title]


def test_a_journal_is_read_in_the_order_in_which_it_was_written(lake, ahead):
    journal = lake.journal(TRACKS, "folder_00")
    journal.append(tracks("before"))
    ahead(lambda: journal.append(tracks("ahead")), lake)
    journal.append(tracks("back"))
    journal.append(tracks("later"))
    assert journal.read()["title"].to_pylist() == ["before", "ahead", "back", "later"]


def test_replaced_files_stay_for_a_day_and_no_longer(lake, ahead):
    lake.write(TRACKS, tracks("before"), "folder_00")
    ahead(lambda: lake.write(TRACKS, tracks("ahead"), "folder_00"), lake)
    lake.write(TRACKS, tracks("back"), "folder_00")
    before, written_ahead, back = sorted(lake.path(TRACKS, "folder_00").parent.iterdir())
    temporary = before.with_name(".1.parquet.tmp")
    temporary.write_bytes(b"half")
    os.utime(temporary, (time.time() + AHEAD_S,) * 2)
    refresh_views(lake)
    assert before.exists() and written_ahead.exists() and back.exists() and temporary.exists()
    # Their day began when they were noticed.
    for path in (written_ahead, back, temporary):
        assert path.stat().st_mtime <= time.time()
        yesterday = path.stat().st_mtime - 25 * 3600
        os.utime(path, (yesterday, yesterday))
    refresh_views(lake)
    assert [path for path in (before, written_ahead, temporary) if path.exists()] == []
    assert lake.read(TRACKS)["title"].to_pylist() == ["back"]


def test_spectrograms_that_nobody_lists_go_a_day_after_they_were_noticed(lake):
    path = lake.root / "tfrecords" / "spectrograms-1" / "ab" / "abcd.tfrecord"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half")
    os.utime(path, (time.time() + AHEAD_S,) * 2)
    assert remove_unlisted(lake) == 0
    os.utime(path, (path.stat().st_mtime - 25 * 3600,) * 2)
    assert remove_unlisted(lake) == 1


def test_members_from_the_future_do_not_keep_a_task_waiting_until_then(lake, ahead):
    members = TASK_MEMBERS.of_rows([{"task": "t", "track_id": "folder:1"}])
    assert lake.age(TASK_MEMBERS, "t") == timedelta(0)
    ahead(lambda: lake.write(TASK_MEMBERS, members, "t"), lake)
    assert lake.age(TASK_MEMBERS, "t") > timedelta(days=30)
    other = TASK_MEMBERS.of_rows([{"task": "u", "track_id": "folder:1"}])
    lake.write(TASK_MEMBERS, other, "u")
    assert timedelta(0) <= lake.age(TASK_MEMBERS, "u") < timedelta(days=1)


def test_rates_are_measured_whatever_the_clock_says(lake, ahead):
    record_rate(lake, "audio", 10, 1.0)
    ahead(lambda: record_rate(lake, "audio", 10, 1.0), lake)
    record_rate(lake, "audio", 10, 1.0)
    assert seconds_an_item(lake) == {"audio": pytest.approx(0.1)}
