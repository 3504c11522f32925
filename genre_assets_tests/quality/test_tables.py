import math
from datetime import timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_assets.lake.schemas import (
    AUDIO,
    CHAMPIONS,
    ECHONEST_FEATURES,
    FEATURE_FAILURES,
    FETCHES,
    FMA_FEATURES,
    ID3_TAGS,
    LABELS,
    PAGES,
    PREDICTIONS,
    REJECTED_ROWS,
    SCORES,
    SUMMARY_FEATURES,
    SWEEPS,
    TABLES,
    TASK_MEMBERS,
    TIME,
    TRACKS,
)
from genre_assets.lake.tables import Lake
from genre_assets.quality.tables import keys_unique, parts_of, rows_valid, values_plausible
from genre_assets_tests.quality.sound_lake import (
    NOW,
    SHARD,
    TASK,
    spoil,
    with_every,
    with_row_twice,
    with_value,
)

BAD_VALUES = {
    "a sample rate of 0": (AUDIO, {"sample_rate": 0}, "sample_rate above 0"),
    "a negative length": (TRACKS, {"duration_s": -1.0}, "duration_s is 0 or more"),
    "an endless track": (TRACKS, {"duration_s": math.inf}, "duration_s is 0 or more"),
    "no length of a sound file": (AUDIO, {"duration_s": None}, "sample_rate above 0"),
    "an unknown status": (AUDIO, {"status": "fine", "reason": "?"}, "status is one of"),
    "a failure without a reason": (AUDIO, {"status": "empty"}, "status is ok, or there is"),
    "a failed fetch without one": (FETCHES, {"outcome": "gone"}, "outcome is ok, or there is"),
    "a reason of what is ok": (ID3_TAGS, {"reason": "Why?"}, "status is ok, or there is a reason"),
    "a hash of another kind": (AUDIO, {"sha256": "abc"}, "sha256 is 64 hexadecimal digits"),
    "a negative size": (FETCHES, {"bytes": -5}, "bytes is 0 or more"),
    "a tempo that is no number": (ID3_TAGS, {"bpm": math.nan}, "bpm is 0 or more"),
    "another track's id": (TRACKS, {"source_track_id": "7"}, "track_id is source:source_track_id"),
    "another shard": (TRACKS, {"shard": "fma_005000"}, "shard is that of the partition"),
    "another task": (TASK_MEMBERS, {"task": "styles"}, "task is that of the partition"),
    "a key that is empty": (AUDIO, {"track_id": ""}, "track_id is known"),
    "a key that is null": (LABELS, {"track_id": None}, "track_id is known"),
    "seen last before first": (
        TRACKS,
        {"last_seen_at": NOW - timedelta(days=9)},
        "first_seen_at is not after last_seen_at",
    ),
    "gone while it was seen": (
        TRACKS,
        {"gone_at": NOW - timedelta(days=9)},
        "last_seen_at is not after gone_at",
    ),
    "a fetch from the future": (
        FETCHES,
        {"fetched_at": NOW + timedelta(days=1)},
        "fetched_at is not in the future",
    ),
    "a split of another name": (TRACKS, {"official_split": "train"}, "official_split is one of"),
    "a year before the first": (ID3_TAGS, {"year": -44}, "year is 0 or more"),
    "a sweep that ended before it began": (
        SWEEPS,
        {"finished_at": NOW - timedelta(days=9)},
        "started_at is not after finished_at",
    ),
    "a status that HTTP lacks": (PAGES, {"status": 7}, "status lies in 100 to 599"),
    "a duplicate of itself": (LABELS, {"duplicate_of": "fma_site:23"}, "no duplicate of itself"),
    "a genre from nowhere": (LABELS, {"evidence": None}, "comes with its evidence"),
    "a failure that is ok": (
        FEATURE_FAILURES,
        {"status": "ok", "reason": None},
        "a failure is not ok",
    ),
    "more duplicates than rows": (SWEEPS, {"duplicates": 50}, "duplicates are fewer"),
    "a fold of a published part": (TASK_MEMBERS, {"split": "test"}, "published part without one"),
    "no fold": (TASK_MEMBERS, {"fold": None}, "cross-validated in a fold"),
    "a member without a genre": (TASK_MEMBERS, {"genre": None}, "genre, artist_key and group"),
    "probabilities above 1": (
        PREDICTIONS,
        {"probabilities": [("House", 0.5), ("Techno", 0.6)]},
        "probabilities lie in 0 to 1 and sum to 1",
    ),
    "no probabilities": (PREDICTIONS, {"probabilities": []}, "sum to 1"),
    "another genre than the first": (PREDICTIONS, {"genre_pred": "House"}, "most probable genre"),
    "a value below its interval": (SCORES, {"value": 0.4}, "low is not after value"),
    "a value above its interval": (CHAMPIONS, {"value": 0.8}, "value is not after high"),
    "an accuracy above 1": (SCORES, {"high": 1.2}, "a metric is a share in 0 to 1"),
    "a figure over nothing": (SCORES, {"n": 0}, "n is 1 or more"),
    "an Echonest value above 1": (ECHONEST_FEATURES, {"valence": 1.5}, "valence lies in 0 to 1"),
    "a feature that is no number": (
        SUMMARY_FEATURES,
        {"mfcc_mean_01": math.nan},
        "a feature is finite",
    ),
    "a feature that lacks": (SUMMARY_FEATURES, {"mfcc_mean_01": None}, "a feature is finite"),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_a_sound_table_keeps_all_its_rules(lake, table):
    verdict = rows_valid(lake, parts_of(lake, [table]))
    assert verdict.passed, verdict
    assert verdict.counts["rows"] == lake.read(table).num_rows
    assert keys_unique(lake, parts_of(lake, [table])).passed


FROM_OUTSIDE = {
    "a sample rate of 0",
    "a negative length",
    "an endless track",
    "no length of a sound file",
    "a tempo that is no number",
    "seen last before first",
    "gone while it was seen",
    "a fetch from the future",
    "a status that HTTP lacks",
    "an Echonest value above 1",
    "a split of another name",
    "a year before the first",
    "a sweep that ended before it began",
}
"""Cases in which the value is somebody else's, or the clock's: they are noted and stop nothing."""


@pytest.mark.parametrize("case", BAD_VALUES)
def test_a_row_that_breaks_a_rule_is_counted_and_shown_with_the_rule(lake, case):
    table, values, rule = BAD_VALUES[case]
    spoil(lake, table, with_value(**values))
    parts = parts_of(lake, [table])
    ours, others = rows_valid(lake, parts), values_plausible(lake, parts)
    verdict = others if case in FROM_OUTSIDE else ours
    assert (ours.passed, others.passed) == (case in FROM_OUTSIDE, case not in FROM_OUTSIDE)
    assert verdict.warning == (case in FROM_OUTSIDE)
    named = [example for example in verdict.examples if rule in example["rule"]]
    assert len(named) == 1, verdict
    assert named[0]["table"] == table.name
    assert rule in verdict.sentence


def test_a_rejection_without_a_place_blocks_nothing(lake):
    nameless = {"source": "fma_site", "origin": "x.zip", "place": "", "reason": "It has no name."}
    spoil(lake, REJECTED_ROWS, lambda rows: [nameless])
    assert rows_valid(lake, parts_of(lake, [REJECTED_ROWS])).passed


def test_published_features_out_of_bounds_are_noted_and_those_computed_here_block(lake):
    for table, warns in ((FMA_FEATURES, True), (SUMMARY_FEATURES, False)):
        spoil(lake, table, with_value(chroma_cens_max_01=7.0))
        assert rows_valid(lake, [(table, SHARD)]).passed == warns
        assert values_plausible(lake, [(table, SHARD)]).passed != warns


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (TRACKS, {"file_mtime_ns": -(2**62)}),
        (AUDIO, {"mtime_ns": -1}),
        (FETCHES, {"url": None, "outcome": "no_file", "reason": "The site gives no file."}),
    ],
)
def test_what_may_be_so_is_no_offence(lake, table, values):
    spoil(lake, table, with_value(**values))
    assert rows_valid(lake, [(table, SHARD)]).passed
    assert values_plausible(lake, [(table, SHARD)]).passed


