"""Which lake is used where GENRE_ASSETS_DATA names none: the demo has one of its own."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from genre_assets.errors import UserError
from genre_assets.labels.synthetic import is_demo_page
from genre_assets.lake.schemas import TABLES, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.sources.fma_site.address import Site
from genre_assets.sources.registry import FMA_SITE, SOURCES

SETTING = "GENRE_ASSETS_DATA"
OWN = Path("data")
"""The lake of real music."""
DEMO = OWN / "demo"
"""The lake of the demo."""


def choose_lake(source: str | None = None) -> Path:
    """Settle which lake this process, and every process that it starts, uses.

    Where ``GENRE_ASSETS_DATA`` names one, it is that one. Otherwise the demo, and any site that is
    served on this machine, have the lake ``data/demo``, and everything else has ``data``. Without
    a source the lake is the one that exists; where both do, it is ``data``, and a line on standard
    error says so.

    Args:
        source: The source that is about to be read, as the command line names it; None goes by
            the settings of the sources.
    """
    if not os.environ.get(SETTING):
        os.environ[SETTING] = str(default_lake(os.environ, source).absolute())
    return Path(os.environ[SETTING])


def default_lake(env: Mapping[str, str], source: str | None = None) -> Path:
    """The lake that is used where no setting names one, as :func:`choose_lake` describes it."""
    source = source or _source_of(env)
    if source == FMA_SITE.option and not _is_live(env.get(FMA_SITE.setting)):
        source = "demo"
    if source == "demo":
        return _demo_lake()
    if source is None:
        return _existing()
    return OWN


def holds_real_music(lake: Path) -> bool:
    """Whether any track of a lake is not of the demo."""
    pages = Lake(lake).read(TRACKS, columns=["page_url"])["page_url"].to_pylist()
    return not all(is_demo_page(page) for page in pages)


def _source_of(env: Mapping[str, str]) -> str | None:
    # A site comes last: it may be that of the demo, whose lake is another.
    by_site = sorted(SOURCES.values(), key=lambda source: source.is_site)
    return next((source.option for source in by_site if env.get(source.setting)), None)


def _is_live(site: str | None) -> bool:
    try:
        return bool(site) and Site(site or "").is_live
    except UserError:
        # Whoever reads the settings says what is wrong with the address.
        return True


def _demo_lake() -> Path:
    # Earlier versions made the demo in the lake of everything else.
    made_before = _is_lake(OWN) and not _is_lake(DEMO) and not holds_real_music(OWN)
    return OWN if made_before else DEMO


def _existing() -> Path:
    if not _is_lake(OWN):
        return DEMO
    if _is_lake(DEMO):
        print(
            f"genre-assets: using the lake {OWN}; the demo has its own, which {SETTING}={DEMO} "
            "selects.",
            file=sys.stderr,
        )
    return OWN


def _is_lake(folder: Path) -> bool:
    return any((folder / table).is_dir() for table in TABLES)
