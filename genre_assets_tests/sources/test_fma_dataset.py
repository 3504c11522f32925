import csv
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_assets.lake.schemas import REJECTED_ROWS, TRACKS
from genre_assets.sources import fma_dataset
from genre_assets.sources.catalogue import SourceError
from genre_assets.sources.fma_dataset import attribution, clip_path, read_catalogue, read_genres

HEADER = [
    ("", ""),
    ("album", "id"),
    ("album", "information"),
    ("album", "title"),
    ("artist", "id"),
    ("artist", "name"),
    ("set", "split"),
    ("set", "subset"),
    ("track", "duration"),
    ("track", "genre_top"),
    ("track", "genres"),
    ("track", "license"),
    ("track", "title"),
]
FOOD = {
    "": "2",
    "album/id": "1",
    "album/information": '<p>A "Way" Of Life,\nby AWOL</p>',
    "album/title": "AWOL - A Way Of Life",
    "artist/id": "1",
    "artist/name": "AWOL",
    "set/split": "training",
    "set/subset": "small",
    "track/duration": "168",
    "track/genre_top": "Hip-Hop",
    "track/genres": "[21]",
    "track/license": "Attribution-NonCommercial-ShareAlike 3.0 International",
    "track/title": "Food",
}
GENRES = (
    "genre_id,#tracks,parent,title,top_level\n21,1,0,Hip-Hop,21\n12,1,0,Rock,12\n25,1,12,Punk,12\n"
)


