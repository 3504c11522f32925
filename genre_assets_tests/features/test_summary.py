import subprocess
import sys
import warnings

import numpy as np
import pytest
import soundfile
from filelock import FileLock, Timeout

from genre_assets.audio.status import AudioError, Status
from genre_assets.features import summary
from genre_assets.features.dsp.compilation import compilation_lock
from genre_assets.features.dsp.series import all_series
from genre_assets.features.dsp.transforms import Transforms
from genre_assets.features.summary import COLUMNS, extract, summarise, summarise_series
from genre_assets.lake.feature_columns import SERIES_SIZES, column_name
from genre_assets_tests.features.reference import reference_of_file, reference_of_samples
from genre_assets_tests.features.signals import noise, noise_after_silence, sweep, tone

REAL_CLIPS = [
    "000002.mp3",
    "000136.mp3",  # Summed in double precision, its chroma_cqt_kurtosis_03 is off by 1.2e-4.
    "000190.mp3",
]


def assert_equal_to_reference(values, reference):
    expected, allowances = reference
    wrong = [
        f"{name}: {value}, reference {of_peer}"
        for name, value, of_peer, allowance in zip(
            COLUMNS, values, expected, allowances, strict=True
        )
        if not abs(float(value) - float(of_peer)) <= allowance
    ]
    assert not wrong


def test_real_stereo_clips_equal_the_reference(real_data):
    for name in REAL_CLIPS:
        clip = real_data / "fma" / "fma_medium" / "000" / name
        assert_equal_to_reference(extract(clip), reference_of_file(clip))


def test_a_real_mono_clip_equals_the_reference(real_data):
    clips = sorted((real_data / "fma" / "fma_medium" / "000").glob("*.mp3"))
    clip = next(clip for clip in clips if soundfile.info(clip).channels == 1)
    assert_equal_to_reference(extract(clip), reference_of_file(clip))


@pytest.mark.parametrize(
    ("samples", "sample_rate"),
    [
        pytest.param(noise(11_025), 11_025, id="noise at 11,025 Hz"),
        pytest.param(noise(22_050), 22_050, id="noise at 22,050 Hz"),
        pytest.param(noise(48_000), 48_000, id="noise at 48 kHz"),
        pytest.param(noise(96_000), 96_000, id="noise at 96 kHz, where mel filters are empty"),
        pytest.param(noise(44_100, seconds=0.7431), 44_100, id="just long enough"),
        pytest.param(noise(44_100, amplitude=1e-4), 44_100, id="quiet"),
        pytest.param(noise(44_100)[: 512 * 100 - 1], 44_100, id="a sample short of a frame"),
        pytest.param(noise_after_silence(44_100), 44_100, id="begins with silence"),
        pytest.param(sweep(48_000), 48_000, id="sweep"),
        pytest.param(noise(192_000), 192_000, id="noise at 192 kHz"),
        pytest.param(0.2 + noise(44_100), 44_100, id="on a direct current"),
        pytest.param(np.clip(20 * sweep(44_100), -1, 1), 44_100, id="clipped"),
    ],
)
def test_made_sounds_equal_the_reference(samples, sample_rate):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = reference_of_samples(samples, sample_rate)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = summarise(samples, sample_rate)
    assert_equal_to_reference(values, expected)


@pytest.mark.parametrize(
    ("samples", "sample_rate", "status", "words"),
    [
        pytest.param(noise(44_100, 0.7), 44_100, Status.TOO_SHORT, "need 0.75 s", id="short"),
        pytest.param(
            noise(44_100, 0.742), 44_100, Status.TOO_SHORT, "holds 0.74 s", id="hardly too short"
        ),
        pytest.param(noise(44_100, 0), 44_100, Status.TOO_SHORT, "0.00 s", id="no samples"),
        pytest.param(np.zeros(44_100, np.float32), 44_100, Status.SILENT, "cancel", id="silence"),
        pytest.param(
            np.append(noise(44_100), np.float32("nan")), 44_100, Status.NOT_FINITE, "samples",
            id="a sample that is no number",
        ),
        pytest.param(
            np.append(noise(44_100), np.float32("inf")), 44_100, Status.NOT_FINITE, "samples",
            id="an infinite sample",
        ),
        pytest.param(
            noise(44_100, amplitude=1e30), 44_100, Status.NOT_FINITE, "full scale", id="too loud"
        ),
        pytest.param(noise(8_000), 8_000, Status.LOW_SAMPLE_RATE, "11025", id="8 kHz"),
    ],
)  # fmt: skip
def test_sounds_without_features_say_why(samples, sample_rate, status, words):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AudioError, match=words) as caught:
            summarise(samples, sample_rate)
    assert caught.value.status == status


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(tone(44_100, 440, seconds=6), id="one tone"),
        pytest.param(sum(tone(44_100, n * 880) / n for n in (1, 2, 3)) / 3, id="one note"),
        pytest.param(np.full(44_100, 0.5, np.float32), id="direct current"),
        pytest.param(noise(44_100, amplitude=1e-12), id="near silence"),
    ],
)
def test_what_never_changes_has_no_skew_and_no_kurtosis_and_all_else(samples):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = summarise(samples, 44_100)
    by_name = dict(zip(COLUMNS, values, strict=True))
    undefined = {name for name, value in by_name.items() if not np.isfinite(value)}
    assert undefined
    for name in undefined:
        series, statistic, number = name.rsplit("_", 2)
        assert statistic in ("skew", "kurtosis")
        assert {f"{series}_skew_{number}", f"{series}_kurtosis_{number}"} <= undefined
        mean = by_name[f"{series}_mean_{number}"]
        assert by_name[f"{series}_std_{number}"] <= 2e-7 * abs(mean)


