import pytest

from genre_assets.errors import UserError
from genre_assets.features import precomputed
from genre_assets.features.precomputed import read_echonest_features, read_fma_features
from genre_assets.lake.schemas import ECHONEST_FEATURES, FMA_FEATURES

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
    ("rows", "words"),
    [
        pytest.param("2,1,2,3\n3,1\n", "at row 6 .*Expected 4 columns, got 2", id="a short row"),
        pytest.param("2,1,2,3\n3,1,2,3.1e", "middle of row 6", id="cut short"),
        pytest.param("2,1,2,3\n3,1,zwei,3\n", "at row 6 .*zwei", id="a word for a number"),
        pytest.param("two,1,2,3\n", "at row 5 .*two", id="a word for a track id"),
        pytest.param("2,1,2,3\n,1,2,3\n", "no track id at row 6", id="no track id"),
    ],
)
def test_a_damaged_file_is_named_with_its_row(tmp_path, rows, words):
    with pytest.raises(UserError, match=rf"features\.csv .*{words}"):
        read_fma_features(write(tmp_path, FEATURES + rows))


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
