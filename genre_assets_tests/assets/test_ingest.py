"""What a sweep tells Dagster of the shards that it wrote."""

import dagster as dg
import pytest

from genre_assets.lake.schemas import ECHONEST_FEATURES, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.assets.features import echonest_features
from genre_assets.orchestration.assets.ingest import folder_catalogue
from genre_assets.orchestration.resources import FmaDataset, LakeResource, MusicFolder

SITE_TRACK = {
    "track_id": "fma_site:2",
    "source": "fma_site",
    "source_track_id": "2",
    "shard": "fma_000000",
}


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "library"
    folder.mkdir()
    for name in "abcdef":
        (folder / f"{name}.mp3").write_bytes(name.encode() * 100)
    return folder


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def sweep(tmp_path, library, instance):
    def sweep() -> dict[str, str]:
        """Data version of each shard that the sweep told of."""
        result = dg.materialize(
            [folder_catalogue],
            instance=instance,
            resources={
                "lake": LakeResource(root=str(tmp_path / "lake")),
                "music_folder": MusicFolder(root=str(library)),
            },
        )
        events = [event.materialization for event in result.events_for_node("folder_catalogue")
                  if event.is_step_materialization]  # fmt: skip
        return {
            event.partition: event.tags["dagster/data_version"]
            for event in events
            if event.asset_key == dg.AssetKey("tracks")
        }

    return sweep


def test_an_unchanged_sweep_tells_the_same_data_versions(sweep):
    first = sweep()
    assert len(first) > 1
    assert sweep() == first


def test_a_new_file_changes_the_data_version_of_its_shard_alone(sweep, library, tmp_path):
    first = sweep()
    (library / "new.mp3").write_bytes(b"new")
    second = sweep()
    rows = Lake(tmp_path / "lake").read(TRACKS).to_pylist()
    (shard,) = {row["shard"] for row in rows if row["path"].endswith("new.mp3")}
    assert {key for key in second if second[key] != first.get(key)} == {shard}


def test_a_shard_of_which_dagster_was_never_told_is_told_by_the_next_sweep(
    sweep, tmp_path, monkeypatch
):
    lake = Lake(tmp_path / "lake")

    class Killed(BaseException):
        pass

    def killed(rows):
        raise Killed

    # The rows are written, and the process dies before it has said so.
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr("genre_assets.sources.sweeps.shard_fingerprint", killed)
        sweep()
    assert lake.read(TRACKS).num_rows == 6
    written = set(lake.partitions(TRACKS))
    lake.write(TRACKS, TRACKS.of_rows([SITE_TRACK]), "fma_000000")

    assert set(sweep()) == {*written, "fma_000000"}
    # The shard of the other source stands as it was told.
    assert set(sweep()) == written
    lake.write(TRACKS, TRACKS.of_rows([SITE_TRACK | {"title": "Food"}]), "fma_000000")
    assert "fma_000000" in sweep()


def test_a_shard_that_somebody_else_reported_is_told_again(sweep, instance, tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.write(TRACKS, TRACKS.of_rows([SITE_TRACK]), "fma_000000")
    assert "fma_000000" in sweep()
    assert "fma_000000" not in sweep()
    reported = dg.AssetMaterialization("tracks", partition="fma_000000")
    instance.report_runless_asset_event(reported)
    assert "fma_000000" in sweep()


def test_a_file_that_is_gone_is_marked_and_its_row_kept(sweep, library, tmp_path):
    sweep()
    (library / "a.mp3").unlink()
    sweep()
    rows = Lake(tmp_path / "lake").read(TRACKS).to_pylist()
    assert len(rows) == 6
    assert [row["path"][-5:] for row in rows if row["gone_at"]] == ["a.mp3"]


def test_a_library_that_cannot_be_read_fails_in_a_sentence(tmp_path):
    result = dg.materialize(
        [folder_catalogue],
        resources={
            "lake": LakeResource(root=str(tmp_path / "lake")),
            "music_folder": MusicFolder(root=str(tmp_path / "nowhere")),
        },
        raise_on_error=False,
    )
    failure = result.failure_data_for_node("folder_catalogue")
    assert "nowhere cannot be read" in failure.user_failure_data.description


def test_published_features_that_the_dataset_no_longer_has_go(tmp_path):
    lake = Lake(tmp_path / "lake")
    metadata = tmp_path / "fma" / "fma_metadata"
    metadata.mkdir(parents=True)
    (metadata / "tracks.csv").write_text("not read here\n")
    names = [name for name in ECHONEST_FEATURES.schema.names if name not in
             ("track_id", "feature_source")]  # fmt: skip
    header = [
        "," + ",".join(["echonest"] * 8),
        "," + ",".join(["audio_features"] * 8),
        "," + ",".join(names),
        "track_id" + "," * 8,
    ]
    resources = {
        "lake": LakeResource(root=str(lake.root)),
        "fma_dataset": FmaDataset(root=str(tmp_path / "fma")),
    }

    def take(*ids):
        rows = [f"{track_id}," + ",".join(["0.5"] * 8) for track_id in ids]
        (metadata / "echonest.csv").write_text("\n".join([*header, *rows]) + "\n")
        assert dg.materialize([echonest_features], resources=resources).success
        return lake.read(ECHONEST_FEATURES)["track_id"].to_pylist()

    assert take(2, 7000) == ["fma_dataset:2", "fma_dataset:7000"]
    assert take(2) == ["fma_dataset:2"]
    (metadata / "echonest.csv").unlink()
    assert dg.materialize([echonest_features], resources=resources).success
    assert lake.read(ECHONEST_FEATURES).num_rows == 0
