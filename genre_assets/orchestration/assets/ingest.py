"""Ingest: the catalogues of the sources, the tracks that they list, and what is downloaded.

A catalogue asset sweeps its source and writes the shards of the table ``tracks``; ``tracks``
itself is an external asset, reported shard by shard with a fingerprint of its rows, so that
an unchanged sweep starts nothing downstream.
"""

import contextlib
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

import dagster as dg
import pyarrow.compute as pc
from pydantic import Field

from genre_assets.lake.rates import record_rate
from genre_assets.lake.schemas import FETCHES, REJECTED_ROWS, SIGHTINGS, SWEEPS, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.asset_log import log_of, warnings_of
from genre_assets.orchestration.assets.materialization import (
    DATA_VERSION_TAG,
    PartitionResults,
    StepRecord,
    column_schema,
    failures,
    in_one_sentence,
    sample,
    table_asset,
)
from genre_assets.orchestration.automation import register_partitions, shards, stale
from genre_assets.orchestration.resources import (
    FmaSite,
    LakeResource,
    LicencePolicy,
    Workers,
)
from genre_assets.progress import counted
from genre_assets.sources.catalogue import Catalogue, Kind, SourceError, not_taken
from genre_assets.sources.registry import FMA_DATASET, FMA_SITE, FOLDER, Source

GROUP = "ingest"


class SweepConfig(dg.Config):
    """How the site is swept."""

    mode: Literal["auto", "full", "incremental"] = Field(
        default="auto",
        description="full reads every listing to its end and finds removals; incremental reads, "
        "newest first, up to what is known; auto does the first for a genre that had no complete "
        "full sweep for a week.",
    )


@table_asset(
    TRACKS,
    group_name=GROUP,
    code_version="1",
)
def fma_site_catalogue(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    fma_site: FmaSite,
    config: SweepConfig,
) -> dg.MaterializeResult:
    """Every track in the site's listings of the chosen genres, with the licence of its page."""
    from genre_assets.sources.fma_site.archive import Archive
    from genre_assets.sources.fma_site.catalogue import sweep_site
    from genre_assets.sources.fma_site.known_tracks import Known
    from genre_assets.sources.fma_site.sweep_records import (
        SweepError,
        given_up,
        sweep_that_never_began,
    )

    with lake.open() as opened, in_one_sentence():
        record = StepRecord()
        access = fma_site.site_access()
        # Two sweeps at a time would ask twice and lose each other's sightings.
        with (
            _turn_at_site(opened, context),
            opened.held(SWEEPS, log=log_of(context)),
            Archive(opened, uuid.uuid4().hex) as archive,
        ):
            swept_before = opened.read(SWEEPS)
            try:
                with access.visit(opened, archive, log_of(context)) as reader:
                    swept = sweep_site(
                        access.site,
                        fma_site.genres,
                        config.mode,
                        read=reader.read,
                        archive=archive,
                        known=Known(opened),
                        sweeps=swept_before,
                        rejected=opened.read(REJECTED_ROWS, [FMA_SITE.name]),
                        log=log_of(context),
                    )
            except SweepError as error:
                opened.write(SWEEPS, error.sweeps)
                raise
            except SourceError as error:
                failed = sweep_that_never_began(
                    archive.sweep_id, fma_site.genres, config.mode, swept_before, error
                )
                opened.write(SWEEPS, failed)
                raise
            swept_now = swept.sweeps.filter(pc.field("sweep_id") == archive.sweep_id)
            shown = ["genre", "mode", "claimed", "distinct", "new", "complete", "reason"]
            try:
                result = _record_sweep(
                    context,
                    opened,
                    FMA_SITE,
                    swept.catalogue,
                    record,
                    fma_site.believe_removals,
                    sweeps=dg.MetadataValue.json(swept_now.select(shown).to_pylist()),
                )
            except SourceError as error:
                opened.write(SWEEPS, given_up(swept.sweeps, archive.sweep_id, error))
                raise
            for shard, rows in swept.sightings.items():
                opened.write(SIGHTINGS, rows, shard)
            opened.write(SWEEPS, swept.sweeps)
        return result


