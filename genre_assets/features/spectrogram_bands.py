"""The spectrograms of a stretch of sound, from its transforms.

Loads librosa and numba: import it when spectrograms are computed.
"""

import librosa
import numpy as np
import scipy.fft

from genre_assets.features.constant_q import constant_q_magnitude
from genre_assets.features.hpss import harmonic_percussive_energies
from genre_assets.features.spectral import N_MFCC, mel_filters
from genre_assets.features.stft import stft_magnitude
from genre_assets.features.tuning import tunings


def spectrograms_of(samples: np.ndarray, sample_rate: float) -> dict[str, np.ndarray]:
    """Compute the four spectrograms of samples.

    Args:
        samples: Mono float32 samples, finite.
        sample_rate: Samples a second.

    Returns:
        For each name in :data:`genre_assets.features.spectrograms.BANDS` an array of shape
        (frames, bands), float32, a frame every 512 samples.

    Raises:
        AudioError: If the sample rate is too low for seven octaves from C1.
    """
    magnitude = stft_magnitude(samples)
    tuning, _ = tunings([magnitude.T], sample_rate)
    constant_q = constant_q_magnitude(samples, sample_rate, tuning)
    return spectrograms_of_transforms(magnitude, constant_q, sample_rate)


def spectrograms_of_transforms(
    magnitude: np.ndarray, constant_q: np.ndarray, sample_rate: float
) -> dict[str, np.ndarray]:
    """Compute the four spectrograms of a stretch from its transforms.

    Args:
        magnitude: Shape (frames, 1025), float32, C-contiguous.
        constant_q: Shape (84, frames), float32, magnitudes.
        sample_rate: Samples a second.

    Returns:
        As :func:`spectrograms_of`.
    """
    mel = np.square(magnitude) @ mel_filters(sample_rate)[0].T
    log_mel = librosa.power_to_db(mel)
    cepstrum = np.asarray(scipy.fft.dct(log_mel, axis=1, norm="ortho"))
    return {
        "log_mel": log_mel,
        "mfcc": cepstrum[:, :N_MFCC],
        "constant_q": librosa.amplitude_to_db(constant_q).T,
        "energies": librosa.power_to_db(harmonic_percussive_energies(magnitude)),
    }
