"""Whether the rows of tables are what the schema says, and every key stands once."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from genre_assets.lake.schemas import Table
from genre_assets.lake.tables import Lake
from genre_assets.progress import counted
from genre_assets.quality.features import BREAKS_BOUNDS, outside_bounds, summary_columns_in
from genre_assets.quality.rules import Rule, rules_of
from genre_assets.quality.verdict import MOST_EXAMPLES, Verdict, listed, some

_LONGEST_VALUE = 200
_PLACE = "place_in_table"

Part = tuple[Table, str | None]
"""A table and the key of one of its partitions."""


def parts_of(lake: Lake, tables: Iterable[Table]) -> list[Part]:
    """All partitions of tables that the lake holds."""
    return [(table, key) for table in tables for key in lake.partitions(table)]


def rows_valid(lake: Lake, parts: Sequence[Part], now: datetime | None = None) -> Verdict:
    """Check types and values of rows against the declared schemas.

    Args:
        lake: The lake.
        parts: What to look at; a partition without a file has no rows and offends nobody.
        now: The present, which no time may lie after.
    """
    moment = now or datetime.now(UTC)
    rows, broken, examples = 0, Counter(), []
    for table, partition in parts:
        stored = lake.stored_schema(table, partition)
        if stored is None:
            continue
        place = {"table": table.name, "partition": partition or ""}
        if wrong := _wrong_types(table, stored):
            broken["columns have the declared types"] += len(wrong)
            examples += [
                place | {"key": "", "rule": f"{name} is {declared}", "values": f"{name}: {stored}"}
                for name, declared, stored in wrong
            ]
            continue
        part = lake.read(table, [partition])
        rows += part.num_rows
        for says, count, offending in _offences(table, part, partition, moment):
            broken[f"{table.name}: {says}"] += count
            examples += [place | {"rule": says} | row for row in offending]
    return Verdict(
        passed=not broken,
        sentence=_sentence(rows, broken),
        counts={"rows": rows, "offences": broken.total(), **dict(broken.most_common())},
        examples=some(examples),
    )


def keys_unique(lake: Lake, parts: Sequence[Part]) -> Verdict:
    """Check that no partition holds two rows of one key.

    Args:
        lake: The lake.
        parts: What to look at.
    """
    rows, repeated, examples = 0, 0, []
    for table, partition in parts:
        keys = lake.read(table, [partition], list(table.key))
        rows += keys.num_rows
        # A count of rows, not of a column's values: a key that is null counts as well.
        groups = keys.group_by(list(table.key)).aggregate([([], "count_all")])
        twice = [row for row in groups.to_pylist() if row["count_all"] > 1]
        repeated += len(twice)
        examples += [
            {
                "table": table.name,
                "partition": partition or "",
                "key": _shown([row[name] for name in table.key]),
                "rows": row["count_all"],
            }
            for row in twice[:MOST_EXAMPLES]
        ]
    found = "each key stands once"
    if repeated:
        stand = "stands" if repeated == 1 else "stand"
        found = f"{counted(repeated, 'key')} {stand} more than once, such as "
        found += f"{examples[0]['key']} of {examples[0]['table']}"
    return Verdict(
        passed=not repeated,
        sentence=f"{counted(rows, 'row')}: {found}.",
        counts={"rows": rows, "repeated_keys": repeated},
        examples=some(examples),
    )


def _wrong_types(table: Table, stored: pa.Schema) -> list[tuple[str, str, str]]:
    """Columns that were not declared, or as another type; one that lacks is read as null."""
    wrong = []
    for column in stored:
        if column.name not in table.schema.names:
            wrong.append((column.name, "not declared", str(column.type)))
        elif not column.type.equals(declared := table.schema.field(column.name).type):
            wrong.append((column.name, str(declared), str(column.type)))
    return wrong


def _offences(
    table: Table, rows: pa.Table, partition: str | None, now: datetime
) -> Iterable[tuple[str, int, list[dict]]]:
    features = set(summary_columns_in(table))
    plain = rows.select([name for name in rows.column_names if name not in features])
    rules = rules_of(table)
    broken = [_breaks(rule, partition, now) for rule in rules]
    with duckdb.connect() as connection:
        connection.register("rows", plain.append_column(_PLACE, pa.array(range(rows.num_rows))))
        sums = ", ".join(f"count_if({condition})" for condition in broken)
        (counts,) = connection.execute(f"SELECT {sums} FROM rows").fetchall()  # noqa: S608
        for rule, condition, count in zip(rules, broken, counts, strict=True):
            if count:
                first = f"SELECT {_PLACE} FROM rows WHERE {condition} LIMIT {MOST_EXAMPLES}"  # noqa: S608
                places = [place for (place,) in connection.execute(first).fetchall()]
                found = plain.take(places).to_pylist()
                yield rule.says, count, [_example(table, rule, row) for row in found]
    count, examples = outside_bounds(table, rows)
    if count:
        yield BREAKS_BOUNDS, count, examples


def _breaks(rule: Rule, partition: str | None, now: datetime) -> str:
    key = "NULL" if partition is None else "'" + partition.replace("'", "''") + "'"
    holds = rule.holds.replace("$now", str(int(now.timestamp() * 1e6))).replace("$partition", key)
    return f"NOT coalesce(({holds}), true)"


def _example(table: Table, rule: Rule, row: dict) -> dict:
    return {
        "key": _shown([row[name] for name in table.key]),
        "values": _shown([f"{name}: {row[name]}" for name in rule.columns]),
    }


def _shown(values: Iterable[object]) -> str:
    text = ", ".join(str(value) for value in values)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _sentence(rows: int, broken: Counter[str]) -> str:
    if not broken:
        return f"{counted(rows, 'row')}: all are as the schema says."
    told = listed([f"{says} ({count:,} not)" for says, count in broken.most_common()], most=3)
    return f"{counted(rows, 'row')} looked at, and rules are broken: {told}."
