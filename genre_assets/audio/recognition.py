"""What kind of file its first bytes announce."""

import os
from io import FileIO

_BEGINNINGS = {
    b"fLaC": "a FLAC file",
    b"OggS": "an Ogg file",
    b"RIFF": "a WAV file",
    b"RF64": "a WAV file",
    b"FORM": "an AIFF file",
    b"wvpk": "a WavPack file",
    b"TTA1": "a TTA file",
    b"MAC ": "an APE file",
    b"MPCK": "a Musepack file",
    b"MP+": "a Musepack file",
    b"caff": "a CAF file",
    b"\x1a\x45\xdf\xa3": "a Matroska or WebM file",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "a WMA file",
    b"ID3": "an MP3 file with tags",
}
_MP4_BOX = 8


def kind_of(file: FileIO) -> str | None:
    """Say what a file begins like, such as ``an Ogg file``, or None if it is nothing known."""
    begin = os.pread(file.fileno(), 12, 0)
    if begin[4:8] == b"ftyp":
        return "an MP4 file"
    return next((kind for magic, kind in _BEGINNINGS.items() if begin.startswith(magic)), None)


def lacks_its_end(file: FileIO) -> bool:
    """Whether a file is MP4 and ends before its parts do, without having said where sound is."""
    descriptor, position = file.fileno(), 0
    size = os.fstat(descriptor).st_size
    if os.pread(descriptor, 8, 0)[4:] != b"ftyp":
        return False
    while position + _MP4_BOX <= size:
        box = os.pread(descriptor, 16, position)
        length = int.from_bytes(box[:4])
        if length == 1:
            length = int.from_bytes(box[8:])
        if box[4:8] == b"moov":
            return position + length > size
        if length < _MP4_BOX:
            # A length of 0 means up to the end of the file.
            return length == 0
        position += length
    return position != size
