import csv

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from genre_assets.errors import UserError
from genre_assets.lake.schemas import ECHONEST_FEATURES, FMA_FEATURES
from genre_assets.sources import fma_published_features as precomputed
from genre_assets.sources.fma_published_features import read_echonest_features, read_fma_features

FEATURES = """\
feature,mfcc,mfcc,zcr
statistics,mean,mean,std
number,01,02,01
track_id,,,
"""

ECHONEST = """\
,echonest,echonest,echonest,echonest,echonest
,audio_features,audio_features,metadata,ranks,temporal_features
,acousticness,tempo,album_name,artist_hotttnesss_rank,000
track_id,,,,,
2,0.5,165.9,"An album, on
two lines",3.0,0.25
"""


def write(tmp_path, text):
    path = tmp_path / "features.csv"
    path.write_text(text)
    return path


def test_the_real_features_are_read(real_data):
    found = read_fma_features(real_data / "fma_metadata_only" / "fma_metadata" / "features.csv")
    assert sum(rows.num_rows for rows in found.shards.values()) == 1990
    assert found.left_out == {precomputed.NO_VALUES: 10}
    rows = found.shards["fma_000000"]
    assert rows.schema.equals(FMA_FEATURES.schema, check_metadata=True)
    first = rows.slice(0, 1).to_pylist()[0]
    assert first["track_id"] == "fma_dataset:694"
    assert first["mfcc_mean_01"] == pytest.approx(-161.42264)
    assert first["zcr_std_01"] is None
    assert first["feature_source"] == "FMA features.csv, librosa 0.5"


def test_the_real_echonest_features_are_read(real_data):
    found = read_echonest_features(
        real_data / "fma_metadata_only" / "fma_metadata" / "echonest.csv"
    )
    assert sum(rows.num_rows for rows in found.shards.values()) == 13_129
    assert found.left_out == {}
    rows = found.shards["fma_000000"]
    assert rows.schema.equals(ECHONEST_FEATURES.schema, check_metadata=True)
    first = rows.slice(0, 1).to_pylist()[0]
    assert (first["track_id"], first["tempo"]) == ("fma_dataset:2", pytest.approx(165.922))


def test_rows_go_to_the_shard_of_their_track(tmp_path):
    path = write(tmp_path, FEATURES + "2,1,2,3\n5000,1.5,,3\n4999,-1e-3,2,3\n")
    shards = read_fma_features(path).shards
    assert {s: rows["track_id"].to_pylist() for s, rows in shards.items()} == {
        "fma_000000": ["fma_dataset:2", "fma_dataset:4999"],
        "fma_005000": ["fma_dataset:5000"],
    }
    [row] = shards["fma_005000"].to_pylist()
    assert (row["mfcc_mean_01"], row["mfcc_mean_02"], row["zcr_std_01"]) == (1.5, None, 3)
    assert row["chroma_cens_mean_01"] is None


def test_unusable_rows_are_left_out_and_counted(tmp_path):
    path = write(tmp_path, FEATURES + "2,1,2,3\n3,,,\n5,,,\n2,4,5,6\n7,inf,1,1\n999999,1,1,1\n")
    found = read_fma_features(path)
    assert found.shards["fma_000000"]["mfcc_mean_01"].to_pylist() == [1]
    assert found.left_out == {
        precomputed.NO_VALUES: 2,
        precomputed.REPEATED: 1,
        precomputed.NOT_FINITE: 1,
        precomputed.OUTSIDE_SHARDS: 1,
    }


def test_of_the_full_echonest_file_the_audio_features_are_taken(tmp_path):
    found = read_echonest_features(write(tmp_path, ECHONEST))
    [row] = found.shards["fma_000000"].to_pylist()
    assert row["acousticness"] == pytest.approx(0.5)
    assert row["tempo"] == pytest.approx(165.9)
    assert row["valence"] is None


@pytest.mark.parametrize(
    ("row", "reason", "place"),
    [
        pytest.param("3,1", precomputed.OTHER_LENGTH, "row 6, track id '3'", id="short"),
        pytest.param("3,1,2,3,4,5", precomputed.OTHER_LENGTH, "row 6, track id '3'", id="long"),
        pytest.param("two,1,2,3", precomputed.NO_TRACK_ID, "row 6", id="a word for a track id"),
        pytest.param(",1,2,3", precomputed.NO_TRACK_ID, "row 6", id="no track id"),
        pytest.param("-3,1,2,3", precomputed.NO_TRACK_ID, "row 6", id="a negative track id"),
        pytest.param("3,1,1e400,3", precomputed.NOT_FINITE, "row 6, track id 3", id="too large"),
        pytest.param(f"{2**70},1,2,3", precomputed.NO_TRACK_ID, "row 6", id="an endless id"),
    ],
)
def test_a_bad_row_is_left_out_by_itself_and_named(tmp_path, row, reason, place):
    path = write(tmp_path, FEATURES + f"2,1,2,3\n{row}\n4,7,8,9\n")
    found = read_fma_features(path)
    assert found.shards["fma_000000"]["track_id"].to_pylist() == ["fma_dataset:2", "fma_dataset:4"]
    assert found.left_out == {reason: 1}
    (rejected,) = found.rejected
    assert rejected.place.startswith(place)
    assert (rejected.origin, rejected.kind) == (str(path), "value")


