import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_assets.audio.decode import decode
from genre_assets.features.dsp.tuning import tunings
from genre_assets_tests.features.signals import noise, sweep, tone

pytestmark = pytest.mark.filterwarnings("ignore:Trying to estimate tuning from empty")


def assert_equal_to_librosa(magnitude, sample_rate):
    """Hold both estimates to librosa's; the spectrogram is librosa's, (1025, frames)."""
    blocks = np.array_split(magnitude, 3, axis=1)
    assert tunings(blocks, sample_rate) == (
        librosa.estimate_tuning(S=magnitude, sr=sample_rate),
        librosa.estimate_tuning(S=magnitude**2, sr=22_050),
    )


@pytest.mark.parametrize("sample_rate", [6_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_both_estimates_are_exactly_librosas(sample_rate):
    for hertz in (431, 446, 452):
        sound = tone(sample_rate, hertz) + noise(sample_rate, amplitude=0.01)
        assert_equal_to_librosa(np.abs(librosa.stft(sound)), sample_rate)
    assert_equal_to_librosa(np.abs(librosa.stft(sweep(sample_rate))), sample_rate)
    assert_equal_to_librosa(np.abs(librosa.stft(noise(sample_rate))), sample_rate)


def test_the_estimates_of_real_clips_are_exactly_librosas(real_data):
    for name in ("000002.mp3", "000136.mp3", "000635.mp3"):
        samples, sample_rate = decode(real_data / "fma" / "fma_medium" / "000" / name)
        assert_equal_to_librosa(np.abs(librosa.stft(samples)), sample_rate)


# Between the last two so little that single precision takes their mean for the larger.
VALUES = [0, 0.0625, 0.1, 0.3, 0.5, 0.7, 3, 1 - 2**-24, 1]


@settings(max_examples=300, deadline=None)
@given(
    st.integers(14, 181),
    st.lists(st.sampled_from(VALUES), min_size=2, max_size=5),
)
def test_few_bins_with_plateaus_ties_and_thresholds_are_librosas(place, values):
    magnitude = np.zeros((1025, 1), np.float32)
    magnitude[place : place + len(values), 0] = values
    assert_equal_to_librosa(magnitude, 44_100)


def test_a_sound_without_peaks_counts_as_in_tune():
    assert tunings([np.ones((1025, 9), np.float32)], 44_100) == (0, 0)


def test_a_peak_on_the_edge_between_two_tunings_counts_for_the_upper():
    magnitude = np.zeros((1025, 1), np.float32)
    magnitude[20] = 1
    assert tunings([magnitude], sample_rate=440 / 20 * 2048)[0] == 0
