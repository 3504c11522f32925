"""Tags in files that are made of chunks: WAVE, its forms for long files, AIFF and DSF.

Beside ID3, a WAVE file may hold a list of short texts (Microsoft and IBM, *Multimedia Programming
Interface and Data Specifications 1.0*, 1991, "INFO List Chunk"; the 64-bit form: EBU Tech 3306 and
ITU-R BS.2088), and an AIFF file text chunks of its own (Apple, *Audio Interchange File Format*,
1989).

Loads mutagen: import this module in the worker that reads.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Literal, TypeAlias

from genre_assets.tags.blocks import Found, Keys, add_id3, block_of

_Order: TypeAlias = Literal["little", "big"]

WAVE: dict[bytes, _Order] = {
    b"RIFF": "little",
    b"RF64": "little",
    b"BW64": "little",
    b"RIFX": "big",
}
"""The first bytes of a WAVE file, and the order of the bytes in its numbers."""

_INFO_KEYS: Keys = {
    "title": ("INAM",),
    "artist": ("IART",),
    "album": ("IPRD",),
    "track_number": ("ITRK", "IPRT", "TRCK"),
    "genres": ("IGNR",),
    "year": ("ICRD", "YEAR"),
    "comment": ("ICMT",),
    "encoder": ("ISFT",),
}
_AIFF_KEYS: Keys = {"title": ("NAME",), "artist": ("AUTH",), "comment": ("ANNO",)}

_MOST_CHUNKS = 10_000
"""Chunks of a file that are looked at; real files have some ten."""

_LONGEST_TEXT = 1 << 14
_LONGEST_LIST = 1 << 20
_UNSAID = 0xFFFFFFFF
_CHUNK_ID = re.compile(rb"[\x20-\x7e]{4}")


@dataclass(frozen=True)
class _Chunk:
    name: str
    start: int
    size: int


def read_wave(file: IO[bytes]) -> Found:
    """The tags of a WAVE file, ID3 before its list of texts."""
    order = WAVE[_at(file, 0, 4)]
    found, texts = Found(), {}
    for chunk in _chunks(file, 12, _end(file), order):
        if chunk.name in ("id3 ", "ID3 "):
            _add_id3(found, file, chunk)
        elif chunk.name == "LIST" and _at(file, chunk.start, 4) == b"INFO":
            listed = BytesIO(_at(file, chunk.start + 4, min(chunk.size - 4, _LONGEST_LIST)))
            for item in _chunks(listed, 0, _end(listed), order):
                _add_text(texts, listed, item)
        elif chunk.name == "fmt " and chunk.size >= 12:
            found.bitrate = 8 * int.from_bytes(_at(file, chunk.start + 8, 4), order)
    if texts:
        found.blocks.append(block_of("INFO", _INFO_KEYS, lambda name: texts.get(name, ())))
    return found


def read_aiff(file: IO[bytes]) -> Found:
    """The tags of an AIFF file, ID3 before its text chunks."""
    found, texts = Found(), {}
    for chunk in _chunks(file, 12, _end(file), "big"):
        if chunk.name == "ID3 ":
            _add_id3(found, file, chunk)
        elif chunk.name in ("NAME", "AUTH", "ANNO"):
            _add_text(texts, file, chunk)
    if texts:
        found.blocks.append(block_of("AIFF", _AIFF_KEYS, lambda name: texts.get(name, ())))
    return found


def read_dsf(file: IO[bytes]) -> Found:
    """The ID3 tags of a DSF file, to which its header points."""
    found, end = Found(), _end(file)
    start = int.from_bytes(_at(file, 20, 8), "little")
    if 0 < start < end:
        _add_id3(found, file, _Chunk("ID3 ", start, end - start))
    return found


def _chunks(file: IO[bytes], place: int, end: int, order: _Order) -> Iterator[_Chunk]:
    """The chunks of a file from a place on, up to the first that is none."""
    real_sizes: dict[str, int] = {}
    for _ in range(_MOST_CHUNKS):
        head = _at(file, place, 8)
        if len(head) < 8 or not _CHUNK_ID.match(head):
            return
        name, size = head[:4].decode("ascii"), int.from_bytes(head[4:], order)
        if size == _UNSAID:
            size = real_sizes.get(name, end)
        chunk = _Chunk(name, place + 8, min(size, end - place - 8))
        if name == "ds64":
            real_sizes = _sizes_of_64_bits(_at(file, chunk.start, chunk.size))
        yield chunk
        place += 8 + size
        # A chunk of odd size is followed by a pad byte, which some programs forget.
        if size % 2 and not _CHUNK_ID.match(_at(file, place, 4)):
            place += 1


def _sizes_of_64_bits(data: bytes) -> dict[str, int]:
    table = {
        data[i : i + 4].decode("latin-1"): int.from_bytes(data[i + 4 : i + 12], "little")
        for i in range(28, len(data) - 11, 12)
    }
    return table | {"data": int.from_bytes(data[8:16], "little")}


def _add_id3(found: Found, file: IO[bytes], chunk: _Chunk) -> None:
    data = _at(file, chunk.start, chunk.size)
    if data.rstrip(b"\0"):
        add_id3(found, data)


def _add_text(texts: dict[str, list[object]], file: IO[bytes], chunk: _Chunk) -> None:
    raw = _at(file, chunk.start, min(chunk.size, _LONGEST_TEXT)).rstrip(b"\0")
    if raw:
        texts.setdefault(chunk.name, []).append(_decoded(raw))


def _decoded(raw: bytes) -> str:
    # Neither format names an encoding: programs of today write UTF-8, older ones that of Windows.
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _at(file: IO[bytes], place: int, size: int) -> bytes:
    file.seek(place)
    return file.read(max(size, 0))


def _end(file: IO[bytes]) -> int:
    return file.seek(0, 2)
