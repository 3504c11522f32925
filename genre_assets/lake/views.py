"""The DuckDB file whose views are the lake's tables, for whoever wants to query them.

One more view, ``leaderboard``, sums up the scores.

The file holds no data: each view lists the files that were its table when the file was made. It
is built aside and renamed into place whenever a table changed, so that a connection goes on
seeing the lake whole, as it was when the connection was opened.
"""

import uuid
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from filelock import FileLock

from genre_assets.lake.schemas import TABLES, Table
from genre_assets.lake.tables import Lake, write_parquet

FILE_NAME = "genre_assets.duckdb"


def refresh_views(lake: Lake) -> Path:
    """Make the DuckDB file of a lake hold one view for each declared table.

    Files that a newer version replaced more than a day ago are deleted on the way.

    Returns:
        Path of the DuckDB file.
    """
    lake.root.mkdir(parents=True, exist_ok=True)
    path = lake.root / FILE_NAME
    with FileLock(lake.root / ".views.lock"):
        for table in TABLES.values():
            lake.remove_superseded_files(table)
        statements = _view_statements(lake)
        if not _is_current(path, statements):
            _build(path, statements)
    return path


def connect(lake: Lake) -> duckdb.DuckDBPyConnection:
    """A connection of its own, in memory, with the views of the lake as it is now."""
    connection = duckdb.connect()
    for statement in _view_statements(lake).values():
        connection.execute(statement)
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
    any_value(value) FILTER (honest AND metric = 'log_loss') AS log_loss,
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


def _view_statements(lake: Lake) -> dict[str, str]:
    of_tables = {table.name: _view_statement(lake, table) for table in TABLES.values()}
    return of_tables | {"leaderboard": LEADERBOARD}


def _view_statement(lake: Lake, table: Table) -> str:
    paths = [_schema_file(lake, table), *lake.files(table)]
    files = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    columns = ", ".join(f'"{name}"' for name in table.schema.names)
    return (
        f'CREATE VIEW "{table.name}" AS SELECT {columns} FROM '  # noqa: S608 (our own names)
        f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
    )


def _schema_file(lake: Lake, table: Table) -> Path:
    """An empty Parquet file of the declared schema, so that a view binds without any rows."""
    path = lake.root / table.name / "schema.parquet"
    if not path.exists() or not pq.read_schema(path).equals(table.schema):
        write_parquet(table.empty(), path)
    return path


def _build(path: Path, statements: dict[str, str]) -> None:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with duckdb.connect(str(temporary)) as connection:
            connection.execute("CREATE TABLE definitions (name VARCHAR, statement VARCHAR)")
            for name, statement in statements.items():
                connection.execute(statement)
                connection.execute("INSERT INTO definitions VALUES (?, ?)", [name, statement])
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _is_current(path: Path, statements: dict[str, str]) -> bool:
    if not path.exists():
        return False
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            rows = connection.execute("SELECT name, statement FROM definitions").fetchall()
    except duckdb.Error:
        return False
    return dict(rows) == statements
