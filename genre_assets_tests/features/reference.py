"""The peer's way: the FMA features script's recipe, straight from librosa 0.11.

Written from the description of the dataset's published ``features.py`` (Defferrard et al., *FMA:
A Dataset For Music Analysis*, ISMIR 2017), moved to librosa 0.11 by four changes only: ``rmse`` is
``rms``, ``bins_per_octave=12`` where chroma is folded from a constant-Q transform, float32 results,
and a path instead of a track id. It takes no short cut, so that the fast way can be held to it.
"""

from pathlib import Path

import librosa
import numpy as np
from scipy import stats

from genre_assets.lake.feature_columns import SUMMARY_COLUMNS, column_name

STATISTICS = {
    "mean": np.mean,
    "std": np.std,
    "skew": stats.skew,
    "kurtosis": stats.kurtosis,
    "median": np.median,
    "min": np.min,
    "max": np.max,
}


def peer_values(path: Path | str) -> np.ndarray:
    """The 518 values of a file, with nothing done but what the peer does."""
    return _values(reference_series(*_load(path)))


def reference_of_file(path: Path | str) -> tuple[np.ndarray, np.ndarray]:
    """The 518 values of a file and how far another way may be from each."""
    return reference_of_samples(*_load(path))


def reference_of_samples(samples: np.ndarray, sample_rate: float) -> tuple[np.ndarray, np.ndarray]:
    """The 518 values of samples and how far another way may be from each.

    The allowance is ``1e-4 * max(|value|, standard deviation of the series)``, with 1 instead of
    the standard deviation for skew and kurtosis, which have no unit.
    """
    series = reference_series(samples, sample_rate)
    values = _values(series)
    scales = {}
    for name, rows in series.items():
        for statistic in STATISTICS:
            for number, deviation in enumerate(np.std(rows, axis=1), start=1):
                without_unit = statistic in ("skew", "kurtosis")
                scales[column_name(name, statistic, number)] = 1.0 if without_unit else deviation
    scale = np.array([scales[name] for name in SUMMARY_COLUMNS], dtype=np.float64)
    return values, 1e-4 * np.maximum(np.abs(values), scale)


def _load(path: Path | str) -> tuple[np.ndarray, float]:
    return librosa.load(path, sr=None, mono=True)


def _values(series: dict[str, np.ndarray]) -> np.ndarray:
    values = {}
    for name, rows in series.items():
        for statistic, of in STATISTICS.items():
            for number, value in enumerate(of(rows, axis=1), start=1):
                values[column_name(name, statistic, number)] = value
    return np.array([values[name] for name in SUMMARY_COLUMNS], dtype=np.float32)


def reference_series(x: np.ndarray, sr: float) -> dict[str, np.ndarray]:
    """The eleven series of samples, each of shape (rows, frames)."""
    feature = librosa.feature
    series = {"zcr": feature.zero_crossing_rate(x, frame_length=2048, hop_length=512)}

    cqt = np.abs(
        librosa.cqt(x, sr=sr, hop_length=512, bins_per_octave=12, n_bins=7 * 12, tuning=None)
    )
    folding = {"C": cqt, "bins_per_octave": 12, "n_chroma": 12, "n_octaves": 7}
    series["chroma_cqt"] = feature.chroma_cqt(**folding)
    series["chroma_cens"] = feature.chroma_cens(**folding)
    series["tonnetz"] = feature.tonnetz(chroma=series["chroma_cens"])

    stft = np.abs(librosa.stft(x, n_fft=2048, hop_length=512))
    series["chroma_stft"] = feature.chroma_stft(S=stft**2, n_chroma=12)
    series["rmse"] = feature.rms(S=stft)
    series["spectral_centroid"] = feature.spectral_centroid(S=stft)
    series["spectral_bandwidth"] = feature.spectral_bandwidth(S=stft)
    series["spectral_contrast"] = feature.spectral_contrast(S=stft, n_bands=6)
    series["spectral_rolloff"] = feature.spectral_rolloff(S=stft)

    mel = feature.melspectrogram(sr=sr, S=stft**2)
    series["mfcc"] = feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=20)
    return series
