"""Asset checks, which run after an asset is materialised; some of them block what is downstream.

What a table has to satisfy is plain Python in :mod:`genre_assets.quality`; here its verdicts become
results of Dagster. All checks of an asset are one step after it. A blocking check that fails stops
the assets downstream, in the same run and in runs that automation requests; so it checks our own
work only, never a value that came from outside.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module

import dagster as dg

# Dagster makes this itself where a run has one partition; a range of them is left to us. Without
# it a result counts as that of an older materialization.
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Target,
)

from genre_assets.lake.schemas import (
    AUDIO,
    CHAMPIONS,
    ECHONEST_FEATURES,
    FEATURE_FAILURES,
    FETCHES,
    FMA_FEATURES,
    ID3_TAGS,
    LABELS,
    LEAKY_PREDICTIONS,
    PAGES,
    PREDICTIONS,
    REJECTED_ROWS,
    REVOKED_TAKEDOWNS,
    SCORES,
    SIGHTINGS,
    SPECTROGRAM_FAILURES,
    SPECTROGRAMS,
    SUMMARY_FEATURES,
    SWEEPS,
    TAKEDOWNS,
    TASK_MEMBERS,
    TASK_NOTES,
    TRACKS,
    Table,
)
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.asset_log import warnings_of
from genre_assets.orchestration.assets import evaluation, features, ingest, metadata, models
from genre_assets.orchestration.resources import FmaSite, LakeResource
from genre_assets.quality.verdict import Verdict, listed
from genre_assets.sources.registry import FMA_DATASET, FMA_SITE, FOLDER, Source
from genre_assets.visible import in_one_line

EVERY_MORNING = "41 6 * * *"
"""When the standing checks look again, though nothing was made: after the nightly sweep."""

AssetOfTable = dg.AssetsDefinition | dg.AssetSpec


@dataclass(frozen=True)
class Subject:
    """What a check looks at.

    Attributes:
        lake: The lake.
        partition: Key of the partition of the asset, or None when it has none.
        site: The site and its genres.
    """

    lake: Lake
    partition: str | None
    site: FmaSite


Judge = Callable[[Subject], Verdict]


@dataclass(frozen=True)
class Check:
    """One check of an asset.

    Attributes:
        name: Its name in the UI.
        description: What holds when it passes.
        judge: Looks and says what it found.
        blocking: Whether what is downstream has to wait for it to pass.
        standing: Whether it looks again every morning.
    """

    name: str
    description: str
    judge: Judge
    blocking: bool = False
    standing: bool = False


def checks_of(asset: AssetOfTable, *checks: Check) -> dg.AssetChecksDefinition:
    """The checks of one asset, as one step; each partition of a run has a result of its own."""
    specs = {
        check.name: dg.AssetCheckSpec(
            check.name,
            asset=asset.key,
            description=check.description,
            blocking=check.blocking,
            partitions_def=asset.partitions_def,
            automation_condition=(
                dg.AutomationCondition.cron_tick_passed(EVERY_MORNING) if check.standing else None
            ),
        )
        for check in checks
    }

    @dg.multi_asset_check(
        name=f"{asset.key.to_python_identifier()}_checks",
        specs=list(specs.values()),
        can_subset=True,
    )
    def look(
        context: dg.AssetCheckExecutionContext, lake: LakeResource, fma_site: FmaSite
    ) -> Iterator[dg.AssetCheckEvaluation | dg.Output]:
        stops, warn = [], warnings_of(context)
        partitions = _partitions(context, asset)
        targets = {key: _target(context, asset, key) for key in partitions}
        for check in checks:
            spec = specs[check.name]
            if spec.key not in context.selected_asset_check_keys:
                continue
            for partition, target in targets.items():
                verdict = check.judge(Subject(Lake(lake.root), partition, fma_site))
                said = f"{check.name}{f' of {partition}' if partition else ''}: {verdict.sentence}"
                if not verdict.passed:
                    warn(said)
                    stops += [said] * (check.blocking and not verdict.warning)
                yield _evaluation(spec, partition, verdict, target)
            yield dg.Output(None, output_name=spec.get_python_identifier())
        if stops:
            raise dg.Failure(in_one_line(listed(stops, most=3)), allow_retries=False)

    return look


def _partitions(
    context: dg.AssetCheckExecutionContext, asset: AssetOfTable
) -> Sequence[str | None]:
    if asset.partitions_def is None:
        return [None]
    if context.has_partition_key or context.has_partition_key_range:
        return context.partition_keys
    # Only the checks were requested, of no partition: of all there are.
    return sorted(context.instance.get_materialized_partitions(asset.key))


def _target(
    context: dg.AssetCheckExecutionContext,
    asset: AssetOfTable,
    partition: str | None,
) -> Target | None:
    """The materialization that is looked at: the last one."""
    wanted = dg.AssetRecordsFilter(
        asset_key=asset.key, asset_partitions=None if partition is None else [partition]
    )
    last = next(iter(context.instance.fetch_materializations(wanted, limit=1).records), None)
    return last and Target(storage_id=last.storage_id, run_id=last.run_id, timestamp=last.timestamp)


def _evaluation(
    spec: dg.AssetCheckSpec, partition: str | None, verdict: Verdict, target: Target | None
) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=spec.asset_key,
        check_name=spec.name,
        passed=verdict.passed,
        description=verdict.sentence,
        severity=dg.AssetCheckSeverity.WARN if verdict.warning else dg.AssetCheckSeverity.ERROR,
        blocking=spec.blocking,
        partition=partition,
        target_materialization_data=target,
        metadata=dict(verdict.counts)
        | ({"examples": _table(verdict.examples)} if verdict.examples else {}),
    )


def _table(rows: list[dict]) -> dg.TableMetadataValue:
    records = [
        dg.TableRecord({k: v if isinstance(v, int | float) else str(v) for k, v in row.items()})
        for row in rows
    ]
    return dg.MetadataValue.table(
        records, dg.TableSchema([dg.TableColumn(name) for name in rows[0]])
    )


Parts = Callable[[Subject], list[tuple[Table, str | None]]]


def _own(*tables: Table) -> Parts:
    """The partition of the asset, of each of its tables."""
    return lambda subject: [(table, subject.partition) for table in tables]


def _every(*tables: Table) -> Parts:
    """All partitions of tables, of an asset that has none."""
    return lambda subject: [
        (table, key) for table in tables for key in subject.lake.partitions(table)
    ]


def _catalogue(source: Source, *more: Parts) -> Parts:
    """What the catalogue of a source writes: its shards of the tracks and what it rejected."""

    def parts(subject: Subject) -> list[tuple[Table, str | None]]:
        present = [key for key in subject.lake.partitions(TRACKS) if key in source.shards]
        own: list[tuple[Table, str | None]] = [(TRACKS, key) for key in present]
        return [
            *own,
            (REJECTED_ROWS, source.name),
            *(part for other in more for part in other(subject)),
        ]

    return parts


def _last_pages(subject: Subject) -> list[tuple[Table, str | None]]:
    return [(PAGES, month) for month in subject.lake.partitions(PAGES)[-1:]]


def _judge(module: str, name: str, arguments: Callable[[Subject], tuple]) -> Judge:
    """A function of a module of :mod:`genre_assets.quality`, imported when it is needed."""

    def judge(subject: Subject) -> Verdict:
        function = getattr(import_module(f"genre_assets.quality.{module}"), name)
        return function(subject.lake, *arguments(subject))

    return judge


def _of_partition(*more: object) -> Callable[[Subject], tuple]:
    return lambda subject: (str(subject.partition), *more)


def _sound(parts: Parts) -> list[Check]:
    """The checks that every table has, made from its declared schema."""
    return [
        Check(
            "rows_valid",
            "Columns have the declared types, and what the platform wrote itself obeys its rules.",
            _judge("tables", "rows_valid", lambda subject: (parts(subject),)),
            blocking=True,
        ),
        Check(
            "keys_unique",
            "No key occurs twice.",
            _judge("tables", "keys_unique", lambda subject: (parts(subject),)),
            blocking=True,
        ),
    ]


def _plausible(parts: Parts) -> Check:
    """The check of values that came from outside, which stop nothing however odd they are."""
    return Check(
        "values_plausible",
        "Values from files, tags, tables and pages are plausible.",
        _judge("tables", "values_plausible", lambda subject: (parts(subject),)),
    )


def _of_tables(*tables: Table) -> list[Check]:
    """The checks of the tables that an asset of one partition writes, as their facts say."""
    few_failures = [_few_failures(table) for table in tables if table.outcome]
    return [*_sound(_own(*tables)), *few_failures]


def _few_failures(table: Table) -> Check:
    return Check(
        "few_failures",
        "No more than a small share of the tracks fail for the same reason.",
        _judge("failures", "few_failures", lambda subject: (table, str(subject.partition))),
    )


def _no_dead_features(table: Table) -> Check:
    def arguments(subject: Subject) -> tuple:
        keys = subject.lake.partitions(table) if subject.partition is None else [subject.partition]
        return table, [str(key) for key in keys]

    return Check(
        "no_dead_features",
        "Every feature has values, and none is the same for many different tracks.",
        # Odd music may do that as well as a mistake of ours, and must not stop the rest.
        _judge("features", "no_dead_features", arguments),
    )


_SITE = _catalogue(FMA_SITE, _every(SIGHTINGS, SWEEPS), _last_pages)

asset_checks = [
    checks_of(
        ingest.fma_site_catalogue,
        *_sound(_SITE),
        _plausible(_SITE),
        Check(
            "sweeps_whole",
            "The last full sweep of each genre found as many tracks as the listing claims.",
            _judge("sweeps", "sweeps_whole", lambda subject: (subject.site.genres,)),
        ),
        Check(
            "scrape_fresh",
            "Every genre was swept to its end recently.",
            _judge("sweeps", "scrape_fresh", lambda subject: (subject.site.genres,)),
            standing=True,
        ),
    ),
    *(
        checks_of(asset, *_sound(parts), _plausible(parts))
        for asset, parts in (
            (ingest.folder_catalogue, _catalogue(FOLDER)),
            (ingest.fma_dataset_catalogue, _catalogue(FMA_DATASET)),
        )
    ),
    *(
        checks_of(asset, *_of_tables(table), _plausible(_own(table)))
        for asset, table in (
            (ingest.fetches, FETCHES),
            (metadata.audio, AUDIO),
            (metadata.id3_tags, ID3_TAGS),
        )
    ),
    checks_of(
        metadata.labels,
        *_sound(_every(LABELS, TAKEDOWNS, REVOKED_TAKEDOWNS)),
        Check(
            "nothing_failed",
            "Nothing in the lake failed. If something did: what, how often and why, most "
            "frequent first.",
            _judge("failures", "nothing_failed", lambda _: ()),
            standing=True,
        ),
    ),
    checks_of(
        features.extraction.get_asset_spec(dg.AssetKey(SUMMARY_FEATURES.name)),
        *_of_tables(SUMMARY_FEATURES, FEATURE_FAILURES),
        _no_dead_features(SUMMARY_FEATURES),
        Check(
            "every_track_analysed",
            "Every track whose audio is ok has features of its bytes, or a failure with a reason.",
            _judge("coverage", "every_track_analysed", _of_partition()),
        ),
    ),
    checks_of(
        features.extraction.get_asset_spec(dg.AssetKey(SPECTROGRAMS.name)),
        *_of_tables(SPECTROGRAMS, SPECTROGRAM_FAILURES),
        Check(
            "every_track_cut",
            "Every track whose audio is ok has segments of its bytes, or a failure with a reason.",
            _judge(
                "coverage",
                "every_track_analysed",
                _of_partition(SPECTROGRAMS, SPECTROGRAM_FAILURES),
            ),
        ),
        Check(
            "files_whole",
            "Every file of spectrograms is there, and as long as its segments make it.",
            _judge("spectrograms", "files_whole", _of_partition()),
            blocking=True,
        ),
    ),
    *(
        checks_of(
            asset, *_sound(_every(table)), _plausible(_every(table)), _no_dead_features(table)
        )
        for asset, table in (
            (features.fma_features, FMA_FEATURES),
            (features.echonest_features, ECHONEST_FEATURES),
        )
    ),
    checks_of(
        models.task_dataset,
        *_of_tables(TASK_MEMBERS, TASK_NOTES),
        Check(
            "sides_disjoint",
            "No artist, group or exact duplicate is on two sides of the split.",
            _judge("splits", "sides_disjoint", _of_partition()),
            blocking=True,
        ),
    ),
    checks_of(evaluation.predictions, *_of_tables(PREDICTIONS, LEAKY_PREDICTIONS)),
    checks_of(evaluation.scores, *_of_tables(SCORES)),
    checks_of(evaluation.champion, *_of_tables(CHAMPIONS)),
]
"""The checks of every asset that writes a table."""
