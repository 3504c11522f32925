"""Clips too long for the memory, made short by lowering what counts as long."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genre_assets.audio import decode, samples, with_libsndfile
from genre_assets.audio.samples import SamplesOnDisk
from genre_assets.audio.status import WORTH_ANOTHER_TRY, AudioError, Status
from genre_assets.features.dsp import stft, zero_crossings
from genre_assets.features.summary import extract, summarise
from genre_assets_tests.features.signals import noise, noise_after_silence, sweep

FULL_DISK = Path("/dev/full")


@pytest.fixture
def opened(tmp_path_factory, monkeypatch):
    """The temporary files of a test, which has to close them."""
    files = []
    make = tempfile.TemporaryFile
    folder = tmp_path_factory.mktemp("temporary")

    def recorded(**options):
        files.append(make(dir=folder, **options))
        return files[-1]

    monkeypatch.setattr(samples.tempfile, "TemporaryFile", recorded)
    yield files
    assert files
    assert all(file.closed for file in files)
    assert not list(folder.iterdir())


@pytest.fixture
def small_pieces(monkeypatch):
    """Work in small pieces, and put clips beyond a second on disk, from the call on."""

    def begin():
        monkeypatch.setattr(samples, "PIECE", 33_333)
        monkeypatch.setattr(zero_crossings, "_FRAMES_PER_PIECE", 100)
        monkeypatch.setattr(stft, "KEPT_FRAMES", 100)
        monkeypatch.setattr(decode, "MOST_IN_MEMORY", 44_100)

    return begin


@pytest.mark.parametrize(
    ("sound", "sample_rate"),
    [
        pytest.param(noise(11_025, 5.0001), 11_025, id="no octave decimated first"),
        pytest.param(sweep(44_100, 3.3333), 44_100, id="sweep"),
        pytest.param(noise_after_silence(48_000)[:-1], 48_000, id="begins with silence"),
        pytest.param(noise(96_000, 2.5)[: 96_001 * 2], 96_000, id="decimated by four"),
        pytest.param(noise(44_100)[: 512 * 100 - 1], 44_100, id="a sample short of a frame"),
    ],
)
def test_features_from_disk_are_those_from_memory(opened, small_pieces, sound, sample_rate):
    expected = summarise(sound, sample_rate)
    small_pieces()
    with SamplesOnDisk() as on_disk:
        on_disk.append(sound[:999])
        on_disk.append(sound[999:])
        found = summarise(on_disk, sample_rate)
    np.testing.assert_array_equal(found, expected)
    octaves = opened[1:]
    assert len(octaves) == 7


def test_a_real_clip_on_disk_has_the_features_of_one_in_memory(opened, small_pieces, real_data):
    clip = real_data / "fma" / "fma_medium" / "000" / "000002.mp3"
    in_memory = summarise(*decode.decode(clip))
    assert not opened
    small_pieces()
    np.testing.assert_array_equal(extract(clip), in_memory)
    assert len(opened) == 8


@pytest.mark.parametrize(
    ("sound", "status"),
    [
        pytest.param(np.zeros(100_000), Status.SILENT, id="silent"),
        pytest.param(np.r_[noise(44_100, 3), np.nan], Status.NOT_FINITE, id="not finite"),
        pytest.param(np.r_[noise(44_100, 3), 1e7], Status.NOT_FINITE, id="too loud"),
    ],
)
def test_an_undefined_clip_on_disk_is_refused(opened, small_pieces, tmp_path, sound, status):
    small_pieces()
    path = tmp_path / "clip.wav"
    soundfile.write(path, sound.astype(np.float32), 44_100, subtype="FLOAT")
    with pytest.raises(AudioError) as caught:
        extract(path)
    assert caught.value.status == status


def test_a_clip_beyond_the_longest_is_refused(small_pieces, tmp_path, monkeypatch):
    small_pieces()
    path = tmp_path / "clip.mp3"
    soundfile.write(path, noise(44_100, 3), 44_100)
    monkeypatch.setattr(decode, "MAX_SAMPLES", 100_000)
    with pytest.raises(AudioError, match="cut it into pieces"):
        extract(path)


def test_a_truncated_clip_on_disk_is_refused(opened, small_pieces, tmp_path):
    small_pieces()
    path = tmp_path / "clip.mp3"
    soundfile.write(path, noise(44_100, 9), 44_100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(AudioError) as caught:
        extract(path)
    assert caught.value.status == Status.TRUNCATED


def test_a_second_decoder_begins_anew(opened, small_pieces, tmp_path, monkeypatch):
    small_pieces()
    path = tmp_path / "clip.wav"
    soundfile.write(path, noise(44_100, 3), 44_100)
    whole = with_libsndfile._blocks

    def broken_off(sound):
        yield from list(whole(sound))[:5]
        raise soundfile.LibsndfileError(1)

    expected = decode.decode(path)[0]
    monkeypatch.setattr(with_libsndfile, "_blocks", broken_off)
    with decode.decoded(path) as (found, _):
        assert isinstance(found, SamplesOnDisk)
        np.testing.assert_array_equal(found[:], expected)


def test_a_short_clip_needs_no_temporary_folder(tmp_path, monkeypatch):
    path = tmp_path / "clip.wav"
    soundfile.write(path, noise(44_100, 3), 44_100)
    monkeypatch.setattr(samples.tempfile, "TemporaryFile", None)
    with decode.decoded(path) as (found, _):
        np.testing.assert_array_equal(found, decode.decode(path)[0])


@pytest.mark.skipif(not FULL_DISK.exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told_of_in_a_sentence(small_pieces, tmp_path, monkeypatch):
    small_pieces()
    path = tmp_path / "clip.wav"
    soundfile.write(path, noise(44_100, 3), 44_100)
    tempfile.gettempdir()
    monkeypatch.setattr(samples.tempfile, "TemporaryFile", lambda **_: FULL_DISK.open("r+b"))
    said = rf"clip\.wav: The samples of so long .* fit in {tempfile.tempdir} \(No space"
    with pytest.raises(AudioError, match=said) as caught:
        extract(path)
    assert caught.value.status in WORTH_ANOTHER_TRY
