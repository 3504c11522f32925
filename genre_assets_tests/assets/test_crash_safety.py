"""Runs that are killed, as whole processes.

``GENRE_ASSETS_LONG_TESTS=yes`` kills more runs, also such that really analyse what they read, which
takes minutes.
"""

import os
import random
import signal
import time

import pytest

from genre_assets.features.summary import COLUMNS
from genre_assets.lake.schemas import AUDIO, FEATURE_FAILURES, SUMMARY_FEATURES, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import refresh_views
from genre_assets.sources.shards import FOLDER_SHARDS

from .shard_runs import Runs, made_up, track, write_noise

LONG = os.environ.get("GENRE_ASSETS_LONG_TESTS") == "yes"
KILLS = 20 if LONG else 8
SHARD = "folder_00"
REALLY = pytest.param(
    True,
    id="really analysed",
    marks=pytest.mark.skipif(
        not LONG,
        reason="twenty starts of librosa take minutes: GENRE_ASSETS_LONG_TESTS=yes runs them",
    ),
)


def lake_of(root, shards, clips):
    """A lake whose shards hold as many clips each that were probed and not analysed."""
    lake = Lake(root)
    for shard in shards:
        lake.write(AUDIO, AUDIO.of_rows(clips), shard)
    refresh_views(lake)
    return lake


def clip(path, name):
    found = path.stat()
    return {
        "track_id": f"folder:{name}",
        "sha256": f"content of {name}",
        "path": str(path),
        "bytes": found.st_size,
        "mtime_ns": found.st_mtime_ns,
        "duration_s": 1.0,
        "status": "ok",
    }


def wait_until(is_so):
    give_up_at = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < give_up_at, "it never was so"
        time.sleep(0.005)


def kill(runs, run):
    os.kill(run, signal.SIGKILL)
    assert runs.wait(run) == -signal.SIGKILL


@pytest.mark.parametrize("real", [pytest.param(False, id="made up"), REALLY])
def test_a_shard_whose_runs_are_killed_again_and_again_ends_as_if_nothing_had_happened(
    server, tmp_path, real
):
    seconds, clip_s = (3, 0.2) if real else (1, 0.02)
    clips = [clip(write_noise(tmp_path / f"{n:03}.wav", n, seconds), f"{n:03}") for n in range(200)]
    chance = random.Random(20)
    lake = lake_of(tmp_path / "killed", [SHARD], clips)
    runs = Runs(server, lake, real=real)

    def start(**options):
        return runs.start(["summary_features"], SHARD, SHARD, **options)

    killed_at_work = 0
    for _ in range(KILLS):
        before = runs.begun().total()
        clips_to_begin, moment_s = chance.randint(0, 4), chance.uniform(0, 2 * clip_s)
        # However late the kill comes, enough is left for those after it.
        run = start(clip_s=clip_s, most=clips_to_begin + 3, every_s=clip_s / 3)
        wait_until(lambda: runs.begun().total() >= before + clips_to_begin)  # noqa: B023
        time.sleep(moment_s)
        kill(runs, run)
        killed_at_work += runs.begun().total() > before
    assert runs.wait(start()) == 0
    begun = runs.begun()
    assert runs.wait(start()) == 0
    assert runs.begun() == begun

    undisturbed = lake_of(tmp_path / "undisturbed", [SHARD], clips)
    runs = Runs(server, undisturbed, real=real)
    assert runs.wait(runs.start(["summary_features"], SHARD, SHARD)) == 0
    assert killed_at_work >= KILLS / 2
    features = lake.read(SUMMARY_FEATURES, [SHARD])
    assert features.num_rows == len(clips)
    assert features.equals(undisturbed.read(SUMMARY_FEATURES, [SHARD]))
    assert lake.read(FEATURE_FAILURES).num_rows == 0
    assert set(begun) == {one["sha256"] for one in clips}
    assert set(begun.values()) == {1, 2}
    assert list(lake.root.glob(f".internal/journal/*/{SHARD}/*")) == []
    assert len(list(lake.root.glob(f"summary_features/shard={SHARD}/*.parquet"))) <= 2


def test_a_run_that_is_killed_around_any_of_its_writes_is_taken_up_by_the_next(server, tmp_path):
    clips = [clip(write_noise(tmp_path / f"{n}.wav", n), n) for n in range(3)]
    lake = lake_of(tmp_path / "lake", FOLDER_SHARDS, clips)
    runs = Runs(server, lake)

    def start(*shards, **options):
        return runs.start(["summary_features"], shards[0], shards[-1], **options)

    died = []
    for moment, shard in enumerate(FOLDER_SHARDS):
        # Rows reach the journal once, when the last clip is done.
        if runs.wait(start(shard, dies_at=moment, every_s=60)) == 0:
            break
        died.append(shard)
    # At least before and after the journal, the features and the failures.
    assert 6 <= len(died) < len(FOLDER_SHARDS)
    assert runs.wait(start(*died)) == 0
    for shard in died:
        rows = lake.read(SUMMARY_FEATURES, [shard])
        assert rows["sha256"].to_pylist() == [one["sha256"] for one in clips]
        for one, value in zip(clips, rows[COLUMNS[0]].to_pylist(), strict=True):
            assert value == made_up(one["sha256"])[0]
    # Each shard once, and once more the one whose run died before it had written anything.
    assert set(runs.begun().values()) == {len(died) + 1 + 1}
    assert list(lake.root.glob(".internal/journal/*/*/*")) == []


def test_a_run_that_is_killed_while_it_probes_has_read_no_file_for_nothing(server, tmp_path):
    tracks = [track(write_noise(tmp_path / f"{n}.wav", n), n, SHARD) for n in range(9)]
    killed, undisturbed = Lake(tmp_path / "killed"), Lake(tmp_path / "undisturbed")
    for lake in (killed, undisturbed):
        lake.write(TRACKS, TRACKS.of_rows(tracks), SHARD)
    runs, journal = Runs(server, killed), killed.journal(AUDIO, SHARD)

    run = runs.start(["audio"], SHARD, SHARD, most=5, every_s=0)
    wait_until(lambda: journal.read().num_rows >= 4)
    kill(runs, run)
    probed = journal.read()["path"].to_pylist()
    assert killed.path(AUDIO, SHARD) is None
    assert runs.wait(runs.start(["audio"], SHARD, SHARD)) == 0

    others = Runs(server, undisturbed)
    assert others.wait(others.start(["audio"], SHARD, SHARD)) == 0
    assert killed.read(AUDIO).equals(undisturbed.read(AUDIO))
    assert set(killed.read(AUDIO)["status"].to_pylist()) == {"ok"}
    assert runs.begun().keys() == {row["path"] for row in tracks}
    assert {runs.begun()[path] for path in probed} == {1}
    assert max(runs.begun().values()) <= 2
    assert journal.read().num_rows == 0
