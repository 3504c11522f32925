import os
import subprocess
import sys
from pathlib import Path

import pytest

from genre_assets.lake.tables import Lake
from genre_assets.lake.views import connect

from .shard_runs import Server

BIN = Path(sys.executable).parent
CHECKOUT = Path(__file__).parent.parent.parent


class Platform:
    """A lake of its own, and the programs a user would type."""

    def __init__(self, data: Path):
        self.lake = Lake(data)
        self.environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("GENRE_ASSETS_", "DAGSTER_"))
        } | {
            "GENRE_ASSETS_DATA": str(data),
            "DAGSTER_HOME": str(data / "dagster"),
            # Other tests use the cores meanwhile, and each worker takes seconds to start.
            "GENRE_ASSETS_WORKERS": "1",
        }
        (data / "dagster").mkdir(parents=True)

    def call(self, program: str, *arguments: str, **settings: str):
        return subprocess.run(
            [str(BIN / program), *arguments],
            env=self.environment | settings,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=400,
        )

    def query(self, sql: str) -> list[tuple]:
        with connect(self.lake) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    return Platform(tmp_path_factory.mktemp("platform") / "lake")


@pytest.fixture(scope="session")
def server():
    """Starts runs in processes that a test can kill."""
    with Server() as server:
        yield server
