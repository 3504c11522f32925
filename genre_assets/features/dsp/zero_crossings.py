"""How often a sound changes its sign.

Importing this module imports numba.
"""

import numpy as np
from numba import njit

from genre_assets.audio.samples import Samples
from genre_assets.features.dsp.framing import HOP_LENGTH, N_FFT
from genre_assets.features.dsp.stft import frame_count

SILENCE = np.float32(1e-10)
"""Samples nearer to zero than this count as zero."""

_FRAMES_PER_PIECE = 8192
_BEFORE_MIDDLE = N_FFT // 2 // HOP_LENGTH


def zero_crossing_rate(samples: Samples) -> np.ndarray:
    """Share of the samples of each frame that have another sign than the one before.

    Returns:
        Shape (1, frames), the frames centred and the clip's ends repeated beyond it, as
        ``librosa.feature.zero_crossing_rate`` has it.
    """
    frames = frame_count(len(samples))
    crossings = np.empty((1, frames), np.int32)
    for first in range(0, frames, _FRAMES_PER_PIECE):
        end = min(first + _FRAMES_PER_PIECE, frames)
        # From the first sample of the first frame to the last one of the last.
        start = max(first - _BEFORE_MIDDLE, 0)
        piece = samples[start * HOP_LENGTH : (end - 1 + _BEFORE_MIDDLE) * HOP_LENGTH]
        crossings[0, first:end] = _crossings(piece, end - start)[first - start :]
    return crossings / N_FFT


@njit(cache=True)
def _crossings(samples, frames):
    crossings = np.zeros(frames, np.int32)
    for hop in range(-(-len(samples) // HOP_LENGTH)):
        start = hop * HOP_LENGTH
        here = samples[max(start, 1) : start + HOP_LENGTH]
        before = samples[max(start - 1, 0) :]
        count = np.int32(0)
        for i in range(len(here)):
            count += np.int32((here[i] < -SILENCE) != (before[i] < -SILENCE))
        for frame in range(hop - _BEFORE_MIDDLE + 1, hop + _BEFORE_MIDDLE + 1):
            if 0 <= frame < frames:
                crossings[frame] += count
        # The first sample of a frame has none before it.
        if 0 < hop < frames - _BEFORE_MIDDLE:
            crossings[hop + _BEFORE_MIDDLE] -= np.int32(
                (here[0] < -SILENCE) != (before[0] < -SILENCE)
            )
    return crossings
