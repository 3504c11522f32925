"""Spectrograms of the tracks of a shard, computed where they are not there yet.

Light: importing this module imports nothing heavier than Arrow and NumPy; the workers import
librosa, and none of them TensorFlow.
"""

from functools import partial
from pathlib import Path

import pyarrow as pa

from genre_assets.audio.workers import WorkerPool
from genre_assets.features import incremental
from genre_assets.features.incremental import Clip, Extractor
from genre_assets.features.spectrogram_files import bytes_there, relative_path, write_segments
from genre_assets.features.spectrograms import EXTRACTOR_VERSION, extract
from genre_assets.lake.schemas import SPECTROGRAM_FAILURES, SPECTROGRAMS
from genre_assets.lake.tables import Lake
from genre_assets.progress import Log, silent


def extract_shard(
    lake: Lake, shard: str, audio: pa.Table, workers: WorkerPool, log: Log = silent
) -> tuple[pa.Table, pa.Table]:
    """Bring the spectrograms of a shard up to date with its audio.

    Those whose file is not there any more, or is not whole, are computed anew. A run that was
    killed goes on where it was. Whoever calls holds the lock of ``spectrograms`` of the shard.

    Args:
        lake: The lake, which both tables and the TFRecord files are written to.
        shard: The shard.
        audio: Rows of ``audio`` of the shard.
        workers: The processes that compute, warmed up by
            :func:`~genre_assets.features.spectrograms.warm_up`.
        log: Takes lines about the progress.

    Returns:
        Rows of ``spectrograms`` and of ``spectrogram_failures``; every track whose audio is ok
        has rows in exactly one of them.
    """
    extractor = Extractor(
        SPECTROGRAMS,
        SPECTROGRAM_FAILURES,
        EXTRACTOR_VERSION,
        partial(_extract, lake_root=lake.root),
        _rows,
    )
    journal = lake.journal(SPECTROGRAMS, shard)
    failure_journal = lake.journal(SPECTROGRAM_FAILURES, shard)
    rows, failures = incremental.extract_shard(
        extractor,
        audio,
        _with_files(lake, lake.read(SPECTROGRAMS, [shard])),
        lake.read(SPECTROGRAM_FAILURES, [shard]),
        journal,
        failure_journal,
        workers,
        log,
    )
    lake.write(SPECTROGRAMS, rows, shard)
    lake.write(SPECTROGRAM_FAILURES, failures, shard)
    journal.clear()
    failure_journal.clear()
    return rows, failures


def _with_files(lake: Lake, rows: pa.Table) -> pa.Table:
    sizes = bytes_there(lake, rows)
    named = zip(rows["file"].to_pylist(), rows["bytes"].to_pylist(), strict=True)
    return rows.filter(pa.array([sizes[name] == size for name, size in named], pa.bool_()))


def _extract(clip: Clip, lake_root: Path) -> list[dict]:
    clip.refuse_if_changed()
    segments, sample_rate = extract(clip.path)
    size = write_segments(lake_root, clip.sha256, segments)
    return [
        {
            "segment": segment.number,
            "start_s": segment.start_s,
            "sample_rate": sample_rate,
            "frames": segment.frames,
            "bytes": size,
        }
        for segment in segments
    ]


def _rows(extracted: list[tuple[Clip, list[dict]]]) -> pa.Table:
    return SPECTROGRAMS.of_rows(
        [
            {
                "track_id": clip.track_id,
                "sha256": clip.sha256,
                "extractor_version": EXTRACTOR_VERSION,
                "file": relative_path(clip.sha256),
                **segment,
            }
            for clip, segments in extracted
            for segment in segments
        ]
    )
