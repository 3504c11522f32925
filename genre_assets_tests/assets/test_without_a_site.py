"""What is made of a site's tracks where no site is set."""

import dagster as dg

from genre_assets.lake.schemas import FETCHES, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.assets.ingest import fetches
from genre_assets.orchestration.resources import FmaSite, LakeResource, LicencePolicy, Workers

SHARD = "fma_000000"
TRIED = {"track_id": "fma_site:2", "url": "https://files.freemusicarchive.org/2.mp3", "run_id": "a"}


def test_the_downloads_stay_as_they_are_and_nothing_fails(tmp_path):
    lake = Lake(tmp_path)
    tracks = [
        {"track_id": f"fma_site:{n}", "source": "fma_site", "source_track_id": str(n),
         "shard": SHARD, "file_url": f"https://files.freemusicarchive.org/{n}.mp3",
         "license_url": "https://creativecommons.org/licenses/by/4.0/"}
        for n in (2, 3)
    ]  # fmt: skip
    lake.write(TRACKS, TRACKS.of_rows(tracks), SHARD)
    lake.write(FETCHES, FETCHES.of_rows([TRIED]), SHARD)
    before = lake.read(FETCHES)
    done, said = download(lake)
    assert done.success
    assert lake.read(FETCHES).equals(before)
    assert any("GENRE_ASSETS_FMA_SITE is not set" in line and "2 tracks" in line for line in said)


def test_the_tracks_of_a_library_leave_no_table_of_downloads(tmp_path):
    lake = Lake(tmp_path)
    track = {"track_id": "folder:a", "source": "folder", "source_track_id": "a", "shard": SHARD}
    lake.write(TRACKS, TRACKS.of_rows([track]), SHARD)
    done, _ = download(lake)
    assert done.success
    assert lake.partitions(FETCHES) == [] and not (lake.root / "fetches").exists()


def download(lake):
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize(
            [fetches],
            instance=instance,
            partition_key=SHARD,
            resources={
                "lake": LakeResource(root=str(lake.root)),
                "fma_site": FmaSite(),
                "licence_policy": LicencePolicy(),
                "workers": Workers(count=1),
            },
            raise_on_error=False,
        )
        return done, [entry.user_message for entry in instance.all_logs(done.run_id)]
