import hashlib
import os
from datetime import UTC, datetime

import pytest

from genre_assets.audio.probe import PROBE_VERSION, probe
from genre_assets.audio.status import Status
from genre_assets.audio.workers import WorkerPool
from genre_assets.lake.schemas import AUDIO, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.tags import probing as module
from genre_assets.tags.probing import probe_shard
from genre_assets_tests.audio.clips import write


def track(file, **fields):
    row = {"track_id": f"folder:{file.name}", "path": str(file)}
    if file.exists():
        found = file.stat()
        row |= {"file_bytes": found.st_size, "file_mtime_ns": found.st_mtime_ns}
    return row | fields


def shard(rows, previous=None):
    listed = TRACKS.of_rows(rows)
    with WorkerPool(2) as workers:
        result = probe_shard(listed, AUDIO.empty() if previous is None else previous, workers)
    assert result.schema == AUDIO.schema
    assert sorted(listed["track_id"].to_pylist()) == result["track_id"].to_pylist()
    return result


def by_name(table):
    return {row["track_id"].removeprefix("folder:"): row for row in table.to_pylist()}


def unreachable(path):
    raise AssertionError(f"{path} should not be read")


def test_real_clips_are_probed_as_what_they_are(real_data):
    folder = real_data / "fma" / "fma_medium" / "000"
    rows = by_name(shard([track(folder / f"{clip}.mp3") for clip in ("000002", "000666")]))
    first, second = rows["000002.mp3"], rows["000666.mp3"]
    assert first["status"] == second["status"] == "ok"
    assert first["format"] == "MP3"
    assert first["duration_s"] == pytest.approx(29.97658, abs=1e-5)
    assert (first["sample_rate"], first["channels"], second["channels"]) == (44_100, 2, 1)
    assert first["sha256"].startswith("879d4ecdd0911c20")
    assert first["bytes"] == 960_738


def test_every_bad_file_ends_as_ok_or_a_named_failure(real_data):
    files = [p for p in sorted((real_data / "bad_audio").iterdir()) if p.suffix != ".csv"]
    rows = shard([track(path) for path in files]).to_pylist()
    assert len(rows) == 71
    for row in rows:
        assert row["status"] in {*Status} - {"failed", "timed_out", "worker_died"}, row
        assert (row["reason"] is None) == (row["status"] == "ok"), row
        assert (row["duration_s"] is not None) == (row["status"] == "ok"), row
        assert row["sha256"]
        assert row["reason"] is None or len(row["reason"].splitlines()) == 1
    statuses = {row["track_id"]: row["status"] for row in rows}
    assert statuses["folder:lofty__empty-seektable.flac"] == "truncated"
    assert statuses["folder:tinytag__mpeg4_xa9des.m4a"] == "no_audio"
    assert statuses["folder:taglib__opus.m4a"] == "ok"
    assert statuses["folder:tinytag__mp4_extended_size_truncated.m4a"] == "truncated"


def test_a_probe_says_what_the_file_is(tmp_path):
    path = write(tmp_path / "clip.flac", seconds=7.0, channels=1)
    found = probe(path)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found.bytes, found.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)
    assert (found.format, found.channels, found.sample_rate) == ("FLAC", 1, 22_050)
    assert (found.duration_s, found.status, found.reason) == (7.0, Status.OK, None)
    assert found.duration_from == "header"


def test_the_content_of_a_file_without_audio_is_still_identified(tmp_path):
    path = tmp_path / "text.mp3"
    path.write_text("no audio")
    found = probe(path)
    assert found.status is Status.NOT_AUDIO
    assert found.sha256 == hashlib.sha256(b"no audio").hexdigest()


def test_missing_files_say_where_they_should_lie(tmp_path):
    lost = track(tmp_path / "lost.mp3")
    nowhere = track(tmp_path / "nowhere.mp3", path=None)
    vanished = track(write(tmp_path / "vanished.wav"))
    (tmp_path / "vanished.wav").unlink()
    rows = by_name(shard([lost, nowhere, vanished]))
    assert {row["status"] for row in rows.values()} == {"missing"}
    assert (
        rows["lost.mp3"]["reason"]
        == f"No file is at {tmp_path}/lost.mp3, where the clip should be."
    )
    assert rows["nowhere.mp3"]["reason"] == "The source gives no file for this track."
    assert rows["vanished.wav"]["reason"] == f"There is no file at {tmp_path}/vanished.wav."


