"""The tags of the audio files of a shard.

Light: mutagen is imported by the workers, since tags are bytes from strangers.
"""

import contextlib
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from genre_assets.audio.status import WORTH_ANOTHER_TRY, AudioError, Status
from genre_assets.audio.workers import WorkerPool
from genre_assets.lake.schemas import ID3_TAGS
from genre_assets.progress import Log, Progress, silent
from genre_assets.tags.fields import Tags

READER_VERSION = 1

LIMIT_S = 30.0
"""Seconds that the tags of one file may take."""

_NOTHING_TO_READ = frozenset({Status.MISSING, Status.EMPTY, Status.UNREADABLE})


def read_tags(path: Path | str) -> Tags:
    """Read the tags of an audio file: ID3, MP4, Vorbis comments or APEv2.

    Args:
        path: The file; tags are read from one whose audio is damaged, too.

    Returns:
        What the tags say, with status ``ok``, ``no_tags`` or ``bad_tags``, or why the file could
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
    known = {row["sha256"]: row for row in previous.to_pylist() if _is_settled(row)}
    unknown = {
        _content(file): file["path"]
        for file in files
        if file["status"] not in _NOTHING_TO_READ and file["sha256"] not in known
    }
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
        if file["status"] in _NOTHING_TO_READ:
            rows.append(_row(file, Tags(status=Status(file["status"]), reason=file["reason"])))
        elif file["sha256"] in known:
            rows.append(known[file["sha256"]] | {"track_id": file["track_id"]})
        else:
            rows.append(_row(file, found[_content(file)]))
    return ID3_TAGS.of_rows(rows)


def _is_settled(row: dict) -> bool:
    return (
        row["sha256"] is not None
        and row["reader_version"] == READER_VERSION
        and row["status"] not in WORTH_ANOTHER_TRY
    )


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
