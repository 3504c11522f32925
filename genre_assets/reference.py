"""Where the committed reference facts lie: the FMA taxonomy, genre aliases and tasks."""

from pathlib import Path


def reference_path(name: str) -> Path:
    """Path of one reference file, in the checkout or in the installed package."""
    package = Path(__file__).parent
    checkout = package.parent / "data" / "reference" / name
    return checkout if checkout.exists() else package / "reference" / name
