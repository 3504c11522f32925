"""The rules that carry the house; who may import whom is in pyproject.toml."""

import subprocess
import sys
from pathlib import Path

import genre_assets

PACKAGE = Path(genre_assets.__file__).parent
HEAVY = {
    "tensorflow",
    "librosa",
    "sklearn",
    "selenium",
    "matplotlib",
    "numba",
    "scipy",
    "av",
    "duckdb",
}


def test_no_import_goes_up_or_in_a_circle_and_the_science_knows_no_dagster():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_loading_the_definitions_imports_nothing_heavy():
    code = (
        "import sys; from genre_assets.definitions import defs; "
        "defs.resolve_all_asset_specs(); "
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_module_is_named_for_holding_anything():
    vague = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert not [path for path in PACKAGE.rglob("*.py") if path.stem in vague]
