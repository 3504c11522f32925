"""Tags of the demo's files, as different taggers would have written them; imports mutagen."""

from io import BytesIO

from mutagen.id3 import (  # pyright: ignore[reportPrivateImportUsage]
    ID3,
    TALB,
    TBPM,
    TCON,
    TCOP,
    TDRC,
    TIT2,
    TPE1,
    TRCK,
    TSSE,
    TYER,
)

from genre_assets.demo.plan import Tags
from genre_assets.labels.synthetic import SYNTHETIC_ENCODER

LATIN_1, UTF_16, UTF_8 = 0, 1, 3
LICENCE = "CC0 1.0, https://creativecommons.org/publicdomain/zero/1.0/"
ID3V1_GENRES = {"Techno": 18, "House": 35, "Drum & Bass": 127, "Indie-Rock": 131, "Garage": 190}
NO_ID3V1_GENRE = 255


def tagged(mp3: bytes, tags: Tags | None, bpm: float) -> bytes:
    """An MP3 file with tags; without any when ``tags`` is None.

    A file with tags always has the synthetic mark in its frame TSSE, so one with ID3v1 has an
    ID3v2 tag too, which holds the mark only, as encoders leave it.
    """
    if tags is None:
        return mp3
    file = BytesIO(mp3)
    frames = ID3()
    frames.add(TSSE(encoding=LATIN_1, text=[SYNTHETIC_ENCODER]))
    if tags.version == "ID3v1.1":
        frames.save(file, v1=0, v2_version=3)
        return file.getvalue() + _id3v1(tags)
    is_v24 = tags.version == "ID3v2.4"
    encoding = UTF_8 if is_v24 else UTF_16
    frames.add(TIT2(encoding=encoding, text=[tags.title]))
    frames.add(TPE1(encoding=encoding, text=[tags.artist]))
    frames.add(TALB(encoding=encoding, text=[tags.album]))
    frames.add(TRCK(encoding=LATIN_1, text=[str(tags.track)]))
    frames.add(TCOP(encoding=LATIN_1, text=[LICENCE]))
    year = TDRC if is_v24 else TYER
    frames.add(year(encoding=LATIN_1, text=[str(tags.year)]))
    if tags.genres:
        frames.add(TCON(encoding=LATIN_1, text=list(tags.genres)))
    if tags.has_bpm:
        frames.add(TBPM(encoding=LATIN_1, text=[str(round(bpm))]))
    frames.save(file, v1=0, v2_version=4 if is_v24 else 3)
    return file.getvalue()


def _id3v1(tags: Tags) -> bytes:
    """An ID3v1.1 tag: 128 bytes at the end of the file."""
    genre = ID3V1_GENRES.get(tags.genres[0], NO_ID3V1_GENRE) if tags.genres else NO_ID3V1_GENRE
    fields = (
        b"TAG"
        + _cut(tags.title, 30)
        + _cut(tags.artist, 30)
        + _cut(tags.album, 30)
        + _cut(str(tags.year), 4)
        + _cut("", 28)
    )
    return fields + bytes([0, tags.track, genre])


def _cut(text: str, size: int) -> bytes:
    return text.encode("latin-1", "replace")[:size].ljust(size, b"\0")
