"""A block of tags: where each kind of tag keeps each field.

Loads mutagen: import this module in the worker that reads.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from typing import IO, Any

from mutagen.apev2 import APENoHeaderError, APEv2
from mutagen.id3 import (
    ID3,
    TCON,  # pyright: ignore[reportPrivateImportUsage]
    Frames,
    TextFrame,  # pyright: ignore[reportPrivateImportUsage]
)
from mutagen.id3 import Frames_2_2 as _FRAMES_2_2

from genre_assets.tags import fields

Keys = Mapping[str, tuple[str, ...]]
"""For each field the keys that may hold it, the best one first."""

_ID3_KEYS: Keys = {
    "title": ("TIT2",),
    "artist": ("TPE1", "TPE2"),
    "album": ("TALB",),
    "track_number": ("TRCK",),
    "genres": ("TCON",),
    "year": ("TDRC", "TYER", "TDRL", "TDOR", "TORY"),
    "bpm": ("TBPM",),
    "comment": ("COMM:",),
    "encoder": ("TSSE", "TENC"),
}
MP4_KEYS: Keys = {
    "title": ("\xa9nam",),
    "artist": ("\xa9ART", "aART"),
    "album": ("\xa9alb",),
    "track_number": ("trkn",),
    "genres": ("\xa9gen",),
    "year": ("\xa9day",),
    "bpm": ("tmpo", "----:com.apple.iTunes:BPM"),
    "comment": ("\xa9cmt",),
    "encoder": ("\xa9too",),
}
VORBIS_KEYS: Keys = {
    "title": ("title",),
    "artist": ("artist", "albumartist", "album artist"),
    "album": ("album",),
    "track_number": ("tracknumber",),
    "genres": ("genre",),
    "year": ("date", "year", "originaldate", "originalyear"),
    "bpm": ("bpm", "tempo"),
    "comment": ("comment", "description"),
    "encoder": ("encoder", "encoder_options"),
}
_APE_KEYS: Keys = {
    "title": ("Title",),
    "artist": ("Artist", "Album Artist"),
    "album": ("Album",),
    "track_number": ("Track",),
    "genres": ("Genre",),
    "year": ("Year", "Date", "OriginalYear"),
    "bpm": ("BPM",),
    "comment": ("Comment",),
    "encoder": ("Encoder", "Encoder Settings"),
}
ASF_KEYS: Keys = {
    "title": ("Title",),
    "artist": ("Author", "WM/AlbumArtist"),
    "album": ("WM/AlbumTitle",),
    "track_number": ("WM/TrackNumber",),
    "genres": ("WM/Genre",),
    "year": ("WM/Year", "WM/OriginalReleaseYear"),
    "bpm": ("WM/BeatsPerMinute",),
    "comment": ("Description",),
    "encoder": ("WM/EncodingSettings", "WM/ToolName"),
}

_ID3_HEAD = 10
_DATE_FRAMES = ("TDRC", "TYER", "TDRL", "TDOR", "TORY")


@dataclass(frozen=True)
class Block:
    """One block of tags; a file may carry several.

    Attributes:
        kind: Such as ``ID3v2.4`` or ``Vorbis``.
        texts: For each field the values of each key that may hold it, the best key first.
        vendor: The library that wrote the tags, where the block names it.
    """

    kind: str
    texts: Mapping[str, list[list[object]]]
    vendor: str | None = None


@dataclass
class Found:
    """What was found in a file.

    Attributes:
        blocks: Its blocks of tags, the one that counts most first.
        damaged: The kinds of its blocks that are cut off or damaged.
        bitrate: Bits a second of its audio.
    """

    blocks: list[Block] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    bitrate: int | None = None

    def add(self, kind: str, read: Callable[[], Block | None]) -> None:
        """Read a block and add it; when that fails, note that the kind is damaged."""
        try:
            block = read()
        except Exception:
            # Most damage is a MutagenError; hostile bytes reach what mutagen did not foresee.
            self.damaged.append(kind)
        else:
            self.blocks += [block] if block else []


def block_of(kind: str, keys: Keys, values_of: Callable[[str], Iterable[object]]) -> Block:
    """The block that a lookup of keys gives.

    Args:
        kind: Such as ``MP4``.
        keys: Where the kind keeps each field.
        values_of: Gives the values of a key, none when the key is not there.
    """
    return Block(
        kind, {field: [list(values_of(name)) for name in names] for field, names in keys.items()}
    )


def id3_size(head: bytes) -> int:
    """Bytes of the ID3v2 tags that begin with a head of ten bytes, as they claim; 0 for others."""
    if head[:3] != b"ID3" or len(head) < _ID3_HEAD:
        return 0
    # Seven bits of each byte count.
    return _ID3_HEAD + sum((byte & 0x7F) << 7 * i for i, byte in enumerate(head[9:5:-1]))


def add_id3(found: Found, data: bytes) -> None:
    """Add the ID3v2 tags that some bytes begin with; of cut off ones, the frames that are there."""
    if id3_size(data) > len(data):
        found.damaged.append("ID3v2")
        size = len(data) - _ID3_HEAD
        data = data[:6] + bytes((size >> 7 * i) & 0x7F for i in (3, 2, 1, 0)) + data[_ID3_HEAD:]
    found.add("ID3v2", lambda: _read_id3(data))


def _read_id3(data: bytes) -> Block | None:
    # Translation would drop dates that are not in the form of ID3v2.4.
    return id3_block(
        ID3(BytesIO(data), known_frames=_known_frames(), translate=False, load_v1=False)
    )


def read_id3v1(file: IO[bytes]) -> Block | None:
    """The ID3v1 tags at the end of a file, None where there are none."""
    size = file.seek(0, 2)
    file.seek(max(size - 128, 0))
    tail = file.read(128)
    if not tail.startswith(b"TAG"):
        return None
    return id3_block(ID3(BytesIO(tail), known_frames=_known_frames(), translate=False))


def read_apev2(file: IO[bytes]) -> Block | None:
    """The APEv2 tags of a file, None where there are none.

    Raises:
        mutagen.MutagenError: If they are damaged.
    """
    try:
        tags: Any = APEv2(file)
    except APENoHeaderError:
        return None
    if not tags:
        return None

    def values_of(name: str) -> Iterable[object]:
        found = tags.get(name)
        # A binary item is no sequence of texts.
        return found if isinstance(found, Iterable) else ()

    return block_of("APEv2", _APE_KEYS, values_of)


def spelled_out(genres: Iterable[str]) -> list[str]:
    """Genres whose ID3 numbers are written out, as in ``(17)`` for Rock.

    Other kinds of tags carry such numbers too, in files that were converted from MP3.
    """
    return [genre for genre in TCON(encoding=3, text=list(genres)).genres if genre != "Unknown"]


def first(read: Callable[[Iterable[object]], Any], blocks: Iterable[Block], field: str) -> Any:
    """The value of a field, from the first key of the first block that has one.

    Args:
        read: Reads the values of a key; where it gives nothing, the next key is tried.
        blocks: The blocks, the one that counts most first.
        field: Name of the field.

    Returns:
        The value and the kind of its block, or None and None.
    """
    for block in blocks:
        for values in block.texts.get(field, ()):
            if value := read(values):
                return value, block.kind
    return None, None


def genres(values: Iterable[object]) -> tuple[str, ...]:
    """The genres among the values of a key, each once and spelled out."""
    return fields.distinct(spelled_out(fields.distinct(values)))


def id3_block(tags: Any) -> Block | None:
    """The block of loaded ID3 tags, None where they hold no frame."""
    if not tags and not tags.unknown_frames:
        return None
    major, minor = tags.version[:2]

    def values_of(name: str) -> Iterable[object]:
        if name.endswith(":"):
            # Only comments without a description: programs keep data of their own in the others.
            frames = [frame for frame in tags.getall(name[:-1]) if not frame.desc]
        else:
            frames = tags.getall(name)
        return [text for frame in frames for text in frame.text]

    return block_of(f"ID3v{major}.{minor}", _ID3_KEYS, values_of)


@cache
def _known_frames() -> dict[str, type]:
    """The frames of ID3v2, with dates as plain text, so that one in another form is not lost."""
    dates = {name: type(name, (TextFrame,), {}) for name in _DATE_FRAMES}
    old = {"TYE": dates["TYER"], "TOR": dates["TORY"]}
    return {**_FRAMES_2_2, **Frames, **dates, **{k: type(k, (v,), {}) for k, v in old.items()}}
