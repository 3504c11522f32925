"""What assets are given: the lake, the sources' places and the worker processes.

Each field starts from its setting in the environment and can be changed in the launchpad.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa
from pydantic import Field

from genre_assets.audio.workers import WorkerPool, end_with_parent
from genre_assets.lake.access import require_writable, sentence_for
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.asset_log import warn_anywhere
from genre_assets.orchestration.settings import SITE_GENRES, Settings, require_opt_in
from genre_assets.sources.fma_site.address import Site
from genre_assets.sources.policy import LICENCE_COLUMNS, excluded_by_policy

if TYPE_CHECKING:
    from genre_assets.sources.fma_site.access import SiteAccess


class LakeResource(dg.ConfigurableResource):
    """The folder that all tables, models and reports lie in."""

    root: str = Field(description="Folder of the lake (GENRE_ASSETS_DATA).")

    @contextmanager
    def open(self) -> Iterator[Lake]:
        """The lake; when it is closed again, its views show what was written.

        Raises:
            dagster.Failure: If the disk is full or the lake cannot be used as it is, in one
                sentence.
        """
        # Here, because what a resource's module names is never freed, and DuckDB would say so, in
        # thirty lines, at the end of every step.
        from genre_assets.lake.views import refresh_views

        # The process of a step would outlive a run that is killed, and go on with all its shards.
        end_with_parent()
        lake = Lake(self.root, warn=warn_anywhere)
        try:
            require_writable(lake.root)
            try:
                yield lake
            finally:
                refresh_views(lake)
        except dg.Failure:
            raise
        except Exception as error:
            sentence = sentence_for(error, lake.root)
            if sentence is None:
                raise
            raise dg.Failure(sentence, allow_retries=False) from error


_BELIEVE_REMOVALS = Field(
    default=False,
    description="Whether all that the source no longer lists is really gone, even more than half "
    "of it (GENRE_ASSETS_BELIEVE_REMOVALS).",
)


class FmaDataset(dg.ConfigurableResource):
    """Where the FMA research dataset lies."""

    root: str | None = Field(
        default=None,
        description="Folder of fma_metadata/ and fma_<subset>/, or of their zips "
        "(GENRE_ASSETS_FMA_DATASET).",
    )
    subset: str | None = Field(
        default=None,
        description="small, medium, large or full; empty takes what lies there "
        "(GENRE_ASSETS_FMA_SUBSET).",
    )
    believe_removals: bool = _BELIEVE_REMOVALS

    def folder(self) -> Path:
        """The dataset's folder.

        Raises:
            dagster.Failure: If none is set.
        """
        if not self.root:
            raise dg.Failure(
                "No FMA dataset is set: let GENRE_ASSETS_FMA_DATASET name the folder that holds "
                "fma_metadata/ (and fma_small/, fma_medium/, … where there is audio).",
                allow_retries=False,
            )
        return Path(self.root)


class MusicFolder(dg.ConfigurableResource):
    """Where a music library lies."""

    root: str | None = Field(default=None, description="A music library (GENRE_ASSETS_FOLDER).")
    genres: bool = Field(
        default=False,
        description="Whether folders that are named after genres give the genre of the files in "
        "them whose tags have none (GENRE_ASSETS_FOLDER_GENRES).",
    )
    believe_removals: bool = _BELIEVE_REMOVALS

    def path(self) -> Path:
        """The library's folder.

        Raises:
            dagster.Failure: If none is set.
        """
        if not self.root:
            raise dg.Failure(
                "No music library is set: let GENRE_ASSETS_FOLDER name its folder.",
                allow_retries=False,
            )
        return Path(self.root)


class FmaSite(dg.ConfigurableResource):
    """The Free Music Archive's site, or a replica of it, and how it is accessed."""

    base: str | None = Field(
        default=None,
        description="https://freemusicarchive.org or the address of a replica "
        "(GENRE_ASSETS_FMA_SITE).",
    )
    genres: list[str] = Field(
        default=list(SITE_GENRES),
        description="Slugs of the genres to scrape (GENRE_ASSETS_FMA_SITE_GENRES).",
    )
    live: bool = Field(
        default=False,
        description="Whether a site that is not on this machine may be scraped "
        "(GENRE_ASSETS_FMA_SITE_LIVE).",
    )
    contact: str | None = Field(
        default=None,
        description="Mail address or page that the site can reach you by "
        "(GENRE_ASSETS_FMA_SITE_CONTACT).",
    )
    interval_s: float | None = Field(
        default=None,
        ge=0,
        description="Seconds between two requests; empty takes what is polite "
        "(GENRE_ASSETS_FMA_SITE_INTERVAL).",
    )
    chromium: str | None = Field(
        default=None, description="The browser; empty looks for it (GENRE_ASSETS_CHROMIUM)."
    )
    chromedriver: str | None = Field(
        default=None, description="Its driver; empty looks for it (GENRE_ASSETS_CHROMEDRIVER)."
    )
    believe_removals: bool = _BELIEVE_REMOVALS
    no_sandbox: bool = Field(
        default=False,
        description="Whether the browser may run without its sandbox, also on a live site "
        "(GENRE_ASSETS_CHROMIUM_NO_SANDBOX).",
    )

    def site_access(self) -> "SiteAccess":
        """How the site is accessed.

        Raises:
            dagster.Failure: If no site is set.
            UserError: If the site is live and that was not allowed.
        """
        from genre_assets.sources.fma_site.access import SiteAccess

        if not self.base:
            raise dg.Failure(
                "No site is set: let GENRE_ASSETS_FMA_SITE name one, such as that of "
                "genre-assets demo-site.",
                allow_retries=False,
            )
        site = Site(self.base)
        require_opt_in(site, self.live, self.contact)
        return SiteAccess(
            site,
            self.contact,
            self.interval_s,
            Path(self.chromium) if self.chromium else None,
            Path(self.chromedriver) if self.chromedriver else None,
            self.no_sandbox,
        )


