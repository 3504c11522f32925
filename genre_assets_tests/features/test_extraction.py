import errno
import threading
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from genre_assets.audio import decode
from genre_assets.audio.status import AudioError, Status
from genre_assets.audio.workers import WorkerPool
from genre_assets.errors import UserError
from genre_assets.features import extraction, spectrograms, summary
from genre_assets.features.clips import Clip
from genre_assets.features.extraction import PendingClip, analyse, extract_shard
from genre_assets.features.spectrogram_extraction import spectrogram_extractor
from genre_assets.features.summary import (
    COLUMNS,
    EXTRACTOR_VERSION,
    FEATURE_SOURCE,
    VERSION_BEFORE,
    warm_up,
)
from genre_assets.features.summary_extraction import summary_extractor
from genre_assets.lake import journal
from genre_assets.lake.schemas import (
    AUDIO,
    FEATURE_FAILURES,
    SPECTROGRAM_FAILURES,
    SPECTROGRAMS,
    SUMMARY_FEATURES,
)
from genre_assets.lake.tables import Lake
from genre_assets_tests.features.signals import noise

SHARD = "folder_00"


def audio_rows(**contents):
    """Audio that is ok, one track for each ``name="content"``."""
    return [
        {"track_id": f"folder:{name}", "sha256": content, "path": f"/music/{name}.mp3",
         "duration_s": 30.0, "status": "ok"}
        for name, content in contents.items()
    ]  # fmt: skip


class Shard:
    """A shard whose clips are "analysed" in this process, as the test says."""

    def __init__(self, lake):
        self.lake = lake
        self.journal = lake.journal(SUMMARY_FEATURES, SHARD)
        self.analysed = []
        self.limits = {}
        self.outcomes = {}
        self.killed_after = None
        self.deadly = set()
        self.lines = []

    def run(self, function, items, limit_s, name):
        """Stands in for the worker pool's."""
        for item in items:
            clip = item.clip
            if self.killed_after is not None and len(self.analysed) == self.killed_after:
                raise KeyboardInterrupt
            self.analysed.append(clip.sha256)
            self.limits[clip.sha256] = limit_s(item)
            if clip.sha256 in self.deadly:
                raise KeyboardInterrupt
            value = np.full(518, sum(clip.sha256.encode()), np.float32)
            yield item, self.outcomes.get(clip.sha256, dict.fromkeys(item.compute, value))

    def refresh(self, rows):
        self.analysed = []
        self.lake.write(AUDIO, AUDIO.of_rows(rows), SHARD)
        [made] = extract_shard(
            self.lake, SHARD, [summary_extractor()], workers=self, log=self.lines.append
        )
        self.features, self.failures = made.features, made.failures
        assert self.lake.read(SUMMARY_FEATURES, [SHARD]).equals(self.features)
        assert self.lake.read(FEATURE_FAILURES, [SHARD]).equals(self.failures)
        assert made.analysed == len(self.analysed)
        assert not list(self.lake.root.glob(".internal/journal/*/*/*"))

    def tracks(self):
        return [key.partition(":")[2] for key in self.features["track_id"].to_pylist()]


@pytest.fixture
def shard(tmp_path):
    return Shard(Lake(tmp_path))


def test_only_what_is_new_is_analysed(shard):
    shard.refresh(audio_rows(a="x", b="y"))
    assert shard.analysed == ["x", "y"]
    shard.refresh(audio_rows(a="x", b="changed", c="z"))
    assert shard.analysed == ["changed", "z"]
    assert shard.tracks() == ["a", "b", "c"]
    shard.refresh(audio_rows(a="x", b="changed", c="z"))
    assert shard.analysed == []
    assert shard.tracks() == ["a", "b", "c"]


