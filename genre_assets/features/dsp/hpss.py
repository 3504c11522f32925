"""Harmonic and percussive energy over time.

Harmonic-percussive separation by median filtering (Fitzgerald, *Harmonic/Percussive Separation
using Median Filtering*, DAFx 2010), as ``librosa.decompose.hpss`` does it with its defaults: 31
frames or bins a median, squared soft masks, no margin.

Loads numba: import it when features are computed.
"""

import numpy as np
from numba import njit

from genre_assets.features.dsp.medians import (
    LANES,
    WIDTH,
    medians_of_tile,
    medians_over_rows,
    mirrored,
    tiles,
)

_REACH = WIDTH // 2


def harmonic_percussive_energies(magnitude: np.ndarray) -> np.ndarray:
    """Energies of the harmonic and the percussive part of each frame.

    With ``H`` the median over 31 frames and ``P`` the median over 31 bins of the magnitude ``S``,
    the harmonic energy of a frame is the sum over its bins of ``(S · H² / (H² + P²))²``, the
    percussive one that of ``(S · P² / (H² + P²))²``: the energies of the two spectrograms that
    ``librosa.decompose.hpss(S)`` returns. Where neither median is above zero, each mask is a half.

    Args:
        magnitude: Shape (frames, bins), float32, C-contiguous.

    Returns:
        Shape (frames, 2), float32: harmonic, percussive.
    """
    frames, bins = magnitude.shape
    energies = np.zeros((frames, 2), np.float32)
    _add_energies(
        magnitude,
        medians_over_rows(magnitude),
        *tiles(bins),
        np.empty(bins * LANES, np.float32),
        energies,
    )
    return energies


@njit(cache=True, error_model="numpy")
def _add_energies(magnitude, harmonic, tile, percussive, tile_harmonic, energies):
    frames, bins = magnitude.shape
    for first in range(0, frames, LANES):
        width = min(LANES, frames - first)
        _turn(magnitude, first, width, tile[_REACH * LANES :])
        for row in range(_REACH):
            for beyond, place in ((-1 - row, _REACH - 1 - row), (bins + row, _REACH + bins + row)):
                from_place = (mirrored(beyond, bins) + _REACH) * LANES
                tile[place * LANES : (place + 1) * LANES] = tile[from_place : from_place + LANES]
        medians_of_tile(tile, percussive)
        _turn(harmonic, first, width, tile_harmonic)
        sums = np.zeros((2, LANES), np.float32)
        _add_energies_of_tile(tile[_REACH * LANES :], tile_harmonic, percussive, sums)
        energies[first : first + width] = sums.T[:width]


@njit(cache=True, error_model="numpy")
def _turn(spectrogram, first, width, tile):
    """Write frames as the columns of a tile, some bins at a time so that both stay in cache."""
    bins = spectrogram.shape[1]
    for first_bin in range(0, bins, LANES):
        last_bin = min(first_bin + LANES, bins)
        for frame in range(width):
            for k in range(first_bin, last_bin):
                tile[np.uintp(k * LANES + frame)] = spectrogram[
                    np.uintp(first + frame), np.uintp(k)
                ]


@njit(cache=True, error_model="numpy")
def _add_energies_of_tile(magnitude, harmonic, percussive, sums):
    tiny = np.float32(np.finfo(np.float32).tiny)
    for row in range(0, harmonic.size, LANES):
        for lane in range(LANES):
            at = np.uintp(row + lane)
            h, p, s = harmonic[at], percussive[at], magnitude[at]
            scale = h if p < h else p
            if scale < tiny:
                h = p = scale = np.float32(1)
            h, p = (h / scale) ** 2, (p / scale) ** 2
            s /= h + p
            sums[0, np.uintp(lane)] += (s * h) ** 2
            sums[1, np.uintp(lane)] += (s * p) ** 2
