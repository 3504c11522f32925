import os

import pytest
import soundfile

from genre_assets.audio.status import AudioError, Status
from genre_assets.audio.workers import WorkerPool
from genre_assets.features import spectrogram_files, spectrograms, summary
from genre_assets.features.extraction import extract_shard
from genre_assets.features.spectrogram_extraction import spectrogram_extractor
from genre_assets.features.spectrogram_files import remove_contents, remove_unlisted
from genre_assets.features.spectrograms import EXTRACTOR_VERSION, warm_up
from genre_assets.lake import journal
from genre_assets.lake.schemas import AUDIO, SPECTROGRAM_FAILURES, SPECTROGRAMS
from genre_assets.lake.tables import Lake
from genre_assets_tests.features.signals import noise, tone

SHARD = "folder_00"


class InThisProcess:
    """Stands in for the worker pool, and remembers what was analysed."""

    def __init__(self):
        self.analysed = []
        self.killed_after = None

    def run(self, function, items, limit_s, name):
        for item in items:
            if self.killed_after is not None and len(self.analysed) == self.killed_after:
                raise KeyboardInterrupt
            self.analysed.append(item.clip.track_id)
            try:
                result = function(item)
            except AudioError as error:
                result = error
            yield item, result


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture
def music(tmp_path):
    """Files of 20 and 11 s, and one shorter than a segment."""
    for name, seconds in (("two", 20), ("one", 11), ("none", 3)):
        samples = noise(22_050, seconds, 0.01) + tone(22_050, 440, seconds)
        soundfile.write(tmp_path / f"{name}.wav", samples, 22_050)
    return tmp_path


def audio(music, **contents):
    """Rows of ``audio``: for each ``track="file"`` the content named by the file's letters."""
    return [
        {"track_id": track, "sha256": content(name), "path": str(path), "status": "ok",
         "bytes": path.stat().st_size, "mtime_ns": path.stat().st_mtime_ns}
        for track, name in contents.items()
        for path in [music / f"{name}.wav"]
    ]  # fmt: skip


def content(name):
    return name.encode().hex().ljust(64, "0")


def refresh(lake, rows, workers=None):
    workers = workers or InThisProcess()
    lake.write(AUDIO, AUDIO.of_rows(rows), SHARD)
    [made] = extract_shard(lake, SHARD, [spectrogram_extractor(lake.places)], workers)
    assert lake.read(SPECTROGRAMS, [SHARD]).equals(made.features)
    assert lake.read(SPECTROGRAM_FAILURES, [SHARD]).equals(made.failures)
    return made.features.to_pylist(), made.failures.to_pylist(), workers.analysed


def files(lake):
    folder = lake.root / "tfrecords"
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_each_segment_has_a_row_and_each_content_a_file(lake, music):
    segments, failures, _ = refresh(lake, audio(music, a="two", b="one", c="none"))
    assert [(row["track_id"], row["segment"]) for row in segments] == [("a", 0), ("a", 1), ("b", 0)]
    for row in segments:
        assert row["frames"] == 430
        assert row["sample_rate"] == 22_050
        assert row["extractor_version"] == EXTRACTOR_VERSION
        assert (lake.root / row["file"]).stat().st_size == row["bytes"]
    assert segments[1]["start_s"] == pytest.approx(10, abs=0.03)
    assert files(lake) == sorted(f"{content(name)}.tfrecord" for name in ("one", "two"))
    [failure] = failures
    assert (failure["track_id"], failure["status"]) == ("c", "too_short")
    assert failure["reason"] == (
        f"{music / 'none.wav'}: It holds 3.00 s of sound, but a segment has 10 s."
    )


def test_a_shard_that_they_were_requested_of_is_there_even_without_a_row(lake, music):
    assert refresh(lake, [])[:2] == ([], [])
    assert lake.partitions(SPECTROGRAMS) == [SHARD]
    assert lake.partitions(SPECTROGRAM_FAILURES) == []
    # So the next run makes those of the tracks that came since.
    assert refresh(lake, audio(music, a="one"))[2] == ["a"]


def test_only_what_is_new_is_analysed_and_the_same_bytes_once(lake, music):
    rows = audio(music, a="two", b="two", c="none")
    assert refresh(lake, rows)[2] == ["a", "c"]
    segments, failures, analysed = refresh(lake, rows + audio(music, d="one"))
    assert analysed == ["d"]
    assert [row["track_id"] for row in segments] == ["a", "a", "b", "b", "d"]
    assert [row["track_id"] for row in failures] == ["c"]


