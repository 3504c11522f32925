"""The two rules that carry the house, and what they rest on."""

import ast
import subprocess
import sys
from pathlib import Path

import genre_assets

PACKAGE = Path(genre_assets.__file__).parent
DAGSTER_LAYER = {
    "asset_log",
    "assets",
    "automation",
    "checks",
    "console",
    "dagster_home",
    "definitions",
    "partitions",
    "pipeline",
    "resources",
}
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


def imported_by(path: Path) -> set[str]:
    """Top-level packages that a module imports, and modules of this one by their first name."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        else:
            continue
        names |= {m.removeprefix("genre_assets.").partition(".")[0] for m in modules}
    return names


def test_the_domain_never_imports_dagster():
    domain = [
        path
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0].removesuffix(".py") not in DAGSTER_LAYER
    ]
    assert len(domain) > 20
    forbidden = {"dagster"} | DAGSTER_LAYER
    late = {PACKAGE / "cli.py"}  # starts the pipeline, once it is asked to
    assert {path for path in domain if forbidden & imported_by(path)} == late


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
