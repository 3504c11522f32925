import csv
import os
import zipfile
from datetime import UTC, datetime

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from genre_assets.lake.schemas import REJECTED_ROWS, TRACKS
from genre_assets.sources import fma_clips, fma_tracks_csv
from genre_assets.sources.catalogue import SourceError
from genre_assets.sources.fma_dataset import attribution, clip_path, read_catalogue, read_genres
from genre_assets.sources.sweeps import merge_sweep

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
    assert "1 track with a genre list that cannot be read" in notes
    assert "1 track with a duration that is not a number of seconds" in notes
    assert "such as 999" in notes
    left_out = {row["place"]: row["reason"] for row in catalogue.rejected.to_pylist()}
    assert left_out == {
        "row 1, track id 2, genre_ids": "Its genre list '[12, Rock' cannot be read.",
        "row 2, track id 3, duration": "Its duration 'long' is not a number of seconds.",
    }


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


def test_bytes_that_are_no_text_are_replaced_and_named_and_the_other_rows_read(tmp_path):
    path = write_dataset(tmp_path, {}, {"": "3", "track/title": "Caf?"})
    path.write_bytes(path.read_bytes().replace(b"Caf?", b"Caf\xe9"))

    catalogue = read_catalogue(tmp_path)

    assert [row["title"] for row in rows_of(catalogue).values()] == ["Food", "Caf\ufffd"]
    (row,) = catalogue.rejected.to_pylist()
    assert (row["place"], row["kind"]) == ("row 2, track id 3, title", "value")
    assert "no UTF-8" in row["reason"]


def test_a_split_of_another_name_is_left_out_with_the_names_there_are(tmp_path):
    write_dataset(
        tmp_path,
        {"set/split": "train"},
        {"": "3", "set/split": "val"},
        {"": "4"},
        {"": "5", "set/split": ""},
    )

    catalogue = read_catalogue(tmp_path)

    splits = [row["official_split"] for row in rows_of(catalogue).values()]
    assert splits == [None, None, "training", None]
    assert [row["reason"] for row in catalogue.rejected.to_pylist()] == [
        f"Its split {word!r} is not one of training, validation, test, so the track has none."
        for word in ("train", "val")
    ]
    assert "2 tracks with a split that is not one of training, validation, test." in catalogue.notes


def test_ids_that_a_table_program_wrote_as_decimals_are_ids(tmp_path):
    write_dataset(tmp_path, {"": "2.0"}, {"": " 3. "}, {"": "4.00"}, {"": "5.5"})

    catalogue = read_catalogue(tmp_path)

    assert list(rows_of(catalogue)) == ["2", "3", "4"]
    assert "'5.5'" in catalogue.rejected.to_pylist()[0]["place"]


def test_a_row_with_too_few_or_too_many_fields_is_rejected_and_no_track_is_gone(tmp_path):
    path = write_dataset(tmp_path, {}, {"": "3"}, {"": "4"})
    known = merged(read_catalogue(tmp_path))
    lines = path.read_text().splitlines(keepends=True)
    start = next(n for n, line in enumerate(lines) if line.startswith("3,"))
    path.write_text("".join([*lines[:start], "3,1,2\n", *lines[start + 2 :], "9,\n"]))

    catalogue = read_catalogue(tmp_path, known=known)

    assert list(rows_of(catalogue)) == ["2", "4"]
    rejected = {row["place"]: row["reason"] for row in catalogue.rejected.to_pylist()}
    assert rejected == {
        "row 2, track id '3'": "It has 3 of 13 fields.",
        "row 4, track id '9'": "It has 2 of 13 fields.",
    }
    assert gone_after(known, catalogue) == set()
    believed = read_catalogue(tmp_path, known=known, believe_removals=True)
    assert gone_after(known, believed) == {"3"}


def test_a_file_of_which_no_row_can_be_used_is_refused(tmp_path):
    write_dataset(tmp_path, {"": "two"}, {"": "three"})

    with pytest.raises(SourceError, match="has a usable track id; for example, row 1"):
        read_catalogue(tmp_path)


