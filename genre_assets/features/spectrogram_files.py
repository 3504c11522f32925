"""The TFRecord files of the lake: the spectrograms of one audio file each, by its content.

``<lake>/tfrecords/spectrograms-<version>/ab/<sha256>.tfrecord`` holds a record for each segment,
in their order, a ``tf.train.Example`` of

- for each name in :data:`genre_assets.features.spectrograms.BANDS` the bytes of an array of shape
  (frames, bands), float16, little-endian, C order;
- ``segment``, an integer.

A file for each content and not one for a thousand, so that a worker writes it whole or not at all,
what is new touches nothing that is there, a track that had to go goes alone, and each side of a
split reads no byte of the other: a net is fed as fast as from large files (benchmarks/feeding.py).
"""

from pathlib import Path

import pyarrow as pa

from genre_assets.features import spectrograms
from genre_assets.features.spectrograms import Segment
from genre_assets.lake.files import everything_of, unless_vanished
from genre_assets.lake.places import Places
from genre_assets.lake.schemas import SPECTROGRAMS
from genre_assets.lake.storage import is_a_day_old
from genre_assets.lake.tables import Lake
from genre_assets.lake.tfrecords import example, write_tfrecord


def relative_path(sha256: str) -> str:
    """Where the spectrograms of a content lie, relative to the lake."""
    return f"tfrecords/spectrograms-{spectrograms.EXTRACTOR_VERSION}/{sha256[:2]}/{sha256}.tfrecord"


def write_segments(places: Places, sha256: str, segments: list[Segment]) -> int:
    """Write the spectrograms of a content to its file, whole and synced or not at all.

    Returns:
        Size of the file in bytes.
    """
    records = (
        example(
            {name: values.astype("<f2").tobytes() for name, values in segment.spectrograms.items()}
            | {"segment": segment.number}
        )
        for segment in segments
    )
    path = places.at(relative_path(sha256))
    write_tfrecord(path, records)
    return path.stat().st_size


def bytes_there(lake: Lake, rows: pa.Table) -> dict[str, int | None]:
    """Sizes of the files that rows of ``spectrograms`` name; None where there is none."""
    sizes = {}
    for name in sorted(set(rows["file"].to_pylist())):
        try:
            sizes[name] = lake.places.at(name).stat().st_size
        except FileNotFoundError:
            sizes[name] = None
    return sizes


def remove_contents(places: Places, contents: frozenset[str]) -> int:
    """Delete the spectrograms of contents that had to go, of any version; how many files."""
    return sum(
        _removed(path)
        for sha256 in sorted(contents)
        for path in _all_files(places, f"{sha256[:2]}/*{sha256}*")
    )


def remove_unlisted(lake: Lake) -> int:
    """Delete files that no row names any more, or that a kill left; how many files.

    They stay for a day, for whoever is reading them and for runs that still write. Rows that a
    killed run left in its journal name theirs, too: the next run takes them over.
    """
    listed = {row["file"] for row in everything_of(lake, SPECTROGRAMS, ["file"])}
    removed = 0
    for path in _all_files(lake.places, "*/*"):
        if lake.places.name_of(path) not in listed:
            with unless_vanished():
                if is_a_day_old(path):
                    path.unlink()
                    removed += 1
    return removed


def _all_files(places: Places, pattern: str) -> list[Path]:
    return sorted(places.tfrecords.glob(f"spectrograms-*/{pattern}"))


def _removed(path: Path) -> bool:
    path.unlink(missing_ok=True)
    return True
