"""The frames of a FLAC file (RFC 9639), counted without decoding."""

import os
from functools import cache
from io import FileIO

from genre_assets.audio.id3_size import after_id3

_BLOCK = 1 << 22
_LONGEST_HEADER = 16
_BLOCK_SIZES = {1: 192} | {n: 576 << n - 2 for n in range(2, 6)} | {n: 1 << n for n in range(8, 16)}


def stated_samples(file: FileIO) -> int:
    """Samples that the header of a FLAC file states; 0 when it states none.

    Args:
        file: The file; its position stays where it is.
    """
    begin = os.pread(file.fileno(), 42, after_id3(file.fileno(), 0))
    is_flac = begin[:4] == b"fLaC" and len(begin) == 42
    return int.from_bytes(begin[21:26]) & (1 << 36) - 1 if is_flac else 0


def samples_in_frames(file: FileIO) -> int:
    """Samples of all frames in a FLAC file, by their headers.

    One frame in some thousands may be missed or counted twice, for headers are recognised by a
    checksum of eight bits.

    Args:
        file: The file; its position stays where it is.
    """
    position = samples = 0
    while block := os.pread(file.fileno(), _BLOCK, position):
        for sync in (b"\xff\xf8", b"\xff\xf9"):
            at = block.find(sync)
            while 0 <= at < _BLOCK - _LONGEST_HEADER:
                samples += _samples_of_frame(block[at : at + _LONGEST_HEADER])
                at = block.find(sync, at + 2)
        if len(block) < _BLOCK:
            break
        position += _BLOCK - _LONGEST_HEADER
    return samples


def _samples_of_frame(header: bytes) -> int:
    """Samples of the frame that begins with a header, 0 if it is none."""
    if len(header) < 6 or header[3] & 1 or header[3] >> 4 > 10 or header[2] & 15 == 15:
        return 0
    size_code, rate_code = header[2] >> 4, header[2] & 15
    ones = 8 - (header[4] ^ 0xFF).bit_length()
    end = 4 + max(ones, 1)
    size = _BLOCK_SIZES.get(size_code, 0)
    if size_code in (6, 7):
        width = size_code - 5
        size = int.from_bytes(header[end : end + width]) + 1
        end += width
    end += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    return size if ones < 8 and end < len(header) and _crc_8(header[:end]) == header[end] else 0


def _crc_8(content: bytes) -> int:
    table, remainder = _crc_8_table(), 0
    for byte in content:
        remainder = table[remainder ^ byte]
    return remainder


@cache
def _crc_8_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte << 1 ^ (0x07 if byte & 0x80 else 0)) & 0xFF
        table.append(byte)
    return table
