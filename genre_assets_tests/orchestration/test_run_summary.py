"""What the main job says at its end, of small lakes."""

import json
import shutil
from datetime import timedelta
from itertools import pairwise

import pytest

from genre_assets.lake.rates import record_rate
from genre_assets.lake.schemas import (
    AUDIO,
    ECHONEST_FEATURES,
    FEATURE_FAILURES,
    FETCHES,
    ID3_TAGS,
    LABELS,
    REJECTED_ROWS,
    SUMMARY_FEATURES,
    TASK_MEMBERS,
    TASK_NOTES,
    TRACKS,
)
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.assets.materialization import failures
from genre_assets.orchestration.run_summary import Outcome, new_things, print_summary
from genre_assets.quality.failed_tracks import failed_tracks, left_out
from genre_assets.quality.funnel import all_left_out, funnel, sentence, without_audio
from genre_assets_tests.quality.sound_lake import NOW, SHARD, TASK, sound_lake_in, spoil


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return sound_lake_in(tmp_path_factory.mktemp("template"))


@pytest.fixture
def lake(template, tmp_path):
    shutil.copytree(template.root, tmp_path / "lake")
    return Lake(tmp_path / "lake")


def said_of(lake, capsys, monkeypatch, outcome=None, width=200):
    monkeypatch.setenv("COLUMNS", str(width))
    print_summary(lake, TASK, outcome or Outcome(assets={"task_dataset": {"seconds": 0}}))
    return capsys.readouterr().out


def change(number, **values):
    def changed(rows):
        rows[number].update(values)

    return changed


def test_every_track_is_accounted_for_from_the_list_to_the_task(lake, capsys, monkeypatch):
    spoil(lake, FETCHES, change(1, outcome="no_licence", sha256=None))
    spoil(lake, AUDIO, change(1, status="missing", reason="Its page names no licence."))
    spoil(lake, AUDIO, change(2, status="truncated", reason="It is cut off."))
    spoil(lake, SUMMARY_FEATURES, lambda rows: [row for row in rows if row["track_id"][9:] not in (
        "1", "2")])  # fmt: skip
    spoil(lake, TASK_MEMBERS, lambda rows: [row for row in rows if row["track_id"][9:] not in (
        "1", "2", "3", "4")])  # fmt: skip
    spoil(lake, LABELS, change(3, excluded="exact duplicate of another track: fma_site:9"))
    folk = {"task": TASK, "kind": "left_out", "text": "of Folk, which has too few tracks"}
    lake.write(TASK_NOTES, TASK_NOTES.of_rows([folk | {"tracks": 1}]), TASK)
    listed, audio, features, task = funnel(lake, TASK)
    assert (listed.tracks, audio.tracks, features.tracks, task.tracks) == (25, 22, 21, 19)
    assert audio.dropped == {
        "without a licence": 1, "cut off or damaged": 1, "no audio here": 1,
    }  # fmt: skip
    assert sentence([listed, features, task]) == (
        "25 listed, 21 with features (left out: 1 too short), 19 in the task six_styles "
        "(left out: 1 exact duplicate of another track, 1 of Folk, which has too few tracks)."
    )
    assert "Tracks: 25 listed, 22 with usable" in said_of(lake, capsys, monkeypatch)
    assert all_left_out([listed, audio, features, task]) == {
        "without a licence": 1, "cut off or damaged": 1, "no audio here": 1, "too short": 1,
        "exact duplicate of another track": 1, "of Folk, which has too few tracks": 1,
    }  # fmt: skip


def test_the_drops_of_each_step_add_up(lake):
    steps = funnel(lake, TASK)
    for before, after in pairwise(steps):
        assert before.tracks - after.tracks == sum(after.dropped.values())


def test_a_track_that_is_gone_is_not_counted(lake):
    before = funnel(lake)[0].tracks
    spoil(lake, TRACKS, change(5, gone_at=NOW))
    assert funnel(lake)[0].tracks == before - 1