def test_a_clock_that_was_far_ahead_for_one_run_blocks_nothing(lake):
    ahead = NOW + timedelta(days=400)
    for table in TABLES.values():
        times = [field.name for field in table.schema if field.type == TIME]
        if times and lake.read(table).num_rows:
            spoil(lake, table, with_every(**dict.fromkeys(times[:1], ahead)))
            parts = parts_of(lake, [table])
            assert rows_valid(lake, parts).passed, table.name
            assert not values_plausible(lake, parts).passed, table.name


def test_what_a_broken_file_says_of_itself_is_no_offence(lake):
    odd = {"status": "undecodable", "reason": "Broken.", "sample_rate": 0, "duration_s": None}
    spoil(lake, AUDIO, with_value(**odd))
    assert rows_valid(lake, [(AUDIO, SHARD)]).passed


def test_a_column_of_another_type_is_named_with_both_types(lake):
    place = AUDIO.schema.get_field_index("sample_rate")
    schema = AUDIO.schema.set(place, pa.field("sample_rate", pa.string()))
    spoil(lake, AUDIO, with_every(sample_rate="44.1 kHz"), schema)
    verdict = rows_valid(lake, [(AUDIO, SHARD)])
    assert not verdict.passed
    assert verdict.examples[0]["rule"] == "sample_rate is int64"
    assert verdict.examples[0]["values"] == "sample_rate: string"


