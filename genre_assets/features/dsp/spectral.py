"""Spectral features of a block of frames, as librosa 0.11 computes them.

Every kernel takes magnitudes of shape (bins, frames), as
:func:`genre_assets.features.dsp.stft.magnitude_blocks` yields them, and goes through them bin by
bin, with all frames of the block side by side in the processor's vectors.

The published script does not tell librosa the sample rate for centroid, bandwidth, rolloff,
contrast and ``chroma_stft``, so librosa takes it for 22,050 Hz, and so do these.

Importing this module imports librosa and numba.
"""

import math
import warnings
from functools import lru_cache
from itertools import pairwise

import librosa
import numpy as np
from numba import njit

from genre_assets.features.dsp.constant_q import N_CHROMA
from genre_assets.features.dsp.framing import N_FFT
from genre_assets.features.dsp.stft import FRAMES_PER_BLOCK, N_BINS, Spectrogram
from genre_assets.features.dsp.tuning import ASSUMED_SAMPLE_RATE

N_MEL = 128
N_MFCC = 20
N_CONTRAST = 7
SPARE_DECIBELS = 80.0
"""Levels further than this below the highest of the clip are raised to it."""

_ROLLOFF = np.float32(0.85)
_CONTRAST_FMIN = 200.0
_CONTRAST_QUANTILE = 0.02
_LEAST_POWER = 1e-10
_DECIBELS_PER_NEPER = 10 / math.log(10)
_TINY = np.finfo(np.float32).tiny

FREQUENCIES = librosa.fft_frequencies(sr=ASSUMED_SAMPLE_RATE, n_fft=N_FFT)
"""Hz of the 1025 bins."""


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def moments(block, frequencies, rms, centroid, bandwidth):
    """Fill in root mean square, centroid and bandwidth of each frame.

    With magnitudes ``m`` and frequencies ``f``, and the first and last bin at half their power:
    ``rms = sqrt(2 sum(m^2)) / 2048``, ``centroid = sum(f m) / sum(m)`` and
    ``bandwidth = sqrt(sum((f - centroid)^2 m) / sum(m))``, both 0 for a frame without sound.
    """
    frames = block.shape[1]
    total = np.zeros(frames)
    first = np.zeros(frames)
    second = np.zeros(frames)
    power = np.zeros(frames)
    for i in range(N_BINS):
        frequency = frequencies[i]
        row = block[i]
        for frame in range(frames):
            magnitude = np.float64(row[frame])
            weighted = frequency * magnitude
            total[frame] += magnitude
            first[frame] += weighted
            second[frame] += frequency * weighted
            power[frame] += magnitude * magnitude
    for frame in range(frames):
        ends = np.float64(block[0, frame]) ** 2 + np.float64(block[N_BINS - 1, frame]) ** 2
        rms[frame] = np.sqrt(2 * (power[frame] - ends / 2)) / N_FFT
        if total[frame] < _TINY:
            total[frame] = np.inf
        centroid[frame] = first[frame] / total[frame]
        spread = second[frame] / total[frame] - centroid[frame] ** 2
        bandwidth[frame] = np.sqrt(max(spread, 0.0))


@njit(cache=True)
def rolloff(block, bins):
    """Fill in the first bin up to which 85 % of the magnitude of each frame lies.

    Summed in single precision like librosa's: a sum that rounds otherwise can end in the bin
    beside it.
    """
    frames = block.shape[1]
    total = np.zeros(frames, np.float32)
    for i in range(N_BINS):
        row = block[i]
        for frame in range(frames):
            total[frame] += row[frame]
    so_far = np.zeros(frames, np.float32)
    for frame in range(frames):
        total[frame] *= _ROLLOFF
        bins[frame] = 0
    for i in range(N_BINS):
        row = block[i]
        for frame in range(frames):
            so_far[frame] += row[frame]
            bins[frame] += np.int32(so_far[frame] < total[frame])


def contrast_bands() -> np.ndarray:
    """The seven bands of librosa's spectral contrast, an octave each from 200 Hz on.

    Returns:
        Shape (7, 3): the first bin, the bin after the last, and how many of the smallest and of
        the largest magnitudes of the band count.
    """
    edges = _CONTRAST_FMIN * 2.0 ** np.arange(-1, N_CONTRAST)
    edges[0] = 0
    bands = []
    for low, high in pairwise(edges):
        inside = np.flatnonzero((low <= FREQUENCIES) & (high >= FREQUENCIES))
        start, stop = inside[0] - (low > 0), inside[-1] + 1
        if len(bands) == N_CONTRAST - 1:
            stop = N_BINS
        count = max(int(np.rint(_CONTRAST_QUANTILE * (stop - start))), 1)
        # librosa drops the last bin of a band, which is the next band's first, after it counted.
        bands.append((start, stop - (stop < N_BINS), count))
    return np.array(bands)


