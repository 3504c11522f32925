"""The table of the spectrograms: what computes its rows and writes the files that they name.

Light: importing this module imports nothing heavier than Arrow and NumPy; no worker imports
TensorFlow.
"""

from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from genre_assets.features import spectrograms
from genre_assets.features.clips import Clip, Versions
from genre_assets.features.extraction import Extractor
from genre_assets.features.spectrogram_files import bytes_there, relative_path, write_segments
from genre_assets.lake.places import Places
from genre_assets.lake.schemas import SPECTROGRAM_FAILURES, SPECTROGRAMS
from genre_assets.lake.tables import Lake

if TYPE_CHECKING:
    from genre_assets.features.dsp.transforms import Transforms


def spectrogram_extractor(places: Places) -> Extractor[list[dict]]:
    """What makes ``spectrograms`` and ``spectrogram_failures``, and files in the lake.

    Spectrograms whose file is not there any more, or is not whole, are computed anew. Its workers
    are best warmed up by :func:`genre_assets.features.spectrograms.warm_up`.
    """
    return Extractor(
        SPECTROGRAMS,
        SPECTROGRAM_FAILURES,
        Versions(spectrograms.EXTRACTOR_VERSION, spectrograms.VERSION_BEFORE),
        partial(_segments, places=places),
        _rows,
        _with_files,
        on_request=True,
    )


def _with_files(lake: Lake, rows: pa.Table) -> pa.Table:
    sizes = bytes_there(lake, rows)
    named = zip(rows["file"].to_pylist(), rows["bytes"].to_pylist(), strict=True)
    return rows.filter(pa.array([sizes[name] == size for name, size in named], pa.bool_()))


def _segments(clip: Clip, transforms: "Transforms", places: Places) -> list[dict]:
    segments = spectrograms.cut_segments(transforms)
    size = write_segments(places, clip.sha256, segments)
    return [
        {
            "segment": segment.number,
            "start_s": segment.start_s,
            "sample_rate": transforms.sample_rate,
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
                "extractor_version": spectrograms.EXTRACTOR_VERSION,
                "file": relative_path(clip.sha256),
                **segment,
            }
            for clip, segments in extracted
            for segment in segments
        ]
    )