def test_a_column_that_nobody_declared_is_an_offence_and_one_that_lacks_is_null(lake):
    schema = ID3_TAGS.schema.append(pa.field("mood", pa.string()))
    without = schema.remove(schema.get_field_index("encoder"))
    spoil(lake, ID3_TAGS, with_value(), without)
    verdict = rows_valid(lake, [(ID3_TAGS, SHARD)])
    assert [example["rule"] for example in verdict.examples] == ["mood is not declared"]


def test_ten_rows_at_most_are_shown_and_all_are_counted(lake):
    spoil(lake, AUDIO, with_every(sample_rate=-1))
    verdict = values_plausible(lake, [(AUDIO, SHARD)])
    assert verdict.counts["offences"] == 2 * 24  # below 0, and not above 0
    assert len(verdict.examples) == 10


def test_a_key_that_stands_twice_is_named(lake):
    spoil(lake, AUDIO, with_row_twice)
    verdict = keys_unique(lake, [(AUDIO, SHARD)])
    assert not verdict.passed
    assert verdict.examples == [
        {"table": "audio", "partition": SHARD, "key": "fma_site:23", "rows": 2}
    ]
    assert verdict.sentence == "25 rows: 1 key stands more than once, such as fma_site:23 of audio."


def test_a_key_that_is_null_twice_stands_twice(lake):
    spoil(lake, AUDIO, lambda rows: [row | {"track_id": None} for row in rows[:2]])
    assert keys_unique(lake, [(AUDIO, SHARD)]).counts["repeated_keys"] == 1


def test_a_partition_without_a_file_offends_nobody(tmp_path):
    empty = Lake(tmp_path)
    assert rows_valid(empty, [(AUDIO, SHARD), (SCORES, TASK)]).passed
    assert keys_unique(empty, [(AUDIO, SHARD)]).passed


@pytest.fixture(scope="module")
def one_lake(tmp_path_factory):
    return Lake(tmp_path_factory.mktemp("lake"))


@settings(max_examples=40)
@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=6), st.floats(0.0, 2.0))
def test_probabilities_pass_when_they_sum_to_one_and_only_then(one_lake, weights, scale):
    total = sum(weights)
    shares = {f"genre {i}": weight / total * scale for i, weight in enumerate(weights)}
    row = {
        "task": TASK, "model": "svm", "track_id": "fma_site:1", "split": "cv",
        "genre_true": "genre 0", "genre_pred": max(shares, key=shares.__getitem__),
        "probabilities": list(shares.items()),
    }  # fmt: skip
    one_lake.write(PREDICTIONS, PREDICTIONS.of_rows([row]), TASK)
    verdict = rows_valid(one_lake, [(PREDICTIONS, TASK)])
    for path in (one_lake.root / "predictions").rglob("*.parquet"):
        path.unlink()
    assert verdict.passed == (abs(scale - 1) <= 1e-6 and max(shares.values()) <= 1)
