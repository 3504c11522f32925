"""The sources: one object for each place that music comes from.

Every fact about a source is stated here; the rest of the platform never compares names of sources.
A new source is one more entry of :data:`SOURCES`, a setting of the same name that says where it is,
a module here that reads what it lists, and the resource that its catalogue asset takes.
"""

from dataclasses import dataclass
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.lake.schemas import TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.sources.shards import FMA_SHARDS, FOLDER_SHARDS


@dataclass(frozen=True, kw_only=True)
class Source:
    """A place that music comes from.

    Attributes:
        name: What the tables call it, such as ``fma_site``. It begins the ``track_id`` of each of
            its tracks, and is the setting that says where the source is.
        words: What a reader calls it, such as "your music library".
        place: What its setting has to name, such as "your music library".
        shards: The shards that its tracks lie in.
        numbering: Name of the numbers that its tracks have: sources with equal numbering list the
            same tracks under the same numbers. None where its ids are its own.
        is_site: Whether it is a web site: its listings are swept, and its audio is downloaded
            into the lake, where it outlives its page.
        guesses_names: Whether artists, albums and genres are read off the names of folders, so
            that the tags in the files are to be believed first.
        published_features: Names of the assets that take over features which the source publishes.
    """

    name: str
    words: str
    place: str
    shards: list[str]
    numbering: str | None = None
    is_site: bool = False
    guesses_names: bool = False
    published_features: tuple[str, ...] = ()

    @property
    def option(self) -> str:
        """What the command line calls it, such as ``fma-site``."""
        return self.name.replace("_", "-")

    @property
    def setting(self) -> str:
        """The environment variable that says where it is, such as ``GENRE_ASSETS_FMA_SITE``."""
        return f"GENRE_ASSETS_{self.name.upper()}"

    @property
    def catalogue(self) -> str:
        """The asset that lists its tracks, such as ``fma_site_catalogue``."""
        return f"{self.name}_catalogue"

    @property
    def ingest(self) -> list[str]:
        """The assets that bring into the lake what the source publishes."""
        return [self.catalogue, *self.published_features]

    @property
    def not_set(self) -> str:
        """The sentence for whoever wants the source and has not said where it is."""
        return f"The source {self.option} needs {self.setting}: name {self.place}."

    def track_id(self, source_track_id: str | int) -> str:
        """The ``track_id`` of one of its tracks, such as ``fma_site:1234``."""
        return f"{self.name}:{source_track_id}"

    def known_tracks(self, lake: Lake) -> pa.Table:
        """Rows of ``tracks`` from this source, with those of tracks that are gone."""
        return lake.read(TRACKS).filter(pc.field("source") == self.name)


FMA_SITE = Source(
    name="fma_site",
    words="the site",
    place="the site, such as that of genre-assets demo-site",
    shards=FMA_SHARDS,
    numbering="fma",
    is_site=True,
)
FMA_DATASET = Source(
    name="fma_dataset",
    words="the FMA dataset",
    place="the folder that holds fma_metadata/, or its zip",
    shards=FMA_SHARDS,
    numbering="fma",
    published_features=("fma_features", "echonest_features"),
)
FOLDER = Source(
    name="folder",
    words="your music library",
    place="your music library",
    shards=FOLDER_SHARDS,
    guesses_names=True,
)

SOURCES = {source.name: source for source in (FOLDER, FMA_DATASET, FMA_SITE)}
"""All sources by name, in the order in which they are offered."""


@cache
def source_named(name: str | None) -> Source:
    """The source with this name; a placeholder if this version does not know it."""
    return SOURCES.get(name or "") or Source(name=name or "", words=name or "", place="", shards=[])
