"""The pages of an Ogg file (RFC 3533), counted without decoding."""

import os
from collections import Counter
from dataclasses import dataclass
from io import FileIO

_BLOCK = 1 << 20
_HEADER = 27
_LONGEST_PAGE = _HEADER + 255 + 255 * 255
_BEGINS = 2


@dataclass(frozen=True)
class OggPages:
    """What the pages of an Ogg file are.

    Attributes:
        joined_at: Where streams begin after the first ones, as in files that were joined.
        lacking: Pages that are not there, by the gaps in their numbers.
        first_granule: Position in samples that the first page of sound ends at.
    """

    joined_at: list[int]
    lacking: int
    first_granule: int


def ogg_pages(file: FileIO) -> OggPages:
    """Go through the pages of an Ogg file.

    Args:
        file: The file; its position stays where it is.
    """
    position = first_granule = 0
    joined_at: list[int] = []
    sound_came = False
    pages: Counter[bytes] = Counter()
    last_number: dict[bytes, int] = {}
    while len(block := os.pread(file.fileno(), _BLOCK, position)) >= _HEADER:
        at = block.find(b"OggS")
        is_last_block = len(block) < _BLOCK
        while at >= 0 and (at + _LONGEST_PAGE <= len(block) or is_last_block):
            head = block[at : at + _HEADER]
            if len(head) < _HEADER or at + _HEADER + head[26] > len(block):
                break
            serial = head[14:18]
            if head[5] & _BEGINS == 0:
                sound_came = True
            elif sound_came:
                joined_at.append(position + at)
                sound_came = False
            pages[serial] += 1
            last_number[serial] = int.from_bytes(head[18:22], "little")
            granule = int.from_bytes(head[6:14], "little", signed=True)
            first_granule = first_granule or max(granule, 0)
            end = at + _HEADER + head[26] + sum(block[at + _HEADER : at + _HEADER + head[26]])
            at = end if block.startswith(b"OggS", end) else block.find(b"OggS", end)
        if is_last_block:
            break
        position += at if at > 0 else _BLOCK - 3
    lacking = sum(number + 1 - pages[serial] for serial, number in last_number.items())
    return OggPages(joined_at, max(lacking, 0), first_granule)
