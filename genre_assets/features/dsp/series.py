"""The eleven series over time that the FMA summary features are statistics of.

Each is what librosa 0.11 makes of the calls in the FMA dataset's published features script
(Defferrard et al., *FMA: A Dataset For Music Analysis*, ISMIR 2017). Where librosa would do the
same work twice, or much more of it than the result needs, it is done here once: one short-time
Fourier transform serves both tuning estimates and every spectral feature.

Importing this module imports librosa, which takes seconds.
"""

import librosa
import numpy as np

from genre_assets.features.dsp.constant_q import constant_q_chroma
from genre_assets.features.dsp.spectral import chroma_stft, spectral_series
from genre_assets.features.dsp.transforms import Transforms
from genre_assets.features.dsp.zero_crossings import zero_crossing_rate


def all_series(transforms: Transforms) -> dict[str, np.ndarray]:
    """Compute the eleven series of a clip.

    Args:
        transforms: Its transforms.

    Returns:
        For each name in :data:`genre_assets.lake.feature_columns.SERIES_SIZES` an array of shape
        (rows, frames), a frame every 512 samples.
    """
    _, tuning = transforms.tunings
    of_spectrogram = spectral_series(transforms.spectrogram, transforms.sample_rate)
    of_pitch_classes = chroma_stft(transforms.spectrogram, tuning)
    # After the spectrogram's series: of a long clip, the memory of either is the other's as well.
    chroma_cqt, chroma_cens = constant_q_chroma(transforms.constant_q)
    return {
        **of_spectrogram,
        "chroma_cens": chroma_cens,
        "chroma_cqt": chroma_cqt,
        "chroma_stft": of_pitch_classes,
        "tonnetz": librosa.feature.tonnetz(chroma=chroma_cens),
        "zcr": zero_crossing_rate(transforms.samples),
    }