def _catalogue_of_files(source: Source, resource: str, description: str) -> dg.AssetsDefinition:
    """The catalogue of a source whose files lie on this machine, as its resource reads it."""

    @table_asset(
        TRACKS,
        name=source.catalogue,
        description=description,
        group_name=GROUP,
        code_version="1",
        required_resource_keys={"lake", resource},
    )
    def catalogue(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        files = getattr(context.resources, resource)
        with context.resources.lake.open() as lake, in_one_sentence():
            record = StepRecord()
            listed = files.catalogue(lake, log_of(context))
            return _record_sweep(context, lake, source, listed, record, files.believe_removals)

    return catalogue


folder_catalogue = _catalogue_of_files(
    FOLDER, "music_folder", "Every audio file of a music library, under ids that survive renames."
)
fma_dataset_catalogue = _catalogue_of_files(
    FMA_DATASET,
    "fma_dataset",
    "Every track of the FMA research dataset's tracks.csv, with its clip where there is one.",
)

tracks = dg.AssetSpec(
    "tracks",
    group_name=GROUP,
    deps=[fma_site_catalogue, folder_catalogue, fma_dataset_catalogue],
    partitions_def=shards,
    description="All tracks that a source lists or ever listed; written by the catalogues.",
    metadata=column_schema(TRACKS),
    kinds={"parquet"},
)


@table_asset(
    FETCHES,
    group_name=GROUP,
    partitions_def=shards,
    code_version="1",
    deps=[tracks],
    automation_condition=stale,
)
def fetches(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    fma_site: FmaSite,
    licence_policy: LicencePolicy,
    workers: Workers,
) -> Iterator[dg.MaterializeResult | dg.AssetMaterialization]:
    """The audio of the site's tracks, downloaded once each, and every try to do so."""
    from genre_assets.sources.fma_site.downloads import HostInTrouble, Policy, download_shard
    from genre_assets.sources.fma_site.known_tracks import unread_pages
    from genre_assets.takedowns.record import taken_down
    from genre_assets.takedowns.removal import enforce

    with (
        lake.open() as opened,
        _turn_at_site(opened, context),
        workers.open() as pool,
        in_one_sentence(),
    ):
        access = trouble = None
        results = PartitionResults(context)
        for shard in context.partition_keys:
            record = StepRecord()
            # Read anew for each shard: a first download takes days.
            gone = taken_down(opened)
            policy = Policy(
                frozenset(licence_policy.excluded), gone.reason_for, gone.contents,
                unread_pages(opened),
            )  # fmt: skip
            listed = opened.read(TRACKS, [shard]).filter(pc.field("source") == FMA_SITE.name)
            with opened.held(FETCHES, shard, log_of(context)):
                previous = opened.read(FETCHES, [shard])
                rows = previous
                if listed.num_rows and not fma_site.base:
                    warnings_of(context)(
                        f"{FMA_SITE.setting} is not set, so nothing is downloaded for the "
                        f"{counted(listed.num_rows, 'track')} of a site in {shard}."
                    )
                elif listed.num_rows:
                    access = access or fma_site.site_access().file_access(opened, log_of(context))
                    journal = opened.journal(FETCHES, shard)
                    try:
                        rows = download_shard(
                            listed, previous, journal, opened.store, access, policy, pool,
                            context.run.run_id, log_of(context, shard),
                        )  # fmt: skip
                    except HostInTrouble as error:
                        rows, trouble = error.rows, error
                    opened.write(FETCHES, rows, shard)
                    journal.clear()
            tried = rows.filter(pc.field("run_id") == context.run.run_id)
            requested = tried.filter(pc.field("attempts") > 0).num_rows
            record_rate(opened, FETCHES.name, requested, record.seconds)
            results.add(
                shard,
                record.metadata(
                    listed.num_rows,
                    rows,
                    failures(tried, "outcome", FETCHES.no_failure),
                    downloaded=tried.num_rows - tried["sha256"].null_count,
                    megabytes=round(sum(filter(None, tried["bytes"].to_pylist())) / 1e6, 1),
                ),
                opened.version(FETCHES, shard),
            )
            if trouble:
                raise trouble
        enforce(opened, opened.store, log_of(context))
        yield from results.all()


def _turn_at_site(
    lake: Lake, context: dg.AssetExecutionContext
) -> contextlib.AbstractContextManager[None]:
    # Two at a time would each keep the pause between two requests, and together half of it.
    return lake.turn(FMA_SITE.name, "is reading the site", log_of(context))


def _record_sweep(
    context: dg.AssetExecutionContext,
    lake: Lake,
    source: Source,
    catalogue: Catalogue,
    record: StepRecord,
    believe_removals: bool,
    **more: dg.MetadataValue,
) -> dg.MaterializeResult:
    """Write what a sweep found, shard by shard, and report each to Dagster.

    Raises:
        SourceError: If the sweep is not to be believed; nothing is written then.
    """
    from genre_assets.sources.rejections import record_rejections
    from genre_assets.sources.removals import refuse_doubtful
    from genre_assets.sources.sweeps import record_sweep

    if not believe_removals:
        refuse_doubtful(catalogue)
    newly_gone = record_sweep(
        lake,
        source.name,
        catalogue.tracks,
        datetime.now(UTC),
        catalogue.still_there,
        catalogue.gone,
        believe_removals=believe_removals,
    )
    fingerprints = _report_tracks(context, lake)
    record_rejections(lake, source.name, catalogue.rejected)
    for note in catalogue.skipped:
        log_of(context)(note)
    for note in catalogue.notes:
        warnings_of(context)(note)
    listed, gone = catalogue.tracks.num_rows, sum(newly_gone.values())
    left_out = Counter(catalogue.rejected["kind"].to_pylist())
    rejected = left_out[Kind.TRACK] + left_out[Kind.SOUND]
    said = [f"{counted(listed, 'track')} listed"]
    said += [
        not_taken(kind, left_out[kind])
        for kind in (Kind.TRACK, Kind.SOUND, Kind.VALUE)
        if left_out[kind]
    ]
    said.append(f"{gone or 'no'} known {'tracks have' if gone > 1 else 'track has'} disappeared")
    log_of(context)("; ".join(said))
    return record.result(
        rows_in=listed + rejected,
        rows=catalogue.tracks,
        failed={"rejected": rejected} if rejected else None,
        values_left_out=left_out[Kind.VALUE],
        version=[f"{shard} {fingerprint}" for shard, fingerprint in sorted(fingerprints.items())],
        gone=gone,
        notes=dg.MetadataValue.json(catalogue.notes + catalogue.skipped),
        **more,
    )


_VERSION = "lake_version"
"""Metadata by which a materialisation of ``tracks`` says which file it speaks of."""


def _report_tracks(context: dg.AssetExecutionContext, lake: Lake) -> dict[str, str]:
    """Report each shard of ``tracks`` to Dagster that changed since the last report.

    Returns:
        The fingerprint of every shard.
    """
    from genre_assets.sources.sweeps import shards_other_than

    register_partitions(context.instance, lake)
    # Of two sweeps that report at a time, the older one might be the last.
    with lake.lock(TRACKS):
        reported, fingerprints = {}, {}
        for shard in filter(None, lake.partitions(TRACKS)):
            if last := _last_reported(context.instance, shard):
                reported[shard], fingerprints[shard] = last
        for state in shards_other_than(lake, reported):
            fingerprints[state.shard] = state.fingerprint
            context.log_event(
                dg.AssetMaterialization(
                    "tracks",
                    partition=state.shard,
                    metadata={
                        "dagster/row_count": state.rows.num_rows,
                        "sample": sample(state.rows),
                        _VERSION: state.version,
                    },
                    tags={DATA_VERSION_TAG: state.fingerprint},
                )
            )
    return fingerprints


def _last_reported(instance: dg.DagsterInstance, shard: str) -> tuple[str, str] | None:
    """The version and fingerprint of a shard that a sweep last reported to Dagster, if one did."""
    of_shard = dg.AssetRecordsFilter(asset_key=dg.AssetKey("tracks"), asset_partitions=[shard])
    for record in instance.fetch_materializations(of_shard, limit=1).records:
        last = record.asset_materialization
        fingerprint = (last.tags or {}).get(DATA_VERSION_TAG) if last else None
        version = last.metadata.get(_VERSION) if last else None
        # Who reports a materialisation by hand says neither.
        if fingerprint and isinstance(version, dg.TextMetadataValue) and version.text:
            return version.text, fingerprint
    return None