@njit(cache=True, fastmath={"nnan"}, error_model="numpy")
def valleys_and_peaks(block, bands, valleys, peaks):
    """Fill in the means of the smallest and of the largest magnitudes of each band.

    Args:
        block: Shape (1025, frames).
        bands: As :func:`contrast_bands` returns them.
        valleys: Shape (7, frames), to be filled.
        peaks: Shape (7, frames), to be filled.
    """
    # A place beside the other in one piece of memory, rounded up to threes: see _insert.
    frames = block.shape[1]
    room = -(-bands[:, 2].max() // 3) * 3 * frames
    smallest, largest = np.empty(room, np.float32), np.empty(room, np.float32)
    moving = np.empty(frames, np.float32)
    for band in range(len(bands)):
        start, stop, count = bands[band]
        smallest[:] = np.inf
        largest[:] = np.inf
        for i in range(start, stop):
            _insert(block[i], np.float32(1), smallest, count, moving)
            _insert(block[i], np.float32(-1), largest, count, moving)
        for frame in range(frames):
            low = high = np.float32(0)
            for place in range(count):
                low += smallest[place * frames + frame]
                high -= largest[place * frames + frame]
            valleys[band, frame] = low / count
            peaks[band, frame] = high / count


@njit(cache=True, fastmath={"nnan"})
def _insert(row, sign, smallest, count, moving):
    """Insert ``sign`` times each frame's magnitude among the smallest ones, in ascending order.

    What is displaced moves on to the next place, three places at a time, so that less of it is
    written and read.
    """
    frames = len(row)
    for frame in range(frames):
        moving[frame] = sign * row[frame]
    for place in range(0, count, 3):
        places = smallest[place * frames :]
        for frame in range(frames):
            value = moving[frame]
            first = places[frame]
            second = places[frames + frame]
            third = places[2 * frames + frame]
            places[frame] = min(first, value)
            value = max(first, value)
            places[frames + frame] = min(second, value)
            value = max(second, value)
            places[2 * frames + frame] = min(third, value)
            moving[frame] = max(third, value)


@lru_cache(maxsize=8)
def mel_filters(sample_rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Librosa's 128 mel filters and where each begins and ends.

    Returns:
        The filters, shape (128, 1025), float32, and their first bin and the one after their last,
        shape (128, 2).
    """
    with warnings.catch_warnings():
        # Above 50 kHz the lowest filters fall between two bins; their bands are then empty.
        warnings.filterwarnings("ignore", "Empty filters detected", UserWarning)
        filters = librosa.filters.mel(sr=sample_rate, n_fft=N_FFT)
    touched = filters > 0
    stops = np.where(touched.any(axis=1), N_BINS - np.argmax(touched[:, ::-1], axis=1), 0)
    return filters, np.column_stack([np.argmax(touched, axis=1), stops])


@njit(cache=True, fastmath={"contract"})
def mel_powers(block, filters, extents, mel):
    """Fill in the power of each mel band: ``filters @ block**2``, a few bins for each filter."""
    for band in range(len(filters)):
        power = mel[band]
        power[:] = 0
        for i in range(extents[band, 0], extents[band, 1]):
            weight = filters[band, i]
            row = block[i]
            for frame in range(len(row)):
                power[frame] += weight * row[frame] * row[frame]


def spectral_series(spectrogram: Spectrogram, sample_rate: float) -> dict[str, np.ndarray]:
    """Compute the series that the magnitudes alone determine.

    Args:
        spectrogram: The magnitudes of the clip.
        sample_rate: Samples a second.

    Returns:
        ``mfcc``, ``rmse``, ``spectral_bandwidth``, ``spectral_centroid``, ``spectral_contrast``
        and ``spectral_rolloff``, each of shape (rows, frames).
    """
    blocks = -(-spectrogram.frames // FRAMES_PER_BLOCK)
    rms = np.empty((blocks, 1, FRAMES_PER_BLOCK), np.float32)
    centroid, bandwidth = np.empty((2, blocks, 1, FRAMES_PER_BLOCK))
    bins = np.empty((blocks, 1, FRAMES_PER_BLOCK), np.int32)
    valleys, peaks = np.empty((2, blocks, N_CONTRAST, FRAMES_PER_BLOCK))
    mel = np.empty((blocks, N_MEL, FRAMES_PER_BLOCK), np.float32)
    filters, extents = mel_filters(sample_rate)
    bands = contrast_bands()
    for i, block in enumerate(spectrogram):
        moments(block, FREQUENCIES, rms[i, 0], centroid[i, 0], bandwidth[i, 0])
        rolloff(block, bins[i, 0])
        valleys_and_peaks(block, bands, valleys[i], peaks[i])
        mel_powers(block, filters, extents, mel[i])
    series = {
        "mfcc": cepstral_coefficients(decibels(mel), _COSINES),
        "rmse": rms,
        "spectral_bandwidth": bandwidth,
        "spectral_centroid": centroid,
        "spectral_contrast": decibels(peaks) - decibels(valleys),
        "spectral_rolloff": FREQUENCIES[bins],
    }
    return {name: _joined(found)[:, : spectrogram.frames] for name, found in series.items()}


def mel_bands(spectrogram: Spectrogram, sample_rate: float) -> np.ndarray:
    """Compute the power of 128 mel bands, ``librosa.feature.melspectrogram``.

    Args:
        spectrogram: The magnitudes of the clip.
        sample_rate: Samples a second.

    Returns:
        Shape (128, frames), float32.
    """
    filters, extents = mel_filters(sample_rate)
    blocks = -(-spectrogram.frames // FRAMES_PER_BLOCK)
    mel = np.empty((blocks, N_MEL, FRAMES_PER_BLOCK), np.float32)
    for block, powers in zip(spectrogram, mel, strict=True):
        mel_powers(block, filters, extents, powers)
    return _joined(mel)[:, : spectrogram.frames]


def _joined(blocks: np.ndarray) -> np.ndarray:
    """Join blocks, shape (blocks, rows, frames), to rows over all frames."""
    return np.concatenate(blocks, axis=1)


def chroma_stft(spectrogram: Spectrogram, tuning: float) -> np.ndarray:
    """Compute how loud each pitch class is, relative to the loudest of its frame.

    Args:
        spectrogram: The magnitudes of the clip.
        tuning: How far the clip is tuned from A440, in fractions of a semitone.

    Returns:
        Shape (12, frames), float32, in column-major order like librosa's.
    """
    filters = _chroma_filters(tuning)
    # For far fewer frames at a time, BLAS has other kernels, which round otherwise than librosa's
    # product; of single-precision sums over all frames, that can be a ten-thousandth.
    power = np.empty((N_BINS, FRAMES_PER_BLOCK), np.float32)
    raw = np.concatenate(
        [(filters @ np.square(block, out=power)).T.copy() for block in spectrogram]
    )[: spectrogram.frames].T
    loudest = raw.max(axis=0)
    loudest[loudest < _TINY] = 1
    return raw / loudest


@lru_cache(maxsize=128)
def _chroma_filters(tuning: float) -> np.ndarray:
    return librosa.filters.chroma(
        sr=ASSUMED_SAMPLE_RATE, n_fft=N_FFT, tuning=tuning, n_chroma=N_CHROMA
    )


# The first rows of the orthonormal discrete cosine transform of type II.
_COSINES = np.sqrt(2 / N_MEL) * np.cos(
    np.pi / N_MEL * np.outer(np.arange(N_MFCC), np.arange(N_MEL) + 0.5)
)
_COSINES[0] /= np.sqrt(2)
_COSINES = _COSINES.astype(np.float32)


@njit(cache=True, fastmath={"contract"})
def cepstral_coefficients(levels, cosines):
    """``cosines @ levels`` for each block, but with one rounding for all frames.

    A matrix product may round otherwise in its last columns, and the coefficients of a constant
    sound would then seem to have a skew.
    """
    coefficients = np.zeros((len(levels), len(cosines), levels.shape[2]), np.float32)
    for block in range(len(levels)):
        for i in range(len(cosines)):
            row = coefficients[block, i]
            for j in range(len(cosines[i])):
                cosine = cosines[i, j]
                band = levels[block, j]
                for frame in range(len(row)):
                    row[frame] += cosine * band[frame]
    return coefficients


def decibels(powers: np.ndarray) -> np.ndarray:
    """Turn the powers of a whole clip into levels, in their place, as ``librosa.power_to_db`` does.

    What is more than 80 dB below the highest level is raised to that.
    """
    levels = np.maximum(powers, powers.dtype.type(_LEAST_POWER), out=powers)
    np.log(levels, out=levels)
    levels *= _DECIBELS_PER_NEPER
    return np.maximum(levels, levels.max() - SPARE_DECIBELS, out=levels)
