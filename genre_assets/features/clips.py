"""The clips of a shard, and which of them still need features.

Light: importing this module imports nothing heavier than Arrow.
"""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.audio.files import modification_time_ns
from genre_assets.audio.probe import FROM_DECODING
from genre_assets.audio.status import WORTH_ANOTHER_TRY, AudioError, Status
from genre_assets.lake.staleness import Need, first_that_holds

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false


_JUDGED_ANEW = [
    Status.NOT_AUDIO,
    Status.UNDECODABLE,
    Status.NO_AUDIO,
    Status.TRUNCATED,
    Status.NOT_FINITE,
]
"""Failures that :attr:`Versions.before` recorded and that need not be any."""


@dataclass(frozen=True)
class Versions:
    """Which version of an extractor rows of features and failures have to be of.

    Attributes:
        current: What it computes now is of this version.
        before: The version before it, or None. What it computed of files that state their length
            is still right. Others were decoded as far as their length was estimated, and these are
            computed anew; so is what failed in a way that is not held to be a failure any more.
    """

    current: int
    before: int | None = None


@dataclass(frozen=True)
class Clip:
    """The file of a track, as far as the extractor needs it.

    Attributes:
        track_id: The track, or the first of those that hold the same bytes.
        sha256: Content address of the file.
        path: Where the file lies.
        duration_s: Seconds of audio in the file.
        bytes: Size of the file when it was probed.
        mtime_ns: Modification time of the file when it was probed.
    """

    track_id: str
    sha256: str
    path: Path
    duration_s: float
    bytes: int | None
    mtime_ns: int | None

    def is_as_probed(self) -> bool:
        """Whether the file is still the one that the probe took the SHA-256 of."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        return (found.st_size, modification_time_ns(found)) == (self.bytes, self.mtime_ns)

    def refuse_if_changed(self) -> None:
        """Refuse a file that is there but is not the one that was probed any more.

        Raises:
            AudioError: If it is so.
        """
        if self.path.exists() and not self.is_as_probed():
            raise AudioError(
                Status.FAILED,
                f"{self.path} changed after it was probed: refresh the audio first.",
            )


def needs(
    versions: Versions, audio: pa.Table, features: pa.Table, failures: pa.Table
) -> pa.ChunkedArray:
    """Say what the features of each track need.

    Args:
        versions: Versions of the extractor.
        audio: Rows of ``audio``; id, SHA-256, status and what the length is known from are read.
        features: Rows of the features as they stand, with those of the journal; id, SHA-256 and
            version are read.
        failures: Rows of the failures likewise; the status is read, too.

    Returns:
        For each track a :class:`~genre_assets.lake.staleness.Need`; the same bytes are analysed
        once.
    """
    content = audio["sha256"]
    met = failures_by_content(up_to_date(failures, versions, audio))
    settled = [sha256 for sha256, row in met.items() if row["status"] not in WORTH_ANOTHER_TRY]
    requested = failures.filter(pc.is_null(failures["extractor_version"]))["sha256"]
    of_track = [*features["track_id"].chunks, *failures["track_id"].chunks]
    of_content = [*features["sha256"].chunks, *failures["sha256"].chunks]
    return first_that_holds(
        (Need.NOTHING, pc.not_equal(audio["status"], Status.OK)),
        (Need.NOTHING, _in(content, up_to_date(features, versions, audio)["sha256"].chunks)),
        (Need.NOTHING, _in(content, [pa.array(settled, pa.string())])),
        (Need.FAILED, _in(content, [pa.array(list(met), pa.string())])),
        (Need.REQUESTED, _in(content, requested.chunks)),
        (Need.VERSION, _in(content, of_content)),
        (Need.CHANGED, _in(audio["track_id"], of_track)),
        otherwise=Need.NEW,
    )


def _in(values: pa.ChunkedArray, chunks: list[pa.Array]) -> pa.ChunkedArray:
    wanted = pa.chunked_array(chunks, pa.string()).combine_chunks()
    return pc.is_in(values, value_set=wanted)


def usable_clips(audio: pa.Table) -> list[Clip]:
    """The clips of rows of ``audio`` that are ok, sorted by ``track_id``."""
    return [
        Clip(
            row["track_id"],
            row["sha256"],
            Path(row["path"]),
            row["duration_s"] or 0.0,
            row["bytes"],
            row["mtime_ns"],
        )
        for row in sorted(audio.to_pylist(), key=lambda row: row["track_id"])
        if row["status"] == Status.OK
    ]


def up_to_date(rows: pa.Table, versions: Versions, audio: pa.Table) -> pa.Table:
    """Rows of features or failures that need not be computed anew.

    Args:
        rows: Rows of features or failures.
        versions: Versions of their extractor.
        audio: Rows of ``audio``; SHA-256 and what the length is known from are read.
    """
    version = rows["extractor_version"]
    is_current = pc.equal(version, versions.current)
    if versions.before is None:
        return rows.filter(is_current)
    decoded = audio["sha256"].filter(pc.equal(audio["duration_from"], FROM_DECODING))
    is_right = pc.and_(
        pc.equal(version, versions.before), pc.invert(_in(rows["sha256"], decoded.chunks))
    )
    if "status" in rows.column_names:
        judged_anew = pc.is_in(rows["status"], value_set=pa.array(_JUDGED_ANEW, pa.string()))
        is_right = pc.and_(is_right, pc.invert(judged_anew))
    return rows.filter(pc.or_(is_current, is_right))


def failures_by_content(failures: pa.Table) -> dict[str, dict]:
    """Rows of failures by the SHA-256 of what failed, of several the last."""
    # Oldest first, so that what a later try met is what remains.
    return {row["sha256"]: row for row in failures.to_pylist()}


def one_of_each_content(clips: list[Clip]) -> dict[str, Clip]:
    """One clip of each content, by its SHA-256: the first whose file is there."""
    # The file of a track that is gone may be, too, while a copy of it is still there.
    clips = sorted(clips, key=lambda c: (not c.is_as_probed(), c.track_id), reverse=True)
    return {clip.sha256: clip for clip in clips}