def test_rows_conform_and_hold_their_own_values(shard):
    shard.refresh(audio_rows(b="y", a="x"))
    assert shard.features.schema.equals(SUMMARY_FEATURES.schema, check_metadata=True)
    assert shard.failures.schema.equals(FEATURE_FAILURES.schema, check_metadata=True)
    first, second = shard.features.to_pylist()
    assert (first["track_id"], first["sha256"], first[COLUMNS[0]]) == ("folder:a", "x", ord("x"))
    assert (second["track_id"], second["sha256"], second[COLUMNS[-1]]) == (
        "folder:b",
        "y",
        ord("y"),
    )
    assert first["extractor_version"] == EXTRACTOR_VERSION
    assert first["feature_source"] == FEATURE_SOURCE


def test_the_same_bytes_are_analysed_once(shard):
    shard.refresh(audio_rows(a="x", b="x"))
    assert shard.analysed == ["x"]
    assert shard.tracks() == ["a", "b"]
    shard.refresh(audio_rows(moved="x"))
    assert shard.analysed == []
    assert shard.tracks() == ["moved"]


def test_tracks_without_sound_audio_have_no_features(shard):
    shard.refresh(audio_rows(a="x", b="y"))
    [missing] = audio_rows(a="x")
    missing |= {"status": "missing", "sha256": None, "path": None}
    shard.refresh([missing])  # b is not listed any more.
    assert shard.tracks() == []
    assert shard.failures.num_rows == 0


def test_another_extractor_version_analyses_all_anew(shard, monkeypatch):
    shard.refresh(audio_rows(a="x"))
    monkeypatch.setattr(summary, "EXTRACTOR_VERSION", EXTRACTOR_VERSION + 1)
    shard.refresh(audio_rows(a="x"))
    assert shard.analysed == ["x"]
    assert shard.features["extractor_version"].to_pylist() == [EXTRACTOR_VERSION + 1]


def test_failures_are_recorded_and_taken_over(shard):
    shard.outcomes["x"] = AudioError(Status.SILENT, "a.mp3: silence")
    shard.refresh(audio_rows(a="x", b="x", c="y"))
    assert shard.tracks() == ["c"]
    assert [(r["track_id"], r["status"], r["reason"]) for r in shard.failures.to_pylist()] == [
        ("folder:a", "silent", "a.mp3: silence"),
        ("folder:b", "silent", "a.mp3: silence"),
    ]
    shard.refresh(audio_rows(a="x", b="x", c="y"))
    assert shard.analysed == []
    assert shard.failures.num_rows == 2


@pytest.mark.parametrize("status", [Status.WORKER_DIED, Status.FAILED, Status.MISSING])
def test_failures_that_may_not_be_the_files_are_tried_again(shard, status):
    shard.outcomes["x"] = AudioError(status, "no memory")
    shard.refresh(audio_rows(a="x"))
    assert shard.failures["status"].to_pylist() == [status]
    del shard.outcomes["x"]
    shard.refresh(audio_rows(a="x"))
    assert shard.analysed == ["x"]
    assert shard.tracks() == ["a"]
    assert shard.failures.num_rows == 0


def test_of_two_tries_that_failed_the_last_one_is_told_of(shard):
    shard.outcomes["x"] = AudioError(Status.FAILED, "no memory")
    shard.refresh(audio_rows(a="x"))
    shard.outcomes["x"] = AudioError(Status.SILENT, "a.mp3: silence")
    shard.refresh(audio_rows(a="x"))
    assert shard.failures["status"].to_pylist() == [Status.SILENT]


def test_what_another_version_cannot_be_computed_of_keeps_no_old_features(shard, monkeypatch):
    shard.refresh(audio_rows(a="x"))
    monkeypatch.setattr(summary, "EXTRACTOR_VERSION", EXTRACTOR_VERSION + 1)
    shard.outcomes["x"] = AudioError(Status.NOT_FINITE, "a.mp3: changes too little")
    shard.refresh(audio_rows(a="x"))
    assert shard.tracks() == []
    assert shard.failures["extractor_version"].to_pylist() == [EXTRACTOR_VERSION + 1]


