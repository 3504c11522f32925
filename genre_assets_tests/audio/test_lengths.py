"""How long a file is comes from what it states, where that holds, and else from decoding it."""

import io
import random

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st
from mutagen.id3 import APIC, ID3, TIT2

from genre_assets.audio.decode import read_audio
from genre_assets.audio.probe import probe
from genre_assets.audio.status import AudioError, Status
from genre_assets_tests.audio.encodings import (
    ENCODINGS,
    encoded,
    noise,
    quiet_tone,
    seconds_decoded_by_ffmpeg,
    silence,
)

HEADERLESS = "mp3 without Xing"
SLOW = {"rate": 16_000}


def then(*parts):
    return np.concatenate(parts, axis=1)


def with_cover(content, size):
    """An MP3 with a picture in its tags, made of bytes that look like sound here and there."""
    file = io.BytesIO(content)
    tags = ID3()
    tags.add(TIT2(encoding=3, text=["A song"]))
    picture = b"\xff\xd8\xff\xe0" + random.Random(0).randbytes(size)
    tags.add(APIC(encoding=3, mime="image/jpeg", type=3, desc="cover", data=picture))
    tags.save(file)
    return file.getvalue()


def vorbis(seconds, rate=16_000, channels=1):
    file = io.BytesIO()
    sf.write(file, noise(seconds, channels=channels, rate=rate).T, rate, "VORBIS", format="OGG")
    return file.getvalue()


def without_sizes(riff_size=0):
    content = bytearray(encoded(noise(8, **SLOW), "wav", **SLOW))
    data = content.index(b"data")
    content[4:8] = riff_size.to_bytes(4, "little")
    content[data + 4 : data + 8] = bytes(4)
    return bytes(content)


def with_stated_frames(content, frames):
    """An MP3 whose Xing header states another number of frames than there are."""
    at = content.index(b"Info") if b"Info" in content[:500] else content.index(b"Xing")
    return content[: at + 8] + frames.to_bytes(4) + content[at + 12 :]


def with_a_hole(content, share=0.1):
    """The same with zeros in the middle."""
    begin, size = len(content) // 2, int(share * len(content))
    return content[:begin] + bytes(size) + content[begin + size :]


