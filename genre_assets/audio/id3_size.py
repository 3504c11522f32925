"""Where an ID3v2 tag ends, which may lie before and between frames of audio."""

import os


def after_id3(descriptor: int, position: int) -> int:
    """Return the position after any ID3v2 tags that begin at a position.

    Args:
        descriptor: An open file; its position stays where it is.
        position: Where a tag may begin.
    """
    while (header := os.pread(descriptor, 10, position))[:3] == b"ID3" and len(header) == 10:
        if header[3] > 4 or any(byte > 127 for byte in header[6:]):
            break
        size = sum(byte << 7 * place for place, byte in enumerate(reversed(header[6:])))
        has_footer = header[5] >> 4 & 1
        position += 10 + size + 10 * has_footer
    return position
