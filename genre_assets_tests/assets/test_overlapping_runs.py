"""Two runs of the same shards at a time, as whole processes, and readers beside them."""

import time

import duckdb

from genre_assets.lake.schemas import AUDIO, ID3_TAGS, SUMMARY_FEATURES, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import connect
from genre_assets.sources.shards import FOLDER_SHARDS

from .shard_runs import Runs, track, write_noise

MADE = (AUDIO, ID3_TAGS, SUMMARY_FEATURES)
TRACKS_A_SHARD = 6


class Library:
    """A library whose files all change at a time, and what a lake holds of it."""

    def __init__(self, root, lake, shards):
        self.lake = lake
        self.shards = shards
        self._root = root
        self._files_written = 0

    def change(self):
        for shard in self.shards:
            rows = []
            for number in range(TRACKS_A_SHARD):
                name = f"{shard}_{number}"
                self._files_written += 1
                path = write_noise(self._root / f"{name}.wav", self._files_written)
                rows.append(track(path, name, shard))
            self.lake.write(TRACKS, TRACKS.of_rows(rows), shard)

    def contents(self):
        """The contents of each shard as ``audio`` has them."""
        return {
            shard: set(self.lake.read(AUDIO, [shard])["sha256"].to_pylist())
            for shard in self.shards
        }


def contents_seen(connection, shards):
    """For each table and shard the contents of its rows as a reader sees them."""
    seen = {}
    for table in MADE:
        rows = connection.execute(f"SELECT track_id, sha256 FROM {table.name}").fetchall()
        for shard in shards:
            seen[table.name, shard] = [
                sha256 for id_, sha256 in rows if id_.startswith(f"folder:{shard}")
            ]
    return seen


def test_two_runs_at_a_time_lose_nothing_and_readers_see_whole_shards_only(server, tmp_path):
    shards = FOLDER_SHARDS[:2]
    lake = Lake(tmp_path / "lake")
    library = Library(tmp_path, lake, shards)
    runs = Runs(server, lake)

    def start():
        return runs.start([table.name for table in MADE], shards[0], shards[-1], clip_s=0.01)

    library.change()
    assert runs.wait(start()) == 0
    old, begun_before = library.contents(), runs.begun()
    library.change()

    def looked_at():
        with duckdb.connect(str(lake.places.views), read_only=True) as reader:
            looks = [contents_seen(reader, shards) for _ in range(2)]
        with connect(lake) as reader:
            return [*looks, contents_seen(reader, shards)]

    looks = looked_at()
    stays_open = duckdb.connect(str(lake.places.views), read_only=True)
    both = [start(), start()]
    while not all(map(runs.is_over, both)):
        looks += looked_at()
        time.sleep(0.1)
    looks += looked_at()
    assert [runs.wait(run) for run in both] == [0, 0]
    new = library.contents()

    assert all(len(new[shard]) == TRACKS_A_SHARD for shard in shards)
    assert all(not new[shard] & old[shard] for shard in shards)
    for table in MADE:
        for shard in shards:
            rows = lake.read(table, [shard])
            assert rows.num_rows == TRACKS_A_SHARD
            assert set(rows["sha256"].to_pylist()) == new[shard]
    # What one of them did, the other found done: both probed and analysed each file once.
    assert set((runs.begun() - begun_before).values()) == {1}
    for look in looks:
        for (_, shard), contents in look.items():
            assert len(contents) == TRACKS_A_SHARD
            assert set(contents) in (old[shard], new[shard])
    first, last = ({shard: set(look[SUMMARY_FEATURES.name, shard]) for shard in shards}
                   for look in (looks[0], looks[-1]))  # fmt: skip
    assert (first, last) == (old, new)
    # A connection goes on seeing the lake as it was when it was opened.
    with stays_open as reader:
        for (_, shard), contents in contents_seen(reader, shards).items():
            assert set(contents) == old[shard]
