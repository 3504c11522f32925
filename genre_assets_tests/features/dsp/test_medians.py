import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import median_filter

from genre_assets.features.dsp.medians import LANES, WIDTH, medians_over_rows

SHAPES = st.tuples(st.integers(1, 80), st.integers(1, 2 * LANES + 3))
MAGNITUDES = st.floats(0, np.inf, width=32)
MANY_ALIKE = st.sampled_from([0, 1, 2])


def expected(values):
    """The medians of the mirrored windows.

    Those of scipy from 31 rows on. Of two rows, scipy 1.17 has other medians, and of three it was
    seen to have others at the next call.
    """
    if len(values) >= WIDTH:
        return median_filter(values, size=(WIDTH, 1), mode="reflect")
    mirrored = np.pad(values, ((15, 15), (0, 0)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(mirrored, WIDTH, axis=0)
    return np.sort(windows, axis=-1)[..., WIDTH // 2]


@settings(max_examples=60, deadline=None)
@given(arrays(np.float32, SHAPES, elements=MAGNITUDES | MANY_ALIKE))
def test_medians_are_exactly_those_of_the_mirrored_windows(values):
    np.testing.assert_array_equal(medians_over_rows(values), expected(values))


@pytest.mark.parametrize("rows", [1, 2, 14, 15, 16, 17, 30, 31, 32, 33, 47, 48, 49, 200])
def test_they_are_right_at_every_length(rows):
    values = np.random.default_rng(rows).gamma(1, size=(rows, 37)).astype(np.float32)
    np.testing.assert_array_equal(medians_over_rows(values), expected(values))


def test_every_place_in_a_window_counts():
    """Each order of a window's values: the networks must look at all of them in all windows."""
    rng = np.random.default_rng(0)
    values = np.stack([rng.permutation(62) for _ in range(2_000)], axis=1).astype(np.float32)
    np.testing.assert_array_equal(medians_over_rows(values), expected(values))


def test_nothing_is_written_to_the_values():
    values = np.random.default_rng(0).random((50, 40), np.float32)
    before = values.copy()
    medians_over_rows(values)
    np.testing.assert_array_equal(values, before)
