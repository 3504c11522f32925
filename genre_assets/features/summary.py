"""The 518 summary features of the FMA dataset, computed from audio.

Seven statistics over time of eleven series, named and ordered as in the dataset's
``features.csv``. The values are those of its published features script (Defferrard et al., *FMA:
A Dataset For Music Analysis*, ISMIR 2017) run with librosa 0.11, to within
``1e-4 * max(|value|, standard deviation of the series)``, 1 instead of the standard deviation for
skew and kurtosis: for music without exception, as far as it was tried. Where a value is nothing but
rounding, as the contrast of a single impulse, the chroma of a tone below all notes or the MFCC of
noise near silence, rounding decides, and may do so differently.

What is kept so that the values stay those:

- The script does not tell librosa the sample rate for ``chroma_stft`` and ``spectral_*``, so
  librosa takes it for 22,050 Hz. At 44,100 Hz, centroid, bandwidth and rolloff are therefore half
  of what they are in Hz, and contrast has its bands an octave up.
- ``rmse`` is what librosa calls ``rms`` since 0.7.

The dataset's own ``features.csv`` was made with librosa 0.5 and differs from these values (scale
of rms, chroma bins, padding of the ends); the column ``feature_source`` says which is which, and
the two are never mixed.

Light: librosa and the decoders are only imported when features are computed.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genre_assets.audio.samples import Samples, pieces
from genre_assets.audio.status import AudioError, Status
from genre_assets.features.dsp.compilation import compilation_lock, require_a_place_for_kernels
from genre_assets.lake.feature_columns import (
    MAY_BE_UNDEFINED,
    SERIES_SIZES,
    STATISTICS,
    SUMMARY_COLUMNS,
)

if TYPE_CHECKING:
    from genre_assets.features.dsp.transforms import Transforms

COLUMNS = list(SUMMARY_COLUMNS)
"""Names of the 518 features, in the order of the values."""

_MAY_BE_UNDEFINED = np.array([name.split("_")[-2] in MAY_BE_UNDEFINED for name in COLUMNS])

EXTRACTOR_VERSION = 3
"""Raised whenever the values change: features of an older version are computed anew."""

VERSION_BEFORE = 2
"""What this version computed of files that state their length is the same: it is kept. None, once
the values themselves change."""

FEATURE_SOURCE = "genre_assets 518, librosa 0.11 conventions"
"""Who computed the values, for the column ``feature_source``."""

LARGEST_SAMPLE = 1e6
"""Full scale is 1; far above it, single precision cannot hold the powers that features need."""


def extract(path: Path | str) -> np.ndarray:
    """Compute the 518 summary features of an audio file.

    Args:
        path: A file in any format that :mod:`genre_assets.audio.decode` reads.

    Returns:
        Shape (518,), float32, in the order of :data:`COLUMNS`. Every value is finite, except that
        skew and kurtosis are NaN for a row that never changes, such as a chroma of a steady tone:
        they are not defined there. The table has null in their place.

    Raises:
        AudioError: If the file cannot be decoded, or its features are not defined: the clip is
            too short, silent, or a sample or feature is not a finite number.
    """
    from genre_assets.audio.decode import decoded

    with decoded(path) as (samples, sample_rate):
        try:
            return summarise(samples, sample_rate)
        except AudioError as error:
            raise AudioError(error.status, f"{path}: {error.reason}") from error


def summarise(samples: Samples, sample_rate: int) -> np.ndarray:
    """Compute the 518 summary features of samples.

    Args:
        samples: Mono, float32, in memory or on disk.
        sample_rate: Samples a second.

    Returns:
        As :func:`extract`.

    Raises:
        AudioError: If the features are not defined for these samples.
    """
    warm_up()
    return _summarise(samples, sample_rate)


@cache
def warm_up() -> None:
    """Import librosa and compile what the features need: once a process, one process at a time.

    Raises:
        UserError: If there is nowhere to keep what is compiled.
    """
    require_a_place_for_kernels()
    noise = np.random.default_rng(0).standard_normal(44_100).astype(np.float32)
    with compilation_lock():
        _summarise(noise, 44_100)


def _summarise(samples: Samples, sample_rate: int) -> np.ndarray:
    from genre_assets.features.dsp.transforms import Transforms

    return summarise_transforms(Transforms(samples, sample_rate))


def summarise_transforms(transforms: "Transforms") -> np.ndarray:
    """Compute the 518 summary features of a clip from its transforms.

    Args:
        transforms: Its transforms.

    Returns:
        As :func:`summarise`.

    Raises:
        AudioError: As :func:`summarise`.
    """
    from genre_assets.features.dsp.series import all_series

    refuse_undefined(transforms.samples, transforms.sample_rate)
    values = summarise_series(all_series(transforms))
    wrong = np.flatnonzero(~np.isfinite(values) & ~(np.isnan(values) & _MAY_BE_UNDEFINED))
    if wrong.size:
        raise AudioError(
            Status.NOT_FINITE,
            f"{wrong.size} of {len(COLUMNS)} features are not finite numbers, such as "
            f"{COLUMNS[wrong[0]]}.",
        )
    return values


def summarise_series(series: dict[str, np.ndarray]) -> np.ndarray:
    """Put the statistics of the eleven series into the order of :data:`COLUMNS`.

    Args:
        series: For each name in ``SERIES_SIZES`` an array of shape (rows, frames).

    Returns:
        Shape (518,), float32; NaN where a statistic is not defined.
    """
    from genre_assets.features.dsp.statistics import statistics

    summaries = {name: statistics(series[name]) for name in SERIES_SIZES}
    values = [summaries[name][statistic] for name in SERIES_SIZES for statistic in STATISTICS]
    return np.concatenate(values).astype(np.float32)


def refuse_undefined(samples: Samples, sample_rate: float) -> None:
    """Make sure that features are defined for these samples, as far as can be told beforehand.

    Raises:
        AudioError: If they are not: too short, silent or not finite.
    """
    from genre_assets.features.dsp.constant_q import fewest_samples

    needed = fewest_samples(sample_rate)
    if len(samples) < needed:
        raise AudioError(
            Status.TOO_SHORT,
            # Rounded apart, or 0.74 s would be too short for 0.74 s.
            f"It holds {100 * len(samples) // sample_rate / 100:.2f} s of sound, but the features "
            f"need {-(-100 * needed // sample_rate) / 100:.2f} s.",
        )
    peak = np.max([(piece.max(), -piece.min()) for piece in pieces(samples)])
    if not np.isfinite(peak):
        raise AudioError(Status.NOT_FINITE, "It holds samples that are not finite numbers.")
    if peak > LARGEST_SAMPLE:
        raise AudioError(
            Status.NOT_FINITE,
            f"It holds a sample of {peak:.3g}, so far above full scale, which is 1, that the "
            "features would not be finite numbers.",
        )
    if peak == 0:
        raise AudioError(
            Status.SILENT,
            "It is digital silence from beginning to end, or its channels cancel each other out.",
        )
