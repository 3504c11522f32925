"""Summary features of the tracks of a shard, computed where they are not known yet.

Light: importing this module imports nothing heavier than Arrow and NumPy; the workers import
librosa.
"""

import numpy as np
import pyarrow as pa

from genre_assets.audio.workers import WorkerPool
from genre_assets.features import incremental
from genre_assets.features.incremental import Clip, Extractor
from genre_assets.features.summary import COLUMNS, EXTRACTOR_VERSION, FEATURE_SOURCE, extract
from genre_assets.lake.schemas import FEATURE_FAILURES, SUMMARY_FEATURES
from genre_assets.lake.tables import Journal
from genre_assets.progress import Log, silent


def extract_shard(
    audio: pa.Table,
    previous: pa.Table,
    previous_failures: pa.Table,
    journal: Journal,
    failure_journal: Journal,
    workers: WorkerPool,
    log: Log = silent,
) -> tuple[pa.Table, pa.Table]:
    """Bring ``summary_features`` and ``feature_failures`` of a shard up to date with its audio.

    As :func:`genre_assets.features.incremental.extract_shard` does it, with workers warmed up by
    :func:`~genre_assets.features.summary.warm_up`.
    """
    extractor = Extractor(
        SUMMARY_FEATURES, FEATURE_FAILURES, EXTRACTOR_VERSION, _extract, _feature_rows
    )
    return incremental.extract_shard(
        extractor, audio, previous, previous_failures, journal, failure_journal, workers, log
    )


def _extract(clip: Clip) -> np.ndarray:
    clip.refuse_if_changed()
    return extract(clip.path)


def _feature_rows(features: list[tuple[Clip, np.ndarray]]) -> pa.Table:
    values = np.stack([value for _, value in features])
    return pa.table(
        {
            "track_id": [clip.track_id for clip, _ in features],
            "sha256": [clip.sha256 for clip, _ in features],
            "extractor_version": [EXTRACTOR_VERSION] * len(features),
            "feature_source": [FEATURE_SOURCE] * len(features),
            **dict(zip(COLUMNS, values.T, strict=True)),
        },
        schema=SUMMARY_FEATURES.schema,
    )
