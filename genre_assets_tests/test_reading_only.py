"""Commands that only look: they write nothing, and SQL reaches nothing but the tables."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from genre_assets.cli.commands import main
from genre_assets.lake.places import Places
from genre_assets.lake.schemas import SUMMARY_FEATURES, TABLES, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import connect, refresh_views

NOBODY = 65534


def fill(lake):
    rows = [{"track_id": f"folder:{n}", "source": "folder", "shard": "folder_00"} for n in (1, 2)]
    lake.write(TRACKS, TRACKS.of_rows(rows), "folder_00")
    lake.write(SUMMARY_FEATURES, SUMMARY_FEATURES.empty(), "folder_00", keep_empty=True)
    refresh_views(lake)


@pytest.fixture
def lake(tmp_path, monkeypatch):
    lake = Lake(tmp_path / "lake")
    fill(lake)
    monkeypatch.setenv("GENRE_ASSETS_DATA", str(lake.root))
    return lake


@pytest.mark.parametrize(
    "sql",
    [
        "COPY tracks TO '{lake}/tracks.csv'",
        "COPY (SELECT 1) TO '{lake}/x.parquet'",
        "EXPLAIN ANALYZE COPY tracks TO '{lake}/tracks.csv'",
        "EXPORT DATABASE '{lake}/export'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd'), tracks",
        "SELECT * FROM read_blob('{lake}/genre_assets.duckdb')",
        "SELECT * FROM glob('/*')",
        "ATTACH '{lake}/other.db'",
        "ATTACH '{lake}/genre_assets.duckdb' AS again (READ_ONLY)",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "RESET lock_configuration",
    ],
)
def test_a_query_reaches_no_file_and_lifts_nothing(lake, capsys, sql):
    before = sorted(lake.root.rglob("*"))
    assert main(["query", sql.format(lake=lake.root)]) == 2
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert "A query reads the tables of the lake and nothing else" in line
    assert "root:" not in said.out
    assert sorted(lake.root.rglob("*")) == before


def test_a_query_sees_no_variable_of_the_program(lake, capsys):
    assert main(["query", "SELECT * FROM options"]) == 2
    assert "cannot be answered" in capsys.readouterr().err


def test_a_query_answers_with_what_is_there(lake, capsys):
    assert main(["query", "SELECT count(*) AS tracks_there FROM TRACKS"]) == 0
    out = capsys.readouterr().out
    assert "tracks_there" in out and "2" in out
    assert main(["query", "SHOW TABLES"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in TABLES)


def test_only_the_tables_that_a_query_names_are_read(lake):
    lake.path(TRACKS, "folder_00").write_bytes(b"hello")
    said = []
    reader = Lake(lake.root, read_only=True, warn=said.append)
    with connect(reader, "SELECT * FROM labels JOIN id3_tags USING (track_id)") as connection:
        names = {name for (name,) in connection.execute("SHOW TABLES").fetchall()}
    assert names == {"labels", "id3_tags"}
    assert not said
    with connect(reader, "SELECT * FROM tracks") as connection:
        assert connection.execute("SELECT * FROM tracks").fetchall() == []
    assert len(said) == 1


def test_looking_changes_nothing_and_leaves_damaged_files_out_with_a_warning(lake, capsys, caplog):
    path = lake.path(TRACKS, "folder_00")
    path.write_bytes(path.read_bytes()[:-40])
    (path.parent / "zz.parquet").write_bytes(b"hello")
    before = {file: file.stat().st_mtime_ns for file in lake.root.rglob("*")}
    for command in (["plan"], ["plan", "--json"], ["query", "SELECT * FROM tracks"]):
        caplog.clear()
        assert main(command) == 0
        assert any(str(path) in message for message in caplog.messages)
        assert any("zz.parquet" in message for message in caplog.messages)
    assert {file: file.stat().st_mtime_ns for file in lake.root.rglob("*")} == before
    capsys.readouterr()


@pytest.fixture
def open_folder():
    """A folder that every user may enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"),
    reason="only root can become a user who may not write",
)
def test_a_lake_that_may_only_be_read_is_queried_and_planned(open_folder):
    root = open_folder / "lake"
    fill(Lake(root))
    for folder in (root, *filter(Path.is_dir, root.rglob("*"))):
        folder.chmod(0o755)
    snippet = (
        f"import duckdb; lake = duckdb.connect({str(Places(root).views)!r}, read_only=True); "
        "print(lake.sql('SELECT track_id FROM tracks ORDER BY 1').fetchall())"
    )
    program = "import sys; from genre_assets.cli.commands import main; sys.exit(main())"
    environment = {
        "PATH": os.environ["PATH"],
        "GENRE_ASSETS_DATA": str(root),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/",
    }
    before = {file: file.stat().st_mtime_ns for file in root.rglob("*")}

    def as_nobody(*arguments):
        return subprocess.run(
            ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
             sys.executable, "-c", *arguments],
            env=environment, cwd="/", capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    if as_nobody("import genre_assets").returncode:
        pytest.skip("another user cannot run this checkout")
    planned, asked, read = (
        as_nobody(program, "plan"),
        as_nobody(program, "query", "SELECT track_id FROM tracks"),
        as_nobody(snippet),
    )
    for done in (planned, asked, read):
        assert (done.returncode, done.stderr) == (0, "")
    assert "folder:2" in asked.stdout
    assert read.stdout.strip() == "[('folder:1',), ('folder:2',)]"
    assert {file: file.stat().st_mtime_ns for file in root.rglob("*")} == before
    refused = as_nobody(program, "take-down", "track", "folder:1", "--yes", "--reason", "requested")
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert str(root) in line
    open_folder.chmod(0o700)
    locked_out = as_nobody(program, "plan")
    assert locked_out.returncode == 2
    (line,) = locked_out.stderr.splitlines()
    assert "may not be entered" in line
