import warnings

import librosa
import numpy as np
import pytest

from genre_assets.features.dsp import spectral
from genre_assets.features.dsp.framing import N_FFT
from genre_assets.features.dsp.stft import FRAMES_PER_BLOCK, Spectrogram
from genre_assets_tests.features.signals import noise, noise_after_silence, sweep, tone

SOUNDS = [
    pytest.param(noise(44_100), id="noise"),
    pytest.param(sweep(44_100), id="a sweep"),
    pytest.param(noise_after_silence(44_100), id="silence, then noise"),
    pytest.param(tone(44_100, 440), id="a tone"),
]


@pytest.fixture(params=SOUNDS)
def sound(request):
    samples = request.param
    return Spectrogram(samples), np.abs(librosa.stft(samples))


def test_series_are_librosas(sound):
    spectrogram, magnitude = sound
    found = spectral.spectral_series(spectrogram, 44_100)
    feature = librosa.feature
    mel = feature.melspectrogram(S=magnitude**2, sr=44_100)
    expected = {
        "mfcc": feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=20),
        "rmse": feature.rms(S=magnitude),
        "spectral_bandwidth": feature.spectral_bandwidth(S=magnitude),
        "spectral_centroid": feature.spectral_centroid(S=magnitude),
        "spectral_contrast": feature.spectral_contrast(S=magnitude, n_bands=6),
        "spectral_rolloff": feature.spectral_rolloff(S=magnitude),
    }
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        # Levels in decibels pass zero, and are as good as the largest of them.
        error = 2e-6 * np.abs(rows).max()
        np.testing.assert_allclose(found[name], rows, rtol=2e-6, atol=error, err_msg=name)


def test_rolloff_is_exactly_librosas_bin(sound):
    spectrogram, magnitude = sound
    found = spectral.spectral_series(spectrogram, 44_100)["spectral_rolloff"]
    np.testing.assert_array_equal(found, librosa.feature.spectral_rolloff(S=magnitude))


@pytest.mark.parametrize("tuning", [-0.5, 0.0, 0.23])
def test_chroma_is_librosas_in_its_memory_order(sound, tuning):
    spectrogram, magnitude = sound
    found = spectral.chroma_stft(spectrogram, tuning)
    expected = librosa.feature.chroma_stft(S=magnitude**2, n_chroma=12, tuning=tuning)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    assert found.flags.f_contiguous == expected.flags.f_contiguous


@pytest.mark.parametrize("sample_rate", [11_025, 44_100, 96_000])
def test_the_extents_of_mel_filters_hold_all_their_weights(sample_rate):
    filters, extents = spectral.mel_filters(sample_rate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(filters, librosa.filters.mel(sr=sample_rate, n_fft=N_FFT))
    inside = np.zeros_like(filters)
    for row, weights, (start, stop) in zip(inside, filters, extents, strict=True):
        row[start:stop] = weights[start:stop]
    np.testing.assert_array_equal(inside, filters)


def test_frames_that_are_alike_have_the_same_cepstral_coefficients():
    levels = np.full((3, spectral.N_MEL, FRAMES_PER_BLOCK), -100, np.float32)
    rows = spectral.cepstral_coefficients(levels, spectral._COSINES)
    assert (rows == rows[:1, :, :1]).all()
