"""Tags in the chunks of WAVE and AIFF files."""

import io
import struct

import pytest
import soundfile as sf

from genre_assets.audio.status import Status
from genre_assets.tags.reading import read_tags
from genre_assets_tests.audio.clips import SAMPLE_RATE, tone, write
from genre_assets_tests.tags.kinds import id3_of


def said(tags):
    return tags.title, tags.artists, tags.album, tags.genres, tags.year, tags.track_number, tags.bpm


def chunk(name, data, order="little"):
    return name + len(data).to_bytes(4, order) + data + bytes(len(data) % 2)


INFO = b"INFO" + b"".join(
    chunk(name, text + b"\0")
    for name, text in {
        b"INAM": b"Title",
        b"IART": "Björn".encode(),
        b"IGNR": b"Rock",
        b"ICRD": b"2012-02-04",
        b"IPRD": "Café".encode("cp1252"),
        b"ITRK": b"3",
        b"ISFT": b"Lavf",
    }.items()
)
OF_INFO = ("Title", ("Björn",), "Café", ("Rock",), 2012, 3, None)


def wave(path, *chunks, form=b"RIFF"):
    body = b"WAVE" + b"".join(chunks)
    path.write_bytes(form + len(body).to_bytes(4, "little") + body)
    return path


FORMAT = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 22050, 44100, 2, 16))


@pytest.mark.parametrize("behind", [False, True])
def test_the_list_of_a_wave_file(tmp_path, behind):
    parts = [chunk(b"LIST", INFO), chunk(b"data", bytes(101))]
    path = wave(tmp_path / "a.wav", FORMAT, *(reversed(parts) if behind else parts))
    tags = read_tags(path)
    assert said(tags) == OF_INFO
    assert (tags.tag_version, tags.encoder, tags.bitrate) == ("INFO", "Lavf", 352_800)


def test_id3_in_a_wave_file_counts_more_than_its_list(tmp_path):
    id3 = io.BytesIO()
    id3_of({"title": ["In ID3"]}).save(id3)
    path = wave(
        tmp_path / "a.wav",
        FORMAT,
        chunk(b"LIST", INFO),
        chunk(b"id3 ", id3.getvalue()),
        chunk(b"id3 ", b"ID3\4\0\x0f\0\0\0\x0a" + bytes(10)),
    )
    tags = read_tags(path)
    assert said(tags) == ("In ID3", *OF_INFO[1:])
    assert (tags.tag_version, tags.status) == ("ID3v2.4 + INFO", Status.BAD_TAGS)


@pytest.mark.parametrize("form", [b"RF64", b"BW64"])
def test_long_wave_files(tmp_path, form):
    sizes = struct.pack("<QQQI", 0, 1001, 500, 0)
    data = b"data\xff\xff\xff\xff" + bytes(1002)
    path = wave(
        tmp_path / "a.wav", chunk(b"ds64", sizes), FORMAT, data, chunk(b"LIST", INFO), form=form
    )
    assert said(read_tags(path)) == OF_INFO


def test_a_long_wave_file_of_libsndfile(tmp_path):
    path = tmp_path / "a.wav"
    with sf.SoundFile(path, "w", SAMPLE_RATE, 2, format="RF64", subtype="PCM_16") as file:
        file.write(tone(0.1))
    assert read_tags(path).reason == f"{path} carries no tags."


def test_a_list_without_pad_bytes(tmp_path):
    names = (b"IART", b"Ann"), (b"INAM", b"Title"), (b"IGNR", b"Dub")
    info = b"INFO" + b"".join(name + len(t).to_bytes(4, "little") + t for name, t in names)
    path = wave(tmp_path / "a.wav", FORMAT, chunk(b"LIST", info))
    assert said(read_tags(path))[:4] == ("Title", ("Ann",), None, ("Dub",))


def test_a_wave_file_from_a_pipe(tmp_path):
    path = wave(tmp_path / "a.wav", FORMAT, chunk(b"LIST", INFO), b"data\0\0\0\0" + bytes(100))
    assert said(read_tags(path)) == OF_INFO


def test_the_text_chunks_of_aiff(tmp_path):
    path = write(tmp_path / "a.aiff", 0.1)
    texts = {b"NAME": b"Title", b"AUTH": "Björn".encode("cp1252"), b"ANNO": b"Made at home"}
    content = path.read_bytes() + b"".join(chunk(k, v, "big") for k, v in texts.items())
    path.write_bytes(b"FORM" + (len(content) - 8).to_bytes(4, "big") + content[8:])
    tags = read_tags(path)
    assert (tags.title, tags.artist, tags.comment) == ("Title", "Björn", "Made at home")
    assert (tags.tag_version, tags.status) == ("AIFF", Status.OK)
    assert tags.bitrate


def test_what_libsndfile_writes_into_a_wave_file(tmp_path):
    path = tmp_path / "a.wav"
    with sf.SoundFile(path, "w", SAMPLE_RATE, 1, format="RF64", subtype="PCM_16") as file:
        file.title, file.artist, file.album = "Title", "One", "Album"
        file.genre, file.date, file.tracknumber = "Rock", "2012", "3"
        file.write(tone(0.1, 1))
    assert said(read_tags(path)) == ("Title", ("One",), "Album", ("Rock",), 2012, 3, None)
