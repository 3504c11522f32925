"""The transforms of a clip that its features are made of, each computed once.

Importing this module imports librosa, which takes seconds.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from genre_assets.audio.samples import Samples
from genre_assets.features.dsp.constant_q import constant_q_magnitude
from genre_assets.features.dsp.stft import Spectrogram
from genre_assets.features.dsp.tuning import tunings


@dataclass(frozen=True)
class Transforms:
    """The transforms of a clip, each computed when it is first requested.

    Attributes:
        samples: Its samples, mono float32; for any of the transforms finite and not all zero.
        sample_rate: Samples a second.
    """

    samples: Samples
    sample_rate: int

    @cached_property
    def spectrogram(self) -> Spectrogram:
        """Magnitudes of its short-time Fourier transform."""
        return Spectrogram(self.samples)

    @cached_property
    def tunings(self) -> tuple[float, float]:
        """Its tuning as the constant-Q transform and as ``chroma_stft`` take it: :mod:`.tuning`."""
        return tunings(self.spectrogram, self.sample_rate)

    @cached_property
    def constant_q(self) -> np.ndarray:
        """Magnitudes of its constant-Q transform, shape (84, frames), float32: 200 MB of two hours.

        Raises:
            AudioError: If the sample rate is too low for seven octaves from C1.
        """
        tuning, _ = self.tunings
        return constant_q_magnitude(self.samples, self.sample_rate, tuning)
