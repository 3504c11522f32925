import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_assets.lake.schemas import FMA_FEATURES, SUMMARY_FEATURES
from genre_assets.quality.features import no_dead_features, outside_bounds
from genre_assets_tests.quality.sound_lake import (
    SHARD,
    spoil,
    summary_values,
    with_every,
)


def one_row(**values):
    of_row = summary_values(1) | values
    columns = {name: pa.array([value], pa.float64()) for name, value in of_row.items()}
    return pa.table({"track_id": ["x"]} | columns)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("chroma_cens_mean_03", 1.2),
        ("chroma_stft_max_12", -0.1),
        ("tonnetz_min_06", -1.5),
        ("spectral_centroid_max_01", 12_000.0),
        ("spectral_contrast_min_07", -0.5),
        ("zcr_median_01", 1.1),
        ("rmse_std_01", -1.0),
        ("chroma_cqt_std_05", 0.6),
        ("mfcc_kurtosis_20", -4.0),
        ("mfcc_skew_01", math.inf),
        ("rmse_max_01", math.nan),
        ("spectral_rolloff_mean_01", 0.0),  # below its least value
        ("mfcc_median_04", 5.0),  # above its greatest
    ],
)
def test_a_value_that_no_sound_can_have_is_found(column, value):
    count, examples = outside_bounds(SUMMARY_FEATURES, one_row(**{column: value}))
    assert count >= 1
    assert examples[0]["key"] == "x"
    assert any(example["values"].startswith(f"{column}: ") for example in examples)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.floats(0.0, 1.0))
def test_statistics_of_a_series_within_its_bounds_always_pass(seed, scale):
    values = {
        name: value * (1 if "kurtosis" in name or "skew" in name else scale)
        for name, value in summary_values(seed).items()
    }
    assert outside_bounds(SUMMARY_FEATURES, one_row(**values)) == (0, [])


def test_rounding_to_single_precision_is_no_offence():
    over = {"chroma_stft_max_01": float(np.nextafter(np.float32(1), np.float32(2)))}
    assert outside_bounds(SUMMARY_FEATURES, one_row(**over))[0] == 0


def test_published_features_may_lack_values_and_may_not_be_infinite():
    assert outside_bounds(FMA_FEATURES, one_row(mfcc_mean_01=math.nan))[0] == 0
    assert outside_bounds(FMA_FEATURES, one_row(mfcc_mean_01=math.inf))[0] > 0


STEADY = {"mfcc_std_04": 0.0} | {
    f"mfcc_{each}_04": -5.0 for each in ("min", "max", "mean", "median")
}


def test_only_a_row_that_never_changes_may_lack_its_skew_and_kurtosis():
    without_shape = {"mfcc_skew_04": None, "mfcc_kurtosis_04": None}
    assert outside_bounds(SUMMARY_FEATURES, one_row(**STEADY | without_shape)) == (0, [])
    rounded = STEADY | {"mfcc_std_04": 5e-7}
    assert outside_bounds(SUMMARY_FEATURES, one_row(**rounded | without_shape)) == (0, [])
    for wrong in (
        without_shape,
        STEADY | without_shape | {"mfcc_std_04": 1e-3},
        STEADY | {"mfcc_skew_04": None},
        STEADY | without_shape | {"mfcc_mean_04": None},
        STEADY | without_shape | {"mfcc_skew_05": None},
    ):
        assert outside_bounds(SUMMARY_FEATURES, one_row(**wrong))[0] > 0


def test_a_shard_of_steady_tones_is_no_dead_feature(lake):
    without_shape = {"mfcc_skew_04": None, "mfcc_kurtosis_04": None}
    spoil(lake, SUMMARY_FEATURES, lambda rows: [r | STEADY | without_shape for r in rows[:5]])
    assert no_dead_features(lake, SUMMARY_FEATURES, [SHARD]).passed


def test_features_that_vary_are_alive(lake):
    verdict = no_dead_features(lake, SUMMARY_FEATURES, [SHARD])
    assert verdict.passed
    assert verdict.counts == {"tracks": 23, "empty": 0, "constant": 0}


def test_a_feature_without_any_value_stops(lake):
    spoil(lake, SUMMARY_FEATURES, with_every(tonnetz_skew_02=math.nan))
    verdict = no_dead_features(lake, SUMMARY_FEATURES, [SHARD])
    assert not verdict.passed
    assert not verdict.warning
    assert verdict.examples == [{"feature": "tonnetz_skew_02", "found": "no value"}]
    assert "1 feature without any value (tonnetz_skew_02)" in verdict.sentence


def test_a_feature_that_is_the_same_for_all_tracks_warns(lake):
    spoil(lake, SUMMARY_FEATURES, with_every(mfcc_mean_01=0.0))
    verdict = no_dead_features(lake, SUMMARY_FEATURES, [SHARD])
    assert not verdict.passed
    assert verdict.warning
    assert verdict.examples == [{"feature": "mfcc_mean_01", "found": "always 0"}]


def test_a_greatest_value_that_every_track_reaches_is_alive(lake):
    spoil(lake, SUMMARY_FEATURES, with_every(chroma_stft_max_01=1.0))
    assert no_dead_features(lake, SUMMARY_FEATURES, [SHARD]).passed


def test_few_tracks_may_be_alike(lake):
    spoil(lake, SUMMARY_FEATURES, lambda rows: [r | {"mfcc_mean_01": 0.0} for r in rows[:19]])
    assert no_dead_features(lake, SUMMARY_FEATURES, [SHARD]).passed


def test_copies_of_one_file_are_one_track(lake):
    spoil(lake, SUMMARY_FEATURES, with_every(mfcc_mean_01=0.0, sha256="0" * 64))
    assert no_dead_features(lake, SUMMARY_FEATURES, [SHARD]).passed


def test_a_column_that_the_dataset_does_not_publish_only_warns(lake):
    spoil(lake, FMA_FEATURES, with_every(zcr_std_01=None))
    verdict = no_dead_features(lake, FMA_FEATURES, [SHARD])
    assert not verdict.passed
    assert verdict.warning


def test_no_tracks_have_no_dead_features(lake):
    spoil(lake, SUMMARY_FEATURES, lambda rows: [])
    assert no_dead_features(lake, SUMMARY_FEATURES, [SHARD]).passed
    assert no_dead_features(lake, SUMMARY_FEATURES, ["fma_005000"]).passed
