"""Metadata: what the audio files are, what their tags say, and what each track is held to be."""

from collections.abc import Iterator

import dagster as dg

from genre_assets.audio.probe import PROBE_VERSION
from genre_assets.lake.rates import record_rate
from genre_assets.lake.schemas import AUDIO, FETCHES, ID3_TAGS, LABELS, TRACKS
from genre_assets.orchestration.asset_log import log_of
from genre_assets.orchestration.assets.ingest import fetches, tracks
from genre_assets.orchestration.assets.materialization import (
    PartitionResults,
    StepRecord,
    counts,
    failures,
    table_asset,
)
from genre_assets.orchestration.automation import shards, stale, stale_labels
from genre_assets.orchestration.resources import LakeResource, LicencePolicy, Workers
from genre_assets.tags.reading import READER_VERSION

GROUP = "metadata"


@table_asset(
    AUDIO,
    group_name=GROUP,
    partitions_def=shards,
    code_version=str(PROBE_VERSION),
    deps=[tracks, fetches],
    automation_condition=stale,
)
def audio(
    context: dg.AssetExecutionContext, lake: LakeResource, workers: Workers
) -> Iterator[dg.MaterializeResult | dg.AssetMaterialization]:
    """The audio file of each track: content address, format, length, or a named failure."""
    from genre_assets.sources.fma_site.downloads import (
        missing_reasons,
        stored_paths,
        without_damaged,
    )
    from genre_assets.tags.probing import probe_shard
    from genre_assets.takedowns.record import taken_down

    with lake.open() as opened, workers.open() as pool:
        store, gone = opened.store, taken_down(opened)
        results = PartitionResults(context)
        for shard in context.partition_keys:
            record = StepRecord()
            listed, fetched = opened.read(TRACKS, [shard]), opened.read(FETCHES, [shard])
            placed = gone.without_files(stored_paths(listed, fetched, store))
            why_missing = missing_reasons(listed, fetched, store) | gone.reasons(listed)
            with opened.held(AUDIO, shard, log_of(context)):
                previous, journal = opened.read(AUDIO, [shard]), opened.journal(AUDIO, shard)
                rows = probe_shard(
                    placed, previous, pool, log_of(context, shard), why_missing, journal
                )
                rows = without_damaged(rows, store)
                opened.write(AUDIO, rows, shard)
                journal.clear()
            record_rate(opened, AUDIO.name, *pool.work_done())
            results.add(
                shard,
                record.metadata(listed.num_rows, rows, failures(rows, no_failure=AUDIO.no_failure)),
                opened.version(AUDIO, shard),
            )
        yield from results.all()


@table_asset(
    ID3_TAGS,
    group_name=GROUP,
    partitions_def=shards,
    code_version=str(READER_VERSION),
    deps=[audio],
    automation_condition=stale,
)
def id3_tags(
    context: dg.AssetExecutionContext, lake: LakeResource, workers: Workers
) -> Iterator[dg.MaterializeResult | dg.AssetMaterialization]:
    """What the tags inside each audio file say, of all kinds that it carries."""
    from genre_assets.tags.reading import read_tags_of_shard

    with lake.open() as opened, workers.open() as pool:
        results = PartitionResults(context)
        for shard in context.partition_keys:
            record = StepRecord()
            files = opened.read(AUDIO, [shard])
            with opened.held(ID3_TAGS, shard, log_of(context)):
                previous = opened.read(ID3_TAGS, [shard])
                rows = read_tags_of_shard(files, previous, pool, log_of(context, shard))
                opened.write(ID3_TAGS, rows, shard)
            record_rate(opened, ID3_TAGS.name, *pool.work_done())
            failed = failures(rows, no_failure=ID3_TAGS.no_failure)
            results.add(
                shard,
                record.metadata(files.num_rows, rows, failed),
                opened.version(ID3_TAGS, shard),
            )
        yield from results.all()


@table_asset(
    LABELS,
    group_name=GROUP,
    code_version="2",
    deps=[tracks, audio, id3_tags],
    automation_condition=stale_labels,
)
def labels(
    context: dg.AssetExecutionContext, lake: LakeResource, licence_policy: LicencePolicy
) -> dg.MaterializeResult:
    """Genre, sub-genres and canonical artist of every track, with the evidence behind them."""
    from genre_assets.labels.labelling import label_tracks
    from genre_assets.takedowns.record import taken_down
    from genre_assets.takedowns.removal import enforce

    with lake.open() as opened:
        record = StepRecord()
        # A refresh that began before a take-down may have written what had to go.
        enforce(opened, opened.store, log_of(context))
        listed = opened.read(TRACKS)
        labelled = label_tracks(
            listed,
            opened.read(AUDIO, columns=["track_id", "sha256", "status"]),
            opened.read(
                ID3_TAGS,
                columns=["track_id", "artist", "artists", "album", "genres", "encoder"],
            ),
            taken_down(opened).times(listed),
            licence_policy.refusals(listed),
        )
        opened.write(LABELS, labelled.labels)
    for note in labelled.notes:
        log_of(context)(note)
    return record.result(
        listed.num_rows,
        labelled.labels,
        version=[opened.version(LABELS)],
        excluded_by_reason=counts(labelled.labels["excluded"]),
        agreement=counts(labelled.labels["agreement"]),
        unknown_spellings=dg.MetadataValue.json(dict(labelled.unknown_spellings.most_common(50))),
    )
