import numpy as np
import pytest
import soundfile as sf

from genre_assets.audio.status import AudioError, Status
from genre_assets.features import one_pass, spectrograms, summary
from genre_assets.features.dsp import transforms
from genre_assets_tests.features.signals import noise, sweep


@pytest.fixture(params=[11, 100])
def clip(request, tmp_path):
    """Sound of which all is looked at, or of which only the surroundings of segments are."""
    seconds = request.param
    path = tmp_path / "clip.wav"
    sound = sweep(22_050, seconds) + noise(22_050, seconds, amplitude=0.01)
    sf.write(path, sound / np.abs(sound).max(), 22_050, subtype="FLOAT")
    return path


def test_one_pass_gives_what_the_two_assets_give(clip):
    values, segments = one_pass.extract(clip)
    np.testing.assert_array_equal(values, summary.extract(clip))
    expected, sample_rate = spectrograms.extract(clip)
    assert sample_rate == 22_050
    assert [(s.number, s.start_s) for s in segments] == [(s.number, s.start_s) for s in expected]
    for ours, theirs in zip(segments, expected, strict=True):
        assert ours.spectrograms.keys() == theirs.spectrograms.keys()
        for name, band in ours.spectrograms.items():
            np.testing.assert_array_equal(band, theirs.spectrograms[name])


def test_all_features_of_a_clip_share_one_of_each_transform(tmp_path, monkeypatch):
    path, made = tmp_path / "clip.wav", []
    sf.write(path, noise(22_050, 11), 22_050)

    def recorded(name, make):
        return lambda *args: made.append(name) or make(*args)

    for name in ("Spectrogram", "constant_q_magnitude", "tunings"):
        monkeypatch.setattr(transforms, name, recorded(name, getattr(transforms, name)))
    one_pass.extract(path)
    assert sorted(made) == ["Spectrogram", "constant_q_magnitude", "tunings"]


def test_what_cannot_be_analysed_is_refused_by_its_path(tmp_path):
    path = tmp_path / "silent.wav"
    sf.write(path, np.zeros(22_050 * 12), 22_050)
    with pytest.raises(AudioError, match=r"silent\.wav: It is digital silence") as caught:
        one_pass.extract(path)
    assert caught.value.status == Status.SILENT
