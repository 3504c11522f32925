"""The constant-Q transform and its chroma, equal to librosa 0.11's at a quarter of the time.

librosa multiplies a sparse basis with the Fourier transform of every frame of every octave. A
basis times a transform is a kernel in time, so here an octave is one matrix product of its frames
with that kernel, and nothing is transformed. Each octave has half the sample rate of the one
above, so the very same kernel serves all seven.

The method is that of Schörkhuber and Klapuri, *Constant-Q transform toolbox for music processing*
(SMC 2010); CENS is that of Müller and Ewert, *Chroma Toolbox* (ISMIR 2011). Both as librosa has
them.

Importing this module imports librosa and numba, which takes seconds.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache

import librosa
import numpy as np
import soxr
from numba import njit
from scipy import ndimage
from scipy.sparse import csr_matrix

from genre_assets.audio.samples import Samples, SamplesOnDisk, pieces
from genre_assets.audio.status import AudioError, Status
from genre_assets.features.dsp.framing import HOP_LENGTH

N_CHROMA = 12
N_OCTAVES = 7
N_BINS = N_CHROMA * N_OCTAVES
LOWEST_HZ = float(librosa.note_to_hz("C1"))
SPARSITY = 0.01
"""Share of each filter's spectrum that librosa drops: its smallest values."""

CENS_STEPS = np.array([0.4, 0.2, 0.1, 0.05], np.float32)
"""Shares of a frame's energy between which CENS does not tell apart."""

DOUBT = 2e-5
"""Shares this near to a step are computed in librosa's own order of rounding.

On real clips a share differs from librosa's by at most 1e-6, which is nothing, but a whole step
where the two lie on either side of one.
"""

FRAMES_PER_BLOCK = 128
"""Frames worked on at a time: what they need stays in the processor's cache."""


def constant_q_magnitude(samples: Samples, sample_rate: float, tuning: float) -> np.ndarray:
    """Compute ``np.abs(librosa.cqt(samples, sr=sample_rate, tuning=tuning))``.

    Frames of which CENS might tell another step are rounded as librosa rounds them.

    Args:
        samples: Mono, float32, in memory or on disk.
        sample_rate: Samples a second.
        tuning: Fractions of a semitone by which the lowest bin lies above C1.

    Returns:
        Shape (84, frames), float32, in Fortran order as librosa returns it: seven octaves of
        twelve bins, a frame every 512 samples.

    Raises:
        AudioError: If the sample rate is too low for seven octaves from C1.
    """
    filters = _filters(sample_rate, tuning)
    with ExitStack() as temporary:
        octaves = _frames_of_octaves(samples, filters, temporary)
        magnitude = _magnitude(octaves, filters)
        shares = _shares(fold(magnitude))
        doubtful = np.flatnonzero((_steps(shares - DOUBT) != _steps(shares + DOUBT)).any(axis=0))
        for start in range(0, len(doubtful), FRAMES_PER_BLOCK):
            chosen = doubtful[start : start + FRAMES_PER_BLOCK]
            magnitude[:, chosen] = _magnitude_by_transform(octaves, chosen, filters)
    return magnitude


