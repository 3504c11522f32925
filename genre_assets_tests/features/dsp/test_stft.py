import librosa
import numpy as np
import pytest

from genre_assets.features.dsp import stft
from genre_assets.features.dsp.framing import HOP_LENGTH
from genre_assets.features.dsp.stft import FRAMES_PER_BLOCK, N_BINS, Spectrogram
from genre_assets_tests.features.signals import noise, noise_after_silence, sweep, tone

BLOCK = FRAMES_PER_BLOCK * HOP_LENGTH


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(noise(44_100), id="noise"),
        pytest.param(noise(44_100, amplitude=1e-6), id="quiet noise"),
        pytest.param(tone(44_100, 440), id="a tone"),
        pytest.param(sweep(44_100), id="a sweep"),
        pytest.param(noise_after_silence(44_100), id="silence, then noise"),
        pytest.param(np.zeros(5000, np.float32), id="silence"),
        pytest.param(noise(44_100)[:2049], id="hardly longer than a frame"),
        pytest.param(noise(44_100)[: BLOCK - HOP_LENGTH], id="a whole block"),
        pytest.param(noise(44_100)[: BLOCK - HOP_LENGTH - 1], id="a sample less than a block"),
        pytest.param(noise(44_100, seconds=2)[:BLOCK], id="a frame more than a block"),
    ],
)
def test_magnitudes_are_librosas(samples):
    assert_magnitudes_are_librosas(samples)


def test_magnitudes_of_a_real_clip_are_librosas(real_data):
    clip = real_data / "fma" / "fma_medium" / "000" / "000002.mp3"
    assert_magnitudes_are_librosas(librosa.load(clip, sr=None, duration=5)[0])


def assert_magnitudes_are_librosas(samples):
    expected = np.abs(librosa.stft(samples)).T
    # A transform in single precision would be off by 1e-7 of the largest magnitude.
    rounding = 1e-13 * float(expected.max())
    np.testing.assert_allclose(Spectrogram(samples).by_frame(), expected, rtol=2e-7, atol=rounding)


@pytest.mark.parametrize("kept", [True, False])
def test_a_spectrogram_can_be_read_twice_and_ends_in_silence(monkeypatch, kept):
    monkeypatch.setattr(stft, "KEPT_FRAMES", 1000 if kept else 10)
    samples = noise(44_100)
    expected = Spectrogram(samples).by_frame()
    spectrogram = Spectrogram(samples)
    for _ in range(2):
        found = np.concatenate([block.T.copy() for block in spectrogram])
        assert len(found) % FRAMES_PER_BLOCK == 0
        np.testing.assert_array_equal(found[: spectrogram.frames], expected)
        assert found[spectrogram.frames :].shape[1] == N_BINS
        assert not found[spectrogram.frames :].any()


def test_what_is_computed_anew_is_what_is_kept(monkeypatch):
    samples = noise(44_100)
    kept = [block.copy() for block in Spectrogram(samples)]
    monkeypatch.setattr(stft, "KEPT_FRAMES", 0)
    np.testing.assert_array_equal(kept, [block.copy() for block in Spectrogram(samples)])