def test_of_the_version_before_only_what_was_wrong_is_computed_anew(shard, monkeypatch):
    """A lake of before: lengths that were guessed, and failures that are none any more."""
    names = ("stated", "guessed", "tone", "cut", "short", "dead")
    rows = audio_rows(**{name: name for name in names})
    for name, status in {
        "tone": Status.NOT_FINITE,
        "cut": Status.TRUNCATED,
        "short": Status.TOO_SHORT,
        "dead": Status.TIMED_OUT,
    }.items():
        shard.outcomes[name] = AudioError(status, f"{name}.mp3: it failed")
    monkeypatch.setattr(summary, "EXTRACTOR_VERSION", VERSION_BEFORE)
    shard.refresh(rows)
    before = {row["track_id"]: row for row in shard.features.to_pylist()}
    failed_before = {row["track_id"]: row for row in shard.failures.to_pylist()}

    monkeypatch.setattr(summary, "EXTRACTOR_VERSION", EXTRACTOR_VERSION)
    shard.outcomes = {}
    shard.refresh(rows)  # The files were not probed anew: nothing is known to be guessed.
    assert sorted(shard.analysed) == ["cut", "tone"]
    guessed = {"guessed": "decoding"}
    rows = [row | {"duration_from": guessed.get(row["sha256"], "header")} for row in rows]
    shard.refresh(rows)
    assert shard.analysed == ["guessed"]
    after = {row["track_id"]: row for row in shard.features.to_pylist()}
    assert after["folder:stated"] == before["folder:stated"]
    versions = {key: row["extractor_version"] for key, row in after.items()}
    assert versions == {
        "folder:stated": VERSION_BEFORE,
        "folder:guessed": EXTRACTOR_VERSION,
        "folder:tone": EXTRACTOR_VERSION,
        "folder:cut": EXTRACTOR_VERSION,
    }
    failed = {row["track_id"]: row for row in shard.failures.to_pylist()}
    assert failed == {key: failed_before[key] for key in ("folder:short", "folder:dead")}
    shard.refresh(rows)
    assert shard.analysed == []


def test_what_is_not_defined_is_null_in_the_table(shard):
    values = np.ones(518, np.float32)
    values[COLUMNS.index("mfcc_skew_03")] = np.nan
    shard.outcomes["x"] = {"summary_features": values}
    shard.refresh(audio_rows(a="x", b="y"))
    assert shard.features["mfcc_skew_03"].to_pylist() == [None, ord("y")]
    assert shard.features["mfcc_mean_03"].null_count == 0
    shard.refresh(audio_rows(a="x", b="y"))
    assert shard.analysed == []


def test_a_long_clip_is_given_longer(shard):
    short, long = audio_rows(a="x", b="y")
    shard.refresh([short, long | {"duration_s": 7200.0}])
    assert shard.limits["y"] >= shard.limits["x"] + 0.5 * (7200 - 30)


def test_a_killed_run_goes_on_where_it_was(shard):
    rows = audio_rows(a="x", b="y", c="z")
    shard.outcomes["y"] = AudioError(Status.SILENT, "b.mp3: silence")
    shard.killed_after = 2
    with pytest.raises(KeyboardInterrupt):
        shard.refresh(rows)
    shard.killed_after = None
    shard.refresh(rows)
    assert shard.analysed == ["z"]
    assert shard.tracks() == ["a", "c"]
    assert shard.failures["track_id"].to_pylist() == ["folder:b"]


def test_a_clip_that_takes_the_run_down_with_it_keeps_no_other_from_being_analysed(
    shard, monkeypatch
):
    monkeypatch.setattr(journal, "JOURNAL_EVERY_S", 0)
    rows = audio_rows(a="deadly", b="y", c="z")
    shard.deadly = {"deadly"}
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            shard.refresh(rows)
    assert shard.analysed == ["y", "z", "deadly"]
    shard.deadly = set()
    shard.refresh(rows)
    assert shard.analysed == ["deadly"]
    assert shard.tracks() == ["a", "b", "c"]


