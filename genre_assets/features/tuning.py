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

N_FFT = 2048
FMIN, FMAX = 150.0, 4000.0
"""Hz between which librosa looks for peaks."""

ASSUMED_SAMPLE_RATE = 22050
"""Hz that librosa assumes where the published script does not tell it the sample rate."""

_THRESHOLD = np.float32(0.1)  # Of the largest value of its frame, which a peak has to exceed.
_HALF = np.float32(0.5)
_A0_HZ = 27.5
_RESIDUAL_EDGES = np.linspace(-0.5, 0.5, 101)


def tunings(spectrogram: Iterable[np.ndarray], sample_rate: float) -> tuple[float, float]:
    """Estimate the tuning from a magnitude spectrogram in both of the ways that features need.

    Args:
        spectrogram: Blocks of shape (1025, frames), float32.
        sample_rate: Samples a second.

    Returns:
        ``librosa.estimate_tuning(S=magnitude, sr=sample_rate)`` and
        ``librosa.estimate_tuning(S=magnitude**2, sr=22050)``: fractions of a semitone from -0.5
        to 0.5, 0 when there is no peak.
    """
    bins, assumed_bins = _searched_bins(sample_rate), _searched_bins(ASSUMED_SAMPLE_RATE)
    of_magnitude, of_power = [], []
    for block in spectrogram:
        # No two bins side by side are peaks.
        room = block.shape[1] * (1 + max(bins[1], assumed_bins[1]) // 2)
        peaks, power_peaks = np.empty((2, 2, room), np.float32)
        found, found_in_power = _find_peaks(
            block.T,
            block.max(axis=0),
            bins,
            float(sample_rate),
            peaks,
            assumed_bins,
            float(ASSUMED_SAMPLE_RATE),
            power_peaks,
        )
        of_magnitude.append(peaks[:, :found].copy())
        of_power.append(power_peaks[:, :found_in_power].copy())
    return _tuning(np.concatenate(of_magnitude, axis=1)), _tuning(np.concatenate(of_power, axis=1))


def _searched_bins(sample_rate: float) -> tuple[int, int]:
    frequencies = np.fft.rfftfreq(N_FFT, 1 / sample_rate)
    below = min(FMAX, sample_rate / 2)
    return int(np.searchsorted(frequencies, FMIN)), int(np.searchsorted(frequencies, below))


@njit(cache=True)
def _find_peaks(
    magnitude, largest, bins, sample_rate, peaks, power_bins, power_sample_rate, power_peaks
):
    found = found_in_power = 0
    power = np.empty(power_bins[1] + 1, np.float32)
    for frame in range(len(magnitude)):
        row = magnitude[frame]
        found = _add_peaks(row, largest[frame], bins, sample_rate, peaks, found)
        for i in range(len(power)):
            power[i] = row[i] * row[i]
        found_in_power = _add_peaks(
            power,
            largest[frame] * largest[frame],
            power_bins,
            power_sample_rate,
            power_peaks,
            found_in_power,
        )
    return found, found_in_power


@njit(cache=True)
def _add_peaks(row, largest, bins, sample_rate, peaks, found):
    least = _THRESHOLD * largest
    for i in range(bins[0], bins[1]):
        before, here, after = row[i - 1], row[i], row[i + 1]
        if here > least and here > before and here >= after:
            # librosa's double and single precision: the curve in double, the place and the height
            # of its top in single.
            curvature = np.float64(after + before) - 2.0 * here
            slope = np.float64(after - before) / 2.0
            shift = np.float32(0)
            if abs(slope) < abs(curvature):
                shift = np.float32(-slope / curvature)
            peaks[0, found] = (i + np.float64(shift)) * sample_rate / N_FFT
            peaks[1, found] = here + _HALF * (_HALF * (after - before)) * shift
            found += 1
    return found


def _tuning(peaks: np.ndarray) -> float:
    pitches, heights = peaks
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
