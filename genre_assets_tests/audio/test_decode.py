import os

import librosa
import numpy as np
import pytest
import soundfile as sf
from av.error import ArgumentError, FFmpegError
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_assets.audio import decode as module
from genre_assets.audio import with_ffmpeg, with_libsndfile
from genre_assets.audio.decode import decode, read_audio
from genre_assets.audio.status import AudioError, Status
from genre_assets.audio.with_ffmpeg import in_a_sentence
from genre_assets_tests.audio.clips import SAMPLE_RATE, tone, write, write_m4a


def failure(path):
    with pytest.raises(AudioError) as caught:
        decode(path)
    assert str(path) in caught.value.reason
    assert caught.value.reason[-1] in ".?"
    return caught.value.status


@pytest.mark.parametrize("clip", ["000002", "000666", "000667", "000140"])
def test_real_clips_decode_to_the_samples_of_librosa(real_data, clip):
    # 666 and 667 are mono, in which a seek between two blocks alters the samples after it.
    path = real_data / "fma" / "fma_medium" / "000" / f"{clip}.mp3"
    expected, rate = librosa.load(path, sr=None, mono=True)
    samples, sample_rate = decode(path)
    assert sample_rate == rate
    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples, expected)


@pytest.mark.parametrize(
    ("suffix", "channels"),
    [(s, c) for s in ("wav", "flac", "ogg", "aiff") for c in (1, 2, 6)] + [("mp3", 1), ("mp3", 2)],
)
def test_every_channel_count_decodes_to_the_samples_of_librosa(
    tmp_path, suffix, channels, monkeypatch
):
    monkeypatch.setattr(with_libsndfile, "BLOCK_FRAMES", 1000)
    path = write(tmp_path / f"clip.{suffix}", 0.5, channels)
    expected, rate = librosa.load(path, sr=None, mono=True)
    audio = read_audio(path)
    assert (audio.sample_rate, audio.channels, audio.complete) == (rate, channels, True)
    np.testing.assert_array_equal(audio.samples, expected)


def test_alac_in_mp4_is_lossless(tmp_path):
    audio = read_audio(write_m4a(tmp_path / "clip.m4a", codec="alac"))
    assert (audio.format, audio.channels, audio.sample_rate) == ("MP4/alac", 2, SAMPLE_RATE)
    expected = np.round(tone(1.0) * 32767) / 32768
    np.testing.assert_allclose(audio.samples, expected.mean(axis=1), atol=1e-6)


def test_aac_in_mp4_is_close_to_what_was_encoded(tmp_path):
    audio = read_audio(write_m4a(tmp_path / "clip.m4a"))
    assert audio.format == "MP4/aac"
    assert audio.decoded_s == pytest.approx(1.0, abs=0.1)
    expected = tone(1.0).mean(axis=1)
    n = min(len(expected), len(audio.samples))
    assert np.corrcoef(expected[:n], audio.samples[:n])[0, 1] > 0.99


def test_only_the_first_seconds_are_decoded_when_they_are_asked_for(tmp_path):
    for path in (write(tmp_path / "long.wav", 3.0), write_m4a(tmp_path / "long.m4a", 3.0)):
        audio = read_audio(path, seconds=0.5)
        assert len(audio.samples) == round(0.5 * SAMPLE_RATE)
        assert not audio.complete
        assert audio.claimed_s == pytest.approx(3.0, abs=0.1)


def test_what_is_no_file_of_audio_has_a_named_failure(tmp_path):
    empty = tmp_path / "empty.mp3"
    empty.touch()
    text = tmp_path / "text.mp3"
    text.write_text("This is no audio. " * 100)
    pipe = tmp_path / "pipe.mp3"
    os.mkfifo(pipe)
    silent = tmp_path / "silent.wav"
    sf.write(silent, np.empty((0, 2)), SAMPLE_RATE)
    assert failure(tmp_path / "none.mp3") is Status.MISSING
    assert failure(empty / "below.mp3") is Status.MISSING
    assert failure(empty) is Status.EMPTY
    assert failure(text) is Status.NOT_AUDIO
    assert failure(pipe) is Status.UNREADABLE
    assert failure(tmp_path) is Status.UNREADABLE
    assert failure(silent) is Status.NO_AUDIO


def reason(path):
    with pytest.raises(AudioError) as caught:
        decode(path)
    return caught.value.reason


@pytest.mark.parametrize("suffix", ["flac", "mp3", "wav", "m4a", "wma", "ogg", "opus", "aiff"])
def test_text_is_no_audio_whatever_its_name(tmp_path, suffix):
    for number, text in enumerate(("It's text.", "1 2 3\n" * 500, '<p>"Hello</p>' * 99, "x")):
        path = tmp_path / f"{number}.{suffix}"
        path.write_text(text)
        assert failure(path) is Status.NOT_AUDIO


