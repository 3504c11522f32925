"""The fields of tags, and how the text in them is read.

Light: standard library only.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from genre_assets.audio.status import Status

MAX_TEXT = 500
"""Characters of a text that are kept; the longest real titles have some 250."""

MAX_GENRES = 50

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_YEAR = re.compile(r"(?<!\d)[12]\d{3}(?!\d)")
_BPM = re.compile(r"\s*(\d{1,4}(?:[.,]\d{1,9})?)\s*(?:bpm)?\s*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Tags:
    """What the tags of a file say; what they do not say is None.

    Attributes:
        tag_version: Such as ``ID3v2.3``, ``MP4``, ``Vorbis`` or ``APEv2``.
        title: Title of the track.
        artist: Artist; several are joined by ``"; "``.
        album: Title of the album.
        genres: Genres in the order of the tags, numeric ID3 genres spelled out.
        year: Year of release.
        bpm: Beats a minute.
        bitrate: Bits a second of the audio stream, as its headers say.
        encoder: Encoder, or its settings.
        status: ``ok`` or the kind of failure.
        reason: Why it failed, in one sentence; None when ok.
    """

    tag_version: str | None = None
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    genres: tuple[str, ...] | None = None
    year: int | None = None
    bpm: float | None = None
    bitrate: int | None = None
    encoder: str | None = None
    status: Status = Status.OK
    reason: str | None = None


def clean(text: object) -> str | None:
    """Text without control characters, surrounding white space and excessive length.

    Returns:
        The text, or None when nothing is left of it.
    """
    # Lone surrogates, which damaged UTF-16 decodes to, have no place in UTF-8 files.
    valid = str(text).encode("utf-8", "replace").decode("utf-8")
    return _CONTROL.sub(" ", valid).strip()[:MAX_TEXT].rstrip() or None


def joined(texts: Iterable[object]) -> str | None:
    """The values of a field as one text, each once."""
    return clean("; ".join(distinct(texts)))


def distinct(texts: Iterable[object]) -> tuple[str, ...]:
    """The cleaned values of a field, each once, without those that say nothing."""
    return tuple(dict.fromkeys(text for t in texts if (text := clean(t)) is not None))


def genres(texts: Iterable[object]) -> tuple[str, ...] | None:
    """The genres of a field, or None when it names none."""
    return distinct(texts)[:MAX_GENRES] or None


def year(texts: Iterable[object]) -> int | None:
    """The first year from 1000 to 2999 in the values of a field, such as a date's."""
    for text in texts:
        if found := _YEAR.search(str(text)):
            return int(found.group())
    return None


def bpm(texts: Iterable[object]) -> float | None:
    """The first positive tempo in the values of a field, such as ``128`` or ``128,5 bpm``."""
    for text in texts:
        if found := _BPM.fullmatch(str(text).strip("\0")):
            value = float(found.group(1).replace(",", "."))
            if value > 0:
                return value
    return None
