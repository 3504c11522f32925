from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from genre_assets.audio.probe import PROBE_VERSION
from genre_assets.cli import commands as cli
from genre_assets.errors import UserError
from genre_assets.features.extraction import extract_shard
from genre_assets.features.summary import EXTRACTOR_VERSION
from genre_assets.features.summary_extraction import summary_extractor
from genre_assets.lake.schemas import (
    AUDIO,
    FEATURE_FAILURES,
    FETCHES,
    ID3_TAGS,
    SUMMARY_FEATURES,
    TRACKS,
    failure_tables,
)
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import connect
from genre_assets.refresh.retry import RUN_ID, request_retry, requested_retries
from genre_assets.tags.reading import READER_VERSION

SHARD = "folder_00"
NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.write(TRACKS, TRACKS.of_rows([track(name) for name in "abcdef"]), SHARD)
    return lake


def track(name, **more):
    return {
        "track_id": f"folder:{name}",
        "source": "folder",
        "file_url": f"https://x/{name}",
    } | more


def audio(name, status, **more):
    row = {"track_id": f"folder:{name}", "sha256": name, "path": f"/music/{name}",
           "status": status, "reason": "It failed.", "probe_version": PROBE_VERSION}  # fmt: skip
    return row | more


def tags(name, status, **more):
    row = {"track_id": f"folder:{name}", "sha256": name, "status": status,
           "reason": "It failed.", "reader_version": READER_VERSION}  # fmt: skip
    return row | more


def failure(name, status, **more):
    row = {"track_id": f"folder:{name}", "sha256": name, "status": status,
           "reason": "It failed.", "extractor_version": EXTRACTOR_VERSION}  # fmt: skip
    return row | more


def fetch(name, outcome, **more):
    row = {"track_id": f"folder:{name}", "url": f"https://x/{name}", "run_id": "r",
           "fetched_at": NOW, "attempts": 1, "bytes": 0, "outcome": outcome,
           "reason": "It failed."}  # fmt: skip
    return row | more


def write(lake, table, *rows):
    lake.write(table, table.of_rows(list(rows)), SHARD)


def marked(lake, table, version):
    rows = lake.read(table, [SHARD]).to_pylist()
    return [row["track_id"][-1] for row in rows if row[version] is None]


def test_a_failure_of_a_file_is_marked_and_keeps_its_reason(lake):
    write(lake, AUDIO, audio("a", "ok", reason=None), audio("b", "truncated"))
    asked = request_retry(lake)
    assert asked.marked == {"audio": {SHARD: 1}}
    assert lake.read(AUDIO).to_pylist()[1] | {"probe_version": PROBE_VERSION} == {
        name: None for name in AUDIO.schema.names
    } | audio("b", "truncated")
    assert marked(lake, AUDIO, "probe_version") == ["b"]
    assert str(asked).splitlines() == [
        "1 failure in audio marked: the next run of audio for folder_00 tries again.",
        "genre-assets plan shows what is marked and genre-assets run tries it; while make dev "
        "runs, it is tried within a minute.",
    ]


def test_what_every_run_tries_again_is_counted_and_left(lake):
    write(lake, AUDIO, audio("a", "worker_died"), audio("b", "missing", sha256=None))
    asked = request_retry(lake)
    # Of a file that is not there, nothing was tried.
    assert (asked.marked, asked.anyway) == ({}, 1)
    assert "1 failure may be due to the machine and not to the file: every run" in str(asked)


def test_kind_track_and_table_narrow_what_is_asked_for(lake):
    write(lake, AUDIO, audio("a", "truncated"), audio("b", "silent"), audio("c", "silent"))
    write(lake, FEATURE_FAILURES, failure("d", "silent"))
    assert request_retry(lake, table="audio", status="silent", track_id="folder:c").marked == {
        "audio": {SHARD: 1}
    }
    assert marked(lake, AUDIO, "probe_version") == ["c"]
    assert request_retry(lake, status="silent").marked == {
        "audio": {SHARD: 1}, "feature_failures": {SHARD: 1},
    }  # fmt: skip
    assert marked(lake, AUDIO, "probe_version") == ["b", "c"]


