"""Parquet files that notice when a single bit of them changed.

Parquet's own checksums cover the pages of a file but neither its footer nor the headers of its
pages: a flipped bit there changes values without a word. So each file also carries a seal, the
SHA-256 of all its other bytes, in the gap before the footer that readers of Parquet pass over.
A file without a seal, such as one that an earlier version or another program wrote, is read too,
and checked as far as it allows.
"""

import errno
import hashlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from genre_assets.errors import UserError
from genre_assets.lake.storage import written_whole

_MARK = b"\xffgenre_assets\xfe"
"""Begins a seal. No text is UTF-8 with these bytes, so that no value can be taken for a seal."""
_DIGEST_BYTES = hashlib.sha256().digest_size
_END_BYTES = 8
"""The length of the footer and the closing ``PAR1``."""
_LONGEST_REASON = 200

_OPENED: set[tuple[Path, int, int]] = set()
"""Files that could be opened, with their time and size: every step looks at all of the lake."""


class DamagedFileError(Exception):
    """A file does not hold what was written to it.

    Attributes:
        path: The file.
        reason: What is wrong with it, in a few words.
    """

    def __init__(self, path: Path, reason: str):
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class StrangeFileError(DamagedFileError):
    """A file that the lake did not write lies among its own."""


def write_parquet(rows: pa.Table, path: Path, *, small: bool = True) -> None:
    """Write rows to a Parquet file that appears whole or not at all.

    Args:
        rows: The rows.
        path: The file.
        small: Whether to compress and index what is written; a few rows of many columns are
            written four times as fast without.

    Raises:
        DiskFullError: If there is no room for it.
    """
    with written_whole(path, rows.nbytes) as temporary:
        pq.write_table(
            rows,
            temporary,
            compression="zstd" if small else "none",
            use_dictionary=small,
            write_statistics=small,
            write_page_checksum=True,
        )
        _seal(temporary)


def _seal(path: Path) -> None:
    with path.open("r+b") as file:
        content = file.read()
        footer_bytes = int.from_bytes(content[-_END_BYTES:-4], "little")
        footer_at = len(content) - _END_BYTES - footer_bytes
        file.seek(footer_at)
        file.write(_MARK + hashlib.sha256(content).digest() + content[footer_at:])


def read_parquet(path: Path, schema: pa.Schema) -> pa.Table:
    """Read the columns of a schema from a file, null where the file lacks them.

    Args:
        path: The file.
        schema: Names and types of the columns.

    Raises:
        DamagedFileError: If the file does not hold what was written to it.
        FileNotFoundError: If there is no such file.
        UserError: If the system does not let it be read.
    """
    return _read(path, lambda _: schema)


def read_columns(path: Path, columns: list[str]) -> pa.Table:
    """Read columns with the types that they have in the file, as null text where it lacks them.

    Raises:
        DamagedFileError: If the file does not hold what was written to it.
        FileNotFoundError: If there is no such file.
        UserError: If the system does not let it be read.
    """

    def as_stored(stored: pa.Schema) -> pa.Schema:
        types = dict(zip(stored.names, stored.types, strict=True))
        return pa.schema([(name, types.get(name, pa.string())) for name in columns])

    return _read(path, as_stored)


def _read(path: Path, wanted: Callable[[pa.Schema], pa.Schema]) -> pa.Table:
    content = _content(path)
    is_sealed = _is_sealed(path, content)
    try:
        with pq.ParquetFile(_in_arrow(content), page_checksum_verification=True) as file:
            schema, stored = wanted(file.schema_arrow), set(file.schema_arrow.names)
            rows = file.read(columns=[name for name in schema.names if name in stored])
        for field in schema:
            if field.name not in stored:
                rows = rows.append_column(field.name, pa.nulls(rows.num_rows, field.type))
        rows = rows.select(schema.names).cast(schema)
        if not is_sealed:
            # Such as text that is not UTF-8, which is noticed only when somebody looks at it.
            rows.validate(full=True)
    except Exception as error:
        # Pyarrow raises whatever it stumbles over in a file that is not what it seems.
        raise DamagedFileError(path, _in_short(error)) from error
    return rows


def read_stored_schema(path: Path) -> pa.Schema:
    """The schema that a file was written with.

    Raises:
        DamagedFileError: If the file does not hold what was written to it.
        FileNotFoundError: If there is no such file.
        UserError: If the system does not let it be read.
    """
    content = _content(path)
    _is_sealed(path, content)
    try:
        return pq.read_schema(_in_arrow(content))
    except Exception as error:
        raise DamagedFileError(path, _in_short(error)) from error


def opens(path: Path) -> bool:
    """Whether a file has a readable footer: what DuckDB needs in order to bind a view to it."""
    try:
        found = path.stat()
        version = (path, found.st_mtime_ns, found.st_size)
        if version not in _OPENED:
            pq.read_metadata(path)
            _OPENED.add(version)
    except Exception:
        return False
    return True


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except IsADirectoryError as error:
        raise DamagedFileError(path, "it is a folder") from error
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ENOMEM, errno.EMFILE):
            raise
        # Perhaps a share that is not reachable just now: no reason to think ill of the file.
        raise UserError(
            f"{path} cannot be read ({error.strerror}): make sure that this user may read it and "
            "that its disk works, then try again."
        ) from error


def _in_arrow(content: bytes) -> pa.BufferReader:
    """A file in memory that belongs to Arrow.

    A thread of Arrow may be the last to let go of it. Were these bytes Python's, that thread would
    have to wait for the interpreter, and where the program is just ending that aborts the process
    (https://github.com/apache/arrow/issues/34314).
    """
    memory = pa.BufferOutputStream()
    memory.write(content)
    return pa.BufferReader(memory.getvalue())


def _is_sealed(path: Path, content: bytes) -> bool:
    """Whether a file carries a seal.

    Raises:
        DamagedFileError: If the seal is broken.
    """
    at = content.rfind(_MARK)
    if at < 0:
        return False
    digest_at = at + len(_MARK)
    rest_at = digest_at + _DIGEST_BYTES
    view = memoryview(content)
    digest = hashlib.sha256(view[:at])
    digest.update(view[rest_at:])
    if digest.digest() != content[digest_at:rest_at]:
        raise DamagedFileError(path, "its checksum does not match")
    return True


def _in_short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 1] + "…"
