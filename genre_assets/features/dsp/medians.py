"""Running medians of width 31, exactly those of ``scipy.ndimage.median_filter``.

Sixteen neighbouring windows share sixteen values: these are sorted once, and each half, quarter
and pair of the windows adds the values that its own windows share, keeping of the sorted ones only
those that can still be the median. That is 29 minima and maxima a median, the tree of Adams, *Fast
Median Filters using Separable Sorting Networks* (SIGGRAPH 2021), in one dimension. The networks
are Batcher's (odd-even merges, and bitonic ones where only the middle is kept).

The networks have no branch, so that the compiler lets them work on as many columns at a time as
the processor's vectors hold. It does so only if the distance of two rows is a constant, hence
tiles of :data:`LANES` columns, and only if no index can be negative, hence unsigned ones.

Loads numba: import it when features are computed.
"""

import numpy as np
from numba import njit

WIDTH = 31
"""Values in a window: what ``librosa.decompose.hpss`` takes."""

LANES = 32
"""Columns of a tile: a tile of a clip of 30 s fits into the second-level cache."""

_REACH = WIDTH // 2
_GROUP = 16

_inlined = njit(cache=True, error_model="numpy", forceinline=True)


def medians_over_rows(values: np.ndarray) -> np.ndarray:
    """Medians of 31 neighbouring rows, column by column.

    Args:
        values: Shape (rows, columns), float32, C-contiguous, without NaN; a spectrogram of shape
            (frames, bins) gives medians over time.

    Returns:
        Shape (rows, columns), equal to ``scipy.ndimage.median_filter(values, size=(31, 1))``: at
        both ends the rows are mirrored, again and again where they are fewer than 15.
    """
    medians = np.empty_like(values)
    _write_medians_over_rows(values, *tiles(len(values)), medians)
    return medians