class LicencePolicy(dg.ConfigurableResource):
    """Which licences are not wanted."""

    excluded: list[str] = Field(
        default=[],
        description="nd: licences that forbid derivatives; nc: those that forbid commercial use; "
        "with either, unknown ones too (GENRE_ASSETS_EXCLUDED_LICENCES).",
    )

    def refusals(self, tracks: pa.Table) -> dict[str, str]:
        """Why tracks are not wanted, by ``track_id``."""
        if not self.excluded:
            return {}
        parts = frozenset(self.excluded)
        rows = tracks.select(["track_id", *LICENCE_COLUMNS]).to_pylist()
        return {
            row["track_id"]: reason for row in rows if (reason := excluded_by_policy(row, parts))
        }


class Workers(dg.ConfigurableResource):
    """The worker processes that files are read in."""

    count: int = Field(default=1, ge=1, description="Processes (GENRE_ASSETS_WORKERS).")

    def open(self, warm_up: Callable[[], object] | None = None) -> WorkerPool:
        """The processes, to be used as a context manager; none starts before there is work."""
        return WorkerPool(self.count, warm_up)


def resources_from(settings: Settings) -> dict[str, dg.ConfigurableResource]:
    """The resources as the settings say."""
    return {
        "lake": LakeResource(root=str(settings.data)),
        "fma_dataset": FmaDataset(
            root=str(settings.fma_dataset) if settings.fma_dataset else None,
            subset=settings.fma_subset,
            believe_removals=settings.believe_removals,
        ),
        "music_folder": MusicFolder(
            root=str(settings.folder) if settings.folder else None,
            genres=settings.folder_genres,
            believe_removals=settings.believe_removals,
        ),
        "fma_site": FmaSite(
            base=settings.fma_site,
            genres=list(settings.fma_site_genres),
            live=settings.fma_site_live,
            contact=settings.fma_site_contact,
            interval_s=settings.fma_site_interval_s,
            chromium=str(settings.chromium) if settings.chromium else None,
            chromedriver=str(settings.chromedriver) if settings.chromedriver else None,
            believe_removals=settings.believe_removals,
            no_sandbox=settings.chromium_no_sandbox,
        ),
        "licence_policy": LicencePolicy(excluded=sorted(settings.excluded_licences)),
        "workers": Workers(count=settings.workers),
    }