def test_a_source_that_knows_why_a_file_is_missing_is_quoted(tmp_path):
    nowhere, lost, there = (
        track(tmp_path / "nowhere.mp3", path=None),
        track(tmp_path / "lost.mp3"),
        track(write(tmp_path / "there.wav")),
    )
    why = {"folder:nowhere.mp3": "It has no licence.", "folder:there.wav": "It has no licence."}
    listed = TRACKS.of_rows([nowhere, lost, there])
    with WorkerPool(1) as workers:
        rows = by_name(probe_shard(listed, AUDIO.empty(), workers, why_missing=why))
    assert rows["nowhere.mp3"]["reason"] == "It has no licence."
    assert rows["lost.mp3"]["reason"].startswith("No file is at ")
    assert (rows["there.wav"]["status"], rows["there.wav"]["reason"]) == ("ok", None)


def test_what_has_not_changed_is_not_read_again(tmp_path, monkeypatch):
    same, other, bad = (tmp_path / name for name in ("same.wav", "other.wav", "bad.wav"))
    write(same), write(other)
    bad.write_text("no audio")
    before = shard([track(same), track(other), track(bad)])

    write(other, seconds=2.0)
    after = shard([track(same), track(other), track(bad)], before)
    assert by_name(after)["other.wav"]["duration_s"] == 2.0
    assert by_name(after)["same.wav"] == by_name(before)["same.wav"]

    monkeypatch.setattr(module, "probe", unreachable)
    assert shard([track(same), track(other), track(bad)], after) == after


def test_a_changed_time_or_version_or_a_failure_of_the_machine_is_read_again(tmp_path):
    path = write(tmp_path / "clip.wav")
    good = shard([track(path)]).to_pylist()[0]
    stale = [
        good | {"mtime_ns": good["mtime_ns"] - 1},
        good | {"probe_version": PROBE_VERSION - 1},
        good | {"status": "worker_died", "reason": "It died."},
        good | {"status": "missing", "reason": "It was not there."},
    ]
    for row in stale:
        previous = AUDIO.of_rows([row | {"sha256": "stale"}])
        assert shard([track(path)], previous).to_pylist() == [good]


class Killed:
    """Stands in for the worker pool of a run that is killed after some files."""

    def __init__(self, after):
        self.after = after
        self.read = []

    def run(self, function, paths, limit_s):
        for path in paths:
            if len(self.read) == self.after:
                raise KeyboardInterrupt
            self.read.append(path)
            yield path, function(path)


def test_a_run_that_was_killed_has_read_no_file_for_nothing(tmp_path):
    rows = [track(write(tmp_path / name)) for name in ("a.wav", "b.wav", "c.wav")]
    listed = TRACKS.of_rows(rows)
    journal = Lake(tmp_path / "lake").journal(AUDIO, "folder_00")
    with pytest.raises(KeyboardInterrupt):
        probe_shard(listed, AUDIO.empty(), Killed(after=2), journal=journal)
    second = Killed(after=3)
    result = probe_shard(listed, AUDIO.empty(), second, journal=journal)
    assert second.read == [str(tmp_path / "c.wav")]
    assert result.equals(shard(rows))


def test_a_track_that_is_gone_keeps_its_row(tmp_path):
    path = write(tmp_path / "clip.wav")
    before = shard([track(path)])
    row = track(path, gone_at=datetime.now(UTC))
    path.unlink()
    after = shard([row | {"file_bytes": None, "file_mtime_ns": None}], before)
    assert after == before


def test_tracks_that_share_a_file_all_get_its_row(tmp_path):
    path = write(tmp_path / "clip.wav")
    rows = shard([track(path, track_id="fma:1"), track(path, track_id="fma:2")]).to_pylist()
    assert rows[0] | {"track_id": "fma:2"} == rows[1]


def test_the_file_of_an_empty_row_is_known_the_next_time(tmp_path, monkeypatch):
    path = tmp_path / "empty.mp3"
    path.touch()
    before = shard([track(path)])
    assert before.to_pylist()[0]["status"] == "empty"
    monkeypatch.setattr(module, "probe", unreachable)
    assert shard([track(path)], before) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_a_file_that_may_not_be_read_says_so(tmp_path):
    path = write(tmp_path / "clip.wav")
    path.chmod(0)
    found = probe(path)
    assert found.status is Status.UNREADABLE
    assert "Permission denied" in found.reason
