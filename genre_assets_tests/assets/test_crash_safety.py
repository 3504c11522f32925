"""Runs that are killed, and runs that overlap, with whole processes.

``GENRE_ASSETS_LONG_TESTS=yes`` kills runs that really analyse what they read: some minutes.
"""

import os
import random
import signal
import time

import duckdb
import numpy as np
import soundfile

from genre_assets.features.summary import COLUMNS
from genre_assets.lake.schemas import (
    AUDIO,
    FEATURE_FAILURES,
    ID3_TAGS,
    SUMMARY_FEATURES,
    TRACKS,
)
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import FILE_NAME, connect, refresh_views
from genre_assets.sources.shards import FOLDER_SHARDS

from .shard_runs import Runs, made_up

KILLS = 20
SHARD = "folder_00"
REALLY = os.environ.get("GENRE_ASSETS_LONG_TESTS") == "yes"
CLIPS = 160
CLIP_S = 0.2 if REALLY else 0.02


def lake_of(root, shards, clips):
    """A lake whose shards hold as many clips each that were probed and not analysed."""
    lake = Lake(root)
    for shard in shards:
        lake.write(AUDIO, AUDIO.of_rows(clips), shard)
    refresh_views(lake)
    return lake


def clip(path, name, sha256=None):
    found = path.stat()
    return {
        "track_id": f"folder:{name}",
        "sha256": sha256 or f"content of {name}",
        "path": str(path),
        "bytes": found.st_size,
        "mtime_ns": found.st_mtime_ns,
        "duration_s": 1.0,
        "status": "ok",
    }


def write_noise(path, seed):
    samples = 0.1 * np.random.default_rng(seed).standard_normal(22_050 * (3 if REALLY else 1))
    soundfile.write(path, samples, 22_050)
    return path


def features_of(lake, shard):
    return lake.read(SUMMARY_FEATURES, [shard])


def test_a_shard_whose_runs_are_killed_again_and_again_ends_as_if_nothing_had_happened(tmp_path):
    clips = [clip(write_noise(tmp_path / f"{n:03}.wav", n), f"{n:03}") for n in range(CLIPS)]
    chance = random.Random(20)
    lake = lake_of(tmp_path / "killed", [SHARD], clips)
    killed_at_work = 0
    with Runs(lake, real=REALLY, clip_s=CLIP_S) as runs:

        def start():
            return runs.start(["summary_features"], SHARD, SHARD, journal_every_s=CLIP_S / 3)

        for _ in range(KILLS):
            before = runs.analysed().total()
            run = start()
            clips_to_begin, moment_s = chance.randint(0, 4), chance.uniform(0, 2 * CLIP_S)
            while runs.analysed().total() < before + clips_to_begin:
                time.sleep(0.005)
            time.sleep(moment_s)
            os.kill(run, signal.SIGKILL)
            assert runs.wait(run) == -signal.SIGKILL
            killed_at_work += runs.analysed().total() > before
        assert runs.wait(start()) == 0
        analysed = runs.analysed()
        assert runs.wait(start()) == 0
        assert runs.analysed() == analysed

    undisturbed = lake_of(tmp_path / "undisturbed", [SHARD], clips)
    with Runs(undisturbed, real=REALLY) as runs:
        assert runs.wait(runs.start(["summary_features"], SHARD, SHARD)) == 0
    assert killed_at_work >= KILLS / 2
    assert features_of(lake, SHARD).num_rows == len(clips)
    assert features_of(lake, SHARD).equals(features_of(undisturbed, SHARD))
    assert lake.read(FEATURE_FAILURES).num_rows == 0
    assert set(analysed.values()) == {1, 2}
    assert list(lake.root.glob(f"journal/*/{SHARD}/*")) == []
    assert len(list(lake.root.glob(f"summary_features/shard={SHARD}/*.parquet"))) <= 2