def constant_q_chroma(magnitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute librosa's ``chroma_cqt`` and ``chroma_cens`` of twelve bins an octave.

    Args:
        magnitude: As :func:`constant_q_magnitude` returns it.

    Returns:
        Two arrays of shape (12, frames), float32, in Fortran order.
    """
    chroma = fold(magnitude)
    return librosa.util.normalize(chroma, norm=np.inf, axis=0), cens(chroma)


def fewest_samples(sample_rate: float) -> int:
    """Samples that a clip needs: as many as librosa's longest constant-Q window.

    With fewer, librosa warns that the window outlasts the clip, which the published script takes
    for an error. It is about 0.74 s at 44.1 kHz.
    """
    lengths, _ = librosa.filters.wavelet_lengths(
        freqs=_frequencies(tuning=0.0), sr=sample_rate, gamma=0
    )
    return 2 ** int(np.ceil(np.log2(lengths.max())))


def refuse_low_sample_rate(sample_rate: float, tuning: float = 0.0) -> float:
    """Make sure that seven octaves from C1 lie below half the sample rate.

    Returns:
        Hz up to which the highest filter reaches.

    Raises:
        AudioError: If they do not.
    """
    _, cutoff = librosa.filters.wavelet_lengths(freqs=_frequencies(tuning), sr=sample_rate, gamma=0)
    nyquist = sample_rate / 2
    if cutoff > nyquist:
        raise AudioError(
            Status.LOW_SAMPLE_RATE,
            f"It has {sample_rate:g} samples a second, so its sound ends at {nyquist:g} Hz, but "
            f"the constant-Q features need it up to {cutoff:.0f} Hz: use a recording with 11025 "
            "samples a second or more.",
        )
    return cutoff


@dataclass(frozen=True)
class _Filters:
    """The filters of one octave, which are those of all octaves.

    Attributes:
        halvings: How often the sample rate is halved before the highest octave.
        kernel: Shape (window, 24): what a frame is multiplied with, each of twelve complex
            filters as a real and an imaginary column.
        basis: Shape (12, 1 + window / 2), complex64: the same for a frame's Fourier transform.
        lengths: Samples of the twelve filters without the zeros around them.
    """

    halvings: int
    kernel: np.ndarray
    basis: csr_matrix
    lengths: np.ndarray


@lru_cache(maxsize=128)
def _filters(sample_rate: float, tuning: float) -> _Filters:
    frequencies = _frequencies(tuning)
    cutoff = refuse_low_sample_rate(sample_rate, tuning)
    # The lowest octave needs a hop of a whole number of samples.
    most_halvings = int(np.log2(HOP_LENGTH)) - (N_OCTAVES - 1)
    halvings = min(max(0, int(np.ceil(np.log2(sample_rate / 2 / cutoff))) - 2), most_halvings)

    filters, lengths = librosa.filters.wavelet(
        freqs=frequencies[-N_CHROMA:], sr=sample_rate / 2**halvings, gamma=0
    )
    window = filters.shape[1]
    # In single precision, as in librosa: see DOUBT.
    filters *= lengths[:, np.newaxis] / window
    spectra = librosa.get_fftlib().fft(filters)[:, : 1 + window // 2]
    basis = librosa.util.sparsify_rows(spectra, quantile=SPARSITY, dtype=np.complex64)
    kernel = np.fft.fft(basis.toarray() / np.sqrt(lengths)[:, np.newaxis], n=window).T
    return _Filters(halvings, np.ascontiguousarray(kernel).view(np.float64), basis, lengths)


def _frequencies(tuning: float) -> np.ndarray:
    return librosa.cqt_frequencies(N_BINS, fmin=LOWEST_HZ, bins_per_octave=N_CHROMA, tuning=tuning)


@dataclass(frozen=True)
class _Frames:
    """The frames of an octave.

    Attributes:
        padded: Its samples, between half a window of zeros on both sides.
        window: Samples of a frame.
        hop: Samples from a frame to the next.
    """

    padded: Samples
    window: int
    hop: int

    def __len__(self) -> int:
        return 1 + (len(self.padded) - self.window) // self.hop

    def copy(self, first: int, into: np.ndarray) -> None:
        """Copy neighbouring frames, from ``first`` on, into the rows of an array."""
        end = first + len(into)
        samples = self.padded[first * self.hop : (end - 1) * self.hop + self.window]
        _copy_frames(samples, self.hop, into)

    def chosen(self, numbers: np.ndarray) -> np.ndarray:
        """Single frames, shape (frames, window)."""
        starts = numbers * self.hop
        return np.stack([self.padded[start : start + self.window] for start in starts])


def _frames_of_octaves(samples: Samples, filters: _Filters, temporary: ExitStack) -> list[_Frames]:
    """The frames of each octave from the highest down, on disk where the samples are."""
    window = len(filters.kernel)
    margin = window // 2

    def decimated(samples: Samples, within: slice, factor: int) -> Samples:
        if isinstance(samples, np.ndarray):
            return _decimated(samples[within], factor, margin)
        on_disk = temporary.enter_context(SamplesOnDisk())
        _decimate_on_disk(samples, within, factor, margin, on_disk)
        return on_disk

    hop = HOP_LENGTH >> filters.halvings
    padded = decimated(samples, slice(None), 2**filters.halvings)
    frames = [_Frames(padded, window, hop)]
    for _ in range(N_OCTAVES - 1):
        hop //= 2
        padded = decimated(padded, slice(margin, -margin), 2)
        frames.append(_Frames(padded, window, hop))
    return frames


def _decimated(samples: np.ndarray, factor: int, margin: int) -> np.ndarray:
    """``librosa.resample(..., scale=True)`` to the last bit, between margins of zeros."""
    if factor == 1:
        return np.pad(samples, margin)
    fewer = soxr.resample(samples, factor, 1, quality="soxr_hq")
    length = -(-len(samples) // factor)
    padded = np.zeros(margin + length + margin, np.float32)
    end = margin + min(length, len(fewer))
    _multiply(fewer[:length], np.sqrt(factor), padded[margin:end])
    return padded


def _decimate_on_disk(
    samples: SamplesOnDisk, within: slice, factor: int, margin: int, padded: SamplesOnDisk
) -> None:
    """Append to ``padded`` what :func:`_decimated` returns, to the last bit."""
    start, stop, _ = within.indices(len(samples))
    end = margin + -(-(stop - start) // factor)
    padded.append(np.zeros(margin, np.float32))
    for fewer in _resampled(pieces(samples, start, stop), factor):
        padded.append(fewer[: end - len(padded)] / np.sqrt(1 / factor))
    padded.append(np.zeros(end + margin - len(padded), np.float32))


def _resampled(samples: Iterator[np.ndarray], factor: int) -> Iterator[np.ndarray]:
    if factor == 1:
        yield from samples
        return
    stream = soxr.ResampleStream(factor, 1, 1, quality="soxr_hq")
    for piece in samples:
        yield stream.resample_chunk(piece)
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)


@njit(cache=True)
def _copy_frames(samples, hop, into):
    for frame in range(len(into)):
        start = frame * hop
        for i in range(into.shape[1]):
            into[frame, i] = samples[start + i]


@njit(cache=True)
def _multiply(samples, by, into):
    # In double precision. librosa divides by the inverse, which is the same to the last bit once
    # rounded: so it is for each of the 2^23 mantissas, with the root of 2 and so of 8.
    for i in range(len(into)):
        into[i] = samples[i] * by


def _magnitude(octaves: list[_Frames], filters: _Filters) -> np.ndarray:
    magnitude = np.empty((len(octaves[0]), N_BINS), np.float32)
    block = np.empty((FRAMES_PER_BLOCK, len(filters.kernel)))
    for number, frames in enumerate(octaves, start=1):
        bins = slice(N_BINS - number * N_CHROMA, N_BINS - (number - 1) * N_CHROMA)
        for start in range(0, len(magnitude), FRAMES_PER_BLOCK):
            here = magnitude[start : start + FRAMES_PER_BLOCK, bins]
            # Copied, for BLAS takes no rows that overlap in memory.
            frames.copy(start, into=block[: len(here)])
            response = block[: len(here)] @ filters.kernel
            np.abs(response.astype(np.float32).view(np.complex64), out=here)
    return magnitude.T


def _magnitude_by_transform(
    octaves: list[_Frames], chosen: np.ndarray, filters: _Filters
) -> np.ndarray:
    """The magnitudes of a few frames, each step rounded as librosa rounds it."""
    response = []
    for number, frames in enumerate(octaves):
        basis = filters.basis.copy()
        basis.data *= np.sqrt(2.0**number)
        transform = np.fft.rfft(frames.chosen(chosen).astype(np.float64)).astype(np.complex64)
        octave = basis.dot(transform.T)
        octave /= np.sqrt(filters.lengths * 2.0**number)[:, np.newaxis]
        response.append(octave)
    return np.abs(np.concatenate(response[::-1]))


_FOLD = librosa.filters.cq_to_chroma(N_BINS, bins_per_octave=N_CHROMA, n_chroma=N_CHROMA)
_SMOOTHING = librosa.filters.get_window("hann", 41 + 2, fftbins=False)
_SMOOTHING /= _SMOOTHING.sum()


def fold(magnitude: np.ndarray) -> np.ndarray:
    """Add up the octaves: shape (84, frames) to (12, frames)."""
    return np.einsum("cf,ft->ct", _FOLD, magnitude, optimize=True)


def _shares(chroma: np.ndarray) -> np.ndarray:
    return librosa.util.normalize(chroma, norm=1, axis=0)


def _steps(shares: np.ndarray) -> np.ndarray:
    """How many steps each share is above."""
    above = np.zeros_like(shares, dtype=np.int8)
    for step in CENS_STEPS:
        above += shares > step
    return above


def cens(chroma: np.ndarray) -> np.ndarray:
    """Quantise, smooth and normalise chroma of shape (12, frames)."""
    quantised = _steps(_shares(chroma)) * np.float32(0.25)
    smooth = ndimage.convolve1d(quantised, _SMOOTHING, axis=1, mode="constant")
    return librosa.util.normalize(smooth, norm=2, axis=0)
