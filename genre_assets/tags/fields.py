"""The fields of tags, and how the text in them is read.

Light: only the standard library is loaded until a text is cleaned.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from genre_assets.audio.status import Status

MAX_TEXT = 500
"""Characters of a text that are kept; the longest real titles have some 250."""

MAX_VALUES = 50
"""Values of a field that are kept; real tracks have fewer than ten genres or artists."""

MOST_LOOKED_AT = 1000
"""Values of a field that are looked at: enough for any that a person wrote."""

# Invisible characters that change how the text around them is shown, or are left over from the
# encoding. Joiners stay, because Persian, Indic scripts and emoji need them.
_FORMATTING = re.compile(
    r"[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]+"
)
# C1 controls are replaced later: in Latin-1 text they are what is left of Windows-1252.
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\ufffe\uffff]+")
_C1_CONTROL = re.compile(r"[\x80-\x9f]+")
_DATE_OF_DIGITS = re.compile(
    r"""(?<!\d)(?:
        (?P<first>(?:1[5-9]|20)\d\d)(?:0\d|1[0-2])(?:[0-2]\d|3[01])(?:\d{4}|\d{6})?
        | (?:(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2]) | (?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))
          (?P<last>(?:1[5-9]|20)\d\d)
    )(?!\d)""",
    re.ASCII | re.VERBOSE,
)
_YEAR = re.compile(r"(?<!\d)[12]\d{3}(?!\d)", re.ASCII)
_BPM = re.compile(r"\s*(\d{1,4}(?:[.,]\d{1,9})?)\s*(?:bpm)?\s*", re.IGNORECASE | re.ASCII)
_TRACK_NUMBER = re.compile(r"\s*0*([1-9]\d{0,4})\s*(?:/.*)?", re.ASCII | re.DOTALL)


@dataclass(frozen=True)
class Tags:
    """What the tags of a file say; what they do not say is None.

    Attributes:
        tag_version: The kinds of tags that the fields come from, such as ``ID3v2.3``, ``MP4``,
            ``Vorbis`` or ``APEv2``, joined by ``" + "``.
        title: Title of the track.
        artist: Artist; several are joined by ``"; "``.
        artists: Each artist by itself, in the order of the tags.
        album: Title of the album.
        track_number: Number of the track on its album.
        genres: Genres in the order of the tags, numeric ID3 genres spelled out.
        year: Year of release.
        bpm: Beats a minute.
        comment: A remark by whoever made or tagged the file.
        bitrate: Bits a second of the audio stream, as its headers say.
        encoder: Encoder, or its settings.
        status: ``ok`` or the kind of failure.
        reason: Why it failed, in one sentence; None when ok. Where tags are damaged in part, the
            other attributes are what can be read.
    """

    tag_version: str | None = None
    title: str | None = None
    artist: str | None = None
    artists: tuple[str, ...] | None = None
    album: str | None = None
    track_number: int | None = None
    genres: tuple[str, ...] | None = None
    year: int | None = None
    bpm: float | None = None
    comment: str | None = None
    bitrate: int | None = None
    encoder: str | None = None
    status: Status = Status.OK
    reason: str | None = None


def clean(text: object) -> str | None:
    """Text as a person would read it, of at most :data:`MAX_TEXT` characters.

    UTF-8 that was taken for Latin-1 or Windows-1252, once or several times, is put right where
    that is certain. Control characters become spaces; characters that reverse the direction of
    text, and other invisible ones, are left out.

    Returns:
        The text, or None when nothing is left of it.
    """
    # Lone surrogates, which damaged UTF-16 decodes to, have no place in UTF-8 files.
    valid = str(text)[: 4 * MAX_TEXT].encode("utf-8", "replace").decode("utf-8")
    while (cleaned := _cleaned_once(valid)) != valid:
        valid = cleaned
    return valid or None


def put_right(text: str) -> str:
    """Undo that UTF-8 was taken for Latin-1 or Windows-1252, where that is certain.

    The judgement is that of ftfy (R. Speer, *ftfy: fixes text for you*, 2019,
    https://doi.org/10.5281/zenodo.2591652): ``BjÃ¶rn`` becomes ``Björn``, ``JOSÉ®`` stays.
    """
    if text.isascii():
        return text
    from ftfy import TextFixerConfig, fix_encoding

    return fix_encoding(text, TextFixerConfig(replace_lossy_sequences=False))


def _cleaned_once(text: str) -> str:
    visible = _CONTROL.sub(" ", _FORMATTING.sub("", text))
    return _C1_CONTROL.sub(" ", put_right(visible)).strip()[:MAX_TEXT].rstrip()


def joined(texts: Iterable[object]) -> str | None:
    """The values of a field as one text, each once."""
    return clean("; ".join(distinct(texts)))


def distinct(texts: Iterable[object]) -> tuple[str, ...]:
    """The cleaned values of a field, each once, without those that say nothing.

    A NUL separates two values, in every kind of tag.
    """
    values = (value for text in texts for value in str(text).split("\0"))
    cleaned = (clean(value) for value in islice(values, MOST_LOOKED_AT))
    return tuple(islice(dict.fromkeys(text for text in cleaned if text is not None), MAX_VALUES))


def year(texts: Iterable[object]) -> int | None:
    """The first year from 1000 to 2999 in the values of a field, such as a date's.

    Dates without separators, such as ``20050312`` and ``12032005``, are of 1500 to 2099.
    """
    for text in islice(texts, MOST_LOOKED_AT):
        # Digits of full width, as East Asian keyboards type them, become plain ones.
        plain = unicodedata.normalize("NFKC", str(text)[:MAX_TEXT])
        if found := _YEAR.search(plain):
            return int(found.group())
        if found := _DATE_OF_DIGITS.search(plain):
            return int(found.group("first") or found.group("last"))
    return None


def bpm(texts: Iterable[object]) -> float | None:
    """The first positive tempo in the values of a field, such as ``128`` or ``128,5 bpm``."""
    for text in islice(texts, MOST_LOOKED_AT):
        if found := _BPM.fullmatch(str(text)[:MAX_TEXT].strip("\0")):
            value = float(found.group(1).replace(",", "."))
            if value > 0:
                return value
    return None


def track_number(texts: Iterable[object]) -> int | None:
    """The first number of a track in the values of a field, such as ``3``, ``03`` or ``3/12``."""
    for text in islice(texts, MOST_LOOKED_AT):
        if found := _TRACK_NUMBER.fullmatch(str(text)[:MAX_TEXT].strip("\0")):
            return int(found.group(1))
    return None
