import librosa
import numpy as np
import pytest

from genre_assets.features.dsp.hpss import harmonic_percussive_energies
from genre_assets_tests.features.signals import noise, noise_after_silence, sweep, tone


def clicks(sample_rate):
    samples = np.zeros(2 * sample_rate, np.float32)
    samples[:: sample_rate // 8] = 1
    return samples


SOUNDS = {
    "a tone": tone(22_050, 440),
    "clicks": clicks(22_050),
    "a sweep with noise": sweep(22_050) + noise(22_050, seconds=3),
    "noise after silence": noise_after_silence(22_050),
    "fewer frames than a median": noise(22_050, seconds=0.2),
    "near the smallest number": np.float32(1e-38) * noise(22_050),
    "silence": np.zeros(22_050, np.float32),
}


def energies(samples):
    magnitude = np.abs(librosa.stft(samples))
    return harmonic_percussive_energies(np.ascontiguousarray(magnitude.T)), magnitude


@pytest.mark.parametrize("samples", SOUNDS.values(), ids=SOUNDS)
def test_energies_are_those_of_librosas_parts(samples):
    found, magnitude = energies(samples)
    parts = librosa.decompose.hpss(magnitude)
    expected = np.stack([np.sum(part**2, axis=0) for part in parts], axis=1)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-38)


def test_a_tone_is_harmonic_and_a_click_percussive():
    harmonic, percussive = energies(SOUNDS["a tone"])[0].sum(axis=0)
    assert harmonic > 10 * percussive
    harmonic, percussive = energies(SOUNDS["clicks"])[0].sum(axis=0)
    assert percussive > 10 * harmonic
