"""What assets are given: the lake, the sources' places and the worker processes.

Each field starts from its setting in the environment and can be changed in the launchpad.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa
from pydantic import Field

from genre_assets.audio.workers import WorkerPool, end_with_parent
from genre_assets.lake.access import require_writable, sentence_for
from genre_assets.lake.schemas import AUDIO
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.asset_log import warn_anywhere
from genre_assets.orchestration.settings import SITE_GENRES, Settings, described, require_opt_in
from genre_assets.progress import Log
from genre_assets.sources.catalogue import Catalogue
from genre_assets.sources.fma_site.address import Site
from genre_assets.sources.policy import LICENCE_COLUMNS, excluded_by_policy
from genre_assets.sources.registry import FMA_DATASET, FMA_SITE, FOLDER, Source

if TYPE_CHECKING:
    from genre_assets.sources.fma_site.access import SiteAccess


def _setting(name: str, default: Any = None, **options: Any) -> Any:
    """A field that the launchpad shows with the description of its setting."""
    return Field(default, description=described(name), **options)


class LakeResource(dg.ConfigurableResource):
    """The folder that all tables, models and reports lie in."""

    root: str = Field(description=described("data"))

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


def _required(source: Source, place: str | None) -> str:
    """Where a source is.

    Raises:
        dagster.Failure: If that is not set.
    """
    if not place:
        raise dg.Failure(source.not_set, allow_retries=False)
    return place


class FmaDataset(dg.ConfigurableResource):
    """Where the FMA research dataset lies."""

    root: str | None = _setting("fma_dataset")
    subset: str | None = _setting("fma_subset")
    believe_removals: bool = _setting("believe_removals", False)

    def folder(self) -> Path:
        """The dataset's folder.

        Raises:
            dagster.Failure: If none is set.
        """
        return Path(_required(FMA_DATASET, self.root))

    def catalogue(self, lake: Lake, log: Log) -> Catalogue:
        """What the dataset lists.

        Raises:
            dagster.Failure: If no dataset is set.
            SourceError: If it cannot be read.
        """
        from genre_assets.sources.fma_dataset import read_catalogue

        return read_catalogue(
            self.folder(),
            self.subset,
            unpack_to=lake.places.fma_dataset,
            known=FMA_DATASET.known_tracks(lake),
            believe_removals=self.believe_removals,
            log=log,
        )


class MusicFolder(dg.ConfigurableResource):
    """Where a music library lies."""

    root: str | None = _setting("folder")
    genres: bool = _setting("folder_genres", False)
    believe_removals: bool = _setting("believe_removals", False)

    def catalogue(self, lake: Lake, log: Log) -> Catalogue:
        """What the library holds.

        Raises:
            dagster.Failure: If no library is set.
            SourceError: If it cannot be read.
        """
        from genre_assets.labels.taxonomy import is_genre
        from genre_assets.sources.folder import read_catalogue

        return read_catalogue(
            Path(_required(FOLDER, self.root)),
            FOLDER.known_tracks(lake),
            audio=lake.read(AUDIO, columns=["track_id", "sha256"]),
            genres=self.genres,
            is_genre=is_genre,
            believe_removals=self.believe_removals,
            log=log,
        )


class FmaSite(dg.ConfigurableResource):
    """The Free Music Archive's site, or a replica of it, and how it is accessed."""

    base: str | None = _setting("fma_site")
    genres: list[str] = _setting("fma_site_genres", list(SITE_GENRES))
    live: bool = _setting("fma_site_live", False)
    contact: str | None = _setting("fma_site_contact")
    interval_s: float | None = _setting("fma_site_interval_s", ge=0)
    chromium: str | None = _setting("chromium")
    chromedriver: str | None = _setting("chromedriver")
    believe_removals: bool = _setting("believe_removals", False)
    no_sandbox: bool = _setting("chromium_no_sandbox", False)

    def site_access(self) -> "SiteAccess":
        """How the site is accessed.

        Raises:
            dagster.Failure: If no site is set.
            UserError: If the site is live and that was not allowed.
        """
        from genre_assets.sources.fma_site.access import SiteAccess

        site = Site(_required(FMA_SITE, self.base))
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

    excluded: list[str] = _setting("excluded_licences", [])

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

    count: int = _setting("workers", 1, ge=1)

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
