"""How often a sound changes its sign.

Importing this module imports numba.
"""

import numpy as np
from numba import njit

from genre_assets.features.stft import HOP_LENGTH, N_FFT, frame_count

SILENCE = np.float32(1e-10)
"""Samples nearer to zero than this count as zero."""


def zero_crossing_rate(samples: np.ndarray) -> np.ndarray:
    """Share of the samples of each frame that have another sign than the one before.

    Returns:
        Shape (1, frames), the frames centred and the clip's ends repeated beyond it, as
        ``librosa.feature.zero_crossing_rate`` has it.
    """
    return _crossings(samples, frame_count(len(samples)))[np.newaxis] / N_FFT


@njit(cache=True)
def _crossings(samples, frames):
    crossings = np.zeros(frames, np.int32)
    for frame in range(frames):
        middle = frame * HOP_LENGTH
        here = samples[max(middle - N_FFT // 2, 0) : middle + N_FFT // 2]
        count = np.int32(0)
        for i in range(1, len(here)):
            count += (here[i] < -SILENCE) != (here[i - 1] < -SILENCE)
        crossings[frame] = count
    return crossings
