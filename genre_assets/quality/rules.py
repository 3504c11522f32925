"""The rules that the rows of a table must satisfy, derived from its declared schema.

A rule is a condition in DuckDB's SQL that is true for a good row; null means unknown, and passes.
Most rules follow from the type of a column, from its name, or from what the schema says of the
table; rules that are specific to one table are in ``_OF_TABLE``.

A rule about our own work blocks: a row that breaks it is a mistake of this program, and nothing
more is made of it. A rule about a value that came from outside (a tag, a row of a CSV file, an
answer of a server, a clock) is only noted, because one odd value of somebody else's must not stop
the rest of a library.

The feature columns have rules of their own, in :mod:`genre_assets.quality.features`.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import pyarrow as pa

from genre_assets.audio.status import Status
from genre_assets.evaluation.metrics import METRICS
from genre_assets.lake.feature_columns import ECHONEST_COLUMNS
from genre_assets.lake.schemas import PROBABILITIES, TIME, Table
from genre_assets.sources.registry import SOURCES
from genre_assets.sources.shards import SHARDS

CLOCKS_DIFFER_S = 3600
"""Seconds that a time may lie ahead: clocks of several machines are never quite the same."""

_SUMS_TO_ONE_WITHIN = 1e-6


@dataclass(frozen=True)
class Rule:
    """What holds for every row.

    Attributes:
        says: The rule in words, such as ``sample_rate is above 0``.
        holds: The condition, in SQL; ``$now`` is the present in microseconds since 1970 and
            ``$partition`` the key of the partition that the rows lie in.
        columns: The columns that it speaks of, shown with a row that breaks it.
        blocks: Whether a row that breaks it is a mistake of our own and stops what is downstream;
            False where the value came from outside, so that it is noted and all else goes on.
    """

    says: str
    holds: str
    columns: tuple[str, ...]
    blocks: bool = True


def rules_of(table: Table) -> list[Rule]:
    """The rules of a table, each column's own first."""
    rules = [rule for column in table.schema for rule in _of_column(table, column)]
    names = set(table.schema.names)
    rules += [
        Rule(
            f"{a} is not after {b}",
            f"{a} <= {b}",
            (a, b),
            blocks=table.schema.field(a).type != TIME,
        )
        for a, b in _IN_ORDER
        if {a, b} <= names
    ]
    rules += [
        Rule(f"{what} is ok, or there is a reason", _reason_if_failed(what), (what, "reason"))
        for what in ("status", "outcome")
        if "reason" in names and what in names and table.schema.field(what).type == pa.string()
    ]
    if table.partitioned_by in names:
        own = str(table.partitioned_by)
        rules.append(Rule(f"{own} is that of the partition", f"{own} = $partition", (own,)))
    return rules + _OF_TABLE.get(table.name, [])


def _of_column(table: Table, column: pa.Field) -> list[Rule]:
    name, rules = column.name, []
    if name in _ALWAYS_KNOWN or (name in table.key and name not in _MAY_BE_UNKNOWN):
        rules.append(_known(name, column.type))
    if name in _ONE_OF and column.type == pa.string():
        values = ", ".join(f"'{value}'" for value in _ONE_OF[name])
        rules.append(Rule(f"{name} is one of those there are", f'"{name}" IN ({values})', (name,)))
    elif name in _BOUNDS:
        low, high = _BOUNDS[name]
        rules.append(_between(name, low, high))
    elif column.type == pa.int64() and name not in _ANY_WHOLE_NUMBER:
        rules.append(_between(name, 0, None))
    elif column.type == pa.float64():
        rules.append(Rule(f"{name} is a finite number", f'isfinite("{name}")', (name,)))
    elif column.type == TIME:
        ahead = f'epoch_us("{name}") <= $now + {CLOCKS_DIFFER_S * 1_000_000}'
        rules.append(Rule(f"{name} is not in the future", ahead, (name,)))
    elif column.type == PROBABILITIES:
        rules += _probabilities(name)
    elif name == "sha256":
        digits = f"regexp_full_match(\"{name}\", '[0-9a-f]{{64}}')"
        rules.append(Rule(f"{name} is 64 hexadecimal digits", digits, (name,)))
    if column.type == TIME or name in _FROM_OUTSIDE:
        # The status of a file is ours, that of HTTP is not.
        ours = name == "status" and column.type == pa.string()
        return [replace(rule, blocks=ours) for rule in rules]
    return rules


def _known(name: str, type_: pa.DataType) -> Rule:
    filled = f'"{name}" IS NOT NULL' + (f" AND \"{name}\" <> ''" if type_ == pa.string() else "")
    return Rule(f"{name} is known", filled, (name,))


def _between(name: str, low: float, high: float | None) -> Rule:
    # In DuckDB NaN is greater than every number, so that an open end needs a word of its own.
    if high is None:
        return Rule(
            f"{name} is {low} or more", f'"{name}" >= {low} AND isfinite("{name}")', (name,)
        )
    return Rule(f"{name} lies in {low} to {high}", f'"{name}" BETWEEN {low} AND {high}', (name,))


def _reason_if_failed(what: str) -> str:
    return f"({what} = 'ok') = (reason IS NULL OR reason = '')"


