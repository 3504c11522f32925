"""All features of a file from one decoding and one of each transform.

A run of the assets ``summary_features`` and ``spectrograms`` does the same, shard by shard; here
it is for one file, without a lake.

Light: librosa and the decoders are only imported when features are computed.
"""

from pathlib import Path

import numpy as np

from genre_assets.audio.status import AudioError
from genre_assets.features import spectrograms, summary
from genre_assets.features.spectrograms import Segment


def extract(path: Path | str) -> tuple[np.ndarray, list[Segment]]:
    """Compute the summary features and the spectrograms of an audio file.

    Args:
        path: A file in any format that :mod:`genre_assets.audio.decode` reads.

    Returns:
        What :func:`genre_assets.features.summary.extract` returns, and the segments of
        :func:`genre_assets.features.spectrograms.extract`.

    Raises:
        AudioError: If the file cannot be decoded, or a feature is not defined.
    """
    from genre_assets.audio.decode import decoded
    from genre_assets.features.dsp.transforms import Transforms

    spectrograms.warm_up()
    with decoded(path) as (samples, sample_rate):
        transforms = Transforms(samples, sample_rate)
        try:
            # First, for of a long clip only the summary features keep the transforms of all of it.
            segments = spectrograms.cut_segments(transforms)
            return summary.summarise_transforms(transforms), segments
        except AudioError as error:
            raise AudioError(error.status, f"{path}: {error.reason}") from error
