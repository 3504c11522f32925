"""Features: computed from the audio, shard by shard, or published beside the FMA dataset."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa

from genre_assets.features import spectrograms as spectrogram_features
from genre_assets.features import summary
from genre_assets.lake.rates import record_rate
from genre_assets.lake.schemas import (
    AUDIO,
    ECHONEST_FEATURES,
    FMA_FEATURES,
    SPECTROGRAMS,
    SUMMARY_FEATURES,
    Table,
)
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.asset_log import log_of
from genre_assets.orchestration.assets.ingest import fma_dataset_catalogue
from genre_assets.orchestration.assets.materialization import (
    PartitionResults,
    StepRecord,
    column_schema,
    failures,
    in_one_sentence,
    table_asset,
)
from genre_assets.orchestration.assets.metadata import audio
from genre_assets.orchestration.automation import one_run_for_a_range, shards, stale, stale_if_made
from genre_assets.orchestration.resources import FmaDataset, LakeResource, Workers
from genre_assets.progress import counted
from genre_assets.sources.registry import FMA_DATASET

if TYPE_CHECKING:
    from genre_assets.features.extraction import Extracted, Extractor

GROUP = "features"


def _spec(
    table: Table, version: int, condition: dg.AutomationCondition, description: str
) -> dg.AssetSpec:
    return dg.AssetSpec(
        table.name,
        description=description,
        group_name=GROUP,
        partitions_def=shards,
        code_version=str(version),
        deps=[audio],
        automation_condition=condition,
        metadata=column_schema(table),
        kinds={"parquet"},
    )


@dg.multi_asset(
    specs=[
        _spec(
            SUMMARY_FEATURES,
            summary.EXTRACTOR_VERSION,
            stale,
            "The 518 FMA summary features of every track whose audio is sound.",
        ),
        _spec(
            SPECTROGRAMS,
            spectrogram_features.EXTRACTOR_VERSION,
            stale_if_made,
            "Log-mel, MFCC, constant-Q and harmonic-percussive energies of 10 s segments, as "
            "TFRecords. For neural nets, and only made on request: a clip of 30 s takes "
            "1.2 MB of disk.",
        ),
    ],
    can_subset=True,
    backfill_policy=one_run_for_a_range,
)
def extraction(
    context: dg.AssetExecutionContext, lake: LakeResource, workers: Workers
) -> Iterator[dg.MaterializeResult | dg.AssetMaterialization]:
    """Summary features, spectrograms, or both from one decoding of each clip."""
    from genre_assets.features.extraction import extract_shard
    from genre_assets.features.spectrogram_files import remove_unlisted
    from genre_assets.takedowns.removal import enforce

    wanted = {key.to_user_string() for key in context.selected_asset_keys}
    with (
        lake.open() as opened,
        opened.turn("extraction", "is analysing clips on every core", log_of(context)),
        workers.open(_warm_up(wanted)) as pool,
        in_one_sentence(),
    ):
        extractors = _extractors(opened, wanted)
        results = {e.features.name: PartitionResults(context, e.features.name) for e in extractors}
        for shard in context.partition_keys:
            record = StepRecord()
            extracted = extract_shard(opened, shard, extractors, pool, log_of(context, shard))
            tracks = opened.read(AUDIO, [shard], ["track_id"]).num_rows
            _, seconds = pool.work_done()
            _record_rates(opened, extracted, seconds)
            for made in extracted:
                results[made.name].add(
                    shard,
                    record.metadata(
                        tracks, made.features, failures(made.failures), **_on_disk(opened, made)
                    ),
                    opened.version(made.extractor.features, shard),
                    opened.version(made.extractor.failures, shard),
                )
        if SPECTROGRAMS.name in wanted:
            remove_unlisted(opened)
        # Tracks may have been taken down after their audio was read of.
        enforce(opened, opened.store, log_of(context))
        for each in results.values():
            yield from each.all()


def _warm_up(wanted: set[str]) -> Callable[[], None]:
    return spectrogram_features.warm_up if SPECTROGRAMS.name in wanted else summary.warm_up


def _extractors(lake: Lake, wanted: set[str]) -> list["Extractor"]:
    from genre_assets.features.spectrogram_extraction import spectrogram_extractor
    from genre_assets.features.summary_extraction import summary_extractor

    # In this order a long clip takes least memory: the transforms of all of it, which only the
    # summary features ask for, come last.
    known = [spectrogram_extractor(lake.places), summary_extractor()]
    return [extractor for extractor in known if extractor.features.name in wanted]


def _record_rates(lake: Lake, extracted: "list[Extracted]", seconds: float) -> None:
    # What came from the same decoding shares its time.
    analysed = sum(made.analysed for made in extracted)
    for made in extracted:
        record_rate(lake, made.name, made.analysed, seconds * made.analysed / max(analysed, 1))


def _on_disk(lake: Lake, made: "Extracted") -> dict[str, int]:
    """Metadata of spectrograms beside their rows."""
    from genre_assets.features.spectrogram_files import bytes_there

    if made.name != SPECTROGRAMS.name:
        return {}
    return {
        "tracks": len(set(made.features["track_id"].to_pylist())),
        "bytes_on_disk": sum(filter(None, bytes_there(lake, made.features).values())),
    }


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
        from genre_assets.sources import fma_published_features
        from genre_assets.sources.catalogue import rejected_rows
        from genre_assets.sources.fma_dataset import metadata_folder
        from genre_assets.sources.rejections import record_rejections
        from genre_assets.sources.removals import refuse_mass_loss

        with lake.open() as opened, in_one_sentence():
            record = StepRecord()
            folder = metadata_folder(fma_dataset.folder(), unpack_to=opened.places.fma_dataset)
            path = folder.folder / file_name
            found = fma_published_features.Precomputed({}, {})
            if path.exists():
                found = getattr(fma_published_features, reader)(path)
                if not fma_dataset.believe_removals:
                    refuse_mass_loss(opened, table, path, found.shards)
            for shard in {*opened.partitions(table), *found.shards}:
                opened.write(table, found.shards.get(shard, table.empty()), shard)
            rejected = rejected_rows(FMA_DATASET.name, found.rejected)
            record_rejections(opened, FMA_DATASET.name, rejected, file_name)
            rows = pa.concat_tables([table.empty(), *found.shards.values()])
            left_out = sum(found.left_out.values())
            log_of(context)(
                f"{counted(rows.num_rows, 'row')} taken from {path}, {left_out:,} left out"
                if path.exists()
                else f"The dataset has no {file_name}, so there is nothing to take."
            )
            return record.result(
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
