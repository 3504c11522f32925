"""A folder of files whose length a decoder would guess, materialised by Dagster's command."""

from datetime import UTC, datetime

import numpy as np
import pytest

from genre_assets.lake.schemas import SUMMARY_FEATURES, TRACKS
from genre_assets.refresh.plan import plan_of
from genre_assets_tests.audio.encodings import encoded, noise, quiet_tone, silence

RATE = 16_000
NOW = datetime(2026, 11, 20, tzinfo=UTC)
HEADERLESS = "mp3 without Xing"


def sound(seconds, channels=1, seed=0):
    return noise(seconds, channels=channels, rate=RATE, seed=seed)


def mp3(samples, encoding=HEADERLESS, **more):
    return encoded(samples, encoding, rate=RATE, **more)


def without_sizes(content):
    content, data = bytearray(content), content.index(b"data")
    content[4:8] = content[data + 4 : data + 8] = bytes(4)
    return bytes(content)


def tenth(content):
    return content[: len(content) // 10]


WHOLE = {
    "header.mp3": (8, lambda: mp3(sound(8), "mp3")),
    "loud then quiet.mp3": (
        30, lambda: mp3(np.hstack([sound(3), quiet_tone(27, rate=RATE)]), quality=4)),
    "silent then loud.mp3": (
        30, lambda: mp3(np.hstack([silence(2, rate=RATE), sound(28)]), quality=4)),
    "slow then fast.mp3": (
        12, lambda: mp3(sound(4), bit_rate=16_000) + mp3(sound(8), bit_rate=160_000)),
    "mono then stereo.mp3": (10, lambda: mp3(sound(2)) + mp3(sound(8, channels=2))),
    "three.mp3": (21, lambda: b"".join(mp3(sound(7, seed=n), "mp3") for n in range(3))),
    "pipe.flac": (8, lambda: encoded(sound(8), "flac", rate=RATE, piped=True)),
    "two.opus": (14, lambda: b"".join(encoded(noise(7, seed=n), "opus") for n in range(2))),
    "silent then loud.aac": (
        14, lambda: encoded(np.hstack([silence(4, rate=RATE), sound(10)]), "aac", rate=RATE)),
    "no sizes.wav": (8, lambda: without_sizes(encoded(sound(8), "wav", rate=RATE))),
    "tone.wav": (6, lambda: encoded(30 * quiet_tone(6, rate=RATE), "wav", rate=RATE)),
}  # fmt: skip
CUT = {
    "cut.wav": lambda: tenth(encoded(sound(60), "wav", rate=RATE)),
    "cut.aiff": lambda: tenth(encoded(sound(60), "aiff", rate=RATE)),
    "cut.mp3": lambda: tenth(mp3(sound(60), "mp3", bit_rate=16_000)),
    "cut.m4a": lambda: tenth(encoded(sound(20), "m4a", rate=RATE)),
}


def list_in_one_shard(lake, folder):
    rows = [
        {"track_id": f"folder:{path.name}", "source": "folder", "source_track_id": path.name,
         "shard": "folder_00", "path": str(path), "file_bytes": path.stat().st_size,
         "file_mtime_ns": path.stat().st_mtime_ns, "first_seen_at": NOW, "last_seen_at": NOW}
        for path in sorted(folder.iterdir())
    ]  # fmt: skip
    lake.write(TRACKS, TRACKS.of_rows(rows), "folder_00")


def test_no_guess_is_taken_for_the_length_of_a_file(platform, tmp_path_factory):
    music = tmp_path_factory.mktemp("music")
    for name, (_, make) in WHOLE.items():
        (music / name).write_bytes(make())
    for name, make in CUT.items():
        (music / name).write_bytes(make())
    (music / "text.flac").write_text("It's no music. " * 100)

    list_in_one_shard(platform.lake, music)
    done = platform.call(
        "dagster",
        *("asset", "materialize", "-m", "genre_assets.definitions"),
        *("--select", "audio,summary_features", "--partition", "folder_00"),
    )
    assert done.returncode == 0, done.stdout + done.stderr

    rows = platform.query(
        "SELECT parse_filename(path), a.status, a.reason, duration_s, duration_from, f.status,"
        " s.track_id IS NOT NULL, mfcc_mean_01, chroma_cqt_std_01"
        " FROM audio a LEFT JOIN feature_failures f USING (track_id)"
        " LEFT JOIN summary_features s USING (track_id)"
    )
    found = {name: rest for name, *rest in rows}
    assert set(found) == {*WHOLE, *CUT, "text.flac"}
    for name, (seconds, _) in WHOLE.items():
        status, reason, duration_s, duration_from, failed, has_features, mean, _ = found[name]
        assert (status, reason, failed, has_features) == ("ok", None, None, True), name
        assert duration_s == pytest.approx(seconds, rel=0.02, abs=0.2), name
        is_stated = name in ("header.mp3", "tone.wav")
        assert duration_from == ("header" if is_stated else "decoding"), name
        assert mean is not None, name
    for name in CUT:
        assert found[name][0] == "truncated" and "cut off" in found[name][1], name
        assert found[name][5] is False, name
    assert found["text.flac"][0] == "not_audio"

    # Quiet is what most of it is, which a decoder that stops at its guess never hears.
    (loudness,) = platform.query(
        "SELECT rmse_median_01 FROM audio JOIN summary_features USING (track_id)"
        " WHERE path LIKE '%/loud then quiet.mp3'"
    )
    assert loudness[0] < 0.02
    features = {row["track_id"]: row for row in platform.lake.read(SUMMARY_FEATURES).to_pylist()}
    undefined = [name for name, value in features["folder:tone.wav"].items() if value is None]
    assert undefined
    assert all("_skew_" in name or "_kurtosis_" in name for name in undefined)

    assert plan_of(platform.lake, asset="audio").is_empty
    assert plan_of(platform.lake, asset="summary_features").is_empty