def test_metadata_alone_is_one_line_and_no_failure(tmp_path, capsys, monkeypatch):
    lake = Lake(tmp_path)
    ids = [f"fma_dataset:{n}" for n in range(2000)]
    lake.write(TRACKS, TRACKS.of_rows(
        [{"track_id": key, "source": "fma_dataset", "shard": SHARD} for key in ids]), SHARD
    )  # fmt: skip
    missing = {"status": "missing", "reason": "No file lies at /fma/fma_small/000/000002.mp3."}
    for table in (AUDIO, ID3_TAGS):
        rows = table.of_rows([{"track_id": key} | missing for key in ids])
        lake.write(table, rows, SHARD)
        assert not failures(rows, no_failure=table.no_failure)
    lake.write(
        ECHONEST_FEATURES, ECHONEST_FEATURES.of_rows([{"track_id": key} for key in ids[:30]]), SHARD
    )
    member = {"task": TASK, "feature_table": ECHONEST_FEATURES.name}
    lake.write(
        TASK_MEMBERS, TASK_MEMBERS.of_rows([member | {"track_id": key} for key in ids[:30]]), TASK
    )
    said = said_of(lake, capsys, monkeypatch)
    assert "2,000 tracks have no audio here." in said
    assert "failed" not in said
    assert failed_tracks(lake) == []
    assert "30 with published features (echonest_features)" in said
    assert without_audio(funnel(lake)) == "2,000 tracks have no audio here."


def test_a_file_without_tags_did_not_fail(lake):
    before = failed_tracks(lake)
    spoil(lake, ID3_TAGS, change(3, status="no_tags", reason="It carries no tags."))
    assert failed_tracks(lake) == before


def test_what_failed_is_named_by_title_and_artist(lake, capsys, monkeypatch):
    path = lake.read(AUDIO).to_pylist()[2]["path"]
    track = lake.read(AUDIO).to_pylist()[2]["track_id"]
    reason = f"{path} is cut off or damaged: it ends after 2 s."
    spoil(lake, AUDIO, change(2, status="truncated", reason=reason))
    spoil(lake, FETCHES, change(2, outcome="undecodable", reason="https://x is cut off."))
    said = said_of(lake, capsys, monkeypatch)
    number = track.partition(":")[2]
    assert "In the whole lake 2 tracks failed:" in said
    assert "  1 cut off or damaged (in audio)\n" in said
    assert (
        f"    Title {number} by Artist {int(number) % 8}: The file is cut off or damaged: it ends "
        "after 2 s.\n"
    ) in said
    assert "undecodable" not in said, "it failed once"


def test_a_file_of_the_owner_is_named_with_its_path_and_its_tags(tmp_path):
    lake = Lake(tmp_path)
    track = {"track_id": "folder:a", "source": "folder", "shard": "folder_00", "title": "01 track",
             "artist": "Unsorted"}  # fmt: skip
    lake.write(TRACKS, TRACKS.of_rows([track]), "folder_00")
    known = {"track_id": "folder:a", "sha256": "0" * 64}
    tags = {"title": "Blue", "artist": "Ed Askew", "status": "ok"}
    lake.write(ID3_TAGS, ID3_TAGS.of_rows([known | tags]), "folder_00")
    lake.write(AUDIO, AUDIO.of_rows([known | {"path": "/m/01 track.mp3", "status": "ok"}]),
               "folder_00")  # fmt: skip
    failed = {"status": "silent", "reason": "/m/01 track.mp3: It is silent."}
    lake.write(FEATURE_FAILURES, FEATURE_FAILURES.of_rows([known | failed]), "folder_00")
    [kind] = failed_tracks(lake)
    assert kind.examples == ["Blue by Ed Askew (/m/01 track.mp3): It is silent."]


