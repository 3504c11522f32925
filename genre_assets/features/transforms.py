"""The transforms of a clip that its features are made of, each computed once.

Importing this module imports librosa, which takes seconds.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from genre_assets.audio.samples import Samples
from genre_assets.features.constant_q import constant_q_magnitude
from genre_assets.features.stft import Spectrogram
from genre_assets.features.tuning import tunings


@dataclass(frozen=True)
class Transforms:
    """The transforms of a clip.

    Attributes:
        samples: Its samples.
        sample_rate: Samples a second.
        spectrogram: Magnitudes of its short-time Fourier transform.
        tuning: Its tuning as the constant-Q transform takes it.
        assumed_tuning: Its tuning as ``chroma_stft`` takes it, see :mod:`.tuning`.
    """

    samples: Samples
    sample_rate: float
    spectrogram: Spectrogram
    tuning: float
    assumed_tuning: float

    @cached_property
    def constant_q(self) -> np.ndarray:
        """Magnitudes of its constant-Q transform, shape (84, frames), float32.

        Computed when they are asked for: those of two hours take 200 MB.

        Raises:
            AudioError: If the sample rate is too low for seven octaves from C1.
        """
        return constant_q_magnitude(self.samples, self.sample_rate, self.tuning)


def transforms_of(samples: Samples, sample_rate: float) -> Transforms:
    """Transform a clip.

    Args:
        samples: Mono float32 samples, finite and not all zero.
        sample_rate: Samples a second.
    """
    spectrogram = Spectrogram(samples)
    tuning, assumed_tuning = tunings(spectrogram, sample_rate)
    return Transforms(samples, sample_rate, spectrogram, tuning, assumed_tuning)
