"""What a materialisation of shards tells Dagster, and what Dagster then holds to be out of date."""

import os
from datetime import UTC, datetime

import dagster as dg
import numpy as np
import pytest
import soundfile as sf
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from genre_assets.audio.workers import WorkerPool
from genre_assets.definitions import defs
from genre_assets.lake.schemas import (
    FEATURE_FAILURES,
    SPECTROGRAM_FAILURES,
    SPECTROGRAMS,
    SUMMARY_FEATURES,
    TRACKS,
)
from genre_assets.lake.store import Store
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.resources import LakeResource, MusicFolder, Workers
from genre_assets.takedowns.request import take_down

FEATURES = {
    "summary_features": (SUMMARY_FEATURES, FEATURE_FAILURES),
    "spectrograms": (SPECTROGRAMS, SPECTROGRAM_FAILURES),
}
KEYS = [dg.AssetKey(name) for name in ("audio", "id3_tags")]


class Platform:
    """The real assets on a library of a few sounds."""

    def __init__(self, root):
        self.library = root / "library"
        self.lake = Lake(root / "lake")
        self.instance = dg.DagsterInstance.ephemeral()
        resources = {
            "lake": LakeResource(root=str(self.lake.root)),
            "music_folder": MusicFolder(root=str(self.library)),
            "workers": Workers(count=1),
        }
        self._job = dg.Definitions(
            assets=defs.assets, resources={**(defs.resources or {}), **resources}
        ).resolve_implicit_global_asset_job_def()
        self.library.mkdir()

    def add_sound(self, name: str, hz: float) -> None:
        seconds = np.arange(8_000) / 8_000
        sf.write(self.library / name, np.sin(2 * np.pi * hz * seconds), 8_000)

    def shard_of(self, name: str) -> str:
        rows = self.lake.read(TRACKS).to_pylist()
        (shard,) = {row["shard"] for row in rows if row["path"].endswith(name)}
        return shard

    def make(self, *names: str, shards: list[str] | None = None) -> None:
        ranged = {
            f"dagster/asset_partition_range_{end}": shards[place]
            for end, place in (("start", 0), ("end", -1))
        } if shards else {}  # fmt: skip
        assert self._job.execute_in_process(
            asset_selection=[dg.AssetKey(name) for name in names],
            instance=self.instance,
            tags=ranged,
        ).success

    def last(self, key: dg.AssetKey, shard: str) -> dg.AssetMaterialization:
        wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[shard])
        (record,) = self.instance.fetch_materializations(wanted, limit=1).records
        assert record.asset_materialization
        return record.asset_materialization

    def versions(self) -> dict[tuple[str, str], str]:
        return {
            (key.to_user_string(), shard): self.last(key, shard).tags["dagster/data_version"]
            for key in KEYS
            for shard in self.instance.get_materialized_partitions(key)
        }

    def stale(self) -> dict[str, list[str]]:
        """Why each shard of the tags is out of date, in Dagster's words."""
        resolver = CachingStaleStatusResolver(
            self.instance, defs.resolve_asset_graph(), LoadingContextForTest(self.instance)
        )
        return {
            shard: [cause.reason for cause in resolver.get_stale_causes(KEYS[1], shard)]
            for shard in sorted(self.instance.get_materialized_partitions(KEYS[1]))
            if resolver.get_status(KEYS[1], shard) != StaleStatus.FRESH
        }


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    platform = Platform(tmp_path_factory.mktemp("versions"))
    for number in range(6):
        platform.add_sound(f"{number}.wav", hz=100 + 10 * number)
    platform.make("folder_catalogue")
    return platform


def test_each_shard_of_a_range_has_the_version_of_its_own_rows(platform):
    shards = sorted(set(platform.lake.read(TRACKS)["shard"].to_pylist()))
    sound = platform.library / "3.wav"
    away = sound.rename(platform.library.parent / "away.wav")
    platform.make("audio", "id3_tags", shards=shards)
    first = platform.versions()
    told = {shard: first["audio", shard] for shard in shards}
    assert len(set(told.values())) == len(shards) > 2
    rows = [platform.last(KEYS[0], shard).metadata["dagster/row_count"].value for shard in shards]
    assert sum(rows) == 6
    assert platform.stale() == {}

    # One step makes both kinds of features, and tells of each kind and shard by itself.
    forgotten = platform.lake.root / "tfrecords" / "spectrograms-1" / "ab" / "ab.tfrecord"
    forgotten.parent.mkdir(parents=True)
    forgotten.touch()
    os.utime(forgotten, (0, 0))
    platform.make("audio", "id3_tags", *FEATURES, shards=shards)
    assert platform.versions() == first
    for name, tables in FEATURES.items():
        made = [platform.last(dg.AssetKey(name), shard) for shard in shards]
        assert [each.tags["dagster/data_version"] for each in made] == [
            "-".join(platform.lake.version(table, shard) for table in tables) for shard in shards
        ]
        assert sum(each.metadata["failed"].value for each in made) == 5
    assert not forgotten.exists()
    assert platform.stale() == {}

    # A second try may mend a shard though its tracks are the same, and that is a change, too.
    shard = platform.shard_of("3.wav")
    away.rename(sound)
    platform.make("audio", shards=shards)
    second = platform.versions()
    assert {key for key in second if second[key] != first[key]} == {("audio", shard)}
    assert platform.stale() == {shard: ["has a new dependency data version"]}

    platform.make("id3_tags", shards=[shard])
    assert platform.stale() == {}
    assert platform.versions()["id3_tags", shard] != first["id3_tags", shard]


def test_a_track_that_is_taken_down_while_it_is_analysed_leaves_nothing(tmp_path, monkeypatch):
    platform, run = Platform(tmp_path), WorkerPool.run
    platform.add_sound("gone.wav", hz=100)
    platform.make("folder_catalogue")
    [track] = platform.lake.read(TRACKS).to_pylist()
    platform.make("audio", shards=[track["shard"]])

    def run_while_it_is_taken_down(*args, **options):
        now, store = datetime.now(UTC), Store(platform.lake.root)
        take_down(platform.lake, store, "track", track["track_id"], "Its maker asked.", now)
        return run(*args, **options)

    monkeypatch.setattr(WorkerPool, "run", run_while_it_is_taken_down)
    platform.make("summary_features", shards=[track["shard"]])
    assert platform.lake.read(FEATURE_FAILURES).num_rows == 0
