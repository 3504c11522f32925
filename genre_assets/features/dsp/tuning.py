"""How far a clip is tuned from A440: librosa's estimates, exactly, in one pass over the spectrum.

``librosa.estimate_tuning`` interpolates every bin of every frame and then looks for the peaks.
Here only peaks are interpolated, in the precision in which librosa does it, and both of the
estimates that the features need come from the same pass: the constant-Q transform's, and the one
of ``chroma_stft``, for which the published script hands librosa the power and no sample rate.

Importing this module imports numba.
"""

from collections.abc import Iterable

import numpy as np
from numba import njit

from genre_assets.features.dsp.framing import N_FFT

FMIN, FMAX = 150.0, 4000.0
"""Hz between which librosa looks for peaks."""

ASSUMED_SAMPLE_RATE = 22050.0
"""Hz that librosa assumes where the published script does not tell it the sample rate."""

_THRESHOLD = np.float32(0.1)  # Of the largest value of its frame, which a peak has to exceed.
_HALF = np.float32(0.5)
_A0_HZ = 27.5
_RESIDUAL_EDGES = np.linspace(-0.5, 0.5, 101)


def tunings(blocks: Iterable[np.ndarray], sample_rate: float) -> tuple[float, float]:
    """Estimate the tuning from a magnitude spectrogram in both of the ways that features need.

    Args:
        blocks: The spectrogram, some frames at a time: each of shape (1025, frames), float32.
            Frames without sound change nothing.
        sample_rate: Samples a second.

    Returns:
        With the blocks joined to ``S``, ``librosa.estimate_tuning(S=S, sr=sample_rate)`` and
        ``librosa.estimate_tuning(S=S**2, sr=22050)``: fractions of a semitone from -0.5 to 0.5, 0
        when there is no peak.
    """
    first, end = _searched_bins(sample_rate)
    assumed_first, assumed_end = _searched_bins(ASSUMED_SAMPLE_RATE)
    # Not lists: of a long clip they leave a heap full of holes behind.
    of_magnitude, of_power = (bytearray(), bytearray()), (bytearray(), bytearray())
    for block in blocks:
        largest = _largest(block)
        power = block[: assumed_end + 1] ** 2
        found = _peaks(block, _THRESHOLD * largest, first, end, float(sample_rate))
        _append(found, of_magnitude)
        least = _THRESHOLD * largest**2
        found = _peaks(power, least, assumed_first, assumed_end, ASSUMED_SAMPLE_RATE)
        _append(found, of_power)
    return _tuning(*of_magnitude), _tuning(*of_power)


def _append(peaks: np.ndarray, to: tuple[bytearray, bytearray]) -> None:
    for row, collected in zip(peaks, to, strict=True):
        collected += row.tobytes()


def _searched_bins(sample_rate: float) -> tuple[int, int]:
    frequencies = np.fft.rfftfreq(N_FFT, 1 / sample_rate)
    below = min(FMAX, sample_rate / 2)
    return int(np.searchsorted(frequencies, FMIN)), int(np.searchsorted(frequencies, below))


@njit(cache=True)
def _largest(block):
    largest = block[0].copy()
    for row in block[1:]:
        for frame in range(len(row)):
            largest[frame] = max(largest[frame], row[frame])
    return largest


@njit(cache=True)
def _peaks(block, least, first, end, sample_rate):
    """The peaks above the least height of each frame: a row of hertz and one of heights."""
    frames = block.shape[1]
    # No two bins side by side are peaks.
    peaks = np.empty((2, frames * (1 + (end - first) // 2)), np.float32)
    is_peak = np.empty(frames, np.uint8)
    places = np.empty(frames, np.int32)
    found = 0
    for i in range(first, end):
        row_before, row, row_after = block[i - 1], block[i], block[i + 1]
        for frame in range(frames):
            here = row[frame]
            is_peak[frame] = (
                (here > least[frame]) & (here > row_before[frame]) & (here >= row_after[frame])
            )
        # Without a branch, which the processor would often predict wrongly.
        count = 0
        for frame in range(frames):
            places[count] = frame
            count += is_peak[frame]
        for frame in places[:count]:
            before, here, after = row_before[frame], row[frame], row_after[frame]
            # librosa's double and single precision: the curve in double, the place and the
            # height of its top in single.
            curvature = np.float64(after + before) - 2.0 * here
            slope = np.float64(after - before) / 2.0
            shift = np.float32(0)
            if abs(slope) < abs(curvature):
                shift = np.float32(-slope / curvature)
            peaks[0, found] = (i + np.float64(shift)) * sample_rate / N_FFT
            peaks[1, found] = here + _HALF * (_HALF * (after - before)) * shift
            found += 1
    return peaks[:, :found].copy()


def _tuning(hertz: bytearray, height: bytearray) -> float:
    pitches, heights = np.frombuffer(hertz, np.float32), np.frombuffer(height, np.float32)
    if not pitches.size:
        return 0.0
    semitones = 12 * np.log2(pitches[heights >= np.median(heights)] / _A0_HZ)
    return float(_RESIDUAL_EDGES[np.argmax(_count_residuals(semitones, _RESIDUAL_EDGES))])


@njit(cache=True)
def _count_residuals(semitones, edges):
    """Count how far the pitches are from a semitone, as ``np.histogram`` would, unsorted."""
    counts = np.zeros(len(edges) - 1, np.int64)
    for semitone in semitones:
        residual = semitone - np.floor(semitone)
        if residual >= _HALF:
            residual -= np.float32(1)
        place = min(int((residual + _HALF) * len(counts)), len(counts) - 1)
        while residual < edges[place]:
            place -= 1
        while residual >= edges[place + 1]:
            place += 1
        counts[place] += 1
    return counts
