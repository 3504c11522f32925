"""Which shards the main job has to go through; an unchanged one would cost a second for nothing."""

import dagster as dg

from genre_assets.lake.schemas import AUDIO, FETCHES, ID3_TAGS, SUMMARY_FEATURES, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.assets.materialization import DATA_VERSION_TAG
from genre_assets.orchestration.settings import Settings
from genre_assets.refresh.plan import plan_of

PER_SHARD = [table.name for table in (FETCHES, AUDIO, ID3_TAGS, SUMMARY_FEATURES)]


def span_of_stale_shards(
    lake: Lake, settings: Settings, instance: dg.DagsterInstance, shards: list[str]
) -> list[str]:
    """The shards from the first stale one to the last, because a run takes a range of them.

    A shard is stale if there is something to download, read or analyse, or if its tracks changed
    after its assets were last made: rows of tracks that are gone then have to go, too.
    """
    plan = plan_of(lake, settings.fma_site, settings.excluded_licences)
    with_work = {work.partition for work in plan.work if not work.is_idle}
    stale = [s in with_work or _is_older_than_its_tracks(instance, s) for s in shards]
    if not any(stale):
        return []
    return shards[stale.index(True) : len(stale) - stale[::-1].index(True)]


def _is_older_than_its_tracks(instance: dg.DagsterInstance, shard: str) -> bool:
    made = [_last_record(instance, name, shard) for name in PER_SHARD]
    if None in made:
        return True
    oldest = min(record.timestamp for record in made if record)
    # Each sweep reports its shards anew, also those that it found unchanged.
    then = _last_record(instance, TRACKS.name, shard, before_timestamp=oldest)
    return _data_version(then) != _data_version(_last_record(instance, TRACKS.name, shard))


def _last_record(
    instance: dg.DagsterInstance, asset: str, shard: str, before_timestamp: float | None = None
) -> dg.EventLogRecord | None:
    of_shard = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey(asset), asset_partitions=[shard], before_timestamp=before_timestamp
    )
    return next(iter(instance.fetch_materializations(of_shard, limit=1).records), None)


def _data_version(record: dg.EventLogRecord | None) -> str | None:
    made = record.asset_materialization if record else None
    return (made.tags or {}).get(DATA_VERSION_TAG) if made else None
