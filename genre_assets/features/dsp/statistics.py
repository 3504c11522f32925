"""The seven statistics over time that summarise a series.

Importing this module imports numba.
"""

import numpy as np
from numba import njit


def statistics(rows: np.ndarray) -> dict[str, np.ndarray]:
    """Summarise each row of a series.

    The moments are those of ``scipy.stats``. In column-major order they are summed frame by frame
    in the precision that the rows come in, as NumPy does: the published script summarises chroma
    in single precision, where another order of summation moves the kurtosis by more than one part
    in ten thousand. In row-major order NumPy sums pairwise, which is as good as in double
    precision, and so they are summed in that.

    Args:
        rows: Shape (rows, frames), float32 or float64; in row-major order unless it is contiguous
            in the other.

    Returns:
        For each of ``kurtosis``, ``max``, ``mean``, ``median``, ``min``, ``skew`` and ``std`` an
        array of shape (rows,). Skew and kurtosis are the biased ones, kurtosis is 0 for a normal
        distribution, and both are NaN for a row that is constant but for rounding.
    """
    if rows.flags.fnc:
        mean, variance, third, fourth = _moments_of_columns(rows.T)
    else:
        mean, variance, third, fourth = _moments_of_rows(np.ascontiguousarray(rows))
    is_constant = variance <= (np.finfo(rows.dtype).eps * mean) ** 2
    spread = np.where(is_constant, np.nan, variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        kurtosis = fourth / spread**2 - 3
        skew = third / spread**1.5
    return {
        "kurtosis": kurtosis,
        "max": rows.max(axis=1),
        "mean": mean,
        "median": _medians(rows),
        "min": rows.min(axis=1),
        "skew": skew,
        "std": np.sqrt(variance),
    }


def _medians(rows: np.ndarray) -> np.ndarray:
    middle = rows.shape[1] // 2
    halves = np.partition(rows, middle, axis=1)
    upper = halves[:, middle]
    return upper if rows.shape[1] % 2 else (halves[:, :middle].max(axis=1) + upper) / 2


@njit(cache=True, fastmath={"reassoc", "contract"})
def _moments_of_rows(rows):
    """Mean and central moments of second to fourth order of each row, in double precision."""
    moments = np.zeros((4, len(rows)))
    for i in range(len(rows)):
        row = rows[i]
        total = 0.0
        for value in row:
            total += value
        mean = total / len(row)
        second = third = fourth = 0.0
        for value in row:
            deviation = value - mean
            square = deviation * deviation
            second += square
            third += square * deviation
            fourth += square * square
        moments[0, i] = mean
        moments[1, i] = second / len(row)
        moments[2, i] = third / len(row)
        moments[3, i] = fourth / len(row)
    return moments


@njit(cache=True)
def _moments_of_columns(frames):
    """Mean and central moments of each column, summed from the first frame on, in its precision."""
    moments = np.zeros((4, frames.shape[1]), frames.dtype)
    mean, second, third, fourth = moments
    for frame in frames:
        for i in range(len(mean)):
            mean[i] += frame[i]
    mean /= len(frames)
    for frame in frames:
        for i in range(len(mean)):
            deviation = frame[i] - mean[i]
            square = deviation * deviation
            second[i] += square
            third[i] += square * deviation
            fourth[i] += square * square
    for i in range(len(mean)):
        second[i] /= len(frames)
        third[i] /= len(frames)
        fourth[i] /= len(frames)
    return moments
