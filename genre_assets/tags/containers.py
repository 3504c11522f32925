"""Tags as mutagen reads them from each kind of file.

Loads mutagen: import this module in the worker that reads.
"""

from collections.abc import Iterable
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

import mutagen
from mutagen._vorbis import VComment
from mutagen.apev2 import APENoHeaderError, APEv2
from mutagen.asf import ASFTags
from mutagen.id3 import ID3
from mutagen.id3 import ID3NoHeaderError as NoID3Error
from mutagen.id3._frames import TCON
from mutagen.mp3 import HeaderNotFoundError
from mutagen.mp4 import MP4Tags

from genre_assets.audio.status import Status
from genre_assets.tags import fields
from genre_assets.tags.fields import Tags

# Where each kind of tag keeps a field; the first key that is there counts.
_ID3_KEYS = {
    "title": ("TIT2",),
    "artist": ("TPE1", "TPE2"),
    "album": ("TALB",),
    "genres": ("TCON",),
    "year": ("TDRC", "TDRL", "TDOR"),
    "bpm": ("TBPM",),
    "encoder": ("TSSE", "TENC"),
}
_MP4_KEYS = {
    "title": ("\xa9nam",),
    "artist": ("\xa9ART", "aART"),
    "album": ("\xa9alb",),
    "genres": ("\xa9gen",),
    "year": ("\xa9day",),
    "bpm": ("tmpo", "----:com.apple.iTunes:BPM"),
    "encoder": ("\xa9too",),
}
_VORBIS_KEYS = {
    "title": ("title",),
    "artist": ("artist", "albumartist"),
    "album": ("album",),
    "genres": ("genre",),
    "year": ("date", "year", "originaldate"),
    "bpm": ("bpm", "tempo"),
    "encoder": ("encoder", "encoder_options"),
}
_APE_KEYS = {
    "title": ("Title",),
    "artist": ("Artist", "Album Artist"),
    "album": ("Album",),
    "genres": ("Genre",),
    "year": ("Year",),
    "bpm": ("BPM",),
    "encoder": ("Encoder", "Encoder Settings"),
}
_ASF_KEYS = {
    "title": ("Title",),
    "artist": ("Author", "WM/AlbumArtist"),
    "album": ("WM/AlbumTitle",),
    "genres": ("WM/Genre",),
    "year": ("WM/Year",),
    "bpm": ("WM/BeatsPerMinute",),
    "encoder": ("WM/EncodingSettings", "WM/ToolName"),
}


def read_container(file: FileIO, path: Path) -> Tags:
    """Read the tags of an open file.

    Args:
        file: The file, at its beginning.
        path: Its path, for the sentence of a failure.

    Returns:
        Its tags, or status ``no_tags`` or ``bad_tags``.
    """
    try:
        tags, bitrate = _load(BufferedReader(file))
        if not tags:
            return Tags(bitrate=bitrate, status=Status.NO_TAGS, reason=f"{path} carries no tags.")
        return _fields_of(tags, bitrate)
    except Exception as error:
        # Most damage is a MutagenError; hostile bytes reach what mutagen did not foresee.
        reason = f"The tags of {path} are cut off or damaged{_detail(error)}."
        return Tags(status=Status.BAD_TAGS, reason=reason)


def _load(file: BufferedReader) -> tuple[Any, int | None]:
    try:
        loaded = mutagen.File(file)  # pyright: ignore[reportPrivateImportUsage]
    except HeaderNotFoundError:
        # No MPEG audio, which does not keep the tags from being read.
        loaded = None
    bitrate = _bitrate(loaded)
    if loaded is not None and loaded.tags:
        return loaded.tags, bitrate
    for kind, absence in ((ID3, NoID3Error), (APEv2, APENoHeaderError)):
        file.seek(0)
        try:
            return kind(file), bitrate
        except absence:
            continue
    return None, bitrate


def _bitrate(loaded: Any) -> int | None:
    bitrate = getattr(getattr(loaded, "info", None), "bitrate", None)
    return int(bitrate) if bitrate and 0 < bitrate < 2**40 else None


def _fields_of(tags: Any, bitrate: int | None) -> Tags:
    version, keys = _kind(tags)
    texts = {field: _texts(tags, names) for field, names in keys.items()}
    return Tags(
        tag_version=version,
        title=fields.joined(texts["title"]),
        artist=fields.joined(texts["artist"]),
        album=fields.joined(texts["album"]),
        genres=fields.genres(_spelled_out(texts["genres"])),
        year=fields.year(texts["year"]),
        bpm=fields.bpm(texts["bpm"]),
        bitrate=bitrate,
        encoder=fields.joined(texts["encoder"]) or fields.clean(getattr(tags, "vendor", "")),
    )


def _kind(tags: Any) -> tuple[str, dict[str, tuple[str, ...]]]:
    match tags:
        case ID3():
            major, minor = tags.version[:2]
            return f"ID3v{major}.{minor}", _ID3_KEYS
        case MP4Tags():
            return "MP4", _MP4_KEYS
        case APEv2():
            return "APEv2", _APE_KEYS
        case ASFTags():
            return "ASF", _ASF_KEYS
        case VComment():
            return "Vorbis", _VORBIS_KEYS
    raise TypeError(f"no reader for tags of type {type(tags).__name__}")


def _texts(tags: Any, names: Iterable[str]) -> list[str]:
    for name in names:
        if isinstance(tags, ID3):
            values = [text for frame in tags.getall(name) for text in frame.text]
        else:
            found = tags.get(name) or []
            # A binary APEv2 item is no sequence of texts.
            values = list(found) if isinstance(found, Iterable) else []
        if texts := [text for value in values if (text := fields.clean(_decoded(value)))]:
            return texts
    return []


def _decoded(value: object) -> object:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _spelled_out(genres: list[str]) -> list[str]:
    # Other kinds of tags carry numeric ID3 genres too, from files converted from MP3.
    spelled = TCON(encoding=3, text=genres).genres
    return [genre for genre in spelled if genre != "Unknown"]


def _detail(error: Exception) -> str:
    text = fields.clean(str(error).strip("\"'. "))
    return f" ({text})" if text else ""
