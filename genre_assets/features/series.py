"""The eleven series over time that the FMA summary features are statistics of.

Each is what librosa 0.11 makes of the calls in the FMA dataset's published features script
(Defferrard et al., *FMA: A Dataset For Music Analysis*, ISMIR 2017). Where librosa would do the
same work twice, or much more of it than the result needs, it is done here once: one short-time
Fourier transform serves both tuning estimates and every spectral feature.

Importing this module imports librosa, which takes seconds.
"""

from collections.abc import Iterable

import librosa
import numpy as np

from genre_assets.audio.status import AudioError, Status
from genre_assets.features.spectral import (
    ASSUMED_SAMPLE_RATE,
    N_CHROMA,
    chroma_stft,
    spectral_series,
)
from genre_assets.features.stft import HOP_LENGTH, N_FFT, Spectrogram
from genre_assets.features.zero_crossings import zero_crossing_rate

N_OCTAVES = 7
TUNING_FMAX = 4000.0
"""Hz up to which the tuning is estimated, librosa's default."""


def all_series(samples: np.ndarray, sample_rate: float) -> dict[str, np.ndarray]:
    """Compute the eleven series of a clip.

    Args:
        samples: Mono float32 samples, finite and not all zero.
        sample_rate: Samples a second.

    Returns:
        For each name in :data:`genre_assets.lake.feature_columns.SERIES_SIZES` an array of shape
        (rows, frames), a frame every 512 samples.

    Raises:
        AudioError: If the sample rate is too low for seven octaves from C1.
    """
    spectrogram = Spectrogram(samples)
    tuning = tuning_of(spectrogram, sample_rate)
    chroma_cqt, chroma_cens = _constant_q_chroma(samples, sample_rate, tuning)
    powers = (block**2 for block in spectrogram)
    return {
        **spectral_series(spectrogram, sample_rate),
        "chroma_cens": chroma_cens,
        "chroma_cqt": chroma_cqt,
        "chroma_stft": chroma_stft(spectrogram, tuning_of(powers, ASSUMED_SAMPLE_RATE)),
        "tonnetz": librosa.feature.tonnetz(chroma=chroma_cens),
        "zcr": zero_crossing_rate(samples),
    }


def fewest_samples(sample_rate: float) -> int:
    """Samples that a clip needs: as many as librosa's longest constant-Q window.

    With fewer, librosa warns that the window outlasts the clip, which the published script takes
    for an error. It is about 0.74 s at 44.1 kHz.
    """
    lengths, _ = librosa.filters.wavelet_lengths(
        freqs=_constant_q_frequencies(tuning=0.0), sr=sample_rate, gamma=0
    )
    return 2 ** int(np.ceil(np.log2(lengths.max())))


def tuning_of(spectrogram: Iterable[np.ndarray], sample_rate: float) -> float:
    """Estimate how far a clip is tuned from A440, as ``librosa.estimate_tuning`` does.

    Only peaks below 4 kHz count, so librosa is only handed the bins up to there, with the sample
    rate that belongs to them; the estimate is exactly the same.

    Args:
        spectrogram: Blocks of shape (1025, frames), magnitude or power.
        sample_rate: Samples a second.

    Returns:
        Fractions of a semitone from -0.5 to 0.5; 0 when the clip has no peak.
    """
    all_bins = N_FFT // 2
    bins = all_bins
    while TUNING_FMAX * N_FFT / sample_rate < bins // 2 - 1:
        bins //= 2

    def peaks(block: np.ndarray) -> np.ndarray:
        pitches, heights = librosa.piptrack(
            S=block[: bins + 1],
            sr=sample_rate * bins / all_bins,
            fmax=TUNING_FMAX,
            ref=0.1 * block.max(axis=0, keepdims=True),
        )
        found = pitches > 0
        return np.stack([pitches[found], heights[found]])

    pitches, heights = np.concatenate([peaks(block) for block in spectrogram], axis=1)
    if not pitches.size:
        return 0.0
    return librosa.pitch_tuning(pitches[heights >= np.median(heights)], bins_per_octave=N_CHROMA)


def _constant_q_chroma(
    samples: np.ndarray, sample_rate: float, tuning: float
) -> tuple[np.ndarray, np.ndarray]:
    _refuse_low_sample_rate(sample_rate, tuning)
    constant_q = np.abs(
        librosa.cqt(
            samples,
            sr=sample_rate,
            hop_length=HOP_LENGTH,
            n_bins=N_CHROMA * N_OCTAVES,
            bins_per_octave=N_CHROMA,
            tuning=tuning,
        )
    )
    chroma_cqt = librosa.feature.chroma_cqt(
        C=constant_q, bins_per_octave=N_CHROMA, n_chroma=N_CHROMA, n_octaves=N_OCTAVES
    )
    chroma_cens = librosa.feature.chroma_cens(
        C=constant_q, bins_per_octave=N_CHROMA, n_chroma=N_CHROMA, n_octaves=N_OCTAVES
    )
    return chroma_cqt, chroma_cens


def _refuse_low_sample_rate(sample_rate: float, tuning: float) -> None:
    _, cutoff = librosa.filters.wavelet_lengths(
        freqs=_constant_q_frequencies(tuning), sr=sample_rate, gamma=0
    )
    if cutoff > sample_rate / 2:
        raise AudioError(
            Status.LOW_SAMPLE_RATE,
            f"It has {sample_rate:g} samples a second, so its sound ends at "
            f"{sample_rate / 2:g} Hz, and the constant-Q features need it up to {cutoff:.0f} Hz: "
            "use a recording with 11025 samples a second or more.",
        )


def _constant_q_frequencies(tuning: float) -> np.ndarray:
    return librosa.cqt_frequencies(
        N_CHROMA * N_OCTAVES,
        fmin=float(librosa.note_to_hz("C1")),
        bins_per_octave=N_CHROMA,
        tuning=tuning,
    )
