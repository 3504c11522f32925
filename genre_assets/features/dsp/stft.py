"""The magnitudes of the short-time Fourier transform, a block of frames at a time.

They are ``np.abs(librosa.stft(samples))``: Hann windows of 2048 samples, 512 apart, centred, with
zeros beyond the ends, transformed in double precision and rounded to single precision. In single
precision throughout, the smallest magnitudes, and with them the spectral contrast, are not
librosa's any more.

Importing this module imports numba. Its kernels work on a few frames at once, one in each lane of
the processor's vectors, so that no step has to shuffle values within a vector: samples lie as
(sample of the hop, hop), spectra as (bin, frame). The transform is Stockham's, with radix 4, for
half as many complex values as there are samples (Press et al., *Numerical Recipes*, chapter 12.3;
Van Loan, *Computational Frameworks for the Fast Fourier Transform*, 1992, chapter 1.7).
"""

from collections.abc import Callable, Iterator

import numpy as np
from numba import njit

from genre_assets.audio.samples import Samples
from genre_assets.features.dsp.framing import HOP_LENGTH, N_FFT

N_BINS = 1 + N_FFT // 2

FRAMES_PER_BLOCK = 128
"""Frames worked on at a time: what they need stays in the processor's cache."""

KEPT_FRAMES = 8192
"""Frames of the longest clip whose magnitudes are kept: a minute and a half, 34 MB."""

_HALF = N_FFT // 2
_QUARTER = _HALF // 4
_HOPS = N_FFT // HOP_LENGTH
_LANES = 16
_IMAGINARY = _HALF * _LANES
"""Where the imaginary parts begin in the space for the complex values of a few frames."""


def frame_count(samples: int) -> int:
    """Frames of a clip of so many samples."""
    return 1 + samples // HOP_LENGTH


def magnitude_blocks(samples: Samples) -> Iterator[np.ndarray]:
    """Compute the magnitudes of a clip from its beginning to its end.

    Args:
        samples: Mono, float32.

    Yields:
        Shape (1025, 128), float32: 128 frames, silent ones after the last. The next block takes the
        place of the one before.
    """
    block = np.empty((N_BINS, FRAMES_PER_BLOCK), np.float32)
    transform = Transform()
    for first in range(0, frame_count(len(samples)), FRAMES_PER_BLOCK):
        transform.magnitudes(samples, first, block)
        yield block


