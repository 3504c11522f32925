"""The transforms of a clip that its features are made of, each computed once.

Importing this module imports librosa, which takes seconds.
"""

from dataclasses import dataclass

import numpy as np

from genre_assets.features.constant_q import constant_q_magnitude
from genre_assets.features.stft import Spectrogram
from genre_assets.features.tuning import tunings


@dataclass(frozen=True)
class Transforms:
    """The transforms of a clip.

    Attributes:
        sample_rate: Samples a second.
        spectrogram: Magnitudes of its short-time Fourier transform.
        assumed_tuning: Its tuning as ``chroma_stft`` takes it, see :mod:`.tuning`.
        constant_q: Magnitudes of its constant-Q transform, shape (84, frames), float32.
    """

    sample_rate: float
    spectrogram: Spectrogram
    assumed_tuning: float
    constant_q: np.ndarray


def transforms_of(samples: np.ndarray, sample_rate: float) -> Transforms:
    """Transform a clip.

    Args:
        samples: Mono float32 samples, finite and not all zero.
        sample_rate: Samples a second.

    Raises:
        AudioError: If the sample rate is too low for seven octaves from C1.
    """
    spectrogram = Spectrogram(samples)
    tuning, assumed_tuning = tunings(spectrogram, sample_rate)
    constant_q = constant_q_magnitude(samples, sample_rate, tuning)
    return Transforms(sample_rate, spectrogram, assumed_tuning, constant_q)