def test_asking_twice_marks_once(lake):
    write(lake, AUDIO, audio("a", "truncated"))
    write(lake, FETCHES, fetch("a", "removed"))
    assert len(request_retry(lake).marked) == 2
    assert request_retry(lake).marked == {}


def test_the_file_of_a_track_that_is_gone_is_not_asked_for(lake):
    write(lake, TRACKS, track("a", gone_at=NOW), track("b"))
    write(lake, AUDIO, audio("a", "truncated"), audio("b", "truncated"))
    write(lake, FETCHES, fetch("a", "removed"))
    assert request_retry(lake).marked == {"audio": {SHARD: 1}}
    assert marked(lake, AUDIO, "probe_version") == ["b"]


def test_tags_are_read_again_for_all_tracks_of_the_content(lake):
    write(
        lake, ID3_TAGS,
        tags("a", "bad_tags", sha256="same"), tags("b", "bad_tags", sha256="same"),
        tags("c", "no_tags"), tags("d", "unreadable"), tags("e", "ok"),
    )  # fmt: skip
    assert request_retry(lake, track_id="folder:a").marked == {"id3_tags": {SHARD: 1}}
    assert marked(lake, ID3_TAGS, "reader_version") == ["a", "b"]
    assert request_retry(lake).marked == {}
    assert request_retry(lake, status="no_tags").marked == {"id3_tags": {SHARD: 1}}


def test_a_failure_in_the_journal_of_a_killed_run_is_asked_for_too(lake):
    write(lake, AUDIO, audio("a", "ok"))
    journal = lake.journal(FEATURE_FAILURES, SHARD)
    journal.append(FEATURE_FAILURES.of_rows([failure("a", "silent")]))
    _, looked_at = requested_retries(lake, {})
    assert request_retry(lake).marked == {"feature_failures": {SHARD: 1}}
    assert lake.path(FEATURE_FAILURES, SHARD) is None
    found, looked_at = requested_retries(lake, looked_at)
    assert list(found) == [(SUMMARY_FEATURES.name, SHARD)]
    assert requested_retries(lake, looked_at)[0] == {}

    class Workers:
        def run(self, function, items, limit_s, name):
            for item in items:
                yield item, {SUMMARY_FEATURES.name: np.ones(518, np.float32)}

    [made] = extract_shard(lake, SHARD, [summary_extractor()], Workers())
    assert (made.features.num_rows, made.failures.num_rows) == (1, 0)


def test_asking_for_a_download_adds_a_row_and_changes_none(lake):
    rows = [fetch("a", "ok", sha256="x"), fetch("b", "removed"), fetch("c", "undecodable"),
            fetch("d", "timed_out"), fetch("e", "no_licence", attempts=0),
            fetch("f", "taken_down")]  # fmt: skip
    write(lake, FETCHES, *rows)
    before = lake.read(FETCHES).to_pylist()
    asked = request_retry(lake)
    assert (asked.marked, asked.anyway) == ({"fetches": {SHARD: 2}}, 1)
    after = lake.read(FETCHES).to_pylist()
    assert [row for row in after if row["run_id"] != RUN_ID] == before
    new = [row for row in after if row["run_id"] == RUN_ID]
    assert [row["track_id"] for row in new] == ["folder:b", "folder:c"]
    assert {(row["outcome"], row["attempts"]) for row in new} == {("asked_again", 0)}
    assert new[0]["reason"] == "A retry was requested; the last try: It failed."


def test_a_download_that_only_the_journal_of_a_killed_run_knows_is_asked_for_too(lake):
    lake.journal(FETCHES, SHARD).append(FETCHES.of_rows([fetch("b", "removed")]))
    assert request_retry(lake).marked == {"fetches": {SHARD: 1}}
    assert list(requested_retries(lake, {})[0]) == [("fetches", SHARD)]


def test_only_the_last_try_of_the_present_address_counts(lake):
    later = NOW + timedelta(hours=1)
    write(
        lake, FETCHES,
        fetch("a", "removed"), fetch("a", "ok", fetched_at=later),
        fetch("b", "removed", url="https://x/old"),
    )  # fmt: skip
    assert request_retry(lake).marked == {}


def test_the_views_show_what_was_marked(lake):
    write(lake, AUDIO, audio("a", "truncated"))
    request_retry(lake)
    with connect(lake) as connection:
        found = connection.execute("SELECT status, probe_version FROM audio").fetchall()
    assert found == [("truncated", None)]


