"""How many bytes of samples an uncompressed file states to hold, and how many it holds.

WAV, RF64, W64, AIFF, CAF and AU keep their samples in one chunk, whose header states its size.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from typing import Literal

Order = Literal["little", "big"]
Chunk = tuple[bytes, int, int]
"""Name of a chunk, position of the first byte in it, and its size."""

_NOT_YET_KNOWN = {0, 0xFFFF_FFFF}
"""Sizes that are written where the true one is not known yet, such as into a pipe."""

_LARGEST = 1 << 62
"""No file is larger: such sizes mean the same."""

_MOST_CHUNKS = 10_000
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"


@dataclass(frozen=True)
class DataSize:
    """Size of the samples in a file.

    Attributes:
        stated: Bytes that its header states, or None when it does not know.
        present: Bytes from the first sample to the end of the file.
    """

    stated: int | None
    present: int


def data_size(file: FileIO) -> DataSize | None:
    """Find the samples of a file and how many bytes of them there are.

    Args:
        file: The file; its position stays where it is.

    Returns:
        Their size, or None where no samples are found in this way.
    """
    descriptor = file.fileno()
    magic = os.pread(descriptor, 16, 0)
    match magic[:4]:
        case b"RIFF" | b"RF64" | b"BW64":
            found = _in_riff(descriptor, "little")
        case b"RIFX":
            found = _in_riff(descriptor, "big")
        case b"FORM":
            found = next((c for c in _chunks(descriptor, 12, "big") if c[0] == b"SSND"), None)
            # The chunk begins with two numbers that are no samples.
            found = found and (b"SSND", found[1] + 8, found[2] - 8 if found[2] > 8 else 0)
        case b"riff":
            found = next((c for c in _chunks_of_w64(descriptor) if c[0] == _W64_DATA), None)
        case b"caff":
            found = next((c for c in _chunks(descriptor, 8, "big", 8) if c[0] == b"data"), None)
            found = found and (b"data", found[1] + 4, found[2] - 4)
        case b".snd":
            begin = int.from_bytes(magic[4:8])
            found = (b".snd", begin, int.from_bytes(magic[8:12]))
        case _:
            return None
    if found is None:
        return None
    _, begin, stated = found
    size = os.fstat(descriptor).st_size
    if stated == 0 and _covers(magic, size):
        return None
    present = max(size - begin, 0)
    before_samples = {stated, stated + 4, stated + 8}
    is_known = 0 < stated < _LARGEST and not before_samples & _NOT_YET_KNOWN
    return DataSize(stated if is_known else None, present)


def _covers(magic: bytes, size: int) -> bool:
    """Whether the outermost chunk ends where the file does, so that its parts may be believed."""
    order = "big" if magic[:4] in (b"FORM", b"RIFX") else "little"
    whole = int.from_bytes(magic[4:8], order)
    return whole not in _NOT_YET_KNOWN and whole + 9 >= size


def _in_riff(descriptor: int, order: Order) -> Chunk | None:
    size_of_64_bits = 0xFFFF_FFFF
    for name, begin, size in _chunks(descriptor, 12, order):
        if name == b"ds64":
            size_of_64_bits = int.from_bytes(os.pread(descriptor, 8, begin + 8), "little")
        if name == b"data":
            return name, begin, size_of_64_bits if size == 0xFFFF_FFFF else size
    return None


def _chunks(descriptor: int, position: int, order: Order, width: int = 4) -> Iterator[Chunk]:
    """Yield name, first byte and size of each chunk."""
    for _ in range(_MOST_CHUNKS):
        head = os.pread(descriptor, 4 + width, position)
        if len(head) < 4 + width:
            return
        size = int.from_bytes(head[4:], order)
        position += 4 + width
        yield head[:4], position, size
        # Chunks of an odd size are followed by a byte that does not count, save in CAF.
        position += size + (size & 1 if width == 4 else 0)


def _chunks_of_w64(descriptor: int) -> Iterator[Chunk]:
    position = 40
    for _ in range(_MOST_CHUNKS):
        head = os.pread(descriptor, 24, position)
        size = int.from_bytes(head[16:], "little")
        if len(head) < 24 or size < 24:
            return
        yield head[:16], position + 24, size - 24
        position += -(-size // 8) * 8
