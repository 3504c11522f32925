"""The zips that the FMA dataset is published as: checked, then unpacked into the lake.

A dataset is read where it lies; only when a folder of it is still a zip is that zip unpacked, and
never beside it. The published zips are compressed with bzip2, which old ``unzip`` programs refuse
and Python's zipfile reads (https://github.com/mdeff/fma/issues/5).
"""

import hashlib
import json
import lzma
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from genre_assets.documents import parse_json
from genre_assets.lake.storage import is_a_day_old, temporary_files, written_whole
from genre_assets.progress import Log, Progress, silent
from genre_assets.sources.catalogue import SourceError, printable

PUBLISHED_SHA1 = {
    "fma_metadata.zip": "f0df49ffe5f2a6008d7dc83c6915b31835dfe733",
    "fma_small.zip": "ade154f733639d52e35e32f5593efe5be76c6d70",
    "fma_medium.zip": "c67b69ea232021025fca9231fc1c7c1a063ab50b",
    "fma_large.zip": "497109f4dd721066b5ce5e5f250ec604dc78939e",
    "fma_full.zip": "0f0ace23fbe9ba30ecb7e95f763e435ea802b8ab",
}
"""SHA-1 of each zip, from https://github.com/mdeff/fma (release of 2017-05-09)."""

DOWNLOADS = "https://os.unil.cloud.switch.ch/fma"
MAX_MEMBER_BYTES = 4 << 30
"""Larger members are refused; the largest published one is features.csv with 0.9 GiB."""

_CHUNK = 1 << 20
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)
"""What zipfile raises for zips that are damaged, encrypted or compressed in ways it cannot read."""


@dataclass(frozen=True)
class Unpacked:
    """A folder of the dataset that can be read.

    Attributes:
        folder: Where it lies: in the dataset, or in the lake when it came from a zip.
        notes: Sentences for the log of the sweep.
    """

    folder: Path
    notes: list[str] = field(default_factory=list)


def dataset_folder(
    root: Path,
    name: str,
    unpack_to: Path | None,
    checksums: Mapping[str, str] = PUBLISHED_SHA1,
    log: Log = silent,
) -> Unpacked | None:
    """A folder of the dataset, unpacked from its zip when only that lies there.

    Args:
        root: The folder that holds the dataset.
        name: ``fma_metadata`` or ``fma_<subset>``.
        unpack_to: Where a zip is unpacked, outside the dataset; None refuses to unpack.
        checksums: SHA-1 by zip name; a zip without one is used unchecked, with a note.
        log: Where progress goes.

    Returns:
        The folder; None when neither the folder nor its zip is there.

    Raises:
        SourceError: If the zip is not the published one, or cannot be unpacked.
    """
    if (root / name).is_dir():
        return Unpacked(root / name)
    archive = root / f"{name}.zip"
    if not archive.is_file():
        return None
    if unpack_to is None:
        raise SourceError(f"{archive} is not unpacked: unpack it, or name a folder to unpack to.")
    notes = []
    expected = checksums.get(archive.name)
    if expected is None:
        notes.append(f"{archive} was not checked, because no checksum of it is published.")
    else:
        check_sha1(archive, expected, remember_in=unpack_to, log=log)
    unpack(archive, unpack_to, log=log)
    folder = unpack_to / name
    if not folder.is_dir():
        raise SourceError(f"{archive} holds no folder {name}: download it again from {DOWNLOADS}.")
    return Unpacked(folder, notes)


def check_sha1(archive: Path, expected: str, remember_in: Path, log: Log = silent) -> None:
    """Compare a zip with its published SHA-1, unless that was done for this very file.

    Args:
        archive: The zip.
        expected: Its SHA-1 in hexadecimal digits.
        remember_in: Folder that keeps a note of the verified file's size and modification time.
        log: Where progress goes.

    Raises:
        SourceError: If the checksums differ.
    """
    status = archive.stat()
    fact = {
        "path": str(archive),
        "bytes": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "sha1": expected,
    }
    note = remember_in / f".{archive.name}.verified.json"
    if _read_json(note) == fact:
        return
    log(f"Checking the SHA-1 of {archive}")
    found = _sha1(archive, status.st_size, log)
    if found != expected:
        raise SourceError(
            f"{archive} has the SHA-1 {found} and not the published {expected}: "
            f"download it again from {DOWNLOADS}/{archive.name}."
        )
    with written_whole(note) as temporary:
        temporary.write_text(json.dumps(fact), encoding="utf-8")


def unpack(
    archive: Path,
    target: Path,
    log: Log = silent,
    max_member_bytes: int = MAX_MEMBER_BYTES,
) -> None:
    """Unpack a zip into a folder, going on where an earlier try stopped.

    Members whose file is there with the right size are left alone.

    Args:
        archive: The zip.
        target: The folder; no member is ever written outside it.
        log: Where progress goes.
        max_member_bytes: A zip with a member that declares more is refused.

    Raises:
        SourceError: If the file is not a zip that can be unpacked, or the disk has no room for it.
        DiskFullError: If the disk fills up meanwhile; what was unpacked is kept.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            for member in members:
                _refuse_unsafe(archive, member, target, max_member_bytes)
            for leftover in temporary_files(target):
                if is_a_day_old(leftover):
                    leftover.unlink(missing_ok=True)
            missing = [m for m in members if not _has_size(target / m.filename, m.file_size)]
            target.mkdir(parents=True, exist_ok=True)
            _require_room(archive, target, sum(member.file_size for member in missing))
            progress = Progress(f"members of {archive.name} unpacked", len(missing), log)
            for member in missing:
                with (
                    opened.open(member) as source,
                    written_whole(target / member.filename, sync=False) as temporary,
                    temporary.open("wb") as file,
                ):
                    shutil.copyfileobj(source, file, _CHUNK)
                progress.count()
    except _DAMAGE as error:
        reason = printable(str(error)) or repr(error)
        raise SourceError(f"{archive} cannot be unpacked ({reason}): download it again.") from error


def _refuse_unsafe(
    archive: Path, member: zipfile.ZipInfo, target: Path, max_member_bytes: int
) -> None:
    if not (target / member.filename).resolve().is_relative_to(target.resolve()):
        raise SourceError(f"{archive} is not unpacked: {member.filename!r} leads out of {target}.")
    if member.file_size > max_member_bytes:
        raise SourceError(
            f"{archive} is not unpacked: {member.filename!r} declares {member.file_size} bytes, "
            f"more than the {max_member_bytes} allowed."
        )


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _require_room(archive: Path, target: Path, needed: int) -> None:
    free = shutil.disk_usage(target).free
    if needed > free:
        raise SourceError(
            f"{archive} needs {needed / 2**30:.1f} GiB to unpack and {target} has "
            f"{free / 2**30:.1f} GiB left: make room, or unpack it elsewhere and name that folder."
        )


def _sha1(archive: Path, size: int, log: Log) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    progress = Progress(f"MiB of {archive.name} checked", -(-size // _CHUNK), log)
    with archive.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            progress.count()
    return digest.hexdigest()


def _read_json(path: Path) -> object:
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
