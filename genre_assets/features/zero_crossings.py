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
    before_middle = N_FFT // 2 // HOP_LENGTH
    for hop in range(-(-len(samples) // HOP_LENGTH)):
        start = hop * HOP_LENGTH
        here = samples[max(start, 1) : start + HOP_LENGTH]
        before = samples[max(start - 1, 0) :]
        count = np.int32(0)
        for i in range(len(here)):
            count += np.int32((here[i] < -SILENCE) != (before[i] < -SILENCE))
        for frame in range(hop - before_middle + 1, hop + before_middle + 1):
            if 0 <= frame < frames:
                crossings[frame] += count
        # The first sample of a frame has none before it.
        if 0 < hop < frames - before_middle:
            crossings[hop + before_middle] -= np.int32(
                (here[0] < -SILENCE) != (before[0] < -SILENCE)
            )
    return crossings