def test_a_shard_that_a_run_is_at_work_on_is_refused(lake):
    write(lake, FEATURE_FAILURES, failure("a", "silent"))
    with (
        lake.lock(SUMMARY_FEATURES, SHARD),
        pytest.raises(UserError, match="A run is at work on summary_features of folder_00: "),
    ):
        request_retry(lake)
    assert marked(lake, FEATURE_FAILURES, "extractor_version") == []


def test_a_track_or_table_that_is_not_there_is_one_clear_sentence(lake):
    with pytest.raises(
        UserError, match=r"No source has ever listed a track with the id 'folder:z'"
    ):
        request_retry(lake, track_id="folder:z")
    with pytest.raises(UserError, match="'tracks' holds no failures: use one of fetches, audio"):
        request_retry(lake, table="tracks")


def test_when_nothing_matches_it_says_what_there_is(lake):
    assert str(request_retry(lake)) == "Nothing was marked: there is nothing to retry."
    assert (
        str(request_retry(lake, "audio"))
        == "Nothing was marked: there is nothing to retry in audio."
    )
    write(lake, AUDIO, audio("a", "silent"), audio("b", "silent"), audio("c", "truncated"))
    said = str(request_retry(lake, status="not_audio"))
    assert said == (
        "Nothing was marked, because no failure matches. The failures are: silent (2), "
        "truncated (1)."
    )


def test_many_shards_are_counted_and_not_named(lake):
    for n in range(6):
        lake.write(AUDIO, AUDIO.of_rows([audio("abcdef"[n], "silent")]), f"folder_{n:02d}")
    said = str(request_retry(lake))
    assert said.startswith("6 failures in audio marked: the next run of audio for 6 shards tries")


def test_what_was_asked_for_and_not_tried_can_be_asked_for_again(lake):
    write(lake, AUDIO, audio("b", "truncated"))
    found, looked_at = requested_retries(lake, {})
    assert found == {}
    request_retry(lake)
    found, looked_at = requested_retries(lake, looked_at)
    assert list(found) == [("audio", SHARD)]
    assert requested_retries(lake, looked_at)[0] == {}
    asked = request_retry(lake)
    assert (asked.marked, asked.waiting) == ({}, 1)
    assert "1 failure marked before, and not tried since." in str(asked)
    again, looked_at = requested_retries(lake, looked_at)
    assert again.keys() == found.keys() and again != found
    assert request_retry(lake, status="silent").waiting == 0
    assert requested_retries(lake, looked_at)[0] == {}


@pytest.mark.parametrize("table", failure_tables())
def test_the_command_line_takes_every_table_that_holds_failures(lake, monkeypatch, capsys, table):
    monkeypatch.setenv("GENRE_ASSETS_DATA", str(lake.root))
    assert cli.main(["retry", "--table", table]) == 0
    assert f"there is nothing to retry in {table}." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--status", "undecodeable"), "'undecodeable': use one of empty, unreadable, not_audio,"),
        (("--status", "undecodeable"), "Did you mean undecodable?"),
        (("--status", "ok"), "There is no kind of failure 'ok'"),
        (("--track", "folder:A"), "'folder:A'. Did you mean folder:a?"),
        (("--track", "something else"), "Look it up: genre-assets query"),
        (("--table", "feature_failure"), "Did you mean feature_failures?"),
    ],
)
def test_a_name_that_is_not_known_is_refused_and_the_nearest_one_named(
    lake, monkeypatch, capsys, words, said
):
    write(lake, AUDIO, audio("a", "undecodable"))
    monkeypatch.setenv("GENRE_ASSETS_DATA", str(lake.root))
    try:
        assert cli.main(["retry", *words]) == 2
    except SystemExit as error:  # argparse ends the process itself
        assert error.code == 2
    assert said in capsys.readouterr().err
    assert marked(lake, AUDIO, "probe_version") == []


def test_a_kind_of_failure_that_only_this_lake_has_is_known(lake):
    write(lake, FETCHES, fetch("a", "a_teapot"))
    assert request_retry(lake, status="a_teapot").marked == {"fetches": {SHARD: 1}}
