"""Runs of whole assets on a lake whose files were damaged."""

import json

from genre_assets.lake.schemas import AUDIO, ID3_TAGS, SUMMARY_FEATURES, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import connect
from genre_assets.refresh.plan import plan_of
from genre_assets.sources.shards import FOLDER_SHARDS

from .shard_runs import Runs, track, write_noise

MADE = (AUDIO, ID3_TAGS, SUMMARY_FEATURES)


def test_what_was_damaged_is_set_aside_and_made_again_and_nothing_else_is(server, tmp_path):
    shards = FOLDER_SHARDS[:2]
    lake, said = Lake(tmp_path / "lake"), []
    for shard in shards:
        tracks = [track(write_noise(tmp_path / f"{shard}{n}.wav", n), f"{shard}{n}", shard)
                  for n in range(3)]  # fmt: skip
        lake.write(TRACKS, TRACKS.of_rows(tracks), shard)
    runs = Runs(server, lake)

    def start(*tables):
        return runs.wait(runs.start([table.name for table in tables], shards[0], shards[-1]))

    assert start(*MADE) == 0
    whole = {table.name: lake.read(table) for table in MADE}
    begun = runs.begun()

    # Bytes of the features of one shard, the end of the tags of the other, a stranger, a journal.
    features, tags = lake.path(SUMMARY_FEATURES, shards[0]), lake.path(ID3_TAGS, shards[1])
    flipped = bytearray(features.read_bytes())
    flipped[len(flipped) // 3] ^= 4
    features.write_bytes(flipped)
    tags.write_bytes(tags.read_bytes()[:-40] + bytes(40))
    stranger = lake.path(AUDIO, shards[0]).parent / "zz.parquet"
    stranger.write_bytes(b"hello")
    lake.journal(SUMMARY_FEATURES, shards[1]).append(whole["summary_features"].slice(0, 1))
    (journal,) = lake.places.journal(SUMMARY_FEATURES).glob("*/*.parquet")
    journal.write_bytes(journal.read_bytes()[:100])

    reader = Lake(lake.root, read_only=True, warn=said.append)
    assert reader.read(SUMMARY_FEATURES).num_rows == reader.read(ID3_TAGS).num_rows == 3
    planned = {
        (work.asset, work.partition): work.pending for work in plan_of(reader).work if work.pending
    }
    assert planned == {
        ("summary_features", shards[0]): {"new": 3},
        ("id3_tags", shards[1]): {"new": 3},
    }
    assert start(*MADE) == 0
    for table in MADE:
        assert lake.read(table).equals(whole[table.name]), table.name
    with connect(lake) as connection:
        for table in MADE:
            rows = connection.execute(f"SELECT count(*) FROM {table.name}").fetchall()
            assert rows == [(6,)]
    analysed_again = {sha256 for sha256, count in (runs.begun() - begun).items() if count}
    of_shard = lake.read(SUMMARY_FEATURES, [shards[0]])["sha256"].to_pylist()
    assert analysed_again == set(of_shard)
    log = (lake.places.set_aside / "log.txt").read_text()
    for path in (features, tags, stranger, journal):
        place = path.relative_to(lake.places.internal if path == journal else lake.root)
        assert (lake.places.set_aside / place).is_file()
        assert str(path) in log
    assert json.dumps(log).count("The next run makes its rows again") == 3


def test_a_record_of_take_downs_that_nobody_can_read_stops_what_needs_it(server, tmp_path):
    lake, shard = Lake(tmp_path / "lake"), FOLDER_SHARDS[0]
    rows = [track(write_noise(tmp_path / "1.wav", 1), "1", shard)]
    lake.write(TRACKS, TRACKS.of_rows(rows), shard)
    record = lake.root / "takedowns" / "all" / f"{1:020d}.parquet"
    record.parent.mkdir(parents=True)
    record.write_bytes(b"hello")
    runs = Runs(server, lake)
    assert runs.wait(runs.start(["audio"], shard, shard)) == 1
    assert record.read_bytes() == b"hello"
    assert lake.path(AUDIO, shard) is None
