from datetime import UTC, datetime, timedelta

import pytest

from genre_assets.lake.schemas import SIGHTINGS, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.sources.fma_site.known_tracks import Known

MONDAY = datetime(2026, 8, 31, tzinfo=UTC)
TUESDAY = MONDAY + timedelta(days=1)
OLD, NEW = "fma_site:4999", "fma_site:5000"


def sighting(track_id, genre, first=MONDAY, last=MONDAY):
    times = {"first_seen_at": first, "last_seen_at": last}
    return {"track_id": track_id, "genre": genre} | times


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path)
    for shard, track_id in (("fma_000000", OLD), ("fma_005000", NEW)):
        lake.write(TRACKS, TRACKS.of_rows([{"track_id": track_id, "title": "Food"}]), shard)
        rows = [sighting(track_id, genre) for genre in ("House", "Techno")]
        lake.write(SIGHTINGS, SIGHTINGS.of_rows(rows), shard)
    return lake


def test_tracks_are_found_in_their_shards_and_no_other_one_is_read(lake):
    other = lake.path(TRACKS, "fma_000000")
    other.write_bytes(b"whoever reads this sets it aside")

    found = Known(lake).tracks([NEW, "fma_site:5001", "fma_site:999999999"])

    assert {track_id: row["title"] for track_id, row in found.items()} == {NEW: "Food"}
    assert other.exists()
    assert Known(lake).tracks([OLD]) == {}
    assert not other.exists()


def test_a_listing_is_known_by_the_numbers_of_its_tracks(lake):
    only_house = SIGHTINGS.of_rows([sighting(NEW, "House")])
    lake.write(SIGHTINGS, only_house, "fma_005000")

    known = Known(lake)

    assert (known.seen_in("House"), known.seen_in("Techno")) == ({4999, 5000}, {4999})
    assert known.seen_in("Garage") == set()


def test_what_a_sweep_saw_is_added_to_the_sightings_of_its_shards(lake):
    known = Known(lake)
    seen = [sighting(NEW, "House", TUESDAY, TUESDAY), sighting(NEW, "Garage", TUESDAY, TUESDAY)]

    newer = known.sightings([*seen, sighting("fma_site:5001", "House", TUESDAY, TUESDAY)])

    assert newer.keys() == {"fma_005000"}
    assert newer["fma_005000"].to_pylist() == [
        seen[1],
        sighting(NEW, "House", MONDAY, TUESDAY),
        sighting(NEW, "Techno"),
        sighting("fma_site:5001", "House", TUESDAY, TUESDAY),
    ]
    everything = known.all_sightings(newer).to_pylist()
    assert [row["track_id"] for row in everything] == [OLD, OLD, NEW, NEW, NEW, "fma_site:5001"]
