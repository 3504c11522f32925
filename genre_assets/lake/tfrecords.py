"""Writing TFRecord files, which TensorFlow reads fastest, without TensorFlow.

A worker that loaded TensorFlow to write a few arrays would take seconds to start and 500 MB; the
format is a frame of lengths and checksums around a protocol buffer of three levels. It is that of
TensorFlow's ``tensorflow/core/lib/io/record_writer.h`` and ``core/example/example.proto``.

Loads numba: import it when records are written.
"""

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numba import njit

from genre_assets.lake.storage import written_whole

_CASTAGNOLI = 0x82F63B78
_BYTES_LIST, _INT64_LIST = 1, 3


def write_tfrecord(path: Path, records: Iterable[bytes]) -> None:
    """Write records to a file that appears whole and synced or not at all.

    Args:
        path: The file; its folder is made.
        records: The records, such as those that :func:`example` makes.

    Raises:
        DiskFullError: If there is no room for them.
    """
    with written_whole(path) as temporary, temporary.open("wb") as file:
        for record in records:
            length = struct.pack("<Q", len(record))
            file.write(length + _masked_crc(length))
            file.write(record)
            file.write(_masked_crc(record))


def example(features: Mapping[str, bytes | int]) -> bytes:
    """A record as ``tf.io.parse_single_example`` reads it.

    Args:
        features: Bytes or an integer that is not negative for each name.

    Returns:
        A serialised ``tf.train.Example``.
    """
    entries = (
        _field(1, _field(1, name.encode()) + _field(2, _feature(value)))
        for name, value in features.items()
    )
    return _field(1, b"".join(entries))


def _feature(value: bytes | int) -> bytes:
    if isinstance(value, bytes):
        return _field(_BYTES_LIST, _field(1, value))
    return _field(_INT64_LIST, _field(1, _varint(value)))


def _field(number: int, content: bytes) -> bytes:
    of_a_length = 2
    return _varint(number << 3 | of_a_length) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def _masked_crc(data: bytes) -> bytes:
    crc = int(_crc32c(np.frombuffer(data, np.uint8), _TABLES))
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return struct.pack("<I", masked)


def _tables() -> np.ndarray:
    tables = np.empty((8, 256), np.uint32)
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = np.where(values & 1, values >> 1 ^ np.uint32(_CASTAGNOLI), values >> 1)
    tables[0] = values
    for step in range(1, 8):
        tables[step] = tables[0][tables[step - 1] & 0xFF] ^ tables[step - 1] >> 8
    return tables


_TABLES = _tables()


@njit(cache=True)
def _crc32c(data, tables):
    """Eight bytes at a time: Kounavis and Berry, *A Systematic Approach to Building CRCs*, 2005."""
    crc = np.uint32(0xFFFFFFFF)
    low = np.uint32(0xFF)
    whole = data.size - data.size % 8
    for at in range(0, whole, 8):
        crc ^= (
            np.uint32(data[at])
            | np.uint32(data[at + 1]) << np.uint32(8)
            | np.uint32(data[at + 2]) << np.uint32(16)
            | np.uint32(data[at + 3]) << np.uint32(24)
        )
        crc = (
            tables[7, crc & low]
            ^ tables[6, crc >> np.uint32(8) & low]
            ^ tables[5, crc >> np.uint32(16) & low]
            ^ tables[4, crc >> np.uint32(24)]
            ^ tables[3, data[at + 4]]
            ^ tables[2, data[at + 5]]
            ^ tables[1, data[at + 6]]
            ^ tables[0, data[at + 7]]
        )
    for at in range(whole, data.size):
        crc = tables[0, (crc ^ data[at]) & low] ^ crc >> np.uint32(8)
    return crc ^ np.uint32(0xFFFFFFFF)


def warm_up() -> None:
    """Compile the checksum, under the lock of whoever compiles."""
    _masked_crc(b"some bytes")