WHOLE = {
    "loud at first, variable bit rate": (
        60, lambda: encoded(then(noise(5, **SLOW), quiet_tone(55, **SLOW)), HEADERLESS, quality=4,
                            **SLOW)),
    "silence at first": (
        60, lambda: encoded(then(silence(2, **SLOW), noise(58, **SLOW)), HEADERLESS, quality=4,
                            **SLOW)),
    "a low bit rate and then a high one": (
        30, lambda: encoded(noise(10), HEADERLESS, bit_rate=32_000)
        + encoded(noise(20), HEADERLESS, bit_rate=320_000)),
    "a large cover": (
        20, lambda: with_cover(encoded(noise(20), HEADERLESS, bit_rate=64_000), 200_000)),
    "a cover of more than a megabyte": (
        20, lambda: with_cover(encoded(noise(20), HEADERLESS, bit_rate=128_000), 1_100_000)),
    "a large cover and a header": (
        20, lambda: with_cover(encoded(noise(20), "mp3", bit_rate=64_000), 1_100_000)),
    "mono and then stereo": (
        15, lambda: encoded(noise(3, **SLOW), HEADERLESS, **SLOW)
        + encoded(noise(12, channels=2, **SLOW), HEADERLESS, **SLOW)),
    "mono and then stereo, with headers": (
        15, lambda: encoded(noise(3, **SLOW), "mp3", **SLOW)
        + encoded(noise(12, channels=2, **SLOW), "mp3", **SLOW)),
    "two sample rates": (
        20, lambda: encoded(noise(5), HEADERLESS)
        + encoded(noise(15, rate=44_100), HEADERLESS, rate=44_100)),
    "three MP3s with headers": (21, lambda: encoded(noise(7), "mp3") * 3),
    "three MP3s with headers and covers": (
        21, lambda: with_cover(encoded(noise(7), "mp3"), 50_000) * 3),
    "a header that states too little": (
        12, lambda: with_stated_frames(encoded(noise(12), "mp3"), 200)),
    "FLAC from a pipe": (8, lambda: encoded(noise(8, **SLOW), "flac", piped=True, **SLOW)),
    "two FLAC files": (14, lambda: encoded(noise(7, **SLOW), "flac", **SLOW) * 2),
    "two Vorbis files": (14, lambda: vorbis(7) * 2),
    "two Vorbis files of two sample rates": (
        14, lambda: vorbis(7) + vorbis(7, rate=44_100, channels=2)),
    "Opus and then Vorbis": (14, lambda: encoded(noise(7), "opus") + vorbis(7)),
    "AAC, silent at first": (
        28, lambda: encoded(then(silence(8), noise(20)), "aac")),
    "WAV without sizes": (8, lambda: without_sizes()),
    "WAV of a recorder that died": (8, lambda: without_sizes(riff_size=36)),
    "WAV from a pipe": (8, lambda: encoded(noise(8, **SLOW), "wav", piped=True, **SLOW)),
    "AIFF from a pipe": (8, lambda: encoded(noise(8, **SLOW), "aiff", piped=True, **SLOW)),
    "Matroska from a pipe": (8, lambda: encoded(noise(8), "opus in webm", piped=True)),
    "WavPack from a pipe": (8, lambda: encoded(noise(8), "wavpack", piped=True)),
    "WMA": (8, lambda: encoded(noise(8), "wma", bit_rate=64_000)),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_all_of_a_file_is_read_whatever_a_decoder_expects(tmp_path, name):
    seconds, make = WHOLE[name]
    path = tmp_path / "clip"
    path.write_bytes(make())
    found = probe(path)
    assert (found.status, found.reason) == (Status.OK, None)
    assert found.duration_s == pytest.approx(seconds, rel=0.01, abs=0.2)
    assert read_audio(path).decoded_s == pytest.approx(found.duration_s, abs=0.1)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: encoded(noise(20, **SLOW), "wav", **SLOW), id="wav"),
        pytest.param(lambda: encoded(noise(20, **SLOW), "aiff", **SLOW), id="aiff"),
        pytest.param(lambda: encoded(noise(20, **SLOW), "rf64", **SLOW), id="rf64"),
        pytest.param(lambda: encoded(noise(20, **SLOW), "caf", **SLOW), id="caf"),
        pytest.param(lambda: encoded(noise(20), "adpcm in wav"), id="adpcm"),
        pytest.param(lambda: encoded(noise(20), "wma", bit_rate=64_000), id="wma"),
        pytest.param(lambda: encoded(noise(60, **SLOW), "mp3", bit_rate=32_000, **SLOW), id="mp3"),
        pytest.param(lambda: encoded(noise(60, **SLOW), "flac", **SLOW), id="flac"),
        pytest.param(lambda: encoded(noise(20), "m4a"), id="m4a"),
        pytest.param(lambda: encoded(noise(20), "m4a in fragments"), id="fragments"),
        pytest.param(lambda: encoded(noise(20), "opus in webm"), id="webm"),
        pytest.param(lambda: encoded(noise(20), "tta"), id="tta"),
    ],
)
@pytest.mark.parametrize("share", [0.1, 0.3])
def test_a_file_that_lacks_most_of_its_sound_is_truncated_for_probe_and_features_alike(
    tmp_path, make, share
):
    content = make()
    path = tmp_path / "clip"
    path.write_bytes(content[: int(share * len(content))])
    found = probe(path)
    assert (found.status, found.duration_s) == (Status.TRUNCATED, None)
    assert "cut off" in found.reason
    with pytest.raises(AudioError, match="cut off") as caught:
        read_audio(path)
    assert caught.value.status is Status.TRUNCATED


@pytest.mark.parametrize("encoding", ["mp3", "wav", "aiff", "flac", "opus"])
def test_of_a_file_that_lacks_a_part_the_length_is_what_was_decoded(tmp_path, encoding):
    content = encoded(noise(20, **SLOW), encoding, **SLOW)
    path = tmp_path / "clip"
    path.write_bytes(content[: int(0.5 * len(content))] + content[int(0.7 * len(content)) :])
    found = probe(path)
    assert found.duration_s == pytest.approx(16, rel=0.06)
    assert found.duration_from == "decoding"
    assert read_audio(path).decoded_s == pytest.approx(found.duration_s, abs=0.1)


def test_ffmpeg_goes_on_where_libmpg123_gives_up(tmp_path):
    path = tmp_path / "clip.mp3"
    path.write_bytes(with_a_hole(encoded(noise(20, **SLOW), "mp3", bit_rate=64_000, **SLOW)))
    assert probe(path).duration_s == pytest.approx(18, rel=0.02)
    assert read_audio(path).decoded_s == pytest.approx(18, rel=0.02)


