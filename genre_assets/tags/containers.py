"""The tags of a file, of whatever kind it is by its first bytes.

A file may carry several blocks of tags, as an MP3 file with ID3v2, APEv2 and ID3v1 does. The block
of the file's own kind counts most; a field that it leaves empty is filled from ID3v2, then from
APEv2, then from ID3v1, whose texts are cut off at 30 characters.

Loads mutagen: import this module in the worker that reads.
"""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from io import SEEK_SET, BufferedReader, FileIO, RawIOBase
from pathlib import Path
from typing import IO, Any

from mutagen.aac import AAC
from mutagen.ac3 import AC3
from mutagen.aiff import AIFF
from mutagen.asf import ASF
from mutagen.dsdiff import DSDIFF
from mutagen.dsf import DSF
from mutagen.flac import FLAC, VCFLACDict
from mutagen.monkeysaudio import MonkeysAudio
from mutagen.mp3 import MPEGInfo
from mutagen.mp4 import MP4
from mutagen.musepack import Musepack
from mutagen.oggflac import OggFLAC
from mutagen.oggopus import OggOpus
from mutagen.oggspeex import OggSpeex
from mutagen.oggtheora import OggTheora
from mutagen.oggvorbis import OggVorbis
from mutagen.optimfrog import OptimFROG
from mutagen.tak import TAK
from mutagen.trueaudio import TrueAudio
from mutagen.wavpack import WavPack

from genre_assets.audio.status import Status
from genre_assets.tags import chunks, fields
from genre_assets.tags.blocks import (
    ASF_KEYS,
    MP4_KEYS,
    VORBIS_KEYS,
    Block,
    Found,
    add_id3,
    block_of,
    first,
    genres,
    id3_block,
    id3_size,
    read_apev2,
    read_id3v1,
)
from genre_assets.tags.fields import Tags

_HEAD = 256
_MOST_ID3_IN_A_ROW = 10
_MOST_BITS_A_SECOND = 1_000_000_000
_WHERE = {"artists": "artist"}
"""Fields of ours that are read from another field of the tags."""
_MP4_ATOMS = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")
_OGG = {
    b"\x01vorbis": OggVorbis,
    b"OpusHead": OggOpus,
    b"\x7fFLAC": OggFLAC,
    b"Speex   ": OggSpeex,
    b"\x80theora": OggTheora,
}
_ASF = bytes.fromhex("3026b2758e66cf11")
_MATROSKA = bytes.fromhex("1a45dfa3")
_WAVE64 = b"riff" + bytes.fromhex("2e91cf11a5d628db")

_UNTAGGED = {
    b"TTA1": TrueAudio,
    b"MAC ": MonkeysAudio,
    b"wvpk": WavPack,
    b"MP+": Musepack,
    b"MPCK": Musepack,
    b"OFR ": OptimFROG,
    b"tBaK": TAK,
    b"\x0b\x77": AC3,
    b"ADIF": AAC,
}
"""Kinds of files whose tags are ID3 or APEv2 blocks around the audio."""


def read_container(file: FileIO, path: Path) -> Tags:
    """Read the tags of an open file.

    Args:
        file: The file, at its beginning.
        path: Its path, for the sentence of a failure.

    Returns:
        Its tags. The status is ``no_tags`` where there are none, and ``bad_tags`` where some block
        is damaged, beside the fields of the other blocks.
    """
    stream = BufferedReader(file)
    *id3_starts, start = _starts(stream)
    kind, read_own = _own(_at(stream, start))
    try:
        found = read_own(BufferedReader(_From(file, start)))
    except Exception:
        # Most damage is a MutagenError; hostile bytes reach what mutagen did not foresee.
        found = Found(damaged=[kind])
    for place in id3_starts:
        add_id3(found, _at(stream, place, id3_size(_at(stream, place))))
    found.add("APEv2", lambda: read_apev2(stream))
    found.add("ID3v1", lambda: read_id3v1(stream))
    return _tags_of(found, path)


class _From(RawIOBase):
    """A file from some place on, as if it began there, for readers that count from its start."""

    def __init__(self, file: FileIO, start: int):
        self._file, self._start = file, start
        self.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer) -> int | None:
        return self._file.readinto(buffer)

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        if whence == SEEK_SET:
            offset += self._start
        return self._file.seek(offset, whence) - self._start


def _starts(file: IO[bytes]) -> list[int]:
    """Where ID3v2 tags begin at the head of a file, and last where the file itself begins."""
    starts = [0]
    while len(starts) <= _MOST_ID3_IN_A_ROW and (size := id3_size(_at(file, starts[-1]))):
        starts.append(starts[-1] + size)
    return starts


def _at(file: IO[bytes], place: int, size: int = _HEAD) -> bytes:
    file.seek(place)
    return file.read(size)


