import librosa
import numpy as np
import pytest
import soundfile

from genre_assets.audio import decode
from genre_assets.audio.status import AudioError, Status
from genre_assets.features.spectrograms import BANDS, extract, segments_of
from genre_assets_tests.audio.clips import write
from genre_assets_tests.features.signals import noise, sweep, tone


def song(sample_rate, seconds):
    rng = np.random.default_rng(1)
    beat = np.zeros(int(sample_rate * seconds), np.float32)
    beat[:: sample_rate // 2] = 1
    return (
        0.3 * tone(sample_rate, 445, seconds)
        + 0.2 * beat
        + np.float32(0.01) * rng.standard_normal(len(beat)).astype(np.float32)
    )


def librosas(samples, sample_rate):
    """The four spectrograms of whole samples, straight from librosa."""
    magnitude = np.abs(librosa.stft(samples, n_fft=2048, hop_length=512))
    log_mel = librosa.power_to_db(
        librosa.feature.melspectrogram(y=samples, sr=sample_rate, n_fft=2048, hop_length=512)
    )
    constant_q = librosa.cqt(samples, sr=sample_rate, hop_length=512, n_bins=84, tuning=None)
    parts = librosa.decompose.hpss(magnitude)
    return {
        "log_mel": log_mel,
        "mfcc": librosa.feature.mfcc(S=log_mel, n_mfcc=20),
        "constant_q": librosa.amplitude_to_db(np.abs(constant_q)),
        "energies": librosa.power_to_db(np.stack([np.sum(part**2, axis=0) for part in parts])),
    }


def assert_close(found, expected):
    """Half precision's 0.05 %, and what single precision makes of a small number in decibels."""
    np.testing.assert_allclose(found, expected, rtol=6e-4, atol=0.02)


@pytest.mark.parametrize("sample_rate", [22_050, 44_100])
def test_the_segments_of_a_clip_are_cut_from_librosas_spectrograms(sample_rate):
    samples = song(sample_rate, 20.3)
    expected = librosas(samples, sample_rate)
    segments = segments_of(samples, sample_rate)
    frames = 10 * sample_rate // 512
    assert [segment.number for segment in segments] == [0, 1]
    for segment in segments:
        first = round(segment.start_s * sample_rate / 512)
        for name, bands in BANDS.items():
            found = segment.spectrograms[name]
            assert found.shape == (frames, bands)
            assert found.dtype == np.float16
            assert_close(found, expected[name][:, first : first + frames].T)


def test_the_segments_of_a_song_are_those_of_its_whole(monkeypatch):
    """Only what surrounds them is analysed; the loudest value and the tuning are of that."""
    sample_rate = 22_050
    samples = song(sample_rate, 90)
    expected = librosas(samples, sample_rate)
    segments = segments_of(samples, sample_rate)
    assert len(segments) == 6
    for segment in segments:
        first = round(segment.start_s * sample_rate / 512)
        for name in BANDS:
            whole = expected[name][:, first : first + segment.frames].T
            assert_close(segment.spectrograms[name], whole)


def test_of_a_real_clip_too(real_data):
    path = real_data / "fma" / "fma_medium"
    path = sorted(path.rglob("*.mp3"))[0]
    samples, sample_rate = librosa.load(path, sr=None, mono=True)
    expected = librosas(samples, int(sample_rate))
    segments, found_rate = extract(path)
    assert (len(segments), found_rate) == (3, sample_rate)
    for segment in segments:
        first = round(segment.start_s * sample_rate / 512)
        for name in BANDS:
            whole = expected[name][:, first : first + segment.frames].T
            assert_close(segment.spectrograms[name], whole)


@pytest.mark.parametrize("length", [10 * 22_050 + n for n in (0, 1, 63, 511, 512, 777)])
def test_any_length_gives_whole_segments(length):
    [segment] = segments_of(noise(22_050, 11)[:length], 22_050)
    assert {name: values.shape for name, values in segment.spectrograms.items()} == {
        name: (430, bands) for name, bands in BANDS.items()
    }


@pytest.mark.parametrize(
    ("samples", "sample_rate", "status", "words"),
    [
        (noise(22_050, 9.5), 22_050, Status.TOO_SHORT, "9.50 s of sound, but a segment has 10 s"),
        (np.zeros(22_050, np.float32), 22_050, Status.SILENT, "silence"),
        (np.full(22_050 * 11, np.nan, np.float32), 22_050, Status.NOT_FINITE, "not finite"),
        (noise(8_000, 12), 8_000, Status.LOW_SAMPLE_RATE, "8000 samples a second"),
        (noise(40, 1_000), 40, Status.LOW_SAMPLE_RATE, "40 samples a second"),
    ],
)
def test_what_has_no_spectrograms_is_refused_with_a_reason(samples, sample_rate, status, words):
    with pytest.raises(AudioError, match=words) as refusal:
        segments_of(samples, sample_rate)
    assert refusal.value.status == status


def test_a_refusal_names_the_file(tmp_path):
    path = write(tmp_path / "short.wav", seconds=2)
    with pytest.raises(AudioError, match=r"short\.wav: It holds 2\.00 s"):
        extract(path)


def test_segments_of_a_long_file_come_from_all_of_it_and_from_disk(tmp_path, monkeypatch):
    sound = np.concatenate([sweep(22_050, 40), np.zeros(22_050 * 60), noise(22_050, 20)])
    expected = segments_of(sound.astype(np.float32), 22_050)
    path = tmp_path / "long.wav"
    soundfile.write(path, sound, 22_050, subtype="FLOAT")
    monkeypatch.setattr(decode, "MOST_IN_MEMORY", 22_050)
    found, _ = extract(path)
    assert [segment.start_s for segment in found] == [segment.start_s for segment in expected]
    assert found[-1].start_s > 100
    silent = found[3]
    assert 60 < silent.start_s < 70
    assert np.isfinite(silent.spectrograms["log_mel"]).all()
    for here, there in zip(found, expected, strict=True):
        for name in BANDS:
            np.testing.assert_array_equal(here.spectrograms[name], there.spectrograms[name])
