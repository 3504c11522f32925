"""The frames of MPEG audio (MP3, and layers I and II), counted without decoding.

The header of each frame says how long it is, so that all of the sound is counted by going from one
frame to the next. The first frame of a file may state how many there are: in the Xing or Info
header that LAME and FFmpeg write, or in the VBRI header of Fraunhofer's encoder. Both are described
in K. Windszus, *MPEG Audio Frame Header* (CodeProject, 2007).
"""

import os
import re
from dataclasses import dataclass
from functools import cache
from io import FileIO

from genre_assets.audio.id3_size import after_id3

_KILOBITS = {  # By whether it is MPEG 1, and by layer.
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES = {
    3: (44_100, 48_000, 32_000),
    2: (22_050, 24_000, 16_000),
    0: (11_025, 12_000, 8_000),
}
_MPEG_1 = 3

_OF_ONE_STREAM = 0xFE0C
"""Bits of a header's second and third byte that do not change from frame to frame."""

_MAY_BE_FRAME = re.compile(rb"\xff[\xe2-\xff]")
_BLOCK = 1 << 20
_LONGEST_FRAME = 2_881


@dataclass(frozen=True)
class MpegLength:
    """How long the sound of an MPEG file is.

    Attributes:
        stated_s: Seconds that its first frame states, or None when it states none.
        present_s: Seconds of the frames that are there.
    """

    stated_s: float | None
    present_s: float


def mpeg_length(file: FileIO) -> MpegLength:
    """Read how long a file of MPEG audio states to be, and count what is there.

    Args:
        file: The file; its position stays where it is.
    """
    lengths, durations = _frames_by_header()
    descriptor = file.fileno()
    position = _next_frame(descriptor, 0)
    if position is None:
        return MpegLength(None, 0.0)
    first = os.pread(descriptor, _LONGEST_FRAME, position)
    header = first[1] << 8 | first[2]
    frames = _stated_frames(first)
    present_s = 0.0
    if frames is not None:
        position += lengths[header]
    while position is not None:
        block = os.pread(descriptor, _BLOCK, position)
        at, last = 0, len(block) - 4
        while at <= last:
            found = block[at + 1] << 8 | block[at + 2]
            if block[at] != 0xFF or not lengths[found]:
                break
            present_s += durations[found]
            at += lengths[found]
        position += at
        if at <= last:
            position = _next_frame(descriptor, position)
        elif len(block) < _BLOCK:
            break
    return MpegLength(None if frames is None else frames * durations[header], present_s)


@cache
def _frames_by_header() -> tuple[list[int], list[float]]:
    """Bytes and seconds of a frame by the second and third byte of its header; 0 where invalid."""
    lengths, durations = [0] * 65_536, [0.0] * 65_536
    for header in range(0xE200, 65_536):
        version, layer = header >> 11 & 3, 4 - (header >> 9 & 3)
        bit_rate, sample_rate, padding = header >> 4 & 15, header >> 2 & 3, header >> 1 & 1
        if version not in _SAMPLE_RATES or layer == 4 or bit_rate in (0, 15) or sample_rate == 3:
            continue
        bits = 1_000 * _KILOBITS[version == _MPEG_1, layer][bit_rate]
        rate = _SAMPLE_RATES[version][sample_rate]
        samples = {1: 384, 2: 1_152, 3: 1_152 if version == _MPEG_1 else 576}[layer]
        slot = 4 if layer == 1 else 1
        lengths[header] = (samples // 8 * bits // rate // slot + padding) * slot
        durations[header] = samples / rate
    return lengths, durations


def _next_frame(descriptor: int, position: int) -> int | None:
    """Where the next frame begins that another one of the same stream follows."""
    lengths, _ = _frames_by_header()
    while True:
        position = after_id3(descriptor, position)
        block = os.pread(descriptor, _BLOCK, position)
        tag = _tag_in(descriptor, block, position)
        for candidate in _MAY_BE_FRAME.finditer(block, 0, tag):
            at = candidate.start()
            header = int.from_bytes(block[at + 1 : at + 3])
            length = lengths[header] if at + 2 < len(block) else 0
            if not length:
                continue
            after = block[at + length : at + length + 3]
            if len(after) < 3:
                after = os.pread(descriptor, 3, position + at + length)
            same = (int.from_bytes(after[1:]) ^ header) & _OF_ONE_STREAM == 0
            if len(after) == 3 and after[0] == 0xFF and same:
                return position + at
        if tag < len(block):
            position += tag
        elif len(block) < _BLOCK:
            return None
        else:
            position += len(block) - 2


def _tag_in(descriptor: int, block: bytes, position: int) -> int:
    """Where in a block the first ID3v2 tag begins, or the length of the block without one."""
    tag = block.find(b"ID3")
    while tag >= 0 and after_id3(descriptor, position + tag) == position + tag:
        tag = block.find(b"ID3", tag + 3)
    return tag if tag >= 0 else len(block)


def _stated_frames(frame: bytes) -> int | None:
    """How many frames follow, if the first one states it."""
    is_mpeg_1, is_mono = frame[1] >> 3 & 3 == _MPEG_1, frame[3] >> 6 == 3
    side_information = (17 if is_mono else 32) if is_mpeg_1 else (9 if is_mono else 17)
    # A checksum takes two bytes more, where there is one.
    for at in (4 + side_information, 6 + side_information):
        if frame[at : at + 4] in (b"Xing", b"Info"):
            flags = int.from_bytes(frame[at + 4 : at + 8])
            return int.from_bytes(frame[at + 8 : at + 12]) or None if flags & 1 else None
    if frame[36:40] == b"VBRI":
        return int.from_bytes(frame[50:54]) or None
    return None
