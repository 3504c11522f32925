import pytest

from genre_assets.lake.schemas import AUDIO, FEATURE_FAILURES, SUMMARY_FEATURES
from genre_assets.quality.coverage import every_track_analysed
from genre_assets_tests.quality.sound_lake import (
    BROKEN,
    SHARD,
    spoil,
    with_every,
    with_value,
)


def test_a_shard_passes_when_each_track_has_features_or_a_reason(lake):
    verdict = every_track_analysed(lake, SHARD)
    assert verdict.passed
    assert verdict.counts == {"ok_audio": 24, "analysed": 23, "failed_with_reason": 1}


@pytest.mark.parametrize(
    ("table", "change", "track", "found"),
    [
        (SUMMARY_FEATURES, lambda rows: rows[:-1], "fma_site:23", "have neither features nor"),
        (SUMMARY_FEATURES, with_value(sha256="f" * 64), "fma_site:23", "have features of other"),
        (FEATURE_FAILURES, with_value(reason=None), BROKEN, "failed without a reason"),
        (FEATURE_FAILURES, with_value(reason=""), BROKEN, "failed without a reason"),
        (FEATURE_FAILURES, with_value(track_id="fma_site:23"), "fma_site:23", "have both"),
    ],
)
def test_a_track_that_was_passed_over_is_named_with_what_is_wrong(
    lake, table, change, track, found
):
    spoil(lake, table, change)
    verdict = every_track_analysed(lake, SHARD)
    assert not verdict.passed
    (shown,) = [e for e in verdict.examples if e["track_id"] == track]
    assert shown["found"].startswith(found)


def test_a_file_that_is_broken_needs_no_features(lake):
    spoil(lake, SUMMARY_FEATURES, lambda rows: [])
    spoil(lake, AUDIO, with_every(status="undecodable", reason="It is broken."))
    assert every_track_analysed(lake, SHARD).passed


def test_an_empty_shard_passes(lake):
    assert every_track_analysed(lake, "fma_005000").passed
