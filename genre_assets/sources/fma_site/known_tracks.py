"""What the lake knows of the site's tracks, read only as far as a sweep needs it.

A nightly sweep sees the newest tracks, which lie in one or two shards. Were it to read all that is
stored, a night without anything new would cost more with every track that ever came.
"""

import contextlib
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.lake.schemas import REJECTED_ROWS, SIGHTINGS, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.sources.registry import FMA_SITE
from genre_assets.sources.shards import fma_shard

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false


class Known:
    """The tracks and sightings of the site in a lake.

    Args:
        lake: The lake.
    """

    def __init__(self, lake: Lake):
        self._lake = lake

    def tracks(self, track_ids: Iterable[str]) -> dict[str, dict]:
        """Rows of ``lake.schemas.TRACKS`` of those tracks that are known, by id."""
        wanted = _by_shard(track_ids)
        rows = self._lake.read(TRACKS, sorted(wanted))
        ids = pa.array([one for ids in wanted.values() for one in ids], pa.string())
        rows = rows.filter(pc.is_in(rows["track_id"], value_set=ids))
        return {row["track_id"]: row for row in rows.to_pylist()}

    def seen_in(self, genre: str) -> set[int]:
        """Numbers of the tracks that the listing of a genre ever showed."""
        here = self._listed.filter(pc.field("genre") == genre)["track_id"]
        numbers = pc.replace_substring(here, f"{FMA_SITE.name}:", "").cast(pa.int64())
        return set(numbers.to_pylist())

    def sightings(self, seen: Iterable[dict]) -> dict[str, pa.Table]:
        """The sightings of each shard that a sweep saw tracks of, with those of the sweep.

        Args:
            seen: Rows of ``lake.schemas.SIGHTINGS`` as if each were the first of its track and
                genre.

        Returns:
            Rows of ``lake.schemas.SIGHTINGS``, sorted by their keys, by shard.
        """
        seen_by_id = defaultdict(list)
        for row in seen:
            seen_by_id[row["track_id"]].append(row)
        found = {}
        for shard, track_ids in sorted(_by_shard(seen_by_id).items()):
            stored = self._lake.read(SIGHTINGS, [shard]).to_pylist()
            rows = {(row["track_id"], row["genre"]): row for row in stored}
            for row in (row for track_id in track_ids for row in seen_by_id[track_id]):
                key = row["track_id"], row["genre"]
                first_seen_at = rows.get(key, row)["first_seen_at"]
                rows[key] = row | {"first_seen_at": first_seen_at}
            found[shard] = SIGHTINGS.of_rows([rows[key] for key in sorted(rows)])
        return found

    def all_sightings(self, newer: dict[str, pa.Table]) -> pa.Table:
        """All rows of ``lake.schemas.SIGHTINGS``, of some shards newer ones than are stored."""
        others = [shard for shard in self._lake.partitions(SIGHTINGS) if shard not in newer]
        return pa.concat_tables([self._lake.read(SIGHTINGS, others), *newer.values()])

    @cached_property
    def _listed(self) -> pa.Table:
        return self._lake.read(SIGHTINGS, columns=["track_id", "genre"])


def unread_pages(lake: Lake) -> dict[str, str]:
    """By the URL of a track's page, why the last sweep that wanted it could not read it.

    Such a track has no licence because nobody saw one, not because its page names none.

    Args:
        lake: The lake.
    """
    return {
        row["origin"]: row["reason"]
        for row in lake.read(REJECTED_ROWS, [FMA_SITE.name]).to_pylist()
    }


def _by_shard(track_ids: Iterable[str]) -> dict[str, list[str]]:
    """Tracks by their shards, without those whose number no shard admits: nothing knows them."""
    found = defaultdict(list)
    for track_id in track_ids:
        with contextlib.suppress(ValueError):
            found[fma_shard(int(track_id.removeprefix(f"{FMA_SITE.name}:")))].append(track_id)
    return found
