"""A small file of each kind, with the tags that its own kind of tags holds."""

from fractions import Fraction

import numpy as np
from mutagen.apev2 import APEv2
from mutagen.asf import ASF
from mutagen.dsf import DSF
from mutagen.flac import FLAC
from mutagen.id3 import ID3, TALB, TBPM, TCON, TDRC, TIT2, TPE1, TRCK
from mutagen.mp4 import MP4
from mutagen.ogg import OggPage
from mutagen.oggflac import OggFLAC
from mutagen.oggopus import OggOpus
from mutagen.oggspeex import OggSpeex
from mutagen.oggvorbis import OggVorbis
from mutagen.wave import WAVE

from genre_assets_tests.audio.clips import write, write_m4a

RATE = 48_000
ID3_FRAMES = {
    "title": TIT2,
    "artist": TPE1,
    "album": TALB,
    "track": TRCK,
    "genre": TCON,
    "date": TDRC,
    "bpm": TBPM,
}
ENCODED = {
    "mp2": ("mp2", "mp2"),
    "aac": ("adts", "aac"),
    "mka": ("matroska", "flac"),
    "webm": ("webm", "libopus"),
    "opus": ("ogg", "libopus"),
    "oga": ("ogg", "flac"),
    "wma": ("asf", "wmav2"),
    "wv": ("wv", "wavpack"),
    "tta": ("tta", "tta"),
    "w64": ("w64", "pcm_s16le"),
}
"""The container and codec of the kinds that FFmpeg writes."""

SAMPLES = {"flac": "s16", "libopus": "flt", "mp2": "s16", "pcm_s16le": "s16", "tta": "s16",
           "wavpack": "s16p"}  # fmt: skip

HEADS = {
    "ape": b"MAC \x96\x0f",
    "mpc": b"MP+\x07",
    "dsf": b"DSD " + (28).to_bytes(8, "little") + (28).to_bytes(8, "little") + bytes(8)
    + b"fmt " + (52).to_bytes(8, "little") + b"\1" + bytes(39)
    + b"data" + (12).to_bytes(8, "little"),
}  # fmt: skip
"""The first bytes of the kinds that nothing here can write, whose tags need no audio."""


def write_kind(path, metadata=None):
    """Write a tenth of a second in the format that the suffix names."""
    suffix = path.suffix[1:]
    if suffix in HEADS:
        path.write_bytes(HEADS[suffix] + bytes(200 if suffix != "dsf" else 0))
    elif suffix in ("m4a", "m4b"):
        write_m4a(path, 0.1)
    elif suffix == "spx":
        write_speex(path)
    elif suffix in ENCODED:
        write_encoded(path, *ENCODED[suffix], metadata or {})
    else:
        write(path, 0.1)
    return path


def write_encoded(path, container_format, codec, metadata):
    import av

    with av.open(str(path), "w", format=container_format) as container:
        container.metadata.update(metadata)
        samples = SAMPLES.get(codec, "fltp")
        stream = container.add_stream(codec, rate=RATE, layout="mono", format=samples)
        stream.bit_rate = 64_000
        for start in range(0, RATE // 10, 1024):
            silence = np.zeros((1, 1024), np.int16 if samples.startswith("s16") else np.float32)
            frame = av.AudioFrame.from_ndarray(silence, samples, "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_speex(path):
    head = b"Speex   " + bytes(28) + (16_000).to_bytes(4, "little") + bytes(8)
    head += (1).to_bytes(4, "little") + bytes(28)
    packets = [head, (0).to_bytes(8, "little"), bytes(40)]
    pages = [OggPage.from_packets([packet], number)[0] for number, packet in enumerate(packets)]
    pages[0].first, pages[-1].last = True, True
    path.write_bytes(b"".join(page.write() for page in pages))


def tag(path, values):
    """Write lists of texts by field name in the kind of tags that a file of the suffix has."""
    suffix = path.suffix[1:]
    if suffix in ("mp3", "mp2", "aac", "tta"):
        id3_of(values).save(path)
    elif suffix in ("ape", "mpc", "wv"):
        tags = APEv2()
        for name, texts in values.items():
            tags[{"date": "Year"}.get(name, name.title())] = texts
        tags.save(path)
    elif suffix in ("wav", "dsf"):
        file = {"wav": WAVE, "dsf": DSF}[suffix](path)
        file.add_tags()
        file.tags.update(id3_of(values))
        file.save()
    elif suffix in ("m4a", "m4b"):
        file = MP4(path)
        keys = {"title": "nam", "artist": "ART", "album": "alb", "genre": "gen", "date": "day"}
        for name, texts in values.items():
            if name in keys:
                file[f"\xa9{keys[name]}"] = texts
        if "track" in values:
            file["trkn"] = [(int(values["track"][0]), 12)]
        if "bpm" in values:
            file["tmpo"] = [int(values["bpm"][0])]
        file.save()
    elif suffix == "wma":
        file = ASF(path)
        keys = {"title": "Title", "artist": "Author", "album": "WM/AlbumTitle",
                "genre": "WM/Genre", "date": "WM/Year", "track": "WM/TrackNumber",
                "bpm": "WM/BeatsPerMinute"}  # fmt: skip
        for name, texts in values.items():
            file[keys[name]] = texts
        file.save()
    else:
        kinds = {"flac": FLAC, "ogg": OggVorbis, "opus": OggOpus, "oga": OggFLAC, "spx": OggSpeex}
        file = kinds[suffix](path)
        for name, texts in values.items():
            file[{"track": "tracknumber"}.get(name, name)] = texts
        file.save()


def id3_of(values):
    tags = ID3()
    for name, texts in values.items():
        tags.add(ID3_FRAMES[name](encoding=3, text=texts))
    return tags
