"""What assets are given: the lake, the sources' places and the worker processes.

Each field starts from its setting in the environment and can be changed in the launchpad.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from pydantic import Field

from genre_assets.audio.workers import WorkerPool
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import refresh_views
from genre_assets.settings import Settings


class LakeResource(dg.ConfigurableResource):
    """The folder that all tables, models and reports lie in."""

    root: str = Field(description="Folder of the lake (GENRE_ASSETS_DATA).")

    @contextmanager
    def open(self) -> Iterator[Lake]:
        """The lake; when it is closed again, its views show what was written."""
        lake = Lake(self.root)
        try:
            yield lake
        finally:
            refresh_views(lake)


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

    root: str | None = Field(
        default=None,
        description="A music library; empty takes the demo corpus (GENRE_ASSETS_FOLDER).",
    )

    def path(self) -> Path | None:
        """The library's folder, or None when none is set."""
        return Path(self.root) if self.root else None


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
        ),
        "music_folder": MusicFolder(root=str(settings.folder) if settings.folder else None),
        "workers": Workers(count=settings.workers),
    }