def test_finished_clips_reach_the_journal_while_others_run(shard, monkeypatch):
    monkeypatch.setattr(journal, "JOURNAL_EVERY_S", 0)
    seen = []
    outcomes = shard.run

    def watched(*args, **options):
        for outcome in outcomes(*args, **options):
            seen.append(shard.journal.read().num_rows)
            yield outcome

    monkeypatch.setattr(shard, "run", watched)
    shard.refresh(audio_rows(a="x", b="y", c="z"))
    assert seen == [0, 1, 2]


def test_the_log_says_what_was_done(shard):
    shard.outcomes["y"] = AudioError(Status.SILENT, "c.mp3: silence")
    shard.refresh(audio_rows(a="x", b="x", c="y"))
    assert shard.lines[-1].startswith("2 of 2 clips analysed, 1 failed, ")


def test_an_empty_shard_is_no_work(shard):
    shard.refresh([])
    assert (shard.features.num_rows, shard.failures.num_rows) == (0, 0)
    assert shard.lake.partitions(SUMMARY_FEATURES) == []
    assert shard.lake.partitions(FEATURE_FAILURES) == []


def test_real_workers_analyse_files_and_outlive_bad_ones(tmp_path):
    good, short, broken = (tmp_path / name for name in ("good.wav", "short.wav", "broken.wav"))
    soundfile.write(good, noise(22_050), 22_050)
    soundfile.write(short, noise(22_050, seconds=0.1), 22_050)
    broken.write_bytes(b"no sound here" * 100)
    rows = [
        {
            "track_id": path.name,
            "sha256": path.name,
            "path": str(path),
            "status": "ok",
            "bytes": path.stat().st_size,
            "mtime_ns": path.stat().st_mtime_ns,
        }
        for path in (good, short, broken)
    ]
    lake = Lake(tmp_path)
    lake.write(AUDIO, AUDIO.of_rows(rows), SHARD)
    with WorkerPool(1, warm_up) as workers:
        [made] = extract_shard(lake, SHARD, [summary_extractor()], workers)
    features, failures = made.features, made.failures
    assert features["track_id"].to_pylist() == ["good.wav"]
    assert np.isfinite([features[name][0].as_py() for name in COLUMNS]).all()
    reasons = {row["track_id"]: row for row in failures.to_pylist()}
    assert reasons["short.wav"]["status"] == "too_short"
    assert reasons["short.wav"]["reason"].startswith(f"{short}: ")
    assert reasons["broken.wav"]["status"] == "not_audio"


def test_the_copy_that_is_still_there_is_analysed_for_all_of_its_kind(tmp_path):
    there = tmp_path / "there.wav"
    soundfile.write(there, noise(22_050), 22_050)
    found = there.stat()
    rows = [
        {"track_id": track_id, "sha256": "same", "path": str(path), "status": "ok",
         "bytes": found.st_size, "mtime_ns": found.st_mtime_ns}
        for track_id, path in (("a", tmp_path / "gone.wav"), ("b", there))
    ]  # fmt: skip
    lake = Lake(tmp_path)
    lake.write(AUDIO, AUDIO.of_rows(rows), SHARD)
    with WorkerPool(1, warm_up) as workers:
        [made] = extract_shard(lake, SHARD, [summary_extractor()], workers)
    features, failures = made.features, made.failures
    assert features["track_id"].to_pylist() == ["a", "b"]
    assert failures.num_rows == 0


@pytest.mark.parametrize(("more_bytes", "later_ns"), [(0, 1), (1, 0)])
def test_a_file_that_changed_after_its_probe_is_no_features_of_its_old_content(
    tmp_path, more_bytes, later_ns
):
    path = tmp_path / "changed.wav"
    soundfile.write(path, noise(22_050), 22_050)
    now = path.stat()
    clip = Clip("a", "old", path, 1.0, now.st_size - more_bytes, now.st_mtime_ns - later_ns)
    with pytest.raises(AudioError, match="changed after it was probed"):
        analyse(PendingClip(clip, {}))


