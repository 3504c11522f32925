"""From files with all sorts of tags to labels, through Dagster."""

import io
import struct

import dagster as dg
import pytest
from mutagen.apev2 import APEv2
from mutagen.id3 import ID3, TCON, TDRC, TDRL, TPE1, TSSE

from genre_assets.lake.schemas import ID3_TAGS, LABELS, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.assets.metadata import audio, id3_tags, labels
from genre_assets.orchestration.resources import resources_from
from genre_assets.orchestration.settings import read_settings
from genre_assets.tasks.members import artist_groups
from genre_assets_tests.tags.test_chunks import FORMAT, INFO, chunk, wave

from .shard_runs import track, write_noise

SHARD = "folder_00"


def mp3(path, seed, *frames):
    import soundfile

    samples, rate = soundfile.read(write_noise(path.with_suffix(".wav"), seed))
    soundfile.write(path, samples, rate)
    path.with_suffix(".wav").unlink()
    tags = ID3()
    for frame in frames:
        tags.add(frame)
    if frames:
        tags.save(path)


def with_gaps(path, seed):
    mp3(path, seed)
    ape = APEv2()
    ape.update({"Artist": "Carol", "Genre": "Folk"})
    ape.save(path)
    front = io.BytesIO()
    tags = ID3()
    tags.add(TSSE(text="LAME"))
    tags.save(front)
    path.write_bytes(front.getvalue() + path.read_bytes())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    rock = TCON(text="Rock")
    mp3(folder / "alice.mp3", 1, TPE1(text="Alice"), rock)
    mp3(folder / "bob.mp3", 2, TPE1(text="Bob"), TDRC(text="12"), TDRL(text="20050312"), rock)
    mp3(folder / "both.mp3", 3, TPE1(encoding=3, text=["Alice", "Bob"]), TDRC(text="2012/02/04"))
    mp3(folder / "björn.mp3", 4, TPE1(encoding=3, text="Björn"))
    mp3(folder / "mistaken.mp3", 5, TPE1(encoding=0, text="Björn".encode().decode("latin-1")))
    mp3(folder / "untagged.mp3", 6)
    with_gaps(folder / "gaps.mp3", 7)
    data = chunk(b"data", bytes(struct.pack("<h", 9) * 22_050))
    wave(folder / "list.wav", FORMAT, chunk(b"LIST", INFO), data)
    (folder / "text.flac").write_text("a text with a \" and a '" * 20)
    (folder / "flags.mp3").write_bytes(b"ID3\4\0\x0f\0\0\0\x0a" + bytes(400))
    lake = Lake(tmp_path_factory.mktemp("lake"))
    rows = [track(path, path.name, SHARD) for path in sorted(folder.iterdir())]
    lake.write(TRACKS, TRACKS.of_rows(rows), SHARD)
    settings = read_settings({"GENRE_ASSETS_DATA": str(lake.root), "GENRE_ASSETS_WORKERS": "1"})
    metadata = {}
    with dg.DagsterInstance.ephemeral() as instance:
        for assets, partition in (([audio, id3_tags], SHARD), ([labels], None)):
            result = dg.materialize(
                assets,
                resources=resources_from(settings),
                instance=instance,
                partition_key=partition,
            )
            for event in result.get_asset_materialization_events():
                metadata[event.asset_key.to_user_string()] = event.materialization.metadata
    return lake, metadata


def by_name(lake, table):
    return {row["track_id"].partition(":")[2]: row for row in lake.read(table).to_pylist()}


def test_tags_of_all_sorts_are_read(run):
    tags = by_name(run[0], ID3_TAGS)
    assert {name: row["artist"] for name, row in tags.items()} == {
        **{"alice.mp3": "Alice", "bob.mp3": "Bob", "both.mp3": "Alice; Bob", "gaps.mp3": "Carol"},
        **{"björn.mp3": "Björn", "mistaken.mp3": "Björn", "list.wav": "Björn"},
        **dict.fromkeys(["untagged.mp3", "text.flac", "flags.mp3"]),
    }
    assert [tags[name]["year"] for name in ("bob.mp3", "both.mp3", "list.wav")] == [
        2005,
        2012,
        2012,
    ]
    assert tags["gaps.mp3"]["tag_version"] == "ID3v2.4 + APEv2"
    for row in tags.values():
        assert not set("'\"()") & set((row["reason"] or "").replace(row["track_id"], ""))


def test_who_shares_an_artist(run):
    rows = by_name(run[0], LABELS)
    assert rows["both.mp3"]["artist_keys"] == ["alice", "bob"]
    assert {rows[f]["artist_key"] for f in ("björn.mp3", "mistaken.mp3", "list.wav")} == {"bjorn"}
    assert rows["gaps.mp3"]["genre_top"] == "Folk"
    names = ["alice.mp3", "bob.mp3", "both.mp3", "gaps.mp3"]
    keys = [rows[name]["artist_keys"] for name in names]
    alice, bob, both, carol = artist_groups(keys, names, [None] * len(names))
    assert alice == bob == both != carol


def test_a_file_without_tags_is_no_failure(run):
    lake, metadata = run
    assert {row["status"] for row in by_name(lake, ID3_TAGS).values()} == {
        *("ok", "no_tags", "bad_tags"),
    }
    assert metadata["id3_tags"]["failed"].value == 1
    assert metadata["id3_tags"]["failed_by_reason"].value == {"bad_tags": 1}
