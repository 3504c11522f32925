"""The length that the header of a WMA file states (ASF specification, Microsoft 2004, 3.2)."""

import os
from io import FileIO

_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_HEADER_AT_MOST = 1 << 16
_IS_BROADCAST = 1


def stated_seconds(file: FileIO) -> float | None:
    """Seconds that a WMA file states, or None when it states none, as a broadcast does.

    Args:
        file: The file; its position stays where it is.
    """
    begin = os.pread(file.fileno(), _HEADER_AT_MOST, 0)
    at = begin.find(_FILE_PROPERTIES)
    properties = begin[at : at + 104]
    if at < 0 or len(properties) < 104:
        return None
    play_100_ns, preroll_ms = (int.from_bytes(properties[n : n + 8], "little") for n in (64, 80))
    seconds = play_100_ns / 1e7 - preroll_ms / 1e3
    is_broadcast = int.from_bytes(properties[88:92], "little") & _IS_BROADCAST
    return seconds if seconds > 0 and not is_broadcast else None