def test_a_run_that_is_killed_around_any_of_its_writes_is_taken_up_by_the_next(tmp_path):
    clips = [clip(write_noise(tmp_path / f"{n}.wav", n), n) for n in range(3)]
    lake = lake_of(tmp_path / "lake", FOLDER_SHARDS, clips)
    with Runs(lake) as runs:

        def start(*shards, **options):
            return runs.start(["summary_features"], shards[0], shards[-1], **options)

        died = []
        for moment, shard in enumerate(FOLDER_SHARDS):
            # Rows reach the journal once, when the last clip is done.
            if runs.wait(start(shard, dies_at_moment=moment, journal_every_s=60)) == 0:
                break
            died.append(shard)
        # At least before and after the journal, the features and the failures.
        assert 6 <= len(died) < len(FOLDER_SHARDS)
        assert runs.wait(start(*died)) == 0
        analysed = runs.analysed()
    for shard in died:
        rows = features_of(lake, shard)
        assert rows["sha256"].to_pylist() == [one["sha256"] for one in clips]
        for one, value in zip(clips, rows[COLUMNS[0]].to_pylist(), strict=True):
            assert value == made_up(one["sha256"])[0]
    # Each shard once, and once more the one whose run died before it had written anything.
    assert set(analysed.values()) == {len(died) + 1 + 1}
    assert list(lake.root.glob("journal/*/*/*")) == []


class Library:
    """A library whose files all change at a time, and what a lake holds of it."""

    def __init__(self, root, lake, shards, tracks_a_shard):
        self.lake = lake
        self.shards = shards
        self.tracks_a_shard = tracks_a_shard
        self._root = root

    def change(self, state):
        for shard in self.shards:
            rows = []
            for number in range(self.tracks_a_shard):
                name = f"{shard}_{number}"
                path = write_noise(self._root / f"{name}.wav", hash((state, name)) % 2**32)
                found = path.stat()
                row = {"source": "folder", "source_track_id": name, "shard": shard, "title": state}
                row |= {"track_id": f"folder:{name}", "path": str(path)}
                row |= {"file_bytes": found.st_size, "file_mtime_ns": found.st_mtime_ns}
                rows.append(row)
            self.lake.write(TRACKS, TRACKS.of_rows(rows), shard)

    def contents(self):
        """The contents of each shard as ``audio`` has them."""
        return {
            shard: set(self.lake.read(AUDIO, [shard])["sha256"].to_pylist())
            for shard in self.shards
        }


def states_seen(connection, shards):
    """For each table and shard the set of contents that a reader sees."""
    seen = {}
    for table in ("audio", "id3_tags", "summary_features"):
        rows = connection.execute(
            f"SELECT track_id, sha256 FROM {table} ORDER BY track_id"
        ).fetchall()
        for shard in shards:
            seen[table, shard] = [
                sha256 for id_, sha256 in rows if id_.startswith(f"folder:{shard}")
            ]
    return seen


def test_two_runs_at_a_time_lose_nothing_and_readers_see_whole_shards_only(tmp_path):
    shards = FOLDER_SHARDS[:3]
    assets = ["audio", "id3_tags", "summary_features"]
    lake = Lake(tmp_path / "lake")
    library = Library(tmp_path, lake, shards, tracks_a_shard=6)
    library.change("old")
    with Runs(lake) as runs:
        assert runs.wait(runs.start(assets, shards[0], shards[-1])) == 0
        old = library.contents()
        library.change("new")
        both = [runs.start(assets, shards[0], shards[-1]) for _ in range(2)]
        looks = []
        while not all(map(runs.is_over, both)):
            with duckdb.connect(str(lake.root / FILE_NAME), read_only=True) as reader:
                looks += [states_seen(reader, shards) for _ in range(2)]
            with connect(lake) as reader:
                looks += [states_seen(reader, shards) for _ in range(2)]
        assert [runs.wait(run) for run in both] == [0, 0]
        analysed = runs.analysed()
    new = library.contents()

    assert all(len(new[shard]) == 6 and not new[shard] & old[shard] for shard in shards)
    for table in (AUDIO, ID3_TAGS, SUMMARY_FEATURES):
        for shard in shards:
            rows = lake.read(table, [shard])
            assert rows.num_rows == 6
            assert set(rows["sha256"].to_pylist()) == new[shard]
    assert set(analysed.values()) == {1}
    for look in looks:
        for (_, shard), contents in look.items():
            assert len(contents) == 6
            assert set(contents) in (old[shard], new[shard])
    assert looks[0]["audio", shards[0]] != looks[-1]["audio", shards[0]]
