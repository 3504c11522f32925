"""The tags of the audio files of a shard.

They have no journal: the tags of a shard of 5,000 files are read in a few seconds.

Light: mutagen is imported by the workers, since tags are bytes from strangers.
"""

import contextlib
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.audio.status import WORTH_ANOTHER_TRY, AudioError, Status
from genre_assets.audio.workers import WorkerPool
from genre_assets.lake.schemas import ID3_TAGS
from genre_assets.lake.staleness import Need, first_that_holds, needs_work
from genre_assets.progress import Log, Progress, silent
from genre_assets.tags.fields import Tags

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

READER_VERSION = 2

LIMIT_S = 30.0
"""Seconds that the tags of one file may take."""

NOTHING_TO_READ = frozenset({Status.MISSING, Status.EMPTY, Status.UNREADABLE})
_UNREAD = pa.array(sorted(NOTHING_TO_READ), pa.string())


def read_tags(path: Path | str) -> Tags:
    """Read the tags of an audio file, of every kind that it carries.

    Args:
        path: The file; tags are read from one whose audio is damaged, too.

    Returns:
        What the tags say, with status ``ok``, ``no_tags`` or ``bad_tags``; or why the file could
        not be opened.
    """
    from genre_assets.audio.files import opened
    from genre_assets.tags.containers import read_container

    path = Path(path)
    try:
        with opened(path) as file:
            return read_container(file, path)
    except AudioError as error:
        return Tags(status=error.status, reason=error.reason)


def read_tags_of_shard(
    audio: pa.Table, previous: pa.Table, workers: WorkerPool, log: Log = silent
) -> pa.Table:
    """Bring the rows of ``id3_tags`` of a shard up to date with its audio.

    The tags of a file are known by its SHA-256 and the version of the reader: what is known is
    taken over, and the same bytes are read once however many tracks hold them. Files whose audio
    is damaged are read, too.

    Args:
        audio: Rows of ``audio`` of the shard.
        previous: Rows of ``id3_tags`` as they stand.
        workers: The processes that read.
        log: Takes lines about the progress.

    Returns:
        Rows of ``id3_tags``, one a row of ``audio``, sorted by ``track_id``.
    """
    files = sorted(audio.to_pylist(), key=lambda file: file["track_id"])
    known = {row["sha256"]: row for row in previous.filter(_settled(previous)).to_pylist()}
    pending = audio.filter(needs_work(needs(audio, previous))).sort_by("track_id")
    unknown = {_content(file): file["path"] for file in pending.to_pylist()}
    found: dict[str, Tags] = {}
    progress = Progress("files' tags read", len(unknown), log)
    reading = workers.run(_read_item, unknown.items(), LIMIT_S, name=_path)
    with contextlib.closing(reading) as results:
        for (content, _), tags in results:
            if isinstance(tags, AudioError):
                tags = Tags(status=tags.status, reason=tags.reason)
            found[content] = tags
            progress.count(failed=tags.status not in (Status.OK, Status.NO_TAGS))

    rows = []
    for file in files:
        if file["status"] in NOTHING_TO_READ:
            rows.append(_row(file, Tags(status=Status(file["status"]), reason=file["reason"])))
        elif file["sha256"] in known:
            rows.append(known[file["sha256"]] | {"track_id": file["track_id"]})
        else:
            rows.append(_row(file, found[_content(file)]))
    return ID3_TAGS.of_rows(rows)


def needs(audio: pa.Table, previous: pa.Table) -> pa.ChunkedArray:
    """Say what the tags of each file need.

    Args:
        audio: Rows of ``audio``; id, SHA-256 and status are read.
        previous: Rows of ``id3_tags`` as they stand; id, SHA-256, status and version are read.

    Returns:
        For each file a :class:`~genre_assets.lake.staleness.Need`; files of the same bytes are
        read once.
    """
    content = audio["sha256"]
    settled = previous["sha256"].filter(_settled(previous)).combine_chunks()
    contents = previous["sha256"].combine_chunks()
    place = pc.index_in(content, value_set=contents, skip_nulls=True)
    version = previous["reader_version"].take(place)
    of_track = pc.index_in(audio["track_id"], value_set=previous["track_id"].combine_chunks())
    was_read = pc.invert(pc.is_in(previous["status"].take(of_track), value_set=_UNREAD))
    is_known = pc.is_valid(place)
    return first_that_holds(
        (Need.NOTHING, pc.is_in(audio["status"], value_set=_UNREAD)),
        (Need.NOTHING, pc.is_in(content, value_set=settled)),
        (Need.REQUESTED, pc.and_(is_known, pc.is_null(version))),
        (Need.VERSION, pc.and_(is_known, pc.not_equal(version, READER_VERSION))),
        (Need.FAILED, is_known),
        (Need.NEW, pc.or_(pc.is_null(of_track), pc.invert(was_read))),
        (Need.FAILED, pc.is_null(content)),
        otherwise=Need.CHANGED,
    )


def _settled(previous: pa.Table) -> pa.ChunkedArray:
    """Which rows of ``id3_tags`` are taken over."""
    may_be_mended = pc.is_in(previous["status"], value_set=pa.array(sorted(WORTH_ANOTHER_TRY)))
    is_ours = pc.fill_null(pc.equal(previous["reader_version"], READER_VERSION), False)
    return pc.and_(pc.is_valid(previous["sha256"]), pc.and_(is_ours, pc.invert(may_be_mended)))


def _content(file: dict) -> str:
    # A file that the probe could not identify stands for itself.
    return file["sha256"] or file["path"]


def _read_item(item: tuple[str, str]) -> Tags:
    return read_tags(_path(item))


def _path(item: tuple[str, str]) -> str:
    return item[1]


def _row(file: dict, tags: Tags) -> dict:
    return asdict(tags) | {
        "track_id": file["track_id"],
        "sha256": file["sha256"],
        "status": str(tags.status),
        "reader_version": READER_VERSION,
    }