def _probabilities(name: str) -> list[Rule]:
    values = f"map_values({name})"
    return [
        Rule(
            f"{name} lie in 0 to 1 and sum to 1",
            f"len({values}) > 0 AND list_min({values}) >= 0 AND list_max({values}) <= 1 "
            f"AND abs(list_sum({values}) - 1) <= {_SUMS_TO_ONE_WITHIN}",
            (name,),
        )
    ]


_ALWAYS_KNOWN = {
    "source", "source_track_id", "shard", "mode", "extractor_version", "feature_source", "outcome",
    "synthetic", "genre_true", "genre_pred", "split", "first_seen_at", "last_seen_at",
}  # fmt: skip
"""Columns beside the keys that no row leaves open, in whichever table they stand."""

_FROM_OUTSIDE = {
    "place", "status", "official_split", "duration_s", "year", "bpm", "bitrate", "sample_rate",
    "channels", "track_number", "claimed", *ECHONEST_COLUMNS,
}  # fmt: skip
"""Columns whose values others wrote: rules about them are noted and never block. The same goes for
all times, since the clock of a machine may be wrong for a while."""

_MAY_BE_UNKNOWN = {"url"}
"""Columns of a key that a row may leave open: a track without a file has no address."""

_ANY_WHOLE_NUMBER = {"mtime_ns", "file_mtime_ns"}
"""Whole numbers that may be below 0: a file may be from before 1970."""

_ONE_OF = {
    "source": tuple(SOURCES),
    "shard": SHARDS,
    "status": tuple(Status),
    "official_split": ("training", "validation", "test"),
    "agreement": ("agrees", "disagrees", "alone", "none"),
}
"""Values of columns that are a choice. Not ``outcome``: a site finds new ways to say no."""

_BOUNDS: dict[str, tuple[float, float | None]] = {
    "status": (100, 599),  # of HTTP; the status of a file is a string
    "duration_s": (0, None),
    "bpm": (0, None),
    "n": (1, None),
    "tempo": (0, None),
    **{name: (0, 1) for name in ECHONEST_COLUMNS if name != "tempo"},
}
"""What numbers can be. Other whole numbers are sizes, counts or versions: never below 0."""

_IN_ORDER = [
    *pairwise(("first_seen_at", "last_seen_at", "gone_at")),
    ("started_at", "finished_at"),
    *pairwise(("low", "value", "high")),
]

_UNBOUNDED = [metric for metric in METRICS.values() if metric.highest is None]
_SHARES = Rule(
    "a metric is a share in 0 to 1, or 0 or more for "
    + " and ".join(metric.label for metric in _UNBOUNDED),
    "low >= 0 AND (high <= 1 OR metric IN "
    f"({', '.join(repr(metric.name) for metric in _UNBOUNDED)}))",
    ("metric", "low", "value", "high"),
)
_MOST_PROBABLE = Rule(
    "genre_pred is the most probable genre",
    "probabilities[genre_pred] >= list_max(map_values(probabilities))",
    ("genre_pred", "probabilities"),
)

_OF_TABLE = {
    "tracks": [
        Rule(
            "track_id is source:source_track_id",
            "track_id = source || ':' || source_track_id",
            ("track_id", "source", "source_track_id"),
        )
    ],
    "audio": [
        Rule(
            "a file that is ok has a content address, a path and a format",
            "status <> 'ok' OR (sha256 IS NOT NULL AND path IS NOT NULL AND format IS NOT NULL)",
            ("status", "sha256", "path", "format"),
        ),
        Rule(
            "a file that is ok has bytes, channels, length and a sample_rate above 0",
            # What a broken file says of itself may be anything, and is kept as it said it.
            "status <> 'ok' OR coalesce(bytes > 0 AND sample_rate > 0 AND channels > 0 "
            "AND duration_s > 0, false)",
            ("status", "bytes", "sample_rate", "channels", "duration_s"),
            blocks=False,
        ),
    ],
    "labels": [
        Rule(
            "a track is no duplicate of itself",
            "duplicate_of <> track_id",
            ("track_id", "duplicate_of"),
        ),
        Rule(
            "a genre_top comes with its evidence",
            "genre_top IS NULL OR evidence IS NOT NULL",
            ("genre_top", "evidence"),
        ),
    ],
    "feature_failures": [
        Rule("a failure is not ok", "status <> 'ok'", ("status",)),
    ],
    "sweeps": [
        Rule(
            "duplicates are fewer than the rows listed",
            "listed = 0 OR duplicates < listed",
            ("listed", "duplicates"),
        ),
    ],
    "task_members": [
        Rule(
            "a track is cross-validated in a fold, or in a published part without one",
            "CASE split WHEN 'cv' THEN fold IS NOT NULL "
            "ELSE split IN ('training', 'validation', 'test') AND fold IS NULL END",
            ("split", "fold"),
        ),
        Rule(
            "genre, artist_key and group are known",
            "genre <> '' AND artist_key <> '' AND \"group\" <> '' AND genre IS NOT NULL "
            'AND artist_key IS NOT NULL AND "group" IS NOT NULL',
            ("genre", "artist_key", "group"),
        ),
    ],
    "predictions": [_MOST_PROBABLE],
    "leaky_predictions": [_MOST_PROBABLE],
    "scores": [_SHARES],
    "champions": [_SHARES],
}
