import librosa
import numpy as np
import pytest

from genre_assets.audio.status import AudioError, Status
from genre_assets.features.dsp import constant_q
from genre_assets.features.dsp.constant_q import (
    constant_q_chroma,
    constant_q_magnitude,
    fewest_samples,
)
from genre_assets_tests.features.signals import noise, noise_after_silence, sweep, tone

CHROMA = {"bins_per_octave": 12, "n_chroma": 12, "n_octaves": 7}


def librosas_magnitude(samples, sample_rate, tuning):
    return np.abs(
        librosa.cqt(
            samples, sr=sample_rate, hop_length=512, n_bins=84, bins_per_octave=12, tuning=tuning
        )
    )


def in_turn(arrays):
    return [(array.shape, array.dtype, array.flags.f_contiguous) for array in arrays]


@pytest.mark.parametrize("sample_rate", [11_025, 22_050, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("tuning", [-0.5, 0.0, 0.23])
def test_the_transform_is_librosas(sample_rate, tuning):
    samples = noise(sample_rate, 2) + sweep(sample_rate, 2)
    expected = librosas_magnitude(samples, sample_rate, tuning)
    found = constant_q_magnitude(samples, sample_rate, tuning)
    assert in_turn([found]) == in_turn([expected])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6 * expected.max())


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(noise(44_100)[: 512 * 100 - 1], id="a sample short of a frame"),
        pytest.param(noise(44_100)[: fewest_samples(44_100)], id="just long enough"),
        pytest.param(noise_after_silence(44_100), id="begins with silence"),
        pytest.param(tone(44_100, 440), id="one tone"),
        pytest.param(tone(44_100, 440, 3) * noise(44_100, 3), id="many levels"),
        pytest.param(0.5 + noise(44_100, 3, amplitude=1e-3), id="faint on a direct current"),
        pytest.param(tone(44_100, 9_000, 3) + noise(44_100, 3, 1e-3), id="faint beside treble"),
    ],
)
def test_both_chroma_are_librosas(samples):
    samples = samples.astype(np.float32)
    magnitude = librosas_magnitude(samples, 44_100, tuning=0.1)
    expected = [
        librosa.feature.chroma_cqt(C=magnitude, **CHROMA),
        librosa.feature.chroma_cens(C=magnitude, **CHROMA),
    ]
    found = constant_q_chroma(constant_q_magnitude(samples, 44_100, tuning=0.1))
    assert in_turn(found) == in_turn(expected)
    for of_ours, of_librosa in zip(found, expected, strict=True):
        np.testing.assert_allclose(of_ours, of_librosa, atol=1e-4)


def test_a_share_on_a_step_is_on_the_side_where_librosa_has_it(monkeypatch):
    samples = noise(44_100)
    magnitude = librosas_magnitude(samples, 44_100, tuning=0.0)
    expected = librosa.util.normalize(constant_q.fold(magnitude), norm=1)
    monkeypatch.setattr(constant_q, "DOUBT", np.float32(0))
    approximate = constant_q_magnitude(samples, 44_100, tuning=0.0)
    monkeypatch.undo()
    larger = librosa.util.normalize(constant_q.fold(approximate), norm=1) > expected
    monkeypatch.setattr(constant_q, "CENS_STEPS", expected[larger][::50])
    found = constant_q_chroma(constant_q_magnitude(samples, 44_100, tuning=0.0))[1]
    np.testing.assert_array_equal(found, constant_q.cens(constant_q.fold(magnitude)))


def test_frames_in_doubt_are_librosas_to_the_last_bit(monkeypatch):
    samples = noise(44_100)
    magnitude = librosas_magnitude(samples, 44_100, tuning=0.0)
    expected = librosa.feature.chroma_cqt(C=magnitude, **CHROMA)
    found = constant_q_chroma(constant_q_magnitude(samples, 44_100, tuning=0.0))[0]
    assert not np.array_equal(found, expected)
    monkeypatch.setattr(constant_q, "DOUBT", np.float32(0.5))
    found = constant_q_chroma(constant_q_magnitude(samples, 44_100, tuning=0.0))[0]
    np.testing.assert_array_equal(found, expected)


def test_a_sample_rate_too_low_for_the_highest_octave_is_refused():
    with pytest.raises(AudioError, match="need it up to 4122 Hz") as caught:
        constant_q_magnitude(noise(8_000), 8_000, tuning=0.0)
    assert caught.value.status == Status.LOW_SAMPLE_RATE


@pytest.mark.parametrize("sample_rate", [11_025, 44_100])
def test_librosa_warns_of_clips_shorter_than_the_fewest_samples(sample_rate):
    enough = noise(sample_rate)[: fewest_samples(sample_rate)]
    librosas_magnitude(enough, sample_rate, tuning=0.0)
    with pytest.warns(UserWarning, match="too large for input signal"):
        librosas_magnitude(enough[:-200], sample_rate, tuning=0.0)
