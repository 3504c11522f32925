"""Features: computed from the audio, shard by shard, or published beside the FMA dataset."""

from collections.abc import Iterator

import dagster as dg
import pyarrow as pa

from genre_assets.assets.ingest import fma_dataset_catalogue, unpacked_dataset
from genre_assets.assets.materialization import (
    Account,
    Told,
    failures,
    in_one_sentence,
    log_of,
    table_asset,
)
from genre_assets.assets.metadata import audio
from genre_assets.automation import shards, stale, stale_if_made
from genre_assets.features import spectrograms as spectrogram_extractor
from genre_assets.features.summary import EXTRACTOR_VERSION, warm_up
from genre_assets.lake.schemas import (
    AUDIO,
    ECHONEST_FEATURES,
    FEATURE_FAILURES,
    FMA_FEATURES,
    SPECTROGRAM_FAILURES,
    SPECTROGRAMS,
    SUMMARY_FEATURES,
    Table,
)
from genre_assets.lake.store import Store
from genre_assets.progress import counted
from genre_assets.rates import record_rate
from genre_assets.resources import FmaDataset, LakeResource, Workers

GROUP = "features"


@table_asset(
    SUMMARY_FEATURES,
    group_name=GROUP,
    partitions_def=shards,
    code_version=str(EXTRACTOR_VERSION),
    deps=[audio],
    pool="extraction",
    automation_condition=stale,
)
def summary_features(
    context: dg.AssetExecutionContext, lake: LakeResource, workers: Workers
) -> Iterator[dg.MaterializeResult | dg.AssetMaterialization]:
    """The 518 FMA summary features of every track whose audio is sound."""
    from genre_assets.features.extraction import extract_shard

    with lake.open() as opened, workers.open(warm_up) as pool:
        told = Told(context)
        for shard in context.partition_keys:
            account = Account()
            # Another run of the same shard would take the journals from under this one.
            with opened.lock(SUMMARY_FEATURES, shard):
                files = opened.read(AUDIO, [shard])
                journal = opened.journal(SUMMARY_FEATURES, shard)
                failure_journal = opened.journal(FEATURE_FAILURES, shard)
                features, failed = extract_shard(
                    files,
                    opened.read(SUMMARY_FEATURES, [shard]),
                    opened.read(FEATURE_FAILURES, [shard]),
                    journal,
                    failure_journal,
                    pool,
                    log_of(context, shard),
                )
                opened.write(SUMMARY_FEATURES, features, shard)
                opened.write(FEATURE_FAILURES, failed, shard)
                journal.clear()
                failure_journal.clear()
            record_rate(opened, SUMMARY_FEATURES.name, *pool.work_done())
            told.of(
                shard,
                account.metadata(files.num_rows, features, failures(failed)),
                opened.version(SUMMARY_FEATURES, shard),
                opened.version(FEATURE_FAILURES, shard),
            )
        yield from told.results()


@table_asset(
    SPECTROGRAMS,
    group_name=GROUP,
    partitions_def=shards,
    code_version=str(spectrogram_extractor.EXTRACTOR_VERSION),
    deps=[audio],
    pool="extraction",
    automation_condition=stale_if_made,
)
def spectrograms(
    context: dg.AssetExecutionContext, lake: LakeResource, workers: Workers
) -> Iterator[dg.MaterializeResult | dg.AssetMaterialization]:
    """Log-mel, MFCC, constant-Q and harmonic-percussive energies of 10 s segments, as TFRecords.

    For neural nets, and only made when it is asked for: a clip of 30 s takes 1.2 MB of disk.
    """
    from genre_assets.features.spectrogram_extraction import extract_shard
    from genre_assets.features.spectrogram_files import bytes_there, remove_unlisted
    from genre_assets.takedowns.removal import enforce

    with lake.open() as opened, workers.open(spectrogram_extractor.warm_up) as pool:
        told = Told(context)
        for shard in context.partition_keys:
            account = Account()
            # Another run of the same shard would take the journals from under this one.
            with opened.lock(SPECTROGRAMS, shard):
                files = opened.read(AUDIO, [shard])
                segments, failed = extract_shard(opened, shard, files, pool, log_of(context, shard))
            record_rate(opened, SPECTROGRAMS.name, *pool.work_done())
            told.of(
                shard,
                account.metadata(
                    files.num_rows,
                    segments,
                    failures(failed),
                    tracks=len(set(segments["track_id"].to_pylist())),
                    bytes_on_disk=sum(filter(None, bytes_there(opened, segments).values())),
                ),
                opened.version(SPECTROGRAMS, shard),
                opened.version(SPECTROGRAM_FAILURES, shard),
            )
        remove_unlisted(opened)
        # Nothing downstream does it for a run that began before a take-down.
        enforce(opened, Store(opened.root), context.log.info)
        yield from told.results()


def _precomputed_asset(
    table: Table, file_name: str, reader: str, description: str
) -> dg.AssetsDefinition:
    @table_asset(
        table,
        name=table.name,
        description=description,
        group_name=GROUP,
        code_version="1",
        deps=[fma_dataset_catalogue],
        automation_condition=stale,
    )
    def precomputed(
        context: dg.AssetExecutionContext, lake: LakeResource, fma_dataset: FmaDataset
    ) -> dg.MaterializeResult:
        from genre_assets.features import precomputed
        from genre_assets.sources.fma_dataset import metadata_folder

        with lake.open() as opened, in_one_sentence():
            account = Account()
            folder = metadata_folder(fma_dataset.folder(), unpack_to=unpacked_dataset(opened))
            path = folder.folder / file_name
            found = precomputed.Precomputed({}, {})
            if path.exists():
                found = getattr(precomputed, reader)(path)
            for shard in {*opened.partitions(table), *found.shards}:
                opened.write(table, found.shards.get(shard, table.empty()), shard)
            rows = pa.concat_tables([table.empty(), *found.shards.values()])
            left_out = sum(found.left_out.values())
            context.log.info(
                f"{counted(rows.num_rows, 'row')} taken from {path}, {left_out} left out"
                if path.exists()
                else f"The dataset has no {file_name}: nothing to take."
            )
            return account.result(
                rows.num_rows + left_out,
                rows,
                found.left_out,
                version=[opened.version(table, shard) for shard in opened.partitions(table)],
            )

    return precomputed


fma_features = _precomputed_asset(
    FMA_FEATURES,
    "features.csv",
    "read_fma_features",
    "The dataset's own features.csv, made with librosa 0.5; never mixed with ours.",
)
echonest_features = _precomputed_asset(
    ECHONEST_FEATURES,
    "echonest.csv",
    "read_echonest_features",
    "The dataset's echonest.csv: eight audio features by Echonest, now Spotify.",
)
