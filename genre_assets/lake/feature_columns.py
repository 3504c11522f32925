"""Names and meanings of the feature columns, in the order of the FMA dataset's own files.

The 518 summary features are those of Defferrard et al., *FMA: A Dataset For Music Analysis*
(ISMIR 2017): seven statistics over time of eleven series. Light on purpose: schemas need the
names, only the extractor needs librosa.
"""

SERIES_SIZES = {
    "chroma_cens": 12,
    "chroma_cqt": 12,
    "chroma_stft": 12,
    "mfcc": 20,
    "rmse": 1,
    "spectral_bandwidth": 1,
    "spectral_centroid": 1,
    "spectral_contrast": 7,
    "spectral_rolloff": 1,
    "tonnetz": 6,
    "zcr": 1,
}
"""Rows of each series, in alphabetical order as in features.csv."""

STATISTICS = ("kurtosis", "max", "mean", "median", "min", "skew", "std")
"""Statistics over time of each row, in alphabetical order as in features.csv."""


def column_name(series: str, statistic: str, number: int) -> str:
    """Name of one summary feature, such as ``mfcc_mean_01``; rows are counted from one."""
    return f"{series}_{statistic}_{number:02d}"


MAY_BE_UNDEFINED = ("kurtosis", "skew")
"""Statistics that a row which never changes does not have: both are divided by its deviation."""

_OR_NULL = ", null where that never changes"

SUMMARY_COLUMNS = {
    column_name(series, statistic, number): f"{statistic} over time of {series} row {number}"
    + (_OR_NULL if statistic in MAY_BE_UNDEFINED else "")
    for series, size in SERIES_SIZES.items()
    for statistic in STATISTICS
    for number in range(1, size + 1)
}
"""The 518 columns in features.csv order, each with what it means."""

ECHONEST_COLUMNS = {
    name: f"{name} as Echonest (now Spotify) computed it"
    for name in (
        "acousticness",
        "danceability",
        "energy",
        "instrumentalness",
        "liveness",
        "speechiness",
        "tempo",
        "valence",
    )
}
"""The eight audio features of echonest.csv."""