def test_a_file_whose_header_holds_is_not_decoded_to_know_its_length(tmp_path, monkeypatch):
    decoded = []

    def note(path, seconds=None, on_disk=None):
        decoded.append(seconds)
        return read_audio(path, seconds, on_disk)

    monkeypatch.setattr("genre_assets.audio.decode.read_audio", note)
    for encoding in ("mp3", "flac", "m4a", "opus", "wav", "aiff", "tta", "wavpack", "rf64"):
        path = tmp_path / encoding
        path.write_bytes(encoded(noise(7), encoding))
        found = probe(path)
        assert found.duration_s == pytest.approx(7, abs=0.1), encoding
        assert found.duration_from == "header", encoding
    assert decoded == [5.0] * 9


def test_what_the_length_is_known_from_is_said(tmp_path):
    for encoding, expected in {"mp3": "header", HEADERLESS: "decoding", "aac": "decoding"}.items():
        for seconds in (1, 7):
            path = tmp_path / encoding
            path.write_bytes(encoded(noise(seconds), encoding))
            assert probe(path).duration_from == expected


def test_a_file_with_a_header_keeps_the_samples_of_libsndfile(tmp_path):
    for encoding in ("mp3", "flac", "wav", "aiff", "opus"):
        content = encoded(noise(7, channels=2), encoding)
        path = tmp_path / encoding
        path.write_bytes(with_cover(content, 300_000) if encoding == "mp3" else content)
        expected, _ = sf.read(path, dtype="float32", always_2d=True)
        np.testing.assert_array_equal(read_audio(path).samples, expected.mean(axis=1))


def test_a_length_that_no_file_has_is_not_believed(tmp_path):
    path = tmp_path / "clip.mp3"
    path.write_bytes(with_stated_frames(encoded(noise(7), "mp3"), 2**31))
    assert probe(path).status is Status.TRUNCATED
    with pytest.raises(AudioError, match="cut off"):
        read_audio(path)


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    """A second or two of sound in every encoding: the seconds by the path of the file."""
    folder, made = tmp_path_factory.mktemp("pieces"), {}

    def keep(name, seconds, content):
        (folder / name).write_bytes(content)
        made[folder / name] = seconds

    for encoding in ENCODINGS:
        bit_rate = 64_000 if encoding == "wma" else None
        for seconds, channels in ((1.0, 1), (2.0, 2)):
            sound = noise(seconds, channels=channels)
            keep(f"{encoding} {channels}", seconds, encoded(sound, encoding, bit_rate=bit_rate))
    for encoding in ("mp3", "flac", "wav", "opus", "flac in mka", "wavpack"):
        keep(f"{encoding} from a pipe", 1.0, encoded(noise(1.0), encoding, piped=True))
    for channels in (1, 2):
        keep(f"vorbis {channels}", 2.0, vorbis(2.0, channels=channels))
    return made


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_sound_is_lost_without_a_word(pieces, tmp_path_factory, data):
    paths = data.draw(st.lists(st.sampled_from(sorted(pieces)), min_size=1, max_size=3))
    if data.draw(st.booleans()):
        paths = [paths[0]] * len(paths)
    content = b"".join(path.read_bytes() for path in paths)
    begin = data.draw(st.sampled_from([0.0, 0.0, 0.05, 0.4]))
    share = data.draw(st.sampled_from([1.0, 1.0, 0.9, 0.7, 0.55, 0.3, 0.1]))
    begin = int(begin * len(content))
    content = content[begin : begin + max(int(share * len(content)), 1)]
    path = tmp_path_factory.getbasetemp() / "cut_or_joined"
    path.write_bytes(content)

    found = probe(path)
    if found.status == Status.OK:
        by_ffmpeg = seconds_decoded_by_ffmpeg(path)
        encoded_s = sum(pieces[path] for path in paths)
        assert found.duration_s >= 0.98 * by_ffmpeg - 0.05
        assert found.duration_s <= 1.02 * max(by_ffmpeg, encoded_s) + 0.1 * len(paths)
        assert read_audio(path).decoded_s == pytest.approx(found.duration_s, rel=0.02, abs=0.1)
    else:
        nothing_heard = Status.UNDECODABLE, Status.NOT_AUDIO, Status.NO_AUDIO
        assert found.status in (Status.TRUNCATED, *nothing_heard)
        assert str(path) in found.reason
