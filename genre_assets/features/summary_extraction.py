"""The table of the summary features: what computes its rows.

Light: importing this module imports nothing heavier than Arrow and NumPy.
"""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from genre_assets.features import summary
from genre_assets.features.clips import Clip, Versions
from genre_assets.features.extraction import Extractor
from genre_assets.lake.schemas import FEATURE_FAILURES, SUMMARY_FEATURES

if TYPE_CHECKING:
    from genre_assets.features.dsp.transforms import Transforms


def summary_extractor() -> Extractor[np.ndarray]:
    """What makes ``summary_features`` and ``feature_failures``.

    Its workers are best warmed up by :func:`genre_assets.features.summary.warm_up`.
    """
    versions = Versions(summary.EXTRACTOR_VERSION, summary.VERSION_BEFORE)
    return Extractor(SUMMARY_FEATURES, FEATURE_FAILURES, versions, _values, _rows)


def _values(clip: Clip, transforms: "Transforms") -> np.ndarray:
    return summary.summarise_transforms(transforms)


def _rows(features: list[tuple[Clip, np.ndarray]]) -> pa.Table:
    values = np.stack([value for _, value in features])
    return pa.table(
        {
            "track_id": [clip.track_id for clip, _ in features],
            "sha256": [clip.sha256 for clip, _ in features],
            "extractor_version": [summary.EXTRACTOR_VERSION] * len(features),
            "feature_source": [summary.FEATURE_SOURCE] * len(features),
            # What is not defined is NaN in the extractor, and null in the table.
            **{
                name: pa.array(column, from_pandas=True)
                for name, column in zip(summary.COLUMNS, values.T, strict=True)
            },
        },
        schema=SUMMARY_FEATURES.schema,
    )
