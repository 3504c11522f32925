"""Spectrograms of the segments of a track, for neural nets.

Of each segment of :mod:`genre_assets.features.dsp.segments` four arrays are kept, a row a frame of
512 samples at the file's own rate, float16:

- ``log_mel``: 128 mel bands in decibels, ``librosa.power_to_db(librosa.feature.melspectrogram)``;
- ``mfcc``: 20 cepstral coefficients of it, ``librosa.feature.mfcc``, those of the summary features;
- ``constant_q``: 84 semitones from C1 in decibels, ``librosa.amplitude_to_db(abs(librosa.cqt))``,
  tuned to the stretch of the track that is analysed in one go: a clip is one, and then as in the
  summary features;
- ``energies``: harmonic and percussive energy in decibels (:mod:`genre_assets.features.dsp.hpss`).

Decibels are librosa's with its defaults: the reference is 1, and what lies more than 80 dB below
the loudest value of the same stretch is raised to that. Half precision keeps eleven bits: values
are off by less than 0.05 % of themselves, 0.03 dB at 60 dB. A segment of 44.1 kHz takes 403 kB, a
clip of 30 s with its three 1.2 MB.

Light: librosa and the decoders are only imported when spectrograms are computed.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genre_assets.audio.samples import Samples
from genre_assets.audio.status import AudioError
from genre_assets.features.dsp.compilation import compilation_lock

if TYPE_CHECKING:
    from genre_assets.features.dsp.transforms import Transforms

EXTRACTOR_VERSION = 3
"""Raised whenever the values change: spectrograms of an older version are computed anew. It is
another one than that of the summary features, which stay."""

VERSION_BEFORE = 2
"""What this version computed of files that state their length is the same: it is kept. None, once
the values themselves change."""

BANDS = {"log_mel": 128, "mfcc": 20, "constant_q": 84, "energies": 2}
"""What is kept of a segment, and how many values a frame it has."""


@dataclass(frozen=True)
class Segment:
    """The spectrograms of a segment.

    Attributes:
        number: Its number in the track, counted from 0.
        start_s: Second of the track that its first frame is centred on.
        spectrograms: For each name in :data:`BANDS` an array of shape (frames, bands), float16.
    """

    number: int
    start_s: float
    spectrograms: dict[str, np.ndarray]

    @property
    def frames(self) -> int:
        """Frames of each spectrogram."""
        return len(self.spectrograms["log_mel"])


def extract(path: Path | str) -> tuple[list[Segment], int]:
    """Compute the spectrograms of an audio file.

    Args:
        path: A file in any format that :mod:`genre_assets.audio.decode` reads.

    Returns:
        Its segments and its sample rate.

    Raises:
        AudioError: If the file cannot be decoded, or its spectrograms are not defined: it is
            shorter than a segment, silent, or has too low a sample rate or samples that are not
            finite numbers.
    """
    from genre_assets.audio.decode import decoded

    with decoded(path) as (samples, sample_rate):
        try:
            return segments_of(samples, sample_rate), sample_rate
        except AudioError as error:
            raise AudioError(error.status, f"{path}: {error.reason}") from error


def segments_of(samples: Samples, sample_rate: int) -> list[Segment]:
    """Compute the spectrograms of samples.

    Args:
        samples: Mono, float32, in memory or on disk.
        sample_rate: Samples a second.

    Returns:
        The segments in their order.

    Raises:
        AudioError: If spectrograms are not defined for these samples.
    """
    warm_up()
    return _segments_of(samples, sample_rate)


@cache
def warm_up() -> None:
    """Import librosa and compile what spectrograms need: once a process, one process at a time."""
    from genre_assets.features import summary

    summary.warm_up()
    noise = np.random.default_rng(0).standard_normal(11 * 22_050).astype(np.float32)
    with compilation_lock():
        _segments_of(noise, 22_050)


def _segments_of(samples: Samples, sample_rate: int) -> list[Segment]:
    from genre_assets.features.dsp.transforms import Transforms

    return cut_segments(Transforms(samples, sample_rate))


def cut_segments(transforms: "Transforms") -> list[Segment]:
    """Compute the spectrograms of the segments of a clip.

    Args:
        transforms: Those of the clip; used where its segments lie so near to each other that all
            of the sound is looked at. Else only what surrounds the segments is transformed.

    Returns:
        As :func:`segments_of`.

    Raises:
        AudioError: As :func:`segments_of`.
    """
    from genre_assets.features.dsp.constant_q import refuse_low_sample_rate
    from genre_assets.features.dsp.framing import HOP_LENGTH
    from genre_assets.features.dsp.segments import frames_of_segment, stretches
    from genre_assets.features.dsp.spectrogram_bands import spectrograms_of
    from genre_assets.features.dsp.transforms import Transforms
    from genre_assets.features.summary import refuse_undefined

    samples, sample_rate = transforms.samples, transforms.sample_rate
    refuse_undefined(samples, sample_rate)
    refuse_low_sample_rate(sample_rate)
    wanted = frames_of_segment(sample_rate)
    segments = []
    for stretch in stretches(len(samples), sample_rate):
        whole = transforms
        if stretch.last - stretch.first < 1 + len(samples) // HOP_LENGTH:
            part = samples[stretch.first * HOP_LENGTH : stretch.last * HOP_LENGTH]
            whole = Transforms(part, sample_rate)
        spectrograms = spectrograms_of(whole)
        for first in stretch.segments:
            frames = slice(first - stretch.first, first - stretch.first + wanted)
            segments.append(
                Segment(
                    number=len(segments),
                    start_s=first * HOP_LENGTH / sample_rate,
                    spectrograms={
                        name: np.ascontiguousarray(values[frames], np.float16)
                        for name, values in spectrograms.items()
                    },
                )
            )
    return segments