def test_another_version_makes_spectrograms_anew_and_summary_features_not(lake, music, monkeypatch):
    rows = audio(music, a="one")
    [old], _, _ = refresh(lake, rows)
    before = summary.EXTRACTOR_VERSION
    monkeypatch.setattr(spectrograms, "EXTRACTOR_VERSION", EXTRACTOR_VERSION + 1)
    [new], _, analysed = refresh(lake, rows)
    assert analysed == ["a"]
    assert new["extractor_version"] == old["extractor_version"] + 1
    assert new["file"] != old["file"]
    assert before == summary.EXTRACTOR_VERSION


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_a_file_that_is_lost_or_cut_is_made_anew(lake, music, harm):
    rows = audio(music, a="one", b="two")
    [first, *_], _, _ = refresh(lake, rows)
    harm(lake.root / first["file"])
    [again, *_], _, analysed = refresh(lake, rows)
    assert analysed == ["a"]
    assert (lake.root / again["file"]).stat().st_size == again["bytes"]


def test_a_killed_run_goes_on_where_it_was(lake, music, monkeypatch):
    monkeypatch.setattr(journal, "JOURNAL_EVERY_S", 0)
    rows = audio(music, a="one", b="two", c="none")
    workers = InThisProcess()
    workers.killed_after = 2
    with pytest.raises(KeyboardInterrupt):
        refresh(lake, rows, workers)
    segments, failures, analysed = refresh(lake, rows)
    assert analysed == ["c"]
    assert [row["track_id"] for row in segments] == ["a", "b", "b"]
    assert [row["track_id"] for row in failures] == ["c"]


def test_files_that_no_row_names_go_after_a_day(lake, music):
    refresh(lake, audio(music, a="one", b="two"))
    refresh(lake, audio(music, a="one"))
    assert remove_unlisted(lake) == 0
    assert len(files(lake)) == 2
    for path in (lake.root / "tfrecords").rglob("*.tfrecord"):
        os.utime(path, (0, 0))
    assert remove_unlisted(lake) == 1
    assert files(lake) == [f"{content('one')}.tfrecord"]


def test_files_that_a_killed_run_got_done_stay_until_the_next_takes_them_over(
    lake, music, monkeypatch
):
    monkeypatch.setattr(journal, "JOURNAL_EVERY_S", 0)
    rows, workers = audio(music, a="one", b="two"), InThisProcess()
    workers.killed_after = 1
    with pytest.raises(KeyboardInterrupt):
        refresh(lake, rows, workers)
    for path in (lake.root / "tfrecords").rglob("*.tfrecord"):
        os.utime(path, (0, 0))
    # As a run of another shard does at its end.
    assert remove_unlisted(lake) == 0
    segments, _, analysed = refresh(lake, rows)
    assert analysed == ["b"]
    assert all((lake.root / row["file"]).exists() for row in segments)


def test_files_that_another_run_renames_meanwhile_are_passed_over(lake, music, monkeypatch):
    [row], _, _ = refresh(lake, audio(music, a="one"))
    path = lake.root / row["file"]
    vanished = path.with_name(".two.tfrecord.tmp")
    monkeypatch.setattr(spectrogram_files, "_all_files", lambda *where: [vanished, path])
    assert remove_unlisted(lake) == 0


def test_a_content_that_has_to_go_goes_with_all_its_versions(lake, music, monkeypatch):
    refresh(lake, audio(music, a="one", b="two"))
    monkeypatch.setattr(spectrograms, "EXTRACTOR_VERSION", EXTRACTOR_VERSION + 1)
    refresh(lake, audio(music, a="one", b="two"))
    assert remove_contents(lake.places, frozenset([content("one")])) == 2
    assert files(lake) == [f"{content('two')}.tfrecord"] * 2


def test_real_workers_write_files_and_load_no_tensorflow(lake, music):
    with WorkerPool(1, warm_up) as workers:
        lake.write(AUDIO, AUDIO.of_rows(audio(music, a="two", b="none")), SHARD)
        [made] = extract_shard(lake, SHARD, [spectrogram_extractor(lake.places)], workers)
        [(_, loaded)] = workers.run(_loads_tensorflow, ["?"], limit_s=60)
    assert loaded is False
    assert made.features["track_id"].to_pylist() == ["a", "a"]
    assert made.failures["track_id"].to_pylist() == ["b"]
    assert files(lake) == [f"{content('two')}.tfrecord"]


def _loads_tensorflow(_):
    import sys

    return "tensorflow" in sys.modules


def test_a_file_that_changed_after_its_probe_is_refused(lake, music):
    [row] = audio(music, a="one")
    _, [failure], _ = refresh(lake, [row | {"mtime_ns": 1}])
    assert failure["status"] == Status.FAILED
    assert files(lake) == []
