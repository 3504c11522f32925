import pytest

from genre_assets.lake.schemas import SPECTROGRAMS
from genre_assets.quality.spectrograms import files_whole
from genre_assets_tests.quality.sound_lake import SHARD, spoil, with_every


def test_a_shard_passes_when_its_files_are_what_its_rows_say(lake):
    verdict = files_whole(lake, SHARD)
    assert verdict.passed
    assert verdict.counts == {"files": 23, "broken": 0}
    assert files_whole(lake, "fma_005000").passed


def lose(lake, path):
    path.unlink()


def cut(lake, path):
    path.write_bytes(path.read_bytes()[:5])


def unlist(lake, path):
    spoil(lake, SPECTROGRAMS, lambda rows: rows[1:])


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (lose, "it is not there"),
        (cut, "it has 5 of 8 bytes"),
        (unlist, "the index lacks a segment of it"),
    ],
)
def test_a_file_that_is_not_is_named_with_what_is_wrong(lake, harm, found):
    harm(lake, lake.root / "tfrecords" / "1")
    verdict = files_whole(lake, SHARD)
    assert not verdict.passed
    assert verdict.examples == [{"file": "tfrecords/1", "found": found}]


def test_every_broken_file_is_counted(lake):
    spoil(lake, SPECTROGRAMS, with_every(bytes=9))
    assert files_whole(lake, SHARD).counts == {"files": 23, "broken": 23}
