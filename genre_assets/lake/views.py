"""The tables of the lake in DuckDB, for whoever wants to query them.

The DuckDB file in the lake holds no data: each view lists the files that were its table when the
file was made. It is built aside and renamed into place whenever a table changed, so that a
connection goes on seeing the lake whole, as it was when the connection was opened.

:func:`connect` needs no such file: it checks every file that it reads, and gives the query access
to the tables alone.

Beside the tables, the view ``leaderboard`` sums up the scores.
"""

import re
from functools import cache
from pathlib import Path

import duckdb

from genre_assets.lake.schemas import CHAMPIONS, SCORES, TABLES, Table
from genre_assets.lake.set_aside import LakeError
from genre_assets.lake.storage import written_whole
from genre_assets.lake.tables import Lake

_CLOSED = (
    "temp_directory = ''",
    "python_enable_replacements = false",
    "enable_external_access = false",
)
"""What keeps a connection from files, extensions and variables of this program; in this order."""


def refresh_views(lake: Lake) -> Path:
    """Make the DuckDB file of a lake hold one view for each declared table.

    Files that a newer version replaced more than a day ago are deleted on the way.

    Returns:
        Path of the DuckDB file.

    Raises:
        LakeError: If a folder is in its place.
        DiskFullError: If there is no room for it.
    """
    path = lake.places.views
    if path.is_dir():
        raise LakeError(f"{path} is a folder, where the file of views belongs: move it away.")
    with lake.lock_on_views():
        for table in TABLES.values():
            lake.remove_superseded_files(table)
        statements = _view_statements(lake)
        if not _is_current(path, statements):
            _build(path, statements)
    return path


def connect(lake: Lake, sql: str | None = None) -> duckdb.DuckDBPyConnection:
    """A connection of its own, in memory, that sees the lake as it is now and nothing else.

    What is run on it can neither read nor write a file, load an extension, or lift that: it may
    be somebody else's SQL.

    Args:
        lake: The lake.
        sql: The query. If it names tables of the lake, only those are there, and
            no others are read.

    Raises:
        UserError: If a file cannot be read.
    """
    connection = duckdb.connect()
    for setting in _CLOSED:
        connection.execute(f"SET {setting}")
    tables = _named_in(sql or "") or list(TABLES.values())
    for table in tables:
        connection.register(table.name, lake.read(table))
    if SCORES in tables and CHAMPIONS in tables:
        connection.execute(LEADERBOARD)
    connection.execute("SET lock_configuration = true")
    return connection


LEADERBOARD = """
CREATE VIEW leaderboard AS
SELECT
    task,
    model,
    max(split) FILTER (honest) AS split,
    any_value(n) FILTER (honest AND metric = 'accuracy') AS n,
    any_value(value) FILTER (honest AND metric = 'accuracy') AS accuracy,
    any_value(low) FILTER (honest AND metric = 'accuracy') AS accuracy_low,
    any_value(high) FILTER (honest AND metric = 'accuracy') AS accuracy_high,
    any_value(value) FILTER (honest AND metric = 'balanced_accuracy') AS balanced_accuracy,
    any_value(value) FILTER (honest AND metric = 'macro_f1') AS macro_f1,
    any_value(value) FILTER (honest AND metric = 'top3_accuracy') AS top3_accuracy,
    any_value(value) FILTER (honest AND metric = 'log_loss') AS log_loss,
    any_value(value) FILTER (honest AND metric = 'ece') AS ece,
    any_value(most_frequent_genre) FILTER (honest) AS most_frequent_genre,
    any_value(most_frequent_share) FILTER (honest) AS most_frequent_share,
    any_value(value < most_frequent_share)
        FILTER (honest AND metric = 'accuracy') AS below_most_frequent,
    any_value(value)
        FILTER (split LIKE 'leaky%' AND metric = 'accuracy') AS leaky_accuracy,
    EXISTS (
        FROM champions AS c WHERE c.task = figures.task AND c.model = figures.model
    ) AS is_champion,
    any_value(trained_on_synthetic) AS trained_on_synthetic
FROM (SELECT *, split IN ('test', 'cv') AS honest FROM scores) AS figures
GROUP BY task, model
HAVING count(*) FILTER (honest) > 0
ORDER BY task, is_champion DESC, accuracy DESC, log_loss, model
"""
"""One row a model of a task: the figures of its honest split, and the leaky accuracy by its name.

The table ``scores`` also has the figures of validation tracks and of the leaky split, so that a
query of it that does not name the split mixes them.
"""


def why_refused(error: duckdb.Error) -> str:
    """Say why DuckDB did not run something on a connection of :func:`connect`."""
    said = str(error).strip()
    if isinstance(error, duckdb.PermissionException) or "configuration has been locked" in said:
        return (
            "A query reads the tables of the lake and nothing else: it can neither open nor write "
            f"other files, load extensions, nor change settings ({said.splitlines()[0]})."
        )
    return f"The query cannot be answered: {said}"


def _named_in(sql: str) -> list[Table]:
    words = set(re.findall(r"\w+", sql.lower()))
    if "leaderboard" in words:
        words |= {SCORES.name, CHAMPIONS.name}
    return [table for table in TABLES.values() if table.name in words]


def _view_statements(lake: Lake) -> dict[str, str]:
    types = _types(tuple(TABLES))
    of_tables = {name: _view_statement(lake, table, types[name]) for name, table in TABLES.items()}
    return of_tables | {"leaderboard": LEADERBOARD}


def _view_statement(lake: Lake, table: Table, types: list[str]) -> str:
    names = [f'"{name}"' for name in table.schema.names]
    columns = ", ".join(names)
    # The types are declared here, so that a view binds without any rows.
    typed = ", ".join(f"NULL::{kind} AS {name}" for kind, name in zip(types, names, strict=True))
    rows = f"SELECT {typed} WHERE false"
    if paths := lake.files(table):
        files = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
        rows += (
            " UNION ALL BY NAME SELECT * FROM "  # noqa: S608 (our own names)
            f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
        )
    return f'CREATE VIEW "{table.name}" AS SELECT {columns} FROM ({rows})'  # noqa: S608


@cache
def _types(names: tuple[str, ...]) -> dict[str, list[str]]:
    """The types of the columns of tables, in DuckDB's words."""
    with duckdb.connect() as connection:
        return {
            name: [str(kind) for kind in connection.from_arrow(TABLES[name].empty()).types]
            for name in names
        }


def _build(path: Path, statements: dict[str, str]) -> None:
    with written_whole(path) as temporary, duckdb.connect(str(temporary)) as connection:
        connection.execute("CREATE TABLE definitions (name VARCHAR, statement VARCHAR)")
        for name, statement in statements.items():
            connection.execute(statement)
            connection.execute("INSERT INTO definitions VALUES (?, ?)", [name, statement])


def _is_current(path: Path, statements: dict[str, str]) -> bool:
    if not path.exists():
        return False
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            rows = connection.execute("SELECT name, statement FROM definitions").fetchall()
    except duckdb.Error:
        return False
    return dict(rows) == statements
