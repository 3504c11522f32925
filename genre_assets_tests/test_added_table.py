"""A table that is added to the schemas is known everywhere, by the facts that it states."""

import dataclasses
from datetime import UTC, datetime

import pytest

from genre_assets.cli import main
from genre_assets.lake import schemas
from genre_assets.lake.schemas import AUDIO, FEATURE_FAILURES, TRACKS
from genre_assets.lake.store import Store
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import connect
from genre_assets.orchestration import checks
from genre_assets.orchestration.resources import FmaSite
from genre_assets.quality.failed_tracks import failed_tracks
from genre_assets.refresh.retry import requested_retries
from genre_assets.takedowns.request import take_down

SHARD = "folder_00"
NOW = datetime(2024, 5, 6, tzinfo=UTC)


@pytest.fixture
def tempo_failures(monkeypatch):
    """A table of tracks whose tempo could not be found, written with one of tempos."""
    tempos = dataclasses.replace(
        schemas.SUMMARY_FEATURES, name="tempos", doc="The tempo of one track."
    )
    failures = dataclasses.replace(
        FEATURE_FAILURES, name="tempo_failures", doc="No tempo.", made_with=tempos
    )
    for table in (tempos, failures):
        monkeypatch.setitem(schemas.TABLES, table.name, table)
    return failures


@pytest.fixture
def lake(tmp_path, tempo_failures, monkeypatch):
    lake = Lake(tmp_path)
    names = ("a", "b")
    tracks = [
        {"track_id": f"folder:{name}", "source": "folder", "source_track_id": name, "shard": SHARD}
        for name in names
    ]
    lake.write(TRACKS, TRACKS.of_rows(tracks), SHARD)
    audio = [
        {"track_id": f"folder:{name}", "sha256": 64 * name, "status": "ok", "probe_version": 1}
        for name in names
    ]
    lake.write(AUDIO, AUDIO.of_rows(audio), SHARD)
    failed = [
        {"track_id": f"folder:{name}", "sha256": 64 * name, "extractor_version": 1}
        | {"status": "silent", "reason": "There is no beat."}
        for name in names
    ]
    lake.write(tempo_failures, tempo_failures.of_rows(failed), SHARD)
    monkeypatch.setenv("GENRE_ASSETS_DATA", str(tmp_path))
    return lake


def test_a_retry_can_be_requested_of_it_and_starts_the_asset_that_makes_it(lake, capsys):
    assert main(["retry", "--table", "tempo_failures", "--status", "silent"]) == 0
    assert "the next run of tempos for folder_00 tries again" in capsys.readouterr().out
    assert list(requested_retries(lake, {})[0]) == [("tempos", SHARD)]


def test_a_take_down_leaves_nothing_of_a_track_in_it(lake, tempo_failures):
    take_down(lake, Store(lake.root), "track", "folder:a", "requested", now=NOW)
    assert lake.read(tempo_failures)["track_id"].to_pylist() == ["folder:b"]


def test_the_summary_and_queries_show_what_failed(lake):
    (kind,) = failed_tracks(lake)
    assert (kind.table, kind.kind, kind.count) == ("tempo_failures", "silent", 2)
    with connect(lake) as connection:
        assert connection.execute("SELECT count(*) FROM tempo_failures").fetchall() == [(2,)]


def test_it_is_checked_by_its_schema_and_its_facts(lake, tempo_failures):
    named = {check.name: check for check in checks._of_tables(tempo_failures)}
    assert set(named) == {"rows_valid", "keys_unique", "few_failures"}
    subject = checks.Subject(lake, SHARD, site=FmaSite())
    verdicts = [check.judge(subject) for check in named.values()]
    assert [verdict.sentence for verdict in verdicts if not verdict.passed] == []
    rows = lake.read(tempo_failures)
    lake.write(tempo_failures, rows.set_column(2, "extractor_version", [[-1, 1]]), SHARD)
    assert not named["rows_valid"].judge(subject).passed