BEGINNINGS = {
    "FLAC": b"fLaC",
    "Ogg": b"OggS",
    "WAV": b"RIFF\0\0\0\0WAVE",
    "AIFF": b"FORM\0\0\0\0AIFF",
    "MP3": b"ID3\x03\0\0\0\0\x01\0",
    "Matroska": b"\x1a\x45\xdf\xa3",
    "WMA": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c",
    "WavPack": b"wvpk",
    "APE": b"MAC ",
    "MPEG": b"\xff\xfb\x90\x64",
    "ADTS": b"\xff\xf1\x50\x80",
    "AU": b".snd",
}


@pytest.mark.parametrize("kind", BEGINNINGS)
@pytest.mark.parametrize("rest", [b"", b"it's text " * 200, bytes(5000), bytes(range(256)) * 40])
def test_what_only_begins_like_audio_says_so_in_a_sentence(tmp_path, kind, rest):
    path = tmp_path / "clip.flac"
    path.write_bytes(BEGINNINGS[kind] + rest)
    try:
        decode(path)
    except AudioError as error:
        said = error.reason
        assert said.count("'") % 2 == 0
        for words in ("Error number", "Invalid argument", "claims 0", "Invalid data"):
            assert words not in said
        assert said.endswith((".", "?")) and len(said.splitlines()) == 1


def test_an_m4a_that_is_cut_off_is_no_other_kind_of_file(tmp_path):
    content = write_m4a(tmp_path / "whole.m4a", 2.0).read_bytes()
    for share in (0.02, 0.3, 0.9):
        cut = tmp_path / "cut.m4a"
        cut.write_bytes(content[: int(share * len(content))])
        assert failure(cut) is Status.TRUNCATED
        assert "is cut off: it begins like an MP4 file" in reason(cut)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Error in WAV file. No 'data' chunk marker.", "error in WAV file. No 'data' chunk marker"),
        ("It said 'what\nelse.", "it said what else"),
        ("WAV it is", "WAV it is"),
        ("", ""),
    ],
)
def test_what_a_decoder_says_ends_a_sentence(message, expected):
    assert in_a_sentence(message) == expected


def test_an_error_of_ffmpeg_without_a_text_is_put_into_words():
    class Strange(FFmpegError):
        pass

    told = with_ffmpeg.in_words(Strange(-50531338, "Error number -50531338 occurred"))
    assert told == "its data is damaged"
    assert with_ffmpeg.in_words(ArgumentError(22, "Invalid argument")).startswith("its header")


def test_a_playlist_cannot_make_another_file_be_read(tmp_path):
    write_m4a(tmp_path / "secret.m4a")
    playlists = {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{tmp_path}/secret.m4a\n",
        "concat": "ffconcat version 1.0\nfile secret.m4a\n",
    }
    for name, text in playlists.items():
        path = tmp_path / f"{name}.mp3"
        path.write_text(text)
        assert failure(path) is Status.NOT_AUDIO


def test_a_file_without_most_of_its_audio_is_truncated(tmp_path):
    whole = write(tmp_path / "whole.flac", 4.0).read_bytes()
    cut = tmp_path / "cut.flac"
    cut.write_bytes(whole[: len(whole) // 3])
    assert failure(cut) is Status.TRUNCATED


def test_samples_that_are_no_numbers_are_refused(tmp_path):
    path = tmp_path / "nan.wav"
    sf.write(path, np.array([0.0, np.nan, 0.0]), SAMPLE_RATE, subtype="FLOAT")
    assert failure(path) is Status.NOT_FINITE


def test_audio_beyond_the_limit_is_refused_with_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_SAMPLES", SAMPLE_RATE)
    path = write(tmp_path / "long.wav", 1.5)
    with pytest.raises(AudioError, match=r"claims to be longer than 0\.0 h") as caught:
        decode(path)
    assert caught.value.status is Status.UNDECODABLE
    assert read_audio(path, seconds=0.5).claimed_s == 1.5


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    files = [write(folder / f"clip.{suffix}", 0.2) for suffix in ("wav", "flac", "ogg", "mp3")]
    files.append(write_m4a(folder / "clip.m4a", 0.2))
    return [(file.suffix, file.read_bytes()) for file in files]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_ends_in_finite_samples_or_a_named_failure(whole_files, tmp_path_factory, data):
    suffix, content = data.draw(st.sampled_from(whole_files))
    damaged = bytearray(content[: data.draw(st.integers(0, len(content)))])
    for place in data.draw(st.lists(st.integers(0, 2**32), max_size=8)):
        if damaged:
            damaged[place % len(damaged)] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / f"damaged{suffix}"
    path.write_bytes(damaged)
    try:
        samples, sample_rate = decode(path)
    except AudioError as error:
        assert error.status in Status
        assert error.reason
    else:
        assert len(samples) > 0
        assert sample_rate > 0
        assert np.isfinite(samples).all()
