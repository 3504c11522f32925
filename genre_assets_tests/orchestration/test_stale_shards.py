"""Which shards the main job goes through."""

import dagster as dg
import pytest

from genre_assets.lake.tables import Lake
from genre_assets.orchestration import stale_shards
from genre_assets.orchestration.settings import read_settings
from genre_assets.orchestration.stale_shards import PER_SHARD, span_of_stale_shards
from genre_assets.refresh.plan import Plan, Work

SHARDS = ["folder_00", "folder_03", "folder_05", "folder_09"]


@pytest.fixture
def stale(tmp_path):
    """Reports materialisations to an instance, and asks which shards are stale."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield _Reported(instance, Lake(tmp_path))


class _Reported:
    def __init__(self, instance: dg.DagsterInstance, lake: Lake):
        self._instance, self._lake = instance, lake
        self._settings = read_settings({"GENRE_ASSETS_DATA": str(lake.root)})

    def sweep(self, **versions: str) -> None:
        for shard, version in versions.items():
            self._report("tracks", shard, {"dagster/data_version": version})

    def make(self, *shards: str, assets: list[str] = PER_SHARD) -> None:
        for asset in assets:
            for shard in shards:
                self._report(asset, shard)

    def span(self) -> list[str]:
        return span_of_stale_shards(self._lake, self._settings, self._instance, SHARDS)

    def _report(self, asset: str, shard: str, tags: dict[str, str] | None = None) -> None:
        event = dg.AssetMaterialization(asset, partition=shard, tags=tags)
        self._instance.report_runless_asset_event(event)


def test_a_shard_is_stale_until_it_is_made_and_again_when_its_tracks_change(stale):
    stale.sweep(**dict.fromkeys(SHARDS, "1"))
    assert stale.span() == SHARDS
    stale.make(*SHARDS)
    assert stale.span() == []
    stale.sweep(**dict.fromkeys(SHARDS, "1"))
    assert stale.span() == [], "a sweep that changed nothing"
    stale.sweep(folder_03="2")
    assert stale.span() == ["folder_03"]
    stale.sweep(folder_03="2", folder_09="2")
    assert stale.span() == ["folder_03", "folder_05", "folder_09"]
    stale.make("folder_03", "folder_09", assets=PER_SHARD[:-1])
    assert stale.span() == ["folder_03", "folder_05", "folder_09"], "the run died half-way"
    stale.make("folder_03", "folder_09", assets=PER_SHARD[-1:])
    assert stale.span() == []


def test_a_shard_with_something_to_do_is_stale(stale, monkeypatch):
    stale.sweep(**dict.fromkeys(SHARDS, "1"))
    stale.make(*SHARDS)
    work = [Work("audio", "folder_05", {"new": 2}), Work("audio", "folder_09", left={"corrupt": 1})]
    monkeypatch.setattr(stale_shards, "plan_of", lambda *_: Plan(work, {}))
    assert stale.span() == ["folder_05"]
