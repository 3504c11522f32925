"""The tables of the lake in DuckDB, for whoever wants to query them.

The DuckDB file in the lake holds no data: each view lists the files that were its table when the
file was made. It is built aside and renamed into place whenever a table changed, so that a
connection goes on seeing the lake whole, as it was when the connection was opened.

:func:`connect` needs no such file: it checks every file that it reads, and gives the query access
to the tables alone.
"""

import re
import uuid
from functools import cache
from pathlib import Path

import duckdb
from filelock import FileLock

from genre_assets.lake.schemas import TABLES, Table
from genre_assets.lake.set_aside import LakeError
from genre_assets.lake.space import room_for
from genre_assets.lake.tables import Lake

FILE_NAME = "genre_assets.duckdb"

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
    lake.root.mkdir(parents=True, exist_ok=True)
    path = lake.root / FILE_NAME
    if path.is_dir():
        raise LakeError(f"{path} is a folder, where the file of views belongs: move it away.")
    with FileLock(lake.root / ".views.lock"):
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
        sql: What is going to be asked. If it names tables of the lake, only those are there, and
            no others are read.

    Raises:
        UserError: If a file cannot be read.
    """
    connection = duckdb.connect()
    for setting in _CLOSED:
        connection.execute(f"SET {setting}")
    for table in _named_in(sql or "") or TABLES.values():
        connection.register(table.name, lake.read(table))
    connection.execute("SET lock_configuration = true")
    return connection


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
    return [table for table in TABLES.values() if table.name in words]


def _view_statements(lake: Lake) -> dict[str, str]:
    return {table.name: _view_statement(lake, table) for table in TABLES.values()}


def _view_statement(lake: Lake, table: Table) -> str:
    names = [f'"{name}"' for name in table.schema.names]
    columns = ", ".join(names)
    # The types are declared here, so that a view binds without any rows.
    typed = ", ".join(
        f"NULL::{kind} AS {name}" for kind, name in zip(_types(table.name), names, strict=True)
    )
    rows = f"SELECT {typed} WHERE false"
    if paths := lake.files(table):
        files = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
        rows += (
            " UNION ALL BY NAME SELECT * FROM "  # noqa: S608 (our own names)
            f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
        )
    return f'CREATE VIEW "{table.name}" AS SELECT {columns} FROM ({rows})'  # noqa: S608


@cache
def _types(table: str) -> list[str]:
    with duckdb.connect() as connection:
        return [str(kind) for kind in connection.from_arrow(TABLES[table].empty()).types]


def _build(path: Path, statements: dict[str, str]) -> None:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    with room_for(path):
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