@pytest.mark.parametrize("emptied_first", [False, True])
def test_a_file_that_changes_while_it_is_decoded_has_no_features(
    tmp_path, monkeypatch, emptied_first
):
    path = tmp_path / "changing.wav"
    soundfile.write(path, noise(22_050), 22_050)
    found = path.stat()
    read = decode.read_audio

    def read_while_it_changes(*args, **options):
        if emptied_first:
            path.write_bytes(b"")
        audio = read(*args, **options)
        path.write_bytes(b"another sound")
        return audio

    monkeypatch.setattr(decode, "read_audio", read_while_it_changes)
    clip = Clip("a", "old content", path, 1.0, found.st_size, found.st_mtime_ns)
    with pytest.raises(AudioError, match="changed after it was probed") as caught:
        analyse(PendingClip(clip, {}))
    assert caught.value.status == Status.FAILED


class Both:
    """A shard of which both kinds of features are made, in this process."""

    def __init__(self, folder):
        self.lake = Lake(folder / "lake")
        self.requested_retries = {}
        self.breaks_at = self.breaks_while = None
        rows = []
        for name, seconds in (("long", 11), ("short", 3)):
            path = folder / f"{name}.wav"
            soundfile.write(path, noise(22_050, seconds), 22_050)
            found = path.stat()
            rows.append(
                {"track_id": name, "sha256": name.encode().hex().ljust(64, "0"), "status": "ok",
                 "path": str(path), "bytes": found.st_size, "mtime_ns": found.st_mtime_ns}
            )  # fmt: skip
        self.lake.write(AUDIO, AUDIO.of_rows(rows), SHARD)

    def run(self, function, items, limit_s, name):
        """Stands in for the worker pool's."""
        for item in items:
            if item.clip.track_id == self.breaks_at:
                raise KeyboardInterrupt
            self.requested_retries[item.clip.track_id] = sorted(item.compute)
            if item.clip.track_id == self.breaks_while:
                raise KeyboardInterrupt
            yield item, function(item)

    def refresh(self, *extractors):
        """What is requested of each track, and what stands in the tables afterwards."""
        self.requested_retries = {}
        made = extract_shard(self.lake, SHARD, extractors, workers=self)
        return {
            of.name: (of.features["track_id"].to_pylist(), of.failures["track_id"].to_pylist())
            for of in made
        }

    @property
    def extractors(self):
        return spectrogram_extractor(self.lake.places), summary_extractor()


@pytest.fixture
def both(tmp_path):
    return Both(tmp_path)


def test_both_kinds_come_from_one_decoding_of_each_clip(both, monkeypatch):
    decoded, paths = decode.decoded, []
    monkeypatch.setattr(decode, "decoded", lambda path: paths.append(path.stem) or decoded(path))
    made = both.refresh(*both.extractors)
    assert paths == ["long", "short"]
    assert made == {
        "summary_features": (["long", "short"], []),
        "spectrograms": (["long"], ["short"]),
    }
    [failure] = both.lake.read(SPECTROGRAM_FAILURES, [SHARD]).to_pylist()
    assert failure["reason"].endswith(
        "short.wav: It holds 3.00 s of sound, but a segment has 10 s."
    )


def test_of_each_kind_only_what_is_due_is_computed(both, monkeypatch):
    spectrograms_, summary_ = both.extractors
    both.refresh(summary_)
    both.refresh(spectrograms_, summary_)
    assert both.requested_retries == {"long": ["spectrograms"], "short": ["spectrograms"]}
    both.refresh(spectrograms_, summary_)
    assert both.requested_retries == {}
    monkeypatch.setattr(summary, "EXTRACTOR_VERSION", EXTRACTOR_VERSION + 1)
    both.refresh(*both.extractors)
    assert both.requested_retries == {"long": ["summary_features"], "short": ["summary_features"]}
    monkeypatch.setattr(spectrograms, "EXTRACTOR_VERSION", spectrograms.EXTRACTOR_VERSION + 1)
    both.refresh(summary_extractor())
    assert both.requested_retries == {}