@pytest.mark.parametrize(("column", "value"), [("mfcc_mean_01", np.nan), ("mfcc_skew_01", np.inf)])
def test_a_feature_that_is_no_number_for_another_reason_fails(monkeypatch, column, value):
    values = np.zeros(len(COLUMNS), np.float32)
    values[COLUMNS.index(column)] = value
    monkeypatch.setattr(summary, "summarise_series", lambda series: values)
    with pytest.raises(AudioError, match=f"such as {column}") as caught:
        summarise(noise(44_100), 44_100)
    assert caught.value.status is Status.NOT_FINITE


@pytest.mark.parametrize(
    ("sample_rate", "channels", "name", "subtype"),
    [
        (11_025, 1, "clip.wav", "PCM_U8"),
        (16_000, 2, "clip.flac", "PCM_16"),
        (24_000, 2, "clip.mp3", "MPEG_LAYER_III"),
        (44_100, 6, "clip.flac", "PCM_24"),
        (48_000, 2, "clip.ogg", "VORBIS"),
        (88_200, 4, "clip.aiff", "PCM_32"),
        (96_000, 8, "clip.wav", "DOUBLE"),
        (192_000, 8, "clip.wav", "FLOAT"),
    ],
)
def test_files_of_every_make_equal_the_reference(
    tmp_path, capfd, sample_rate, channels, name, subtype
):
    sound = noise(sample_rate * channels).reshape(-1, channels)
    soundfile.write(tmp_path / name, sound, sample_rate, subtype=subtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = reference_of_file(tmp_path / name)
    capfd.readouterr()
    assert_equal_to_reference(extract(tmp_path / name), expected)
    assert capfd.readouterr() == ("", "")


def test_the_error_of_a_file_names_it(tmp_path):
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(44_100), 44_100)
    with pytest.raises(AudioError, match=r"silence\.wav"):
        extract(path)


def test_a_stereo_file_is_the_mean_of_its_channels(tmp_path):
    left, right = noise(44_100), sweep(44_100, 1.5)
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.column_stack([left, right]), 44_100, subtype="FLOAT")
    np.testing.assert_allclose(
        extract(path), summarise((left + right) / 2, 44_100), rtol=1e-5, atol=1e-5
    )


def test_columns_are_those_of_features_csv_in_its_order():
    assert len(COLUMNS) == len(set(COLUMNS)) == 518
    assert sorted(COLUMNS) == COLUMNS
    assert (COLUMNS[0], COLUMNS[-1]) == ("chroma_cens_kurtosis_01", "zcr_std_01")


def test_every_value_stands_under_its_own_name():
    firsts, series = {}, {}
    for name, size in SERIES_SIZES.items():
        start = 10 * len(firsts)
        firsts |= {(name, row): start + 10 * row for row in range(1, size + 1)}
        series[name] = np.array([[firsts[name, row] + d for d in (0, 0, 0, 4)] for row in
                                 range(1, size + 1)], dtype=float)  # fmt: skip
    values = dict(zip(COLUMNS, summarise_series(series), strict=True))

    shape = {"kurtosis": 21 / 9 - 3, "skew": 6 / 3**1.5, "std": 3**0.5}
    for (name, row), first in firsts.items():
        place = {"min": first, "median": first, "mean": first + 1, "max": first + 4}
        for statistic, value in (place | shape).items():
            assert values[column_name(name, statistic, row)] == pytest.approx(value, rel=1e-6)


def test_a_tone_shows_in_the_features_that_should_show_it():
    concert_a = summarise_series(all_series(Transforms(tone(22_050, 440), 22_050)))
    values = dict(zip(COLUMNS, concert_a, strict=True))
    assert values["spectral_rolloff_median_01"] == pytest.approx(440, abs=22)
    assert values["zcr_median_01"] == pytest.approx(2 * 440 / 22_050, rel=0.02)
    assert values["rmse_median_01"] == pytest.approx(0.5 / 2**0.5 * (3 / 8) ** 0.5, rel=0.02)
    for chroma in ("chroma_cens", "chroma_cqt", "chroma_stft"):
        means = [values[f"{chroma}_mean_{row:02d}"] for row in range(1, 13)]
        assert np.argmax(means) == 9  # C is the first row, A the tenth.


def test_spectral_features_take_every_clip_for_one_of_22050_hz():
    values = dict(zip(COLUMNS, summarise(sweep(44_100), 44_100), strict=True))
    lowest, highest = 200, 200 + 600 * 3
    assert values["spectral_centroid_min_01"] == pytest.approx(lowest / 2, rel=0.2)
    assert values["spectral_centroid_median_01"] == pytest.approx((lowest + highest) / 4, rel=0.1)


def test_importing_the_extractor_imports_nothing_heavy():
    code = (
        "import sys; from genre_assets.sources import fma_published_features;"
        "from genre_assets.features import spectrogram_extraction;"
        "print([m for m in ('librosa', 'scipy', 'numba', 'soundfile', 'av', 'pandas')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_one_process_at_a_time_compiles(monkeypatch):
    def compile_while_another_would(*_):
        with pytest.raises(Timeout):
            FileLock(compilation_lock().lock_file).acquire(blocking=False)
        compiled.append(True)

    compiled = []
    monkeypatch.setattr(summary, "_summarise", compile_while_another_would)
    summary.warm_up.__wrapped__()
    assert compiled