def write_dataset(root, *rows, genres=GENRES):
    """A dataset of the given rows, each one what it changes in the row of track 2."""
    folder = root / "fma_metadata"
    folder.mkdir(parents=True, exist_ok=True)
    names = ["/".join(pair).strip("/") for pair in HEADER]
    with (folder / "tracks.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([level for level, _ in HEADER])
        writer.writerow([name for _, name in HEADER])
        writer.writerow(["track_id"] + [""] * (len(HEADER) - 1))
        for row in rows:
            writer.writerow([{**FOOD, **row}[name] for name in names])
    if genres is not None:
        (folder / "genres.csv").write_text(genres, encoding="utf-8")
    return folder / "tracks.csv"


def rows_of(catalogue):
    return {row["source_track_id"]: row for row in catalogue.tracks.to_pylist()}


def test_the_real_dataset_lists_the_largest_subset_whose_audio_is_there(real_data):
    catalogue = read_catalogue(real_data / "fma")

    rows = rows_of(catalogue)
    assert (len(rows), catalogue.rejected.num_rows) == (194, 0)
    assert sum(row["file_bytes"] is not None for row in rows.values()) == 126
    assert {row["subset"] for row in rows.values()} == {"small", "medium"}
    food = rows["2"]
    clip = real_data / "fma" / "fma_medium" / "000" / "000002.mp3"
    assert food["path"] == str(clip)
    assert (food["file_bytes"], food["file_mtime_ns"]) == (
        clip.stat().st_size,
        clip.stat().st_mtime_ns,
    )
    assert (food["title"], food["artist"], food["album"]) == (
        "Food",
        "AWOL",
        "AWOL - A Way Of Life",
    )
    assert (food["track_id"], food["shard"]) == ("fma_dataset:2", "fma_000000")
    assert (food["genres"], food["genre_top"], food["duration_s"]) == (["Hip-Hop"], "Hip-Hop", 168)
    assert food["license_spdx"] == "CC-BY-NC-SA-3.0"
    assert (food["allows_derivatives"], food["allows_commercial_use"]) == (True, False)
    assert food["attribution"] == (
        '"Food" by AWOL, Attribution-NonCommercial-ShareAlike 3.0 International'
    )


@pytest.mark.parametrize(("subset", "listed", "clips"), [("small", 58, 48), ("large", 682, 0)])
def test_real_subsets_nest(real_data, subset, listed, clips):
    tracks = read_catalogue(real_data / "fma", subset).tracks

    assert tracks.num_rows == listed
    assert listed - tracks["file_bytes"].null_count == clips


def test_real_metadata_without_audio_lists_every_track(real_data):
    catalogue = read_catalogue(real_data / "fma_metadata_only")

    tracks = catalogue.tracks
    assert (tracks.num_rows, catalogue.rejected.num_rows) == (25_000, 0)
    assert tracks.schema.equals(TRACKS.schema)
    assert tracks["path"].null_count == 25_000
    assert 25_000 - tracks["artist"].null_count == 8_040
    assert tracks["genre_top"].null_count == 0
    assert set(tracks["official_split"].to_pylist()) == {"training", "validation", "test"}
    assert any("metadata only" in note for note in catalogue.notes)


def test_every_licence_of_the_real_rows_with_a_version_has_a_page(real_data):
    rows = rows_of(read_catalogue(real_data / "fma", "full"))

    pages = {row["attribution"].rpartition(", ")[2]: row["license_url"] for row in rows.values()}
    assert [licence for licence, page in pages.items() if page is None] == ["Attribution"]
    for row in rows.values():
        known = row["license_url"] is not None
        assert (row["allows_derivatives"] is not None) == known
        assert (row["allows_commercial_use"] is not None) == known


def test_a_real_file_cut_in_a_quoted_field_is_one_clear_error(real_data, tmp_path):
    (tmp_path / "fma_metadata").mkdir()
    cut = (real_data / "bad_metadata" / "tracks_truncated.csv").read_bytes()
    (tmp_path / "fma_metadata" / "tracks.csv").write_bytes(cut)

    with pytest.raises(SourceError, match=r"tracks\.csv is broken in row 683.*track id 932.*again"):
        read_catalogue(tmp_path)


def test_a_row_becomes_a_track(tmp_path):
    write_dataset(tmp_path, {"": "155320", "track/genres": "[12, 25]", "album/id": "7.0"})

    row = rows_of(read_catalogue(tmp_path, "small"))["155320"]

    assert row["shard"] == "fma_155000"
    assert row["genres"] == ["Punk", "Rock"]
    assert row["album_id"] == "7"
    assert row["path"] == str(tmp_path / "fma_small" / "155" / "155320.mp3")
    assert (row["file_bytes"], row["page_url"], row["file_url"]) == (None, None, None)


def test_names_that_look_like_missing_values_are_names(tmp_path):
    write_dataset(tmp_path, {"track/title": "NA", "artist/name": "None", "album/title": ""})

    row = rows_of(read_catalogue(tmp_path))["2"]

    assert (row["title"], row["artist"], row["album"]) == ("NA", "None", None)


def test_rows_that_cannot_be_used_are_rejected_with_their_place(tmp_path):
    path = write_dataset(
        tmp_path,
        {},
        {"": "nonsense"},
        {"": ""},
        {"": "-3"},
        {"": "300000"},
        {"": "2", "track/title": "Second"},
        {"": "3"},
    )

    catalogue = read_catalogue(tmp_path)

    assert list(rows_of(catalogue)) == ["2", "3"]
    assert rows_of(catalogue)["2"]["title"] == "Food"
    rejected = catalogue.rejected.to_pylist()
    assert catalogue.rejected.schema.equals(REJECTED_ROWS.schema)
    assert {row["origin"] for row in rejected} == {str(path)}
    reasons = {row["place"].partition(",")[0]: row["reason"] for row in rejected}
    assert reasons.keys() == {"row 2", "row 3", "row 4", "row 5", "row 6"}
    assert "whole number" in reasons["row 2"]
    assert "outside 0 to 299999" in reasons["row 5"]
    assert "earlier row" in reasons["row 6"]


def test_a_row_of_an_unknown_subset_is_in_the_full_one_only(tmp_path):
    write_dataset(tmp_path, {}, {"": "3", "set/subset": "tiny"})

    assert list(rows_of(read_catalogue(tmp_path, "full"))) == ["2", "3"]
    medium = read_catalogue(tmp_path, "medium")
    assert list(rows_of(medium)) == ["2"]
    assert "tiny" in medium.rejected.to_pylist()[0]["reason"]


def test_clips_of_a_larger_subset_serve_a_smaller_one(tmp_path):
    write_dataset(tmp_path, {}, {"": "3", "set/subset": "large"})
    for name in ("000002.mp3", "000003.mp3", "000009.mp3", "notes.txt"):
        clip = tmp_path / "fma_large" / "000" / name
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.write_bytes(b"clip")

    catalogue = read_catalogue(tmp_path, "small")

    assert list(rows_of(catalogue)) == ["2"]
    assert rows_of(catalogue)["2"]["file_bytes"] == 4
    notes = " ".join(catalogue.notes)
    assert "taken from fma_large" in notes
    assert "1 clips in" in notes
    assert "1 files in" in notes


def test_without_genres_csv_genres_are_named_by_their_ids(tmp_path):
    write_dataset(tmp_path, {"track/genres": "[12, 25]"}, genres=None)

    catalogue = read_catalogue(tmp_path)

    assert rows_of(catalogue)["2"]["genres"] == ["12", "25"]
    assert any("genres.csv is not there" in note for note in catalogue.notes)


def test_odd_genres_and_durations_leave_a_note_and_the_track(tmp_path):
    write_dataset(
        tmp_path,
        {"track/genres": "[12, Rock"},
        {"": "3", "track/genres": "[999]", "track/duration": "long"},
        {"": "4", "track/genres": "", "track/duration": ""},
    )

    catalogue = read_catalogue(tmp_path)

    rows = rows_of(catalogue)
    assert [rows[key]["genres"] for key in "234"] == [[], ["999"], []]
    assert [rows[key]["duration_s"] for key in "234"] == [168, None, None]
    notes = " ".join(catalogue.notes)
    assert "1 tracks have a genre list" in notes
    assert "1 tracks have a duration" in notes
    assert "such as 999" in notes


def test_genres_whose_parents_go_in_a_circle_have_a_depth(tmp_path):
    path = tmp_path / "genres.csv"
    path.write_text("genre_id,parent,title\n1,2,A\n2,1,B\nx,1,C\n", encoding="utf-8")
    notes = []

    genres = read_genres(path, notes)

    assert genres.depth(1) == 1
    assert "1 rows" in notes[0]


def test_a_missing_dataset_says_what_to_put_there(tmp_path):
    with pytest.raises(SourceError, match=r"tracks\.csv is not there: put fma_metadata\.zip"):
        read_catalogue(tmp_path)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\n\n", b'"'])
def test_another_file_of_the_name_is_one_clear_error(tmp_path, content):
    write_dataset(tmp_path).write_bytes(content)

    with pytest.raises(SourceError, match=r"tracks\.csv"):
        read_catalogue(tmp_path)


def test_a_file_without_rows_is_one_clear_error(tmp_path):
    write_dataset(tmp_path)

    with pytest.raises(SourceError, match="lists no track"):
        read_catalogue(tmp_path)


def test_bytes_that_are_no_text_are_one_clear_error(tmp_path):
    path = write_dataset(tmp_path, {}, {"": "3", "track/title": "Caf?"})
    path.write_bytes(path.read_bytes().replace(b"Caf?", b"Caf\xe9"))

    with pytest.raises(SourceError, match="broken in row 2, track id '3', which holds bytes"):
        read_catalogue(tmp_path)


def test_a_quote_left_open_in_the_last_field_is_noticed(tmp_path):
    path = write_dataset(tmp_path, {}, {"": "3"})
    path.write_bytes(path.read_bytes().removesuffix(b"Food\n") + b'"Fo\n')

    with pytest.raises(SourceError, match="after track id 2"):
        read_catalogue(tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_file_cut_anywhere_is_an_error_or_loses_whole_rows_only(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("cut")
    path = write_dataset(root, {}, {"": "3"}, {"": "4", "track/title": 'A "cut",\nline'})
    whole = path.read_bytes()
    kept = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:kept])

    try:
        rows = rows_of(read_catalogue(root))
    except SourceError as error:
        assert "tracks.csv" in str(error)
    else:
        assert list(rows) in (["2"], ["2", "3"])
        assert all(row["title"] == "Food" for row in rows.values())


def test_rows_longer_than_a_block_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(fma_dataset, "_BLOCK_BYTES", 1 << 12)
    write_dataset(tmp_path, *({"": str(n), "album/information": "x\n" * 500} for n in range(50)))

    assert read_catalogue(tmp_path).tracks.num_rows == 50


def test_a_dataset_of_zips_is_unpacked_beside_nothing_of_its_own(tmp_path):
    source, root, lake = tmp_path / "source", tmp_path / "dataset", tmp_path / "lake"
    root.mkdir()
    write_dataset(source, {})
    with zipfile.ZipFile(root / "fma_metadata.zip", "w", zipfile.ZIP_BZIP2) as file:
        for path in (source / "fma_metadata").iterdir():
            file.write(path, f"fma_metadata/{path.name}")
    with zipfile.ZipFile(root / "fma_small.zip", "w") as file:
        file.writestr("fma_small/000/000002.mp3", b"clip")
        file.writestr("fma_small/../../escape.mp3", b"clip")

    catalogue = read_catalogue(root, unpack_to=lake, checksums={})

    row = rows_of(catalogue)["2"]
    assert row["path"] == str(lake / "fma_small" / "000" / "000002.mp3")
    assert row["file_bytes"] == 4
    assert [row["place"] for row in catalogue.rejected.to_pylist()] == [
        "fma_small/../../escape.mp3"
    ]
    assert sorted(path.name for path in root.iterdir()) == ["fma_metadata.zip", "fma_small.zip"]


def test_a_clip_lies_below_the_first_three_of_six_digits():
    assert clip_path("fma_small", 2) == "fma_small/000/000002.mp3"
    assert clip_path("fma_full", 155320) == "fma_full/155/155320.mp3"


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        (("Food", "AWOL", "CC BY"), '"Food" by AWOL, CC BY'),
        (("Food", None, "CC BY"), '"Food", CC BY'),
        (("Food", "AWOL", None), '"Food" by AWOL'),
        ((None, "AWOL", "CC BY"), "Untitled by AWOL, CC BY"),
        ((None, None, "CC BY"), None),
    ],
)
def test_a_credit_line_says_what_is_known(parts, line):
    assert attribution(*parts) == line
