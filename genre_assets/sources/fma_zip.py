"""The zips that the FMA dataset is published as: checked, then unpacked into the lake.

A dataset is read where it lies; only when a folder of it is still a zip is that zip unpacked, and
never beside it. The published zips are compressed with bzip2, which old ``unzip`` programs refuse
and Python's zipfile reads (https://github.com/mdeff/fma/issues/5).
"""

import errno
import hashlib
import json
import lzma
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from genre_assets.documents import parse_json
from genre_assets.progress import Log, Progress, silent
from genre_assets.sources.catalogue import Rejection, SourceError, printable

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
_READABLE_METHODS = {
    zipfile.ZIP_STORED,
    zipfile.ZIP_DEFLATED,
    zipfile.ZIP_BZIP2,
    zipfile.ZIP_LZMA,
}
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True)
class Unpacked:
    """A folder of the dataset that can be read.

    Attributes:
        folder: Where it lies: in the dataset, or in the lake when it came from a zip.
        rejected: Members of the zip that could not be unpacked.
        notes: Sentences for the log of the sweep.
    """

    folder: Path
    rejected: list[Rejection] = field(default_factory=list)
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
    rejected = unpack(archive, unpack_to, log=log)
    folder = unpack_to / name
    if not folder.is_dir():
        raise SourceError(f"{archive} holds no folder {name}: download it again from {DOWNLOADS}.")
    return Unpacked(folder, rejected, notes)


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
    remember_in.mkdir(parents=True, exist_ok=True)
    temporary = note.with_suffix(".tmp")
    temporary.write_text(json.dumps(fact), encoding="utf-8")
    temporary.replace(note)


def unpack(
    archive: Path,
    target: Path,
    log: Log = silent,
    max_member_bytes: int = MAX_MEMBER_BYTES,
) -> list[Rejection]:
    """Unpack a zip into a folder, going on where an earlier try stopped.

    Members whose file is there with the right size are left alone. Each one is written to a
    temporary name and renamed, and its CRC is checked on the way.

    Args:
        archive: The zip.
        target: The folder; no member is ever written outside it.
        log: Where progress goes.
        max_member_bytes: Members that declare more are refused.

    Returns:
        The members that were refused or are damaged, by name, with the reason.

    Raises:
        SourceError: If the file is no zip, or the disk has no room for it.
    """
    try:
        opened = zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise SourceError(f"{archive} cannot be read as a zip ({error}): download it again.") from (
            error
        )
    target.mkdir(parents=True, exist_ok=True)
    rejected: list[Rejection] = []
    with opened:
        _require_whole_directory(archive, opened)
        missing = []
        taken: set[Path] = set()
        for member in opened.infolist():
            if member.is_dir():
                continue
            path = target / PurePosixPath(member.filename)
            reason = _refusal(member, max_member_bytes)
            if reason is None and path in taken:
                reason = "The zip holds another member of this name."
            if reason is not None:
                rejected.append(Rejection(str(archive), member.filename, reason))
                continue
            taken.add(path)
            if not _has_size(path, member.file_size):
                missing.append((member, path))
        _require_room(archive, target, sum(member.file_size for member, _ in missing))
        progress = Progress(f"members of {archive.name} unpacked", len(missing), log)
        for member, path in missing:
            reason = _unpack_member(opened, member, path, target.resolve())
            if reason is not None:
                rejected.append(Rejection(str(archive), member.filename, reason))
            progress.count(failed=reason is not None)
    return rejected


def _require_whole_directory(archive: Path, opened: zipfile.ZipFile) -> None:
    """Refuse a zip with a damaged length in its directory, which would hide the next members."""
    for member in opened.infolist():
        name = member.orig_filename.encode("utf-8", "surrogateescape")
        if b"PK\x01\x02" in name + member.extra + member.comment:
            raise SourceError(
                f"{archive} has a damaged directory, so members of it would be lost: "
                "download it again."
            )


def _refusal(member: zipfile.ZipInfo, max_member_bytes: int) -> str | None:
    """Why a member must not be unpacked, or None when it may."""
    name = member.filename
    parts = re.split(r"[/\\]", name)
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        return "Its name is an absolute path."
    if ".." in parts or "\\" in name or "" in parts or "\0" in name:
        return "Its name does not stay inside the folder it is unpacked to."
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "Its name is no text."
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "It is a symbolic link."
    if kind not in (0, stat.S_IFREG):
        return "It is a special file."
    if member.file_size > max_member_bytes:
        return f"It declares {member.file_size} bytes, more than the {max_member_bytes} allowed."
    if member.flag_bits & 0x1:
        return "It is encrypted."
    if member.compress_type not in _READABLE_METHODS:
        return (
            f"Its compression method {member.compress_type} is not supported (stored, deflate, "
            "bzip2 and LZMA are; Deflate64 and Zstandard are not): unpack the zip with 7-Zip."
        )
    return None


def _unpack_member(
    opened: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, target: Path
) -> str | None:
    """Write one member to its place; the reason when it could not be done."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.parent.resolve().is_relative_to(target):
            return "A symbolic link in the folder leads its path out of there."
        # A link left at the temporary name would be written through.
        temporary.unlink(missing_ok=True)
        with opened.open(member) as source, temporary.open("xb") as file:
            shutil.copyfileobj(source, file, _CHUNK)
        if temporary.stat().st_size != member.file_size:
            return "It ends before the size that the zip declares."
        temporary.replace(path)
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise SourceError(
                f"The disk is full at {path}: make room and run again, it goes on from there."
            ) from error
        return f"It is damaged and could not be unpacked ({printable(str(error)) or repr(error)})."
    finally:
        if temporary.parent.is_dir():
            temporary.unlink(missing_ok=True)
    return None


def _has_size(path: Path, size: int) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size


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
