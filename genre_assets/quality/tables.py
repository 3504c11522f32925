"""Whether the rows of tables are what the schema says, and every key stands once."""

import atexit
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

import duckdb
import pyarrow as pa

from genre_assets.lake.schemas import SUMMARY_FEATURES, Table
from genre_assets.lake.tables import Lake
from genre_assets.progress import counted
from genre_assets.quality.features import BREAKS_BOUNDS, outside_bounds, summary_columns_in
from genre_assets.quality.rules import Rule, rules_of
from genre_assets.quality.verdict import MOST_EXAMPLES, Verdict, listed, some

_LONGEST_VALUE = 200
_PLACE = "place_in_table"

Part = tuple[Table, str | None]
"""A table and the key of one of its partitions."""


@dataclass
class _Found:
    """What rows break."""

    rows: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    examples: list[dict] = field(default_factory=list)

    @property
    def named(self) -> str:
        return listed([f"{says} ({n:,} not)" for says, n in self.broken.most_common()], most=3)

    def verdict(self, sentence: str, *, warning: bool = False) -> Verdict:
        return Verdict(
            passed=not self.broken,
            sentence=sentence,
            counts={
                "rows": self.rows,
                "offences": self.broken.total(),
                **dict(self.broken.most_common()),
            },
            examples=some(self.examples),
            warning=warning,
        )


def parts_of(lake: Lake, tables: Iterable[Table]) -> list[Part]:
    """All partitions of tables that the lake holds."""
    return [(table, key) for table in tables for key in lake.partitions(table)]


def rows_valid(lake: Lake, parts: Sequence[Part], now: datetime | None = None) -> Verdict:
    """Check types of columns, and the values in rows that are our own work.

    Args:
        lake: The lake.
        parts: What to look at; a partition without a file has no rows and offends nobody.
        now: The present.
    """
    found = _looked_through(lake, parts, now, ours=True)
    sentence = f"{counted(found.rows, 'row')}: all obey the schema."
    if found.broken:
        sentence = f"{counted(found.rows, 'row')} checked, and rules are broken: {found.named}."
    return found.verdict(sentence)


def values_plausible(lake: Lake, parts: Sequence[Part], now: datetime | None = None) -> Verdict:
    """Check the values in rows that came from outside: from files, tags, tables, pages and clocks.

    An odd one is shown here with its row and stops nothing: it is no mistake of this program, and
    the other rows are as good as without it.

    Args:
        lake: The lake.
        parts: What to look at; a partition without a file has no rows and offends nobody.
        now: The present, which no time should lie after.
    """
    found = _looked_through(lake, parts, now, ours=False)
    sentence = f"{counted(found.rows, 'row')}: the values from outside are plausible."
    if found.broken:
        sentence = f"{counted(found.rows, 'row')} checked, some with odd values: {found.named}."
    return found.verdict(sentence, warning=True)


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
    found = "no key occurs twice"
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


def _looked_through(
    lake: Lake, parts: Sequence[Part], now: datetime | None, *, ours: bool
) -> _Found:
    """Hold rows against the rules about our own work, or against those about what is not ours."""
    moment = now or datetime.now(UTC)
    found = _Found()
    for table, partition in parts:
        stored = lake.stored_schema(table, partition)
        if stored is None:
            continue
        place = {"table": table.name, "partition": partition or ""}
        if wrong := _wrong_types(table, stored):
            if ours:
                found.broken["columns have the declared types"] += len(wrong)
                found.examples += [
                    place
                    | {
                        "key": "",
                        "rule": f"{name} is {declared}",
                        "values": f"{name}: {found_type}",
                    }
                    for name, declared, found_type in wrong
                ]
            continue
        part = lake.read(table, [partition])
        found.rows += part.num_rows
        for says, count, offending in _offences(table, part, partition, moment, ours):
            found.broken[f"{table.name}: {says}"] += count
            found.examples += [place | {"rule": says} | row for row in offending]
    return found


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
    table: Table, rows: pa.Table, partition: str | None, now: datetime, ours: bool
) -> Iterator[tuple[str, int, list[dict]]]:
    if rules := [rule for rule in rules_of(table) if rule.blocks == ours]:
        yield from _broken(rules, table, rows, partition, now)
    # Published features are values of others; those computed here are our work.
    if ours == (table is SUMMARY_FEATURES):
        count, examples = outside_bounds(table, rows)
        if count:
            yield BREAKS_BOUNDS, count, examples


def _broken(
    rules: list[Rule], table: Table, rows: pa.Table, partition: str | None, now: datetime
) -> Iterator[tuple[str, int, list[dict]]]:
    features = set(summary_columns_in(table))
    plain = rows.select([name for name in rows.column_names if name not in features])
    broken = [_breaks(rule, partition, now) for rule in rules]
    with _database().cursor() as connection:
        connection.register("rows", plain.append_column(_PLACE, pa.array(range(rows.num_rows))))
        sums = ", ".join(f"count_if({condition})" for condition in broken)
        (counts,) = connection.execute(f"SELECT {sums} FROM rows").fetchall()  # noqa: S608
        for rule, condition, count in zip(rules, broken, counts, strict=True):
            if count:
                first = f"SELECT {_PLACE} FROM rows WHERE {condition} LIMIT {MOST_EXAMPLES}"  # noqa: S608
                places = [place for (place,) in connection.execute(first).fetchall()]
                found = plain.take(places).to_pylist()
                yield rule.says, count, [_example(table, rule, row) for row in found]


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """An empty one, open as long as the process: to open it takes longer than to check a shard."""
    atexit.register(_database.cache_clear)
    return duckdb.connect()


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