def _own(head: bytes) -> tuple[str, Callable[[IO[bytes]], Found]]:
    """The kind of tags that a file has of its own by its first bytes, and what reads them."""
    if head[:4] in chunks.WAVE and head[8:12] == b"WAVE":
        return "WAVE", chunks.read_wave
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "AIFF", partial(_with_bitrate, AIFF, chunks.read_aiff)
    if head[:4] == b"DSD ":
        return "ID3v2", partial(_with_bitrate, DSF, chunks.read_dsf)
    if head[:4] == b"FRM8":
        return "ID3v2", _dsdiff
    if head[:4] == b"fLaC":
        return "Vorbis", _flac
    if head[:4] == b"OggS":
        for mark, loader in _OGG.items():
            if mark in head:
                return "Vorbis", partial(_vorbis, loader)
    if head[4:8] in _MP4_ATOMS:
        return "MP4", _mp4
    if head[:8] == _ASF:
        return "ASF", _asf
    if head[:4] == _MATROSKA:
        return "Matroska", _streams
    if head[:12] == _WAVE64:
        return "Wave64", _streams
    for mark, loader in _UNTAGGED.items():
        if head.startswith(mark):
            return "", partial(_with_bitrate, loader, None)
    is_adts = head[:1] == b"\xff" and head[1:2] and head[1] & 0xF6 == 0xF0
    return "", partial(_with_bitrate, AAC if is_adts else _MPEG, None)


class _MPEG:
    """MPEG audio without its tags, which may be damaged."""

    def __init__(self, file: IO[bytes]):
        self.info = MPEGInfo(file)


def _with_bitrate(
    loader: Callable[..., Any], read: Callable[[IO[bytes]], Found] | None, file: IO[bytes]
) -> Found:
    found = read(file) if read else Found()
    file.seek(0)
    # The headers of the audio may be damaged although the tags are not.
    with contextlib.suppress(Exception):
        found.bitrate = _bits(loader(file))
    return found


def _flac(file: IO[bytes]) -> Found:
    try:
        return _vorbis(FLAC, file)
    except Exception:
        # The damage may be in the description of the audio, or in a picture.
        place, is_last = len(b"fLaC"), False
        while not is_last and len(head := _at(file, place, 4)) == 4:
            is_last, kind = bool(head[0] & 0x80), head[0] & 0x7F
            place += 4
            if kind == VCFLACDict.code:
                file.seek(place)
                return Found(_comments(VCFLACDict(file)))
            place += int.from_bytes(head[1:], "big")
        raise


def _vorbis(loader: Callable[..., Any], file: IO[bytes]) -> Found:
    loaded = loader(file)
    return Found(_comments(loaded.tags), bitrate=_bits(loaded))


def _comments(tags: Any) -> list[Block]:
    if not tags:
        return []
    block = block_of("Vorbis", VORBIS_KEYS, lambda name: tags.get(name, ()))
    return [replace(block, vendor=tags.vendor)]


def _mp4(file: IO[bytes]) -> Found:
    loaded: Any = MP4(file)

    def values_of(name: str) -> Iterable[object]:
        values = loaded.tags.get(name, ())
        if name == "trkn":
            return [number for number, _ in values]
        return [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values]

    blocks = [block_of("MP4", MP4_KEYS, values_of)] if loaded.tags else []
    return Found(blocks, bitrate=_bits(loaded))


def _asf(file: IO[bytes]) -> Found:
    loaded: Any = ASF(file)

    def values_of(name: str) -> Iterable[object]:
        values = (getattr(found, "value", found) for found in loaded.tags.get(name, ()))
        return [value for value in values if isinstance(value, str | int)]

    blocks = [block_of("ASF", ASF_KEYS, values_of)] if loaded.tags else []
    return Found(blocks, bitrate=_bits(loaded))


def _dsdiff(file: IO[bytes]) -> Found:
    loaded: Any = DSDIFF(file)
    block = id3_block(loaded.tags) if loaded.tags else None
    return Found([block] if block else [], bitrate=_bits(loaded))


def _streams(file: IO[bytes]) -> Found:
    from genre_assets.tags.streams import read_streams

    return read_streams(file)


def _bits(loaded: Any) -> int | None:
    return getattr(loaded.info, "bitrate", None)


def _tags_of(found: Found, path: Path) -> Tags:
    read = {
        "title": fields.joined,
        "artist": fields.joined,
        "artists": fields.distinct,
        "album": fields.joined,
        "track_number": fields.track_number,
        "genres": genres,
        "year": fields.year,
        "bpm": fields.bpm,
        "comment": fields.joined,
        "encoder": fields.joined,
    }
    values, used = {}, set()
    for field, reader in read.items():
        values[field], kind = first(reader, found.blocks, _WHERE.get(field, field))
        used.add(kind)
    vendors = (fields.clean(block.vendor) for block in found.blocks if block.vendor)
    values["encoder"] = values["encoder"] or next(vendors, None)
    bitrate = int(found.bitrate or 0)
    kinds = [block.kind for block in found.blocks]
    kinds = [kind for kind in kinds if kind in used] or kinds[:1]
    return Tags(
        tag_version=" + ".join(dict.fromkeys(kinds)) or None,
        bitrate=bitrate if 0 < bitrate < _MOST_BITS_A_SECOND else None,
        **values,
        **_outcome(found, path),
    )


def _outcome(found: Found, path: Path) -> dict[str, Any]:
    if found.damaged:
        kinds = " and ".join(dict.fromkeys(found.damaged))
        reason = f"The {kinds} tags of {path} are cut off or damaged"
        reason += "; what can be read is recorded." if found.blocks else "."
        return {"status": Status.BAD_TAGS, "reason": reason}
    if not found.blocks:
        return {"status": Status.NO_TAGS, "reason": f"{path} carries no tags."}
    return {"status": Status.OK, "reason": None}