def test_of_many_that_failed_alike_three_are_named(lake, capsys, monkeypatch):
    def all_silent(rows):
        return [row | {"status": "silent", "reason": "It is silent."} for row in rows]

    spoil(lake, AUDIO, all_silent)
    said = said_of(lake, capsys, monkeypatch)
    assert "  24 silent (in audio)\n" in said and "    and 21 more\n" in said
    assert said.count("It is silent.") == 3


def test_what_a_source_left_out_is_named(lake):
    def row(place, reason, kind=None):
        row = {"source": "folder", "origin": "/music", "place": place, "reason": reason}
        if "kind" in REJECTED_ROWS.schema.names:
            row["kind"] = kind
        return row

    rows = [row("a/lost.mp3", "The symbolic link leads nowhere."), row("b.mp3", "It is a pipe.")]
    lake.write(REJECTED_ROWS, REJECTED_ROWS.of_rows(rows), "folder")
    assert left_out(lake) == [
        "2 entries of your music library could not become tracks; for example, a/lost.mp3: The "
        "symbolic link leads nowhere."
    ]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            "sound",
            "2 sound files of your music library were not read (2 .xm); for example, a.xm: "
            "Because.",
        ),
        ("other", "Skipped in your music library: a.xm, b.xm (because)."),
        (
            "value",
            "2 entries of your music library were left out, but their tracks were taken; for "
            "example, tracks.csv, a.xm: Because.",
        ),
    ],
)
def test_kinds_of_what_was_left_out_are_told_apart(kind, said, monkeypatch):
    origin = "/fma/tracks.csv" if kind == "value" else "/music"
    rows = [
        {"source": "folder", "origin": origin, "place": place, "reason": "Because.", "kind": kind}
        for place in ("a.xm", "b.xm")
    ]

    class Stored:
        def read(self, table):
            return self

        def to_pylist(self):
            return rows

    [line] = left_out(Stored())
    assert line.startswith(said)


def test_a_second_run_says_that_nothing_was_new_and_repeats_no_table(lake, capsys, monkeypatch):
    outcome = Outcome(assets={"audio": {"rows_in": 24, "dagster/row_count": 24, "failed": 0,
                                        "seconds": 1.0}})  # fmt: skip
    outcome.began = NOW + timedelta(hours=1)
    said = said_of(lake, capsys, monkeypatch, outcome)
    assert (
        "Nothing new: 0 tracks listed, 0 files downloaded, 0 files read, 0 tracks analysed, "
        "0 models trained.\n"
    ) in said
    assert "What was done" not in said

    outcome.failures.append("folder_catalogue: The music library is empty.")
    assert "Nothing new" not in said_of(lake, capsys, monkeypatch, outcome)
    outcome.failures.clear()

    record_rate(lake, "audio", 2, 1.0)
    record_rate(lake, "summary_features", 1, 1.0)
    folder = lake.root / "models" / f"task={TASK}" / "svm"
    folder.mkdir(parents=True)
    made_at = (outcome.began + timedelta(seconds=5)).isoformat()
    (folder / "training.json").write_text(json.dumps({"made_at": made_at}))
    (folder.parent / "odd").mkdir()
    (folder.parent / "odd" / "training.json").write_text("[" * 5000)
    assert new_things(lake, TASK, outcome) == {
        "track listed": 0, "file downloaded": 0, "file read": 2, "track analysed": 1,
        "model trained": 1,
    }  # fmt: skip
    said = said_of(lake, capsys, monkeypatch, outcome)
    assert "New in this run: 0 tracks listed, 0 files downloaded, 2 files read, 1 track" in said
    assert "What was done" in said


@pytest.mark.parametrize("width", [60, 80, 120])
def test_prose_is_wrapped_to_the_terminal(lake, capsys, monkeypatch, width):
    said = said_of(lake, capsys, monkeypatch, width=width)
    prose = [line for line in said.splitlines() if not line.startswith((" ", "Views", "Report"))]
    assert max(map(len, prose)) <= width
