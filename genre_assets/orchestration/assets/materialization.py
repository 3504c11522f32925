"""The metadata of a materialisation: counts in, out and failed, a sample, seconds and rate."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import dagster as dg
import pyarrow as pa

from genre_assets.errors import UserError
from genre_assets.lake.schemas import Table
from genre_assets.orchestration.automation import one_run_for_a_range
from genre_assets.visible import in_one_line

DATA_VERSION_TAG = "dagster/data_version"
"""The tag by which Dagster knows the version of what was materialised."""
_VERSION_IS_OURS = "dagster/data_version_is_user_provided"

_SAMPLE_ROWS = 5
_SAMPLE_COLUMNS = 12
_LONGEST_CELL = 32


def column_schema(table: Table) -> dict[str, dg.TableSchema]:
    """Definition metadata that shows the declared columns of a table in the UI."""
    columns = [
        dg.TableColumn(
            field.name, str(field.type), description=field.metadata[b"description"].decode()
        )
        for field in table.schema
    ]
    return {"dagster/column_schema": dg.TableSchema(columns)}


def failures(
    rows: pa.Table, column: str = "status", no_failure: Iterable[str] = ("ok",)
) -> Counter[str]:
    """How many rows failed, by what a column says became of them.

    Args:
        rows: Rows of a table.
        column: The column.
        no_failure: What may become of a row that did not fail.
    """
    return Counter(kind for kind in rows[column].to_pylist() if kind not in no_failure)


def table_asset(table: Table, **options) -> Callable[[Callable], dg.AssetsDefinition]:
    """The decorator of an asset that writes a table of the lake.

    Its columns are shown in the UI, and a range of its partitions is one run unless the options
    say otherwise.

    Args:
        table: The table.
        **options: Further options of ``dagster.asset``.
    """
    return dg.asset(
        **{
            "metadata": column_schema(table),
            "kinds": {"parquet"},
            "backfill_policy": one_run_for_a_range,
            **options,
        }
    )


def counts(values: pa.ChunkedArray) -> dg.JsonMetadataValue:
    """How often each value stands in a column, as the UI can show it."""
    return dg.MetadataValue.json(dict(Counter(v or "" for v in values.to_pylist()).most_common(50)))


class PartitionResults:
    """What a run reports to Dagster of each partition: metadata, and a version of its rows.

    Whatever was made from a partition that came out the same as before stays up to date.

    Args:
        context: Of the step that makes the asset.
        asset: Name of the asset, where the step makes several.
    """

    def __init__(self, context: dg.AssetExecutionContext, asset: str | None = None):
        self._context = context
        self._key = dg.AssetKey(asset) if asset else context.asset_key
        self._of: dict[str, tuple[dict, str]] = {}

    def add(self, partition: str, metadata: dict, *versions: str) -> None:
        """Note what to report of a partition, and the versions of what was written."""
        self._of[partition] = metadata, "-".join(versions)

    def all(self) -> Iterator[dg.MaterializeResult | dg.AssetMaterialization]:
        """What the asset yields at its end."""
        if len(self._of) == 1:
            ((metadata, version),) = self._of.values()
            yield dg.MaterializeResult(
                asset_key=self._key, metadata=metadata, data_version=dg.DataVersion(version)
            )
            return
        # The one result of a run says the same of all its partitions. So each is reported once
        # more by itself, with the versions of code and inputs that the result recorded.
        yield dg.MaterializeResult(asset_key=self._key)
        record = self._context.instance.get_latest_materialization_event(self._key)
        assert record and record.asset_materialization
        shared = record.asset_materialization.tags or {}
        for partition, (metadata, version) in self._of.items():
            tags = {**shared, DATA_VERSION_TAG: version, _VERSION_IS_OURS: "true"}
            yield dg.AssetMaterialization(
                self._key, partition=partition, metadata=metadata, tags=tags
            )


class StepRecord:
    """What one materialisation did and how long it took, from when this is made."""

    def __init__(self):
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._started

    def metadata(
        self, rows_in: int, rows: pa.Table, failed: Mapping[str, int] | None = None, **more
    ) -> dict:
        """Metadata of what was done so far.

        Args:
            rows_in: Rows that went in.
            rows: Rows that came out.
            failed: Rows that failed, by named reason.
            **more: Further entries, taken as they are.
        """
        seconds = self.seconds
        failed = {name: failed[name] for name in sorted(failed)} if failed else {}
        return {
            "rows_in": rows_in,
            "dagster/row_count": rows.num_rows,
            "failed": sum(failed.values()),
            "failed_by_reason": dg.MetadataValue.json(failed),
            "sample": sample(rows),
            "seconds": round(seconds, 3),
            "rows_per_second": round(rows.num_rows / max(seconds, 1e-9), 1),
            **more,
        }

    def result(
        self,
        rows_in: int,
        rows: pa.Table,
        failed: Mapping[str, int] | None = None,
        *,
        version: Iterable[str],
        **more,
    ) -> dg.MaterializeResult:
        """The same as the result of an asset, with the versions of the parts that it wrote."""
        digest = hashlib.sha256("\n".join(version).encode()).hexdigest()[:32]
        return dg.MaterializeResult(
            metadata=self.metadata(rows_in, rows, failed, **more),
            data_version=dg.DataVersion(digest),
        )


def sample(rows: pa.Table) -> dg.TableMetadataValue:
    """The first rows and columns of a table, as the UI can show them."""
    head = rows.select(rows.column_names[:_SAMPLE_COLUMNS]).slice(0, _SAMPLE_ROWS)
    records = [
        dg.TableRecord({name: _cell(value) for name, value in row.items()})
        for row in head.to_pylist()
    ]
    return dg.MetadataValue.table(
        records, dg.TableSchema([dg.TableColumn(name) for name in head.column_names])
    )


def _cell(value: object) -> str | int | float | bool:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, bool | int):
        return value
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"


@contextmanager
def in_one_sentence() -> Iterator[None]:
    """Turn an error that the user can mend into a failure that is its sentence, not retried.

    Raises:
        dagster.Failure: In place of a UserError.
    """
    try:
        yield
    except UserError as error:
        raise dg.Failure(in_one_line(str(error)), allow_retries=False) from error
