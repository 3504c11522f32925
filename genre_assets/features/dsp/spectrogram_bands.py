"""The spectrograms of a stretch of sound, from its transforms.

Loads librosa and numba: import it when spectrograms are computed.
"""

import librosa
import numpy as np
import scipy.fft

from genre_assets.features.dsp.hpss import harmonic_percussive_energies
from genre_assets.features.dsp.spectral import N_MFCC, mel_bands
from genre_assets.features.dsp.transforms import Transforms


def spectrograms_of(transforms: Transforms) -> dict[str, np.ndarray]:
    """Compute the four spectrograms of a stretch of sound.

    Args:
        transforms: Its transforms.

    Returns:
        For each name in :data:`genre_assets.features.spectrograms.BANDS` an array of shape
        (frames, bands), float32, a frame every 512 samples.
    """
    log_mel = librosa.power_to_db(mel_bands(transforms.spectrogram, transforms.sample_rate).T)
    cepstrum = np.asarray(scipy.fft.dct(log_mel, axis=1, norm="ortho"))
    energies = harmonic_percussive_energies(transforms.spectrogram.by_frame())
    return {
        "log_mel": log_mel,
        "mfcc": cepstrum[:, :N_MFCC],
        "constant_q": librosa.amplitude_to_db(transforms.constant_q).T,
        "energies": librosa.power_to_db(energies),
    }
