"""Whichever file of a lake is damaged, all commands go on without its rows or name it."""

import shutil
from itertools import cycle

import duckdb
import pytest

from genre_assets.errors import UserError
from genre_assets.lake.schemas import SUMMARY_FEATURES, TABLES, TRACKS
from genre_assets.lake.store import Store
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import connect, refresh_views
from genre_assets.refresh.plan import plan_of
from genre_assets.refresh.retry import request_retry
from genre_assets.sources.attribution import write_attribution
from genre_assets.takedowns.record import taken_down
from genre_assets.takedowns.removal import enforce

from .lake.test_damage import DAMAGES, cut, replace_by_a_folder
from .test_takedowns import GONE, SHARD, ALake, features

MEDIA = {"files", "tfrecords", "partial"}


@pytest.fixture(scope="module")
def lake_of_all(tmp_path_factory):
    """A lake with rows in most tables, a task, journals and a take-down."""
    a_lake = ALake(tmp_path_factory.mktemp("any") / "lake").fill()
    a_lake.take_down()
    a_lake.task("made", [f"fma_site:{n}" for n in range(105, 120)])
    journal = a_lake.lake.journal(SUMMARY_FEATURES, SHARD)
    journal.append(SUMMARY_FEATURES.of_rows([features("fma_site:101", "a" * 64)]))
    journal.begin("a" * 64)
    refresh_views(a_lake.lake)
    return a_lake


def commands(root):
    """What is done with a lake, by name; each takes a lake that only looks or one that writes."""
    looks, writes = Lake(root, read_only=True, warn=print), Lake(root, warn=print)

    def query():
        with connect(looks) as connection:
            for table in TABLES:
                connection.execute(f"SELECT count(*) FROM {table}")

    def snippet():
        with duckdb.connect(str(refresh_views(writes)), read_only=True) as connection:
            for table in TABLES:
                connection.execute(f"SELECT count(*) FROM {table}")

    return {
        "plan": lambda: plan_of(looks),
        "query": query,
        "snippet": snippet,
        "retry": lambda: request_retry(writes),
        "take-down": lambda: enforce(writes, Store(root)),
        "credits": lambda: write_attribution(
            writes.read(TABLES["tracks"]), [], root / "credits.csv"
        ),
    }


def test_what_was_set_aside_of_a_gone_track_goes_too(lake_of_all, tmp_path):
    root = tmp_path / "lake"
    shutil.copytree(lake_of_all.root, root)
    lake = Lake(root, warn=print)
    for table in (SUMMARY_FEATURES, TRACKS):
        cut(lake.path(table, SHARD))
        lake.read(table)
    assert (root / "set_aside" / "summary_features").is_dir()
    enforce(lake, Store(root))
    assert not (root / "set_aside" / "summary_features").exists()
    assert (root / "set_aside" / "tracks").is_dir()


def files_to_damage(root):
    """The files of a lake in groups: what may stop a command alone, all others six at a time."""
    files = [
        path.relative_to(root)
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.relative_to(root).parts[0] not in MEDIA
    ]
    lock, *_ = [file for file in files if file.suffix == ".lock"]
    alone = [file for file in files if "takedowns" in file.parts or file.suffix == ".duckdb"]
    others = [file for file in files if file.suffix != ".lock" and file not in alone]
    assert len(others) > 20
    yield [(lock, replace_by_a_folder)]
    yield from ([(file, damage)] for file in alone for damage in (cut, replace_by_a_folder))
    for start in range(len(DAMAGES)):
        yield list(zip(others[start :: len(DAMAGES)], cycle(DAMAGES), strict=False))


def test_every_command_goes_on_or_names_the_file(lake_of_all, tmp_path):
    pristine, root = lake_of_all.root, tmp_path / "lake"
    for damages in files_to_damage(pristine):
        shutil.copytree(pristine, root)
        for file, damage in damages:
            damage(root / file)
        damaged = [str(root / file) for file, _ in damages]
        for name, command in commands(root).items():
            try:
                command()
            except UserError as error:
                assert any(path in str(error) for path in damaged), (name, damages)
            except OSError as error:
                # A lock, say, that is a folder now: the command line names it.
                assert str(error.filename) in damaged, (name, damages)
        assert GONE in taken_down(Lake(root, warn=print)).tracks, damages
        shutil.rmtree(root)
