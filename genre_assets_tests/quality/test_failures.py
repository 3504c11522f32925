from datetime import timedelta

import pytest

from genre_assets.lake.schemas import (
    AUDIO,
    FEATURE_FAILURES,
    FETCHES,
    ID3_TAGS,
    REJECTED_ROWS,
    TRACKS,
)
from genre_assets.quality.failures import few_failures, nothing_failed
from genre_assets_tests.quality.sound_lake import NOW, SHARD, spoil, with_every


def failing(count, **values):
    return lambda rows: [row | values for row in rows[:count]] + rows[count:]


BROKEN_FILE = {"status": "undecodable", "reason": "It cannot be decoded."}


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (AUDIO, BROKEN_FILE),
        (ID3_TAGS, {"status": "bad_tags", "reason": "They are damaged."}),
        (FETCHES, {"outcome": "timed_out", "reason": "The host is slow."}),
    ],
)
def test_many_failures_of_one_kind_warn_with_their_share(lake, table, values):
    spoil(lake, table, failing(5, **values))
    verdict = few_failures(lake, table, SHARD)
    kind = values.get("status") or values["outcome"]
    assert not verdict.passed
    assert verdict.warning
    assert f"{kind} 5 of 24 (20.8 %)" in verdict.sentence
    assert verdict.counts[kind] == 5
    assert len(verdict.examples) == 5


def test_many_tracks_without_features_warn(lake):
    def six_times(rows):
        return [rows[0] | {"track_id": f"fma_site:{n}"} for n in range(6)]

    spoil(lake, FEATURE_FAILURES, six_times)
    verdict = few_failures(lake, FEATURE_FAILURES, SHARD)
    assert "too_short 6 of 24 (25.0 %)" in verdict.sentence


def test_a_handful_in_a_small_shard_is_no_share(lake):
    spoil(lake, AUDIO, failing(4, **BROKEN_FILE))
    verdict = few_failures(lake, AUDIO, SHARD)
    assert verdict.passed
    assert verdict.sentence == (
        f"24 tracks tried in {SHARD}: at most 4 of them failed for the same reason (4 undecodable)."
    )


def test_what_was_never_to_be_tried_is_no_failure(lake):
    spoil(lake, AUDIO, with_every(status="missing", reason="It was not downloaded."))
    spoil(lake, ID3_TAGS, with_every(status="no_tags", reason="It carries no tags."))
    spoil(lake, FETCHES, with_every(outcome="no_licence", reason="Its page names none."))
    for table in (AUDIO, ID3_TAGS, FETCHES):
        assert few_failures(lake, table, SHARD).passed


def test_the_last_try_of_a_download_counts(lake):
    earlier = {"outcome": "timed_out", "reason": "Slow.", "fetched_at": NOW - timedelta(days=1)}
    spoil(lake, FETCHES, lambda rows: rows + [row | earlier for row in rows])
    assert few_failures(lake, FETCHES, SHARD).counts == {"tried": 24, "failed": 0}


def test_the_standing_list_names_what_failed_most_first_and_gives_an_example(lake):
    spoil(lake, AUDIO, failing(3, **BROKEN_FILE))
    spoil(lake, REJECTED_ROWS, lambda rows: [{
        "source": "fma_site", "origin": "Techno", "place": "row 3", "reason": "It has no title.",
    }])  # fmt: skip
    verdict = nothing_failed(lake)
    assert not verdict.passed
    assert verdict.warning
    assert verdict.counts == {"failures": 4, "reasons": 2}
    assert verdict.examples[0] == {
        "table": "audio", "failed": "undecodable", "count": 3,
        "example": "fma_site:0", "reason": "It cannot be decoded.",
    }  # fmt: skip
    assert [(row["table"], row["failed"]) for row in verdict.examples[1:]] == [
        ("rejected_rows", "rejected")
    ]


def test_a_track_that_failed_in_two_steps_or_is_gone_is_not_counted_twice(lake):
    spoil(lake, FEATURE_FAILURES, lambda rows: [])
    spoil(lake, AUDIO, failing(3, **BROKEN_FILE))
    spoil(lake, FETCHES, failing(4, outcome="undecodable", reason="It was broken on arrival."))
    spoil(lake, TRACKS, failing(1, gone_at=NOW))
    verdict = nothing_failed(lake)
    assert verdict.sentence == (
        "3 failures in the lake: 2 undecodable in audio, 1 undecodable in fetches."
    )


def test_a_lake_without_failures_passes(lake):
    spoil(lake, FEATURE_FAILURES, lambda rows: [])
    assert nothing_failed(lake).passed


def test_pictures_beside_the_music_are_no_failure_and_sound_that_is_not_read_is_one(lake):
    spoil(lake, FEATURE_FAILURES, lambda rows: [])
    row = {"source": "folder", "origin": "/music", "reason": "Not audio: 3 files."}
    spoil(lake, REJECTED_ROWS, lambda rows: [row | {"place": "*.jpg", "kind": "other"}])
    assert nothing_failed(lake).passed
    spoil(lake, REJECTED_ROWS, lambda rows: [
        *rows,
        row | {"place": "a.mid", "kind": "sound"},
        row | {"place": "row 7, track id 2, split", "kind": "value"},
    ])  # fmt: skip
    named = {example["failed"] for example in nothing_failed(lake).examples}
    assert named == {"sound not read", "value left out"}