def test_tracks_after_the_end_of_a_file_that_was_cut_between_two_rows_are_not_gone(tmp_path):
    write_dataset(tmp_path, *({"": str(n)} for n in range(2, 12)))
    known = merged(read_catalogue(tmp_path))
    write_dataset(tmp_path, *({"": str(n)} for n in range(2, 9) if n != 4))

    catalogue = read_catalogue(tmp_path, known=known)

    assert gone_after(known, catalogue) == {"4"}
    (note,) = (note for note in catalogue.notes if "cut off" in note)
    assert "ends with track id 8, and 3 tracks after it are known and kept" in note
    believed = read_catalogue(tmp_path, known=known, believe_removals=True)
    assert gone_after(known, believed) == {"4", "9", "10", "11"}


def put_clips(root, *names):
    for name in names:
        clip = root / "fma_small" / name
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.write_bytes(b"clip")
        os.utime(clip, ns=(5, 5))


@pytest.mark.parametrize("fault", ["unreadable", "empty", "no examining"])
def test_clips_that_cannot_be_looked_for_are_still_there(tmp_path, monkeypatch, fault):
    write_dataset(tmp_path, {}, {"": "3"}, {"": "1000"}, {"": "4"})
    put_clips(tmp_path, "000/000002.mp3", "000/000003.mp3", "001/001000.mp3")
    known = merged(read_catalogue(tmp_path))
    if fault == "empty":
        (tmp_path / "fma_small" / "001" / "001000.mp3").unlink()
    elif fault == "unreadable":
        real = os.scandir
        refused = str(tmp_path / "fma_small" / "001")
        monkeypatch.setattr(
            os, "scandir", lambda path: denied() if str(path) == refused else real(path)
        )
    else:
        monkeypatch.setattr(fma_clips, "modification_time_ns", lambda found: denied())

    rows = rows_of(read_catalogue(tmp_path, known=known))

    assert (
        rows["1000"] | {"last_seen_at": None}
        == rows_of(read_catalogue(tmp_path, known=known))["1000"]
    )
    assert (rows["1000"]["file_bytes"], rows["1000"]["file_mtime_ns"]) == (4, 5)
    assert rows["4"]["file_bytes"] is None
    if fault == "empty":
        believed = rows_of(read_catalogue(tmp_path, known=known, believe_removals=True))
        assert believed["1000"]["file_bytes"] is None


def denied():
    raise PermissionError(13, "Permission denied")


def merged(catalogue, known=None):
    """The table of tracks once a sweep is recorded."""
    known = TRACKS.empty() if known is None else known
    return merge_sweep(
        known, catalogue.tracks, datetime.now(UTC), catalogue.still_there, catalogue.gone
    )


def gone_after(known, catalogue):
    rows = merged(catalogue, known).to_pylist()
    return {row["source_track_id"] for row in rows if row["gone_at"] is not None}


ODD = st.one_of(
    st.sampled_from(
        ["", "nan", "inf", "-1", "1e400", str(2**70), "20012", "0000-00-00", "train", "\0", "[",
         "[999999999]", "x" * 5000, "2.0", "½", "\uff11", "a\nb,c\"d", "\u202e", "None", "{}"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(column=st.sampled_from(["/".join(pair).strip("/") for pair in HEADER]), value=ODD)
@example(column="album/id", value="\r0\r")
def test_any_odd_value_in_any_column_leaves_the_other_rows_as_they_were(
    tmp_path_factory, column, value
):
    assume(not (column == "" and value.strip().partition(".")[0] in ("2", "4")))
    root = tmp_path_factory.getbasetemp() / "odd"
    write_dataset(root, {}, {"": "3"}, {"": "4"})
    before = read_catalogue(root)
    known = merged(before)
    write_dataset(root, {}, {"": "3", column: value}, {"": "4"})

    after = read_catalogue(root, known=known)

    for key in ("2", "4"):
        assert rows_of(after)[key] == rows_of(before)[key]
    # Only a row that names another track says that this one is not listed any more.
    assert gone_after(known, after) <= ({"3"} if column == "" else set())


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
    monkeypatch.setattr(fma_tracks_csv, "_BLOCK_BYTES", 1 << 12)
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

    catalogue = read_catalogue(root, unpack_to=lake, checksums={})

    row = rows_of(catalogue)["2"]
    assert row["path"] == str(lake / "fma_small" / "000" / "000002.mp3")
    assert row["file_bytes"] == 4
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
