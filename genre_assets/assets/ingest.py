"""Ingest: the catalogues of the sources, and the tracks that they list.

A catalogue asset sweeps its source and writes the shards of the table ``tracks``; ``tracks``
itself is an external asset, told of each shard together with a fingerprint of its rows, so that
an unchanged sweep starts nothing downstream.
"""

import time
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.assets.materialization import (
    Account,
    column_schema,
    in_one_sentence,
    sample,
    table_asset,
)
from genre_assets.automation import shards
from genre_assets.lake.schemas import AUDIO, REJECTED_ROWS, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.progress import counted
from genre_assets.resources import FmaDataset, LakeResource, MusicFolder, Workers
from genre_assets.sources.catalogue import Catalogue

GROUP = "ingest"


@dg.asset(group_name=GROUP, code_version="1", kinds={"python"})
def demo_corpus(
    context: dg.AssetExecutionContext, lake: LakeResource, workers: Workers
) -> dg.MaterializeResult:
    """The synthetic demo corpus: real MP3 files of six styles, some with messy tags."""
    from genre_assets.demo.corpus import write_corpus

    with lake.open() as opened, in_one_sentence():
        started = time.monotonic()
        folder = demo_folder(opened)
        summary = write_corpus(folder, workers=workers.count, log=context.log.info)
    seconds = time.monotonic() - started
    return dg.MaterializeResult(
        metadata={
            "folder": dg.MetadataValue.path(str(folder)),
            "rows_in": 0,
            "dagster/row_count": summary.files,
            "failed": 0,
            "new_files": summary.written,
            "tracks_by_style": dg.MetadataValue.json(summary.tracks),
            "seconds": round(seconds, 3),
            "rows_per_second": round(summary.written / max(seconds, 1e-9), 1),
        }
    )


@table_asset(
    TRACKS,
    group_name=GROUP,
    deps=[demo_corpus],
    code_version="1",
)
def folder_catalogue(
    context: dg.AssetExecutionContext, lake: LakeResource, music_folder: MusicFolder
) -> dg.MaterializeResult:
    """Every audio file of a music library, under ids that survive renames."""
    from genre_assets.sources.folder import read_catalogue

    with lake.open() as opened, in_one_sentence():
        account = Account()
        catalogue = read_catalogue(
            music_folder.path() or demo_folder(opened),
            _tracks_of(opened, "folder"),
            audio=opened.read(AUDIO, columns=["track_id", "sha256"]),
            log=context.log.info,
        )
        return _record_sweep(context, opened, "folder", catalogue, account)


@table_asset(
    TRACKS,
    group_name=GROUP,
    code_version="1",
)
def fma_dataset_catalogue(
    context: dg.AssetExecutionContext, lake: LakeResource, fma_dataset: FmaDataset
) -> dg.MaterializeResult:
    """Every track of the FMA research dataset's tracks.csv, with its clip where there is one."""
    from genre_assets.sources.fma_dataset import read_catalogue

    with lake.open() as opened, in_one_sentence():
        account = Account()
        catalogue = read_catalogue(
            fma_dataset.folder(),
            fma_dataset.subset,
            unpack_to=unpacked_dataset(opened),
            log=context.log.info,
        )
        return _record_sweep(context, opened, "fma_dataset", catalogue, account)


tracks = dg.AssetSpec(
    "tracks",
    group_name=GROUP,
    deps=[folder_catalogue, fma_dataset_catalogue],
    partitions_def=shards,
    description="All tracks that a source lists or ever listed; written by the catalogues.",
    metadata=column_schema(TRACKS),
    kinds={"parquet"},
)


def demo_folder(lake: Lake) -> Path:
    """Where the demo corpus lies in a lake."""
    return lake.root / "demo_corpus"


def unpacked_dataset(lake: Lake) -> Path:
    """Where the zips of the FMA dataset are unpacked to in a lake."""
    return lake.root / "fma_dataset"


def _tracks_of(lake: Lake, source: str) -> pa.Table:
    return lake.read(TRACKS).filter(pc.field("source") == source)


def _record_sweep(
    context: dg.AssetExecutionContext,
    lake: Lake,
    source: str,
    catalogue: Catalogue,
    account: Account,
) -> dg.MaterializeResult:
    """Write what a sweep found, shard by shard, and tell Dagster of each."""
    from genre_assets.sources.sweeps import merge_sweep, shard_fingerprint

    now = datetime.now(UTC)
    with lake.lock(TRACKS):
        stored = lake.read(TRACKS)
        known, others = (
            stored.filter(rows)
            for rows in (pc.field("source") == source, pc.field("source") != source)
        )
        swept = merge_sweep(known, catalogue.tracks, now, catalogue.still_there)
        for shard in sorted(set(swept["shard"].to_pylist())):
            rows = pa.concat_tables([_in_shard(swept, shard), _in_shard(others, shard)])
            lake.write(TRACKS, rows, shard)
            context.log_event(
                dg.AssetMaterialization(
                    "tracks",
                    partition=shard,
                    metadata={"dagster/row_count": rows.num_rows, "sample": sample(rows)},
                    tags={"dagster/data_version": shard_fingerprint(rows)},
                )
            )
    lake.write(REJECTED_ROWS, catalogue.rejected, source)
    for note in catalogue.notes:
        context.log.warning(note)
    listed = catalogue.tracks.num_rows
    gone = swept.num_rows - swept["gone_at"].null_count
    context.log.info(
        f"{counted(listed, 'track')} listed, {catalogue.rejected.num_rows} rejected, "
        f"{gone} known ones no longer listed"
    )
    return account.result(
        rows_in=listed + catalogue.rejected.num_rows,
        rows=swept,
        failed={"rejected": catalogue.rejected.num_rows} if catalogue.rejected.num_rows else None,
        gone=gone,
        notes=dg.MetadataValue.json(catalogue.notes),
    )


def _in_shard(rows: pa.Table, shard: str) -> pa.Table:
    return rows.filter(pc.field("shard") == shard)
