"""The eleven series over time that the FMA summary features are statistics of.

Each is what librosa 0.11 makes of the calls in the FMA dataset's published features script
(Defferrard et al., *FMA: A Dataset For Music Analysis*, ISMIR 2017). Where librosa would do the
same work twice, or much more of it than the result needs, it is done here once: one short-time
Fourier transform serves both tuning estimates and every spectral feature.

Importing this module imports librosa, which takes seconds.
"""

import warnings
from collections.abc import Callable
from functools import lru_cache

import librosa
import numpy as np

from genre_assets.features.constant_q import N_CHROMA, constant_q_chroma
from genre_assets.features.tuning import ASSUMED_SAMPLE_RATE, tunings

N_FFT = 2048
HOP_LENGTH = 512
N_MFCC = 20
ROLLOFF = 0.85
SILENCE = 1e-10
"""Samples nearer to zero than this count as zero when zero crossings are counted."""

FRAMES_PER_BLOCK = 256
"""Frames worked on at a time: what they need stays in the processor's cache."""


def all_series(samples: np.ndarray, sample_rate: float) -> dict[str, np.ndarray]:
    """Compute the eleven series of a clip.

    Args:
        samples: Mono float32 samples, finite and not all zero.
        sample_rate: Samples a second.

    Returns:
        For each name in :data:`genre_assets.lake.feature_columns.SERIES_SIZES` an array of shape
        (rows, frames), a frame every 512 samples.

    Raises:
        AudioError: If the sample rate is too low for seven octaves from C1.
    """
    magnitude = np.abs(librosa.stft(samples, n_fft=N_FFT, hop_length=HOP_LENGTH))
    power = magnitude**2
    tuning, assumed_tuning = tunings([magnitude], sample_rate)
    chroma_cqt, chroma_cens = constant_q_chroma(samples, sample_rate, tuning)
    centroid, bandwidth = _centroid_and_bandwidth(magnitude)
    return {
        "chroma_cens": chroma_cens,
        "chroma_cqt": chroma_cqt,
        "chroma_stft": librosa.feature.chroma_stft(
            S=power, n_chroma=N_CHROMA, tuning=assumed_tuning
        ),
        "mfcc": _mfcc(power, sample_rate),
        "rmse": librosa.feature.rms(S=magnitude, frame_length=N_FFT),
        "spectral_bandwidth": bandwidth,
        "spectral_centroid": centroid,
        "spectral_contrast": librosa.feature.spectral_contrast(S=magnitude, n_bands=6),
        "spectral_rolloff": _rolloff(magnitude),
        "tonnetz": librosa.feature.tonnetz(chroma=chroma_cens),
        "zcr": zero_crossing_rate(samples),
    }


def zero_crossing_rate(samples: np.ndarray) -> np.ndarray:
    """Share of the samples of each frame that have another sign than the one before.

    Returns:
        Shape (1, frames), the frames centred and the clip's ends repeated beyond it, as
        ``librosa.feature.zero_crossing_rate`` has it.
    """
    negative = np.pad(samples < -SILENCE, N_FFT // 2, mode="edge")
    crossings_so_far = np.cumsum(np.diff(negative, prepend=negative[0]), dtype=np.int32)
    first = HOP_LENGTH * np.arange(1 + len(samples) // HOP_LENGTH)
    crossings = crossings_so_far[first + N_FFT - 1] - crossings_so_far[first]
    return crossings[np.newaxis] / N_FFT


def _centroid_and_bandwidth(magnitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    frequencies = librosa.fft_frequencies(sr=ASSUMED_SAMPLE_RATE, n_fft=N_FFT)
    powers = np.stack([np.ones_like(frequencies), frequencies, frequencies**2])
    total, first, second = _in_blocks(lambda block: powers @ block, magnitude)
    # A frame without sound has its centroid and its bandwidth at 0 Hz, as in librosa.
    total[total < np.finfo(magnitude.dtype).tiny] = np.inf
    centroid = first / total
    bandwidth = np.sqrt(np.maximum(second / total - centroid**2, 0))
    return centroid[np.newaxis], bandwidth[np.newaxis]


def _rolloff(magnitude: np.ndarray) -> np.ndarray:
    frequencies = librosa.fft_frequencies(sr=ASSUMED_SAMPLE_RATE, n_fft=N_FFT)

    def bins_below(block: np.ndarray) -> np.ndarray:
        # Summed in single precision like librosa's: the rolloff is a bin, and a sum that rounds
        # otherwise can end in the bin beside it.
        so_far = np.cumsum(block, axis=0)
        return np.count_nonzero(so_far < ROLLOFF * so_far[-1], axis=0, keepdims=True)

    return frequencies[_in_blocks(bins_below, magnitude)]


def _mfcc(power: np.ndarray, sample_rate: float) -> np.ndarray:
    mel = _mel_filters(sample_rate) @ power
    return librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=N_MFCC)


@lru_cache(maxsize=8)
def _mel_filters(sample_rate: float) -> np.ndarray:
    with warnings.catch_warnings():
        # Above 50 kHz the lowest filters fall between two bins; their bands are then empty.
        warnings.filterwarnings("ignore", "Empty filters detected", UserWarning)
        return librosa.filters.mel(sr=sample_rate, n_fft=N_FFT)


def _in_blocks(of: Callable[[np.ndarray], np.ndarray], spectrogram: np.ndarray) -> np.ndarray:
    starts = range(0, spectrogram.shape[1], FRAMES_PER_BLOCK)
    return np.concatenate(
        [of(spectrogram[:, start : start + FRAMES_PER_BLOCK]) for start in starts], axis=1
    )