def tiles(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Make room for a tile, and for its medians.

    Args:
        rows: Rows of the tile.

    Returns:
        Two flat arrays of :data:`LANES` values a row: one for the rows with the mirrored ones at
        their ends, one for the medians, both with a few rows more than are used.
    """
    whole_groups = -(-rows // _GROUP) * _GROUP
    return (
        np.zeros((whole_groups + WIDTH - 1) * LANES, np.float32),
        np.empty(whole_groups * LANES, np.float32),
    )


@njit(cache=True)
def mirrored(row: int, rows: int) -> int:
    """The row that stands for one beyond an end, as scipy's mode ``reflect`` has it."""
    row %= 2 * rows
    return row if row < rows else 2 * rows - 1 - row


@njit(cache=True, error_model="numpy")
def medians_of_tile(tile: np.ndarray, medians: np.ndarray) -> None:
    """Compute the medians of a tile.

    Args:
        tile: Flat, :data:`LANES` values a row, 15 mirrored rows at each end.
        medians: Flat, takes the medians of a whole number of groups of sixteen rows.
    """
    for first in range(0, medians.size, _GROUP * LANES):
        for lane in range(LANES):
            at = np.uintp(first + lane)
            # Named by the first and last row of the windows' common part.
            of_7_to_10 = _sorted_4(tile, at, 7)
            of_11_to_14 = _sorted_4(tile, at, 11)
            of_31_to_34 = _sorted_4(tile, at, 31)
            of_35_to_38 = _sorted_4(tile, at, 35)
            of_15_to_30 = _merged_8(_sorted_8(tile, at, 15), _sorted_8(tile, at, 23))
            of_7_to_30 = _middle_8(of_15_to_30, _merged_4(of_7_to_10, of_11_to_14))
            of_15_to_38 = _middle_8(of_15_to_30, _merged_4(of_31_to_34, of_35_to_38))
            of_3_to_30 = _middle_4(of_7_to_30, _sorted_4(tile, at, 3))
            of_7_to_34 = _middle_4(of_7_to_30, of_31_to_34)
            of_11_to_38 = _middle_4(of_15_to_38, of_11_to_14)
            of_15_to_42 = _middle_4(of_15_to_38, _sorted_4(tile, at, 39))
            _four_medians(of_3_to_30, tile, medians, at, 0)
            _four_medians(of_7_to_34, tile, medians, at, 4)
            _four_medians(of_11_to_38, tile, medians, at, 8)
            _four_medians(of_15_to_42, tile, medians, at, 12)


@njit(cache=True, error_model="numpy")
def _write_medians_over_rows(values, tile, tile_medians, medians):
    rows, columns = values.shape
    for first in range(0, columns, LANES):
        width = min(LANES, columns - first)
        for row in range(-_REACH, rows + _REACH):
            from_row = np.uintp(mirrored(row, rows))
            place = np.uintp((row + _REACH) * LANES)
            for lane in range(width):
                tile[place + np.uintp(lane)] = values[from_row, np.uintp(first + lane)]
        medians_of_tile(tile, tile_medians)
        for row in range(rows):
            place = np.uintp(row * LANES)
            for lane in range(width):
                medians[np.uintp(row), np.uintp(first + lane)] = tile_medians[
                    place + np.uintp(lane)
                ]


@_inlined
def _value(tile, at, row):
    return tile[at + np.uintp(row * LANES)]


@_inlined
def _low(a, b):
    return a if a < b else b


@_inlined
def _high(a, b):
    return b if a < b else a


@_inlined
def _pair(a, b):
    return _low(a, b), _high(a, b)


@_inlined
def _sorted_4(tile, at, row):
    a, b = _pair(_value(tile, at, row), _value(tile, at, row + 1))
    c, d = _pair(_value(tile, at, row + 2), _value(tile, at, row + 3))
    a, c = _pair(a, c)
    b, d = _pair(b, d)
    b, c = _pair(b, c)
    return a, b, c, d


@_inlined
def _sorted_8(tile, at, row):
    return _merged_4(_sorted_4(tile, at, row), _sorted_4(tile, at, row + 4))


@_inlined
def _merged_4(low, high):
    a, b, c, d = low
    e, f, g, h = high
    a, e = _pair(a, e)
    b, f = _pair(b, f)
    c, g = _pair(c, g)
    d, h = _pair(d, h)
    c, e = _pair(c, e)
    d, f = _pair(d, f)
    b, c = _pair(b, c)
    d, e = _pair(d, e)
    f, g = _pair(f, g)
    return a, b, c, d, e, f, g, h


@_inlined
def _merged_8(p, q):
    even = _merged_4((p[0], p[2], p[4], p[6]), (q[0], q[2], q[4], q[6]))
    odd = _merged_4((p[1], p[3], p[5], p[7]), (q[1], q[3], q[5], q[7]))
    b, c = _pair(odd[0], even[1])
    d, e = _pair(odd[1], even[2])
    f, g = _pair(odd[2], even[3])
    h, i = _pair(odd[3], even[4])
    j, k = _pair(odd[4], even[5])
    m, n = _pair(odd[5], even[6])
    r, s = _pair(odd[6], even[7])
    return even[0], b, c, d, e, f, g, h, i, j, k, m, n, r, s, odd[7]


@_inlined
def _middle_8(p, q):
    """Of 16 sorted and 8 sorted values, the 8 in the middle, sorted."""
    a, e = _pair(_high(p[0], _low(p[8], q[7])), _high(p[4], _low(p[12], q[3])))
    b, f = _pair(_high(p[1], _low(p[9], q[6])), _high(p[5], _low(p[13], q[2])))
    c, g = _pair(_high(p[2], _low(p[10], q[5])), _high(p[6], _low(p[14], q[1])))
    d, h = _pair(_high(p[3], _low(p[11], q[4])), _high(p[7], _low(p[15], q[0])))
    a, b, c, d = _bitonic_4(a, b, c, d)
    e, f, g, h = _bitonic_4(e, f, g, h)
    return a, b, c, d, e, f, g, h


@_inlined
def _middle_4(p, q):
    """Of 8 sorted and 4 sorted values, the 4 in the middle, sorted."""
    return _bitonic_4(
        _high(p[0], _low(p[4], q[3])),
        _high(p[1], _low(p[5], q[2])),
        _high(p[2], _low(p[6], q[1])),
        _high(p[3], _low(p[7], q[0])),
    )


@_inlined
def _bitonic_4(a, b, c, d):
    a, c = _pair(a, c)
    b, d = _pair(b, d)
    a, b = _pair(a, b)
    c, d = _pair(c, d)
    return a, b, c, d


@_inlined
def _four_medians(middle, tile, medians, at, row):
    """The medians of four windows, from the 4 that can be it among the 28 values they share."""
    before, after = row + 1, row + WIDTH
    _two_medians(middle, before, tile, medians, at, row)
    _two_medians(middle, after, tile, medians, at, row + 2)


@_inlined
def _two_medians(middle, extra, tile, medians, at, row):
    a, b = _pair(_value(tile, at, extra), _value(tile, at, extra + 1))
    p = _high(middle[0], _low(middle[2], b))
    q = _high(middle[1], _low(middle[3], a))
    low, high = _pair(p, q)
    place = at + np.uintp(row * LANES)
    medians[place] = _high(low, _low(high, _value(tile, at, row)))
    medians[place + np.uintp(LANES)] = _high(low, _low(high, _value(tile, at, row + WIDTH)))
