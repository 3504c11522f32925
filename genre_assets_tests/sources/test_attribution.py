import csv
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_assets.errors import UserError
from genre_assets.lake.schemas import ID3_TAGS, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.sources.attribution import (
    COLUMNS,
    attribution_rows,
    named_tracks,
    write_attribution,
)

BY = "https://creativecommons.org/licenses/by/4.0/"


def track(number, **more):
    return {
        "track_id": f"fma_site:{number}",
        "title": f"Song {number}",
        "artist": "Ed Askew",
        "page_url": f"https://freemusicarchive.org/music/a/b/{number}/",
        "license_url": BY,
        "license_spdx": "CC-BY-4.0",
        "attribution": f"Song {number} by Ed Askew, {BY}",
    } | more


TABLE = TRACKS.of_rows([track(n) for n in range(1, 5)])


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_each_track_is_credited_once_in_the_order_it_is_named():
    rows = attribution_rows(TABLE, ["fma_site:3", "fma_site:1", "fma_site:3"]).to_pylist()
    assert rows == [{name: track(n)[name] for name in COLUMNS} for n in (3, 1)]


def test_no_tracks_give_the_heading_only(tmp_path):
    assert read(write_attribution(TABLE, [], tmp_path / "a.csv")) == [list(COLUMNS)]


def test_a_track_that_nothing_is_known_of_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="fma_site:9"):
        write_attribution(TABLE, ["fma_site:1", "fma_site:9"], tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_made_with_its_folder_and_replaced_whole(tmp_path):
    path = tmp_path / "reports" / "styles" / "attribution.csv"
    write_attribution(TABLE, ["fma_site:1", "fma_site:2"], path)
    assert write_attribution(TABLE, ["fma_site:4"], str(path)) == path
    assert [row[0] for row in read(path)] == ["track_id", "fma_site:4"]
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_else(tmp_path, monkeypatch):
    path = write_attribution(TABLE, ["fma_site:1"], tmp_path / "a.csv")
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"The disk is full: .*a\.csv cannot be written"):
        write_attribution(TABLE, ["fma_site:2"], path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written to"):
        write_attribution(TABLE, ["fma_site:1"], tmp_path / "file" / "a.csv")


@pytest.mark.parametrize(
    "title",
    ["=HYPERLINK(0)", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "\u00a0@x", "\uff1d1"],
)
def test_a_title_that_a_spreadsheet_would_run_is_text(tmp_path, title):
    tracks = TRACKS.of_rows([track(1, title=title, artist=title)])
    [_, row] = read(write_attribution(tracks, ["fma_site:1"], tmp_path / "a.csv"))
    assert row[1] == row[2] == f"'{title}"


@given(title=st.text(), artist=st.none() | st.text())
def test_whatever_a_stranger_names_a_song_is_one_cell_of_text(tmp_path_factory, title, artist):
    tracks = TRACKS.of_rows([track(1, title=title, artist=artist), track(2)])
    path = tmp_path_factory.getbasetemp() / "attribution.csv"
    write_attribution(tracks, ["fma_site:1", "fma_site:2"], path)
    _, first, second = read(path)
    assert first[1].removeprefix("'") == title.removeprefix("'")
    assert first[2].removeprefix("'") == (artist or "").removeprefix("'")
    assert first[1].strip()[:1] not in {"=", "+", "-", "@"}
    assert second[0] == "fma_site:2"


def test_tracks_of_a_library_are_known_by_their_tags_and_those_of_a_site_by_the_site(tmp_path):
    lake = Lake(tmp_path)
    own = {"source": "folder", "title": "2", "artist": "Folk"}
    tracks = [
        track(1, source="fma_site", shard="fma_000000"),
        track(4, source="fma_site", shard="fma_005000", title=None),
        track(2, track_id="folder:a", shard="folder_00", **own),
        track(3, track_id="folder:b", shard="folder_00", **own),
    ]
    lake.write(TRACKS, TRACKS.of_rows(tracks[:1]), "fma_000000")
    lake.write(TRACKS, TRACKS.of_rows(tracks[1:2]), "fma_005000")
    lake.write(TRACKS, TRACKS.of_rows(tracks[2:]), "folder_00")
    tags = [
        {"track_id": "fma_site:1", "title": "Other", "artist": "Other"},
        {"track_id": "folder:a", "title": "Song 38", "artist": "Hana"},
        {"track_id": "folder:b", "title": "Song 39", "artist": None},
    ]
    lake.write(ID3_TAGS, ID3_TAGS.of_rows(tags), "folder_00")
    tags = {"track_id": "fma_site:4", "title": "Song 4", "artist": "Other"}
    lake.write(ID3_TAGS, ID3_TAGS.of_rows([tags]), "fma_005000")
    named = {
        row["track_id"]: (row["title"], row["artist"]) for row in named_tracks(lake).to_pylist()
    }
    assert named == {
        "fma_site:1": ("Song 1", "Ed Askew"),
        "fma_site:4": ("Song 4", "Ed Askew"),
        "folder:a": ("Song 38", "Hana"),
        "folder:b": ("Song 39", "Folk"),
    }
    assert named_tracks(lake, ["title"], {"folder:a"}).to_pylist() == [
        {"track_id": "folder:a", "source": "folder", "shard": "folder_00", "title": "Song 38"}
    ]