def test_a_killed_run_of_both_kinds_goes_on_where_it_was(both):
    both.breaks_at = "short"
    with pytest.raises(KeyboardInterrupt):
        both.refresh(*both.extractors)
    both.breaks_at = None
    made = both.refresh(*both.extractors)
    assert list(both.requested_retries) == ["short"]
    assert made["summary_features"] == (["long", "short"], [])
    assert made["spectrograms"] == (["long"], ["short"])


def test_a_clip_that_took_a_run_of_one_kind_down_comes_last_in_a_run_of_both(both):
    spectrograms_, summary_ = both.extractors
    both.breaks_while = "long"
    with pytest.raises(KeyboardInterrupt):
        both.refresh(summary_)
    both.breaks_while = None
    both.refresh(spectrograms_, summary_)
    assert list(both.requested_retries) == ["short", "long"]


def test_an_error_nobody_foresaw_in_one_kind_leaves_the_other_whole(both):
    spectrograms_, summary_ = both.extractors
    made = both.refresh(replace(spectrograms_, compute=_full_disk), summary_)
    assert made["summary_features"] == (["long", "short"], [])
    assert made["spectrograms"] == ([], ["long", "short"])
    rows = both.lake.read(SPECTROGRAM_FAILURES, [SHARD]).to_pylist()
    assert {row["status"] for row in rows} == {Status.FAILED}
    assert rows[0]["reason"].endswith("long.wav: OSError: [Errno 28] No space left on device")


def _full_disk(clip, transforms):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("table", [SPECTROGRAMS, SUMMARY_FEATURES])
def test_a_run_waits_for_another_one_of_either_kind_and_says_so(both, table):
    waiting = threading.Event()

    def log(line):
        if f"Another run is writing {table.name} {SHARD}: waiting" in line:
            waiting.set()

    with both.lake.lock(table, SHARD):
        arguments = (both.lake, SHARD, both.extractors, both, log)
        work = threading.Thread(target=extract_shard, args=arguments)
        work.start()
        assert waiting.wait(10)
        assert both.requested_retries == {}
    work.join(60)
    assert list(both.requested_retries) == ["long", "short"]


def test_locks_are_taken_in_one_order_however_the_kinds_are_named(both, monkeypatch):
    held, taken = Lake.held, []

    def recorded(lake, table, *rest):
        taken.append(table.name)
        return held(lake, table, *rest)

    monkeypatch.setattr(Lake, "held", recorded)
    both.refresh(*both.extractors)
    both.refresh(*reversed(both.extractors))
    assert taken == 2 * ["spectrograms", "summary_features"]


def test_a_clip_that_a_worker_dies_of_has_neither_kind(both):
    both.run = lambda function, items, **_: (
        (item, AudioError(Status.WORKER_DIED, "It died.")) for item in items
    )
    made = both.refresh(*both.extractors)
    assert made == {
        "summary_features": ([], ["long", "short"]),
        "spectrograms": ([], ["long", "short"]),
    }


def test_without_a_place_for_kernels_no_clip_is_begun_and_none_fails(shard, monkeypatch):
    def refuse(log):
        raise UserError("No place.")

    shard.refresh(audio_rows(a="x"))
    monkeypatch.setattr(extraction, "require_a_place_for_kernels", refuse)
    shard.refresh(audio_rows(a="x"))
    with pytest.raises(UserError):
        shard.refresh(audio_rows(a="x", b="y"))
    assert shard.analysed == []
    assert shard.lake.read(FEATURE_FAILURES).num_rows == 0
