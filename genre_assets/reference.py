"""Where committed files lie: the FMA taxonomy, genre aliases and tasks, and Dagster's workspace."""

from pathlib import Path


def reference_path(name: str) -> Path:
    """Path of one reference file, in the checkout or in the installed package."""
    return _committed(Path("data", "reference", name), Path("reference", name))


def workspace_path() -> Path:
    """Path of Dagster's workspace file, in the checkout or in the installed package."""
    return _committed(Path("workspace.yaml"), Path("workspace.yaml"))


def _committed(in_checkout: Path, in_package: Path) -> Path:
    package = Path(__file__).parent
    checkout = package.parent / in_checkout
    return checkout if checkout.exists() else package / in_package