class Spectrogram:
    """The magnitudes of a clip, a block at a time and as often as they are requested.

    Those of a clip of up to :data:`KEPT_FRAMES` frames are kept, those of a longer one computed
    again each time, so that no clip is too long for the memory.

    Attributes:
        frames: Frames of the clip, without the silent ones that fill the last block.
    """

    def __init__(self, samples: Samples):
        self.frames = frame_count(len(samples))
        self._samples = samples
        self._kept = None
        if self.frames <= KEPT_FRAMES:
            starts = range(0, self.frames, FRAMES_PER_BLOCK)
            self._kept = np.empty((len(starts), N_BINS, FRAMES_PER_BLOCK), np.float32)
            transform = Transform()
            for first, block in zip(starts, self._kept, strict=True):
                transform.magnitudes(samples, first, block)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield what :func:`magnitude_blocks` yields."""
        return iter(magnitude_blocks(self._samples) if self._kept is None else self._kept)

    def by_frame(self) -> np.ndarray:
        """The magnitudes of the whole clip, shape (frames, 1025), float32, a row for each frame."""
        magnitude = np.empty((self.frames, N_BINS), np.float32)
        for first, block in zip(range(0, self.frames, FRAMES_PER_BLOCK), self, strict=True):
            _transpose(block, magnitude[first : first + FRAMES_PER_BLOCK])
        return magnitude


class Transform:
    """The space that the transform of a few frames needs, used again for the next ones."""

    def __init__(self):
        self._hops = np.empty((FRAMES_PER_BLOCK + _HOPS - 1, HOP_LENGTH), np.float32)
        self._by_hop = np.empty((HOP_LENGTH, _LANES + _HOPS - 1), np.float32)
        self._space, self._other_space = _aligned(4 * _IMAGINARY).reshape(2, -1)

    def magnitudes(self, samples: Samples, first: int, block: np.ndarray) -> None:
        """Fill a block, shape (1025, 128), with the frames from ``first`` on, then silent ones."""
        _copy_padded(samples, first * HOP_LENGTH - N_FFT // 2, self._hops.reshape(-1))
        _transform(self._hops, self._by_hop, self._space, self._other_space, block)
        block[:, max(frame_count(len(samples)) - first, 0) :] = 0


def _aligned(count: int) -> np.ndarray:
    """Room for so many float64 values that begins where a cache line does.

    Else every other vector lies across two lines, and the transform takes a quarter longer.
    """
    line = 64 // np.float64().itemsize
    room = np.empty(count + line)
    start = -(room.ctypes.data // room.itemsize) % line
    return room[start : start + count]


def _copy_padded(samples: Samples, start: int, into: np.ndarray) -> None:
    """Copy what follows ``start``, with zeros before the first and after the last sample."""
    before = max(-start, 0)
    found = samples[start + before : start + len(into)]
    into[:before] = 0
    into[before : before + len(found)] = found
    into[before + len(found) :] = 0


_WINDOW = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)


def _roots_of_unity(count: int, of: int) -> np.ndarray:
    angles = -2 * np.pi * np.arange(count) / of
    return np.stack([np.cos(angles), np.sin(angles)])


_ROOTS = _roots_of_unity(_HALF, _HALF)
_HALF_ROOTS = _roots_of_unity(_HALF, N_FFT)


@njit(cache=True)
def _transpose(rows, columns):
    # A cache line of a row at a time.
    for start in range(0, len(columns), 16):
        for row in range(len(rows)):
            for column in range(start, min(start + 16, len(columns))):
                columns[column, row] = rows[row, column]


@njit(cache=True, inline="always")
def _butterfly(ar, ai, br, bi, cr, ci, dr, di, roots, i, y, o, stride):
    """Transform a, b, c and d, and turn the results by the powers of a root of unity."""
    y[o] = (ar + cr) + (br + dr)
    y[_IMAGINARY + o] = (ai + ci) + (bi + di)
    r, m = (ar - cr) + (bi - di), (ai - ci) - (br - dr)
    wr, wi = roots[0, i], roots[1, i]
    y[o + stride] = r * wr - m * wi
    y[_IMAGINARY + o + stride] = r * wi + m * wr
    r, m = (ar + cr) - (br + dr), (ai + ci) - (bi + di)
    wr, wi = roots[0, 2 * i], roots[1, 2 * i]
    y[o + 2 * stride] = r * wr - m * wi
    y[_IMAGINARY + o + 2 * stride] = r * wi + m * wr
    r, m = (ar - cr) - (bi - di), (ai - ci) + (br - dr)
    wr, wi = roots[0, 3 * i], roots[1, 3 * i]
    y[o + 3 * stride] = r * wr - m * wi
    y[_IMAGINARY + o + 3 * stride] = r * wi + m * wr


@njit(cache=True, fastmath={"contract"})
def _first_pass(by_hop, window, roots, y):
    """Weight the frames and begin their transform.

    Two neighbouring samples make a complex value. Those a quarter of a frame apart, which a
    butterfly takes, are at the same place of neighbouring hops.
    """
    for i in range(_QUARTER):
        for lane in range(_LANES):
            _butterfly(
                by_hop[2 * i, lane] * window[2 * i],
                by_hop[2 * i + 1, lane] * window[2 * i + 1],
                by_hop[2 * i, lane + 1] * window[2 * i + HOP_LENGTH],
                by_hop[2 * i + 1, lane + 1] * window[2 * i + 1 + HOP_LENGTH],
                by_hop[2 * i, lane + 2] * window[2 * i + 2 * HOP_LENGTH],
                by_hop[2 * i + 1, lane + 2] * window[2 * i + 1 + 2 * HOP_LENGTH],
                by_hop[2 * i, lane + 3] * window[2 * i + 3 * HOP_LENGTH],
                by_hop[2 * i + 1, lane + 3] * window[2 * i + 1 + 3 * HOP_LENGTH],
                roots,
                i,
                y,
                4 * i * _LANES + lane,
                _LANES,
            )


def _pass_of_length(length: int) -> Callable:
    """The pass that works on transforms of a length.

    Each has its own function: only where all distances are constants does LLVM see that what is
    read and what is written do not overlap, and work on whole vectors.
    """
    stride = _HALF // length
    width = stride * _LANES
    quarter = length // 4 * width

    @njit(cache=True, fastmath={"contract"})
    def radix_4_pass(x, roots, y):
        for i in range(length // 4):
            for j in range(width):
                a = i * width + j
                b, c, d = a + quarter, a + 2 * quarter, a + 3 * quarter
                _butterfly(
                    x[a],
                    x[_IMAGINARY + a],
                    x[b],
                    x[_IMAGINARY + b],
                    x[c],
                    x[_IMAGINARY + c],
                    x[d],
                    x[_IMAGINARY + d],
                    roots,
                    i * stride,
                    y,
                    4 * i * width + j,
                    width,
                )

    return radix_4_pass


_pass_256, _pass_64, _pass_16, _pass_4 = (_pass_of_length(length) for length in (256, 64, 16, 4))


_TINY = np.finfo(np.float32).tiny


@njit(cache=True, error_model="numpy", inline="always")
def _absolute(real, imaginary):
    """The absolute value of a number of type complex64, rounded as NumPy rounds it."""
    a, b = abs(np.float32(real)), abs(np.float32(imaginary))
    larger, smaller = max(a, b), min(a, b)
    ratio = smaller / max(larger, _TINY)
    return larger * np.sqrt(np.float32(1) + ratio * ratio)


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _last_pass(x, half_roots, block, first):
    """Take the spectra of the samples from those of their pairs, and their magnitudes."""
    for lane in range(_LANES):
        block[0, first + lane] = abs(x[lane] + x[_IMAGINARY + lane])
        block[_HALF, first + lane] = abs(x[lane] - x[_IMAGINARY + lane])
    for i in range(1, _HALF // 2 + 1):
        wr, wi = half_roots[0, i], half_roots[1, i]
        # Slices, because LLVM does not see that an index that counts down stays above zero.
        a = x[i * _LANES :]
        b = x[(_HALF - i) * _LANES :]
        row = block[i, first : first + _LANES]
        mirrored_row = block[_HALF - i, first : first + _LANES]
        for lane in range(_LANES):
            even_r = 0.5 * (a[lane] + b[lane])
            even_i = 0.5 * (a[_IMAGINARY + lane] - b[_IMAGINARY + lane])
            odd_r = 0.5 * (a[_IMAGINARY + lane] + b[_IMAGINARY + lane])
            odd_i = 0.5 * (b[lane] - a[lane])
            turned_r = odd_r * wr - odd_i * wi
            turned_i = odd_r * wi + odd_i * wr
            row[lane] = _absolute(even_r + turned_r, even_i + turned_i)
            mirrored_row[lane] = _absolute(even_r - turned_r, turned_i - even_i)


@njit(cache=True)
def _transform(hops, by_hop, space, other_space, block):
    for first in range(0, FRAMES_PER_BLOCK, _LANES):
        _transpose(hops[first : first + _LANES + _HOPS - 1], by_hop)
        _first_pass(by_hop, _WINDOW, _ROOTS, space)
        _pass_256(space, _ROOTS, other_space)
        _pass_64(other_space, _ROOTS, space)
        _pass_16(space, _ROOTS, other_space)
        _pass_4(other_space, _ROOTS, space)
        _last_pass(space, _HALF_ROOTS, block, first)
