"""Writing TFRecord files, which TensorFlow reads fastest, without TensorFlow.

A worker that loaded TensorFlow to write a few arrays would take seconds to start and 500 MB; the
format is a frame of lengths and checksums around a protocol buffer of three levels. It is that of
TensorFlow's ``tensorflow/core/lib/io/record_writer.h`` and ``core/example/example.proto``.
"""

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

import google_crc32c

from genre_assets.lake.storage import written_whole

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
    crc = google_crc32c.value(data)
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return struct.pack("<I", masked)
