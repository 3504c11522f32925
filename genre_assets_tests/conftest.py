"""Fixtures that several test packages share."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# Tests start many programs, each of which would otherwise compile the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell lets what it starts in the background ignore Ctrl-C, and every program started from there
# would ignore it too; several tests press it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow machine is no failure: no test asserts on time.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real FMA clips and metadata; the test is skipped where it is absent."""
    default = Path(__file__).parent.parent / ".." / "shared" / "data"
    folder = Path(os.environ.get("GENRE_ASSETS_REAL_DATA", default)).resolve()
    if not (folder / "fma").is_dir():
        pytest.skip(f"no real FMA data in {folder}; GENRE_ASSETS_REAL_DATA names its folder")
    return folder


@pytest.fixture(scope="session")
def real_tables(real_data):
    """Labels, tracks and published features of the 25,000 real rows of fma_medium."""
    from genre_assets_tests.models.corpus import real_rows

    return real_rows(real_data)