def test_a_word_for_a_number_is_left_out_by_itself_and_named(tmp_path):
    path = write(tmp_path, FEATURES + "2,1,2,3\n3,1,zwei, 3 \n4.0,7,8,9\n5,1\n6,\x00,1,1\n")
    found = read_fma_features(path)
    rows = found.shards["fma_000000"].to_pylist()
    assert [row["track_id"] for row in rows] == [f"fma_dataset:{n}" for n in (2, 3, 4, 6)]
    assert [row["mfcc_mean_01"] for row in rows] == [1, 1, 7, None]
    assert [row["mfcc_mean_02"] for row in rows] == [2, None, 8, 1]
    assert [row["zcr_std_01"] for row in rows] == [3, 3, 9, 1]
    named = {rejected.place: rejected.reason for rejected in found.rejected}
    assert named == {
        "row 6, track id 3, mfcc_mean_02": "A value that is not a number: 'zwei'.",
        "row 8, track id '5'": f"{precomputed.OTHER_LENGTH.capitalize()}.",
        "row 9, track id 6, mfcc_mean_01": "A value that is not a number: '\\x00'.",
    }


def test_bytes_that_are_no_text_concern_their_value_alone(tmp_path):
    path = tmp_path / "features.csv"
    path.write_bytes(FEATURES.encode() + b"2,1,2,3\n3,1,\xff\xfe,3\n")
    rows = read_fma_features(path).shards["fma_000000"].to_pylist()
    assert [row["mfcc_mean_02"] for row in rows] == [2, None]


def test_a_file_of_which_no_row_can_be_used_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"can be used; for example, row 5, .*kept as they"):
        read_fma_features(write(tmp_path, FEATURES + "two,1,2,3\nthree,1,2,3\n"))


def test_a_file_cut_short_is_refused_with_its_row(tmp_path):
    with pytest.raises(UserError, match=r"features\.csv ends in the middle of row 6"):
        read_fma_features(write(tmp_path, FEATURES + "2,1,2,3\n3,1,2,3.1e"))


ODD = st.one_of(
    st.sampled_from(
        ["", "nan", "inf", "-inf", "1e400", str(2**70), "0x10", "1_000", "1,5", "½", "\uff11",
         "\0", "2012-02-04", "x" * 5000, "a\nb", "None", "-", "."]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(column=st.integers(0, 3), value=ODD)
def test_any_odd_value_in_any_column_leaves_the_other_rows_as_they_were(
    tmp_path_factory, column, value
):
    assume(not (column == 0 and value.strip().partition(".")[0] in ("2", "4")))
    path = tmp_path_factory.getbasetemp() / "odd_features.csv"
    odd = ["3", "1", "2", "3"]
    odd[column] = value
    with path.open("w", newline="") as file:
        file.write(FEATURES)
        csv.writer(file, lineterminator="\n").writerows(
            [["2", "1", "2", "3"], odd, ["4", "7", "8", "9"]]
        )
    rows = {
        row["track_id"]: (row["mfcc_mean_01"], row["mfcc_mean_02"], row["zcr_std_01"])
        for table in read_fma_features(path).shards.values()
        for row in table.to_pylist()
    }
    assert rows["fma_dataset:2"] == (1, 2, 3)
    assert rows["fma_dataset:4"] == (7, 8, 9)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "three header rows", id="empty"),
        pytest.param("track_id,title\n2,Food\n", "three header rows", id="another file"),
        pytest.param('"' + "x" * 200_000, "not a CSV file", id="an endless field"),
        pytest.param(ECHONEST, "none of the columns", id="the other file"),
        pytest.param(FEATURES.replace("mean,mean,std", "mean,mean").replace(",zcr", ""),
                     "three header rows", id="ragged header"),
        pytest.param(FEATURES.replace("01,02", "01,01"), "mfcc_mean_01 twice", id="repeated"),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_refused(tmp_path, text, words):
    with pytest.raises(UserError, match=words):
        read_fma_features(write(tmp_path, text))


def test_a_file_without_rows_has_no_shards(tmp_path):
    assert read_fma_features(write(tmp_path, FEATURES)).shards == {}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"features\.csv cannot be read"):
        read_fma_features(tmp_path / "features.csv")


def test_a_real_file_cut_anywhere_never_loses_rows_silently(real_data, tmp_path):
    whole = (real_data / "fma_metadata_only" / "fma_metadata" / "echonest.csv").read_bytes()
    for size in (0, 10, 250, 300, 5_000, 70_001):
        path = tmp_path / "echonest.csv"
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match=r"echonest\.csv"):
            read_echonest_features(path)
