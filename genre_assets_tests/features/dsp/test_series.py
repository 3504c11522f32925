import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from genre_assets.features.dsp.statistics import statistics
from genre_assets.features.dsp.zero_crossings import zero_crossing_rate


@settings(max_examples=30, deadline=None)
@given(
    arrays(np.float32, st.integers(1, 5000), elements=st.sampled_from([-1, -1e-11, 0, 1e-11, 1]))
)
def test_zero_crossings_are_exactly_librosas(samples):
    expected = librosa.feature.zero_crossing_rate(samples, frame_length=2048, hop_length=512)
    np.testing.assert_array_equal(zero_crossing_rate(samples), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("frames", [2584, 2585])
def test_statistics_are_numpys_and_scipys(dtype, order, frames):
    rows = np.random.default_rng(0).gamma(2, size=(12, frames)).astype(dtype, order=order)
    found = statistics(rows)
    np.testing.assert_array_equal(found["median"], np.median(rows, axis=1))
    np.testing.assert_array_equal(found["max"], rows.max(axis=1))
    np.testing.assert_array_equal(found["min"], rows.min(axis=1))
    # Only in column-major order does rounding move a kurtosis by more than the gate allows.
    rtol = 0 if order == "F" else 1e-5
    np.testing.assert_allclose(found["mean"], np.mean(rows, axis=1), rtol=rtol)
    np.testing.assert_allclose(found["kurtosis"], stats.kurtosis(rows, axis=1), rtol=rtol)
    np.testing.assert_allclose(found["skew"], stats.skew(rows, axis=1), rtol=max(rtol, 1e-6))
    np.testing.assert_allclose(found["std"], np.std(rows, axis=1), rtol=max(rtol, 1e-6))


def test_rows_cut_from_longer_ones_are_summed_as_precisely_as_whole_ones():
    cut = np.random.default_rng(0).normal(-1100, 1, (3, 384)).astype(np.float32)[:, :300]
    found, expected = statistics(cut), statistics(cut.copy())
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name])
    np.testing.assert_allclose(found["skew"], stats.skew(np.float64(cut), axis=1), rtol=1e-9)


def test_a_constant_row_has_no_skew_and_no_kurtosis():
    found = statistics(np.full((1, 100), 0.5, np.float32))
    assert np.isnan(found["skew"][0])
    assert np.isnan(found["kurtosis"][0])
    assert (found["mean"][0], found["std"][0]) == (0.5, 0)
