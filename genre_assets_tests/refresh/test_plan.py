import json
import os
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import stamina
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_assets.audio.probe import Probe
from genre_assets.audio.status import AudioError, Status
from genre_assets.audio.workers import WorkerPool
from genre_assets.cli import commands as cli
from genre_assets.errors import UserError
from genre_assets.features import spectrograms, summary
from genre_assets.features.extraction import extract_shard
from genre_assets.features.spectrogram_files import relative_path
from genre_assets.features.summary_extraction import summary_extractor
from genre_assets.lake import journal as journals
from genre_assets.lake.rates import record_rate
from genre_assets.lake.schemas import (
    AUDIO,
    ECHONEST_FEATURES,
    FETCHES,
    ID3_TAGS,
    SPECTROGRAMS,
    SUMMARY_FEATURES,
    TASK_MEMBERS,
    TRACKS,
)
from genre_assets.lake.store import Store
from genre_assets.lake.tables import Lake
from genre_assets.models.registry import BY_DEFAULT
from genre_assets.models.storage import save_model
from genre_assets.models.training import train
from genre_assets.refresh import model_states
from genre_assets.refresh.plan import Plan, Work, plan_of
from genre_assets.refresh.plan_view import as_json, print_plan
from genre_assets.refresh.retry import request_retry
from genre_assets.sources.fma_site.address import Site
from genre_assets.sources.fma_site.downloads import (
    Policy,
    download_shard,
    missing_reasons,
    stored_paths,
)
from genre_assets.sources.fma_site.transfer import Access
from genre_assets.tags import probing, reading
from genre_assets.tags.fields import Tags
from genre_assets.tags.probing import probe_shard
from genre_assets.tags.reading import read_tags_of_shard
from genre_assets.takedowns.record import taken_down
from genre_assets.takedowns.request import take_down
from genre_assets.tasks.members import build_task
from genre_assets_tests.audio.clips import write
from genre_assets_tests.features.signals import noise
from genre_assets_tests.models.corpus import FAST, a_task, echonest_of, labels_of, tables
from genre_assets_tests.sources.fma_site.file_server import File, FileServer, Pace, Robots

SHARD = "folder_00"
SITE_SHARD = "fma_000000"
FILES = "https://files.freemusicarchive.org"
NOW = datetime(2026, 11, 20, 3, 17, tzinfo=UTC)


class Workers:
    """Stands in for the worker processes: runs in this one and counts."""

    def __init__(self, answers=None):
        self.answers = answers or {}
        self.items = 0

    def run(self, function, items, limit_s, name=str):
        for item in items:
            self.items += 1
            try:
                if function.__name__ in self.answers:
                    yield item, self.answers[function.__name__](item)
                else:
                    yield item, function(item)
            except AudioError as error:
                yield item, error


class Refresh:
    """What a run does with a shard, asset by asset; each says how many items it worked on."""

    def __init__(self, lake, shard=SHARD, answers=None):
        self.lake, self.shard, self.answers = lake, shard, answers

    def audio(self):
        workers, store = Workers(self.answers), Store(self.lake.root)
        listed = self.lake.read(TRACKS, [self.shard])
        fetched = self.lake.read(FETCHES, [self.shard])
        gone = taken_down(self.lake)
        placed = gone.without_files(stored_paths(listed, fetched, store))
        why = missing_reasons(listed, fetched, store)
        previous = self.lake.read(AUDIO, [self.shard])
        rows = probe_shard(placed, previous, workers, why_missing=why)
        self.lake.write(AUDIO, rows, self.shard)
        return workers.items

    def tags(self):
        workers = Workers(self.answers)
        rows = read_tags_of_shard(
            self.lake.read(AUDIO, [self.shard]), self.lake.read(ID3_TAGS, [self.shard]), workers
        )
        self.lake.write(ID3_TAGS, rows, self.shard)
        return workers.items

    def features(self):
        workers = Workers(self.answers or {"analyse": made_up_features})
        extract_shard(self.lake, self.shard, [summary_extractor()], workers)
        return workers.items

    def all(self):
        return self.audio(), self.tags(), self.features()


def made_up_features(pending):
    if "short" in pending.clip.path.name:
        raise AudioError(Status.TOO_SHORT, f"{pending.clip.path}: too short.")
    return dict.fromkeys(pending.compute, np.full(518, len(pending.clip.sha256), np.float32))


def listed(lake, folder, shard=SHARD):
    """List all files of a folder, as a sweep would."""
    rows = [
        {"track_id": f"folder:{path.name}", "source": "folder", "shard": shard, "path": str(path),
         "file_bytes": path.stat().st_size, "file_mtime_ns": path.stat().st_mtime_ns,
         "last_seen_at": NOW}
        for path in sorted(folder.iterdir())
    ]  # fmt: skip
    lake.write(TRACKS, TRACKS.of_rows(rows), shard)


def told(plan):
    """What is pending, by asset and why, over all partitions; idle assets are left out."""
    sums = {}
    for work in plan.work:
        for why, count in work.pending.items():
            of_asset = sums.setdefault(work.asset, {})
            of_asset[why] = of_asset.get(why, 0) + count
    return sums


def at_most_more(plan):
    return {work.asset: work.at_most_more for work in plan.work if work.at_most_more}


def left(plan):
    return {work.asset: work.left for work in plan.work if work.left}


@pytest.fixture
def library(tmp_path):
    """Five files: two of the same bytes, one that is broken and one that is short."""
    folder = tmp_path / "library"
    folder.mkdir()
    first = write(folder / "first.wav")
    (folder / "copy.wav").write_bytes(first.read_bytes())
    write(folder / "other.flac", seconds=2.0)
    write(folder / "short.wav", seconds=0.1)
    (folder / "broken.mp3").write_text("no audio")
    return folder


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture
def refresh(lake, library):
    listed(lake, library)
    return Refresh(lake)


def test_what_is_new_is_counted_as_the_run_then_does_it(lake, refresh):
    plan = plan_of(lake)
    assert told(plan) == {"audio": {"new": 5}}
    assert at_most_more(plan) == {"id3_tags": 5, "summary_features": 5}
    assert refresh.audio() == 5

    plan = plan_of(lake)
    assert told(plan) == {"id3_tags": {"new": 4}, "summary_features": {"new": 3}}
    assert at_most_more(plan) == {}
    assert refresh.tags() == 4
    assert refresh.features() == 3

    plan = plan_of(lake)
    assert plan.is_empty and told(plan) == {}
    assert left(plan) == {"audio": {"not_audio": 1}, "summary_features": {"too_short": 1}}
    assert refresh.all() == (0, 0, 0)


def test_real_features_of_real_clips_leave_nothing_to_do(lake, library):
    soundfile.write(library / "noise.wav", noise(22_050), 22_050)
    listed(lake, library)
    refresh = Refresh(lake, answers={"probe": probing.probe})
    refresh.audio()
    planned = told(plan_of(lake))
    assert {
        "id3_tags": {"new": refresh.tags()},
        "summary_features": {"new": refresh.features()},
    } == (planned)
    sound = [f"folder:{name}" for name in ("copy.wav", "first.wav", "noise.wav", "other.flac")]
    assert lake.read(SUMMARY_FEATURES)["track_id"].to_pylist() == sound
    assert plan_of(lake).is_empty


def test_a_lake_of_the_version_before_has_only_guessed_lengths_analysed_anew(
    lake, library, refresh, monkeypatch
):
    guessed = ["first.wav", "copy.wav"]
    refresh.answers = {
        "probe": lambda path: replace(
            probing.probe(path),
            duration_from="decoding" if Path(path).name in guessed else "header",
        )
    }
    monkeypatch.setattr(probing, "PROBE_VERSION", 1)
    monkeypatch.setattr(summary, "EXTRACTOR_VERSION", summary.VERSION_BEFORE)
    refresh.all()
    before = lake.read(AUDIO, [SHARD])
    unknown = pa.nulls(before.num_rows, pa.string())
    place = before.schema.get_field_index("duration_from")
    lake.write(AUDIO, before.set_column(place, "duration_from", unknown), SHARD)
    monkeypatch.undo()

    plan = plan_of(lake)
    assert told(plan) == {"audio": {"other version": 5}}
    # Each of the three contents may turn out to be guessed, and what is broken to be sound.
    assert at_most_more(plan)["summary_features"] == 4
    assert refresh.audio() == 5
    assert told(plan_of(lake)) == {"summary_features": {"other version": 1}}
    refresh.answers = {}
    assert refresh.features() == 1
    assert plan_of(lake).is_empty
    assert left(plan_of(lake))["summary_features"] == {"too_short": 1}


def test_a_changed_and_a_deleted_file_are_told_apart(lake, library, refresh):
    refresh.all()
    write(library / "other.flac", seconds=3.0)
    listed(lake, library)
    rows = lake.read(TRACKS, [SHARD]).to_pylist()
    rows.append(rows[0] | {"track_id": "folder:lost.wav", "path": "/nowhere.wav",
                           "file_bytes": None, "file_mtime_ns": None})  # fmt: skip
    lake.write(TRACKS, TRACKS.of_rows(rows), SHARD)
    plan = plan_of(lake)
    assert told(plan) == {"audio": {"changed": 1}}
    assert at_most_more(plan) == {"id3_tags": 1, "summary_features": 1}
    assert left(plan)["audio"] == {"not_audio": 1, "no file": 1}
    assert refresh.audio() == 1
    assert told(plan_of(lake)) == {"id3_tags": {"changed": 1}, "summary_features": {"changed": 1}}
    assert (refresh.tags(), refresh.features()) == (1, 1)
    assert plan_of(lake).is_empty


@pytest.mark.parametrize(
    ("module", "version", "pending", "more"),
    [
        (probing, "PROBE_VERSION", {"audio": {"other version": 5}}, {"summary_features": 1}),
        (reading, "READER_VERSION", {"id3_tags": {"other version": 4}}, {}),
        (summary, "EXTRACTOR_VERSION", {"summary_features": {"other version": 3}}, {}),
    ],
)
def test_another_version_of_the_code_means_its_own_work_and_no_other(
    lake, refresh, monkeypatch, module, version, pending, more
):
    refresh.all()
    monkeypatch.setattr(module, version, getattr(module, version) + 1)
    plan = plan_of(lake)
    assert told(plan) == pending
    assert at_most_more(plan) == more  # the broken file may turn out sound
    assert sum(refresh.all()) == sum(sum(whys.values()) for whys in pending.values())
    assert plan_of(lake).is_empty


def test_a_failure_of_the_machine_is_tried_again_and_one_of_the_file_is_not(lake, refresh):
    refresh.answers = {
        "probe": lambda path: (
            Probe(status=Status.WORKER_DIED, reason="It died.")
            if "first" in path
            else probing.probe(path)
        ),
        "analyse": lambda pending: AudioError(Status.WORKER_DIED, "It died."),
    }
    refresh.all()
    plan = plan_of(lake)
    assert told(plan) == {
        "audio": {"failed before": 1},
        "summary_features": {"failed before": 3},
    }
    refresh.answers = None
    assert refresh.audio() == 1
    assert told(plan_of(lake))["summary_features"] == {"failed before": 3}
    assert refresh.tags() == 0  # the copy was read before
    assert refresh.features() == 3
    assert plan_of(lake).is_empty


def test_what_is_asked_for_again_is_planned_with_that_reason_until_it_is_tried(lake, refresh):
    refresh.all()
    assert told(plan_of(lake)) == {}
    request_retry(lake)
    plan = plan_of(lake)
    assert told(plan) == {
        "audio": {"retry requested": 1},
        "summary_features": {"retry requested": 1},
    }
    assert refresh.all() == (1, 0, 1)
    assert plan_of(lake).is_empty


def test_a_killed_probe_is_planned_without_what_its_journal_holds(lake, refresh, monkeypatch):
    monkeypatch.setattr(journals, "JOURNAL_EVERY_S", 0)
    tracks, journal = lake.read(TRACKS, [SHARD]), lake.journal(AUDIO, SHARD)
    done = []

    def killed_after_two(path):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(path)
        return probing.probe(path)

    with pytest.raises(KeyboardInterrupt):
        probe_shard(tracks, AUDIO.empty(), Workers({"probe": killed_after_two}), journal=journal)
    assert told(plan_of(lake))["audio"] == {"new": 3}
    workers = Workers()
    probe_shard(tracks, AUDIO.empty(), workers, journal=journal)
    assert workers.items == 3


def test_a_killed_extraction_is_planned_without_what_its_journal_holds(lake, refresh, monkeypatch):
    refresh.audio(), refresh.tags()
    monkeypatch.setattr(journals, "JOURNAL_EVERY_S", 0)
    done = []

    def killed_after_one(pending):
        if done:
            raise KeyboardInterrupt
        done.append(pending)
        return made_up_features(pending)

    refresh.answers = {"analyse": killed_after_one}
    with pytest.raises(KeyboardInterrupt):
        refresh.features()
    assert told(plan_of(lake)) == {"summary_features": {"new": 2}}
    refresh.answers = None
    assert refresh.features() == 2


FILE_STATES = st.fixed_dictionaries(
    {
        "content": st.sampled_from(["", "a", "b", "c"]),
        "time": st.integers(1, 2),
        "gone": st.booleans(),
        "outcome": st.sampled_from(["ok", "truncated", "unreadable", "worker_died", "empty"]),
    }
)
LIBRARIES = st.lists(FILE_STATES, min_size=1, max_size=3)
AFTER = {
    "audio": ("id3_tags", "summary_features"),
    "id3_tags": ("summary_features",),
    "summary_features": (),
}
VERSIONS = st.tuples(*[st.integers(1, 2)] * 3)


@settings(max_examples=15, deadline=None)
@given(steps=st.lists(st.tuples(LIBRARIES, VERSIONS, st.booleans()), min_size=1, max_size=3))
def test_whatever_happened_a_run_does_what_was_planned_and_no_more_than_at_most(
    tmp_path_factory, steps
):
    lake = Lake(tmp_path_factory.mktemp("lake"))
    for library, versions, asks in steps:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(os, "fsync", lambda file: None)
            patched.setattr(probing, "PROBE_VERSION", versions[0])
            patched.setattr(reading, "READER_VERSION", versions[1])
            patched.setattr(summary, "EXTRACTOR_VERSION", versions[2])
            refresh = Refresh(lake, answers=answers_of(library))
            lake.write(TRACKS, TRACKS.of_rows([state_row(n, s) for n, s in enumerate(library)]),
                       SHARD)  # fmt: skip
            if asks:
                request_retry(lake)
            for asset, run in (
                ("audio", refresh.audio),
                ("id3_tags", refresh.tags),
                ("summary_features", refresh.features),
            ):
                works = {work.asset: work for work in plan_of(lake).work}
                planned = works[asset].items
                done = run()
                if asset == "audio" or not works["audio"].items:
                    assert done == planned
                assert done <= planned + works[asset].at_most_more
                for work in plan_of(lake).work:
                    if work.asset in AFTER[asset]:
                        before = works[work.asset]
                        assert work.items <= before.items + before.at_most_more


def state_row(number, state):
    there = bool(state["content"])
    return {
        "track_id": f"folder:{number}", "source": "folder", "shard": SHARD,
        "path": f"/music/{number}",
        "file_bytes": ord(state["content"]) if there else None,
        "file_mtime_ns": state["time"] if there else None,
        "gone_at": NOW if state["gone"] else None, "last_seen_at": NOW,
    }  # fmt: skip


def answers_of(library):
    def probed(path):
        state = library[int(Path(path).name)]
        status = Status(state["outcome"])
        known = status not in (Status.WORKER_DIED, Status.EMPTY)
        return Probe(
            sha256=f"{state['content']}{state['time']}" if known else None,
            bytes=ord(state["content"]) if known else None,
            mtime_ns=state["time"] if known else None,
            duration_s=1.0 if status == Status.OK else None,
            status=status,
            reason=None if status == Status.OK else "It failed.",
        )

    def tagged(item):
        return Tags(status=Status.BAD_TAGS if "b" in item[0] else Status.OK)

    def extracted(pending):
        if pending.clip.sha256.startswith("c"):
            return AudioError(Status.SILENT, "Silence.")
        return made_up_features(pending)

    return {"probe": probed, "_read_item": tagged, "analyse": extracted}


def site_track(number, **fields):
    return {
        "track_id": f"fma_site:{number}", "source": "fma_site", "source_track_id": str(number),
        "shard": SITE_SHARD, "artist": f"Artist {number}", "last_seen_at": NOW,
        "license_url": "https://creativecommons.org/licenses/by/4.0/",
        "allows_derivatives": True, "allows_commercial_use": True,
        "file_url": f"{FILES}/{number}.mp3",
    } | fields  # fmt: skip


@pytest.fixture
def site(lake, tmp_path):
    """A site of three files, the last of them broken; a fourth track has no file there."""
    bodies = [
        write(tmp_path / f"{n}.mp3", seconds=1 + n / 2, channels=1).read_bytes() for n in range(2)
    ]
    bodies.append(b"no audio at all" * 100)
    files = {f"/{n}.mp3": File(body, etag=f'"{n}"') for n, body in enumerate(bodies)}
    with stamina.set_testing(True, attempts=2, cap=True), FileServer(files) as server:
        yield server


def download(lake, server, policy=None):
    access = Access(Site(server.base), "tests", Pace(), Robots())
    asked = len(server.requests)
    with WorkerPool(1) as workers:
        rows = download_shard(
            lake.read(TRACKS, [SITE_SHARD]), lake.read(FETCHES, [SITE_SHARD]),
            lake.journal(FETCHES, SITE_SHARD), Store(lake.root), access, policy or Policy(),
            workers, "a run",
        )  # fmt: skip
    lake.write(FETCHES, rows, SITE_SHARD)
    lake.journal(FETCHES, SITE_SHARD).clear()
    return len({request.path for request in server.requests[asked:]})


def list_site(lake, *tracks):
    lake.write(TRACKS, TRACKS.of_rows(list(tracks)), SITE_SHARD)


def test_downloads_are_planned_with_all_that_follows_and_what_is_left_alone(lake, site):
    list_site(
        lake, site_track(0), site_track(1), site_track(2), site_track(3),
        site_track(4, license_url=None),
        site_track(5, allows_derivatives=False),
        site_track(6, file_url="https://elsewhere.example/6.mp3"),
        site_track(7, gone_at=NOW),
    )  # fmt: skip
    only_free = frozenset({"nd"})

    def plan():
        return plan_of(lake, site.base, only_free)

    assert told(plan()) == {"fetches": {"new": 4}}
    assert at_most_more(plan()) == {"audio": 4, "id3_tags": 4, "summary_features": 4}
    refused = {"no_licence": 1, "licence_excluded": 1, "foreign_address": 1}
    # What is about to be downloaded is not without audio.
    assert left(plan()) == {"fetches": refused, "audio": {"no file": 3}}
    assert download(lake, site, Policy(excluded=only_free)) == 4

    assert told(plan()) == {"audio": {"new": 3}}
    assert at_most_more(plan()) == {"id3_tags": 3, "summary_features": 3}
    assert left(plan())["fetches"] == refused | {"removed lately": 1}
    refresh = Refresh(lake, SITE_SHARD)
    assert refresh.audio() == 3
    assert told(plan()) == {"id3_tags": {"new": 3}, "summary_features": {"new": 2}}
    assert (refresh.tags(), refresh.features()) == (3, 2)
    assert plan().is_empty


def test_lost_moved_and_asked_for_downloads_say_so(lake, site):
    list_site(lake, *[site_track(number) for number in range(4)])
    download(lake, site)
    Refresh(lake, SITE_SHARD).all()
    [first] = [r for r in lake.read(FETCHES).to_pylist() if r["track_id"] == "fma_site:0"]
    Store(lake.root).remove(first["sha256"])
    list_site(
        lake, site_track(0), site_track(1, file_url=f"{FILES}/0.mp3"), site_track(2), site_track(3)
    )
    request_retry(lake, table="fetches")
    plan = plan_of(lake, site.base)
    assert told(plan)["fetches"] == {"lost": 1, "changed": 1, "retry requested": 2}
    assert download(lake, site) == 3  # two of them ask for the same address
    assert "fetches" not in told(plan_of(lake, site.base))


def test_what_robots_forbade_last_is_left_alone(lake, site):
    list_site(lake, site_track(0), site_track(1))
    forbidden = {
        "track_id": "fma_site:1", "url": f"{FILES}/1.mp3", "run_id": "r", "fetched_at": NOW,
        "attempts": 0, "bytes": 0, "outcome": "disallowed", "reason": "robots.txt",
    }  # fmt: skip
    lake.write(FETCHES, FETCHES.of_rows([forbidden]), SITE_SHARD)
    plan = plan_of(lake, site.base)
    assert told(plan) == {"fetches": {"new": 1}}
    assert left(plan)["fetches"] == {"disallowed": 1}


def test_what_was_taken_down_is_no_work(lake, site):
    list_site(lake, site_track(0), site_track(1))
    take_down(lake, Store(lake.root), "track", "fma_site:1", "requested", NOW)
    plan = plan_of(lake, site.base)
    assert told(plan) == {"fetches": {"new": 1}}
    assert left(plan) == {"fetches": {"taken_down": 1}, "audio": {"taken_down": 1}}


def test_an_old_failure_of_the_site_is_tried_again(lake, site):
    list_site(lake, site_track(3))
    row = {
        "track_id": "fma_site:3", "url": f"{FILES}/3.mp3", "run_id": "r", "attempts": 1,
        "fetched_at": datetime.now(UTC) - timedelta(days=8), "bytes": 0, "outcome": "not_found",
        "reason": "404",
    }  # fmt: skip
    lake.write(FETCHES, FETCHES.of_rows([row]), SITE_SHARD)
    assert told(plan_of(lake, site.base)) == {"fetches": {"failed before": 1}}


def test_planning_asks_nobody_and_writes_nothing(lake, site, monkeypatch):
    list_site(lake, *[site_track(number) for number in range(4)])
    download(lake, site)
    before = {path: path.stat().st_mtime_ns for path in lake.root.rglob("*")}
    monkeypatch.setattr(socket.socket, "connect", unreachable)
    monkeypatch.setattr(probing, "probe", unreachable)
    assert told(plan_of(lake, site.base)) == {"audio": {"new": 3}}
    assert {path: path.stat().st_mtime_ns for path in lake.root.rglob("*")} == before


def unreachable(*_):
    raise AssertionError("a plan does no work")


def test_time_is_told_by_measured_rates_and_not_where_none_is_known(lake, refresh):
    assert {work.seconds for work in plan_of(lake).work} == {None}
    record_rate(lake, "audio", items=10, seconds=20.0)
    record_rate(lake, "id3_tags", items=10, seconds=5.0)
    works = {work.asset: work for work in plan_of(lake).work}
    assert works["audio"].seconds == 10.0
    assert (works["id3_tags"].seconds, works["id3_tags"].at_most_more_seconds) == (0.0, 2.5)
    assert works["summary_features"].seconds is None


@pytest.fixture
def a_trained_task(lake):
    rows = labels_of({"Folk": 8, "Rock": 8})
    task = a_task(name="available")
    members = build_task(task, *tables(rows)).members
    features = echonest_of(members)
    lake.write(TASK_MEMBERS, members, "available")
    lake.write(ECHONEST_FEATURES, features, "fma_000000")
    return lambda: save_model(lake, train(FAST["majority"], task, members, features))


def test_models_of_a_task_are_due_once_and_then_when_its_members_or_features_changed(
    lake, a_trained_task, monkeypatch
):
    assert told(plan_of(lake)) == {f"models/{name}": {"new": 1} for name in BY_DEFAULT}
    folder = a_trained_task()
    # Those that a run trains besides, when it is not told which.
    others = {*BY_DEFAULT} - {"majority"}
    assert told(plan_of(lake)) == {f"models/{name}": {"new": 1} for name in others}
    monkeypatch.setattr(model_states, "BY_DEFAULT", ["majority"])
    assert plan_of(lake).is_empty

    values = lake.read(ECHONEST_FEATURES).to_pylist()
    changed = [values[0] | {"tempo": 1.0}, *values[1:]]
    lake.write(ECHONEST_FEATURES, ECHONEST_FEATURES.of_rows(changed), "fma_000000")
    plan = plan_of(lake)
    assert told(plan) == {"models/majority": {"changed": 1}}
    [work] = [work for work in plan.work if work.pending]
    facts = json.loads((folder / "training.json").read_text())
    assert (work.partition, work.seconds) == ("available", facts["seconds"])

    lake.write(ECHONEST_FEATURES, ECHONEST_FEATURES.of_rows(values), "fma_000000")
    assert plan_of(lake).is_empty
    members = lake.read(TASK_MEMBERS)
    lake.write(TASK_MEMBERS, members.slice(1), "available")
    assert told(plan_of(lake)) == {"models/majority": {"changed": 1}}
    lake.write(TASK_MEMBERS, members, "available")
    (folder / "training.json").write_text(json.dumps(facts | {"version": "0"}))
    assert told(plan_of(lake)) == {"models/majority": {"other version": 1}}
    (folder / "training.json").write_text("{")
    assert told(plan_of(lake)) == {"models/majority": {"failed before": 1}}


def test_models_that_a_take_down_deleted_are_to_be_trained_again(lake, a_trained_task):
    a_trained_task()
    track_id = lake.read(TASK_MEMBERS)["track_id"][0].as_py()
    take_down(lake, Store(lake.root), "track", track_id, "requested", NOW, in_advance=True)
    plan = plan_of(lake)
    assert told(plan) == {f"models/{name}": {"after a take-down": 1} for name in BY_DEFAULT}


def test_the_time_of_all_work_says_whether_what_may_follow_is_in_it(capsys):
    pending = Work("audio", SHARD, {"new": 1}, seconds=300.0, at_most_more_seconds=0.0)
    more = Work("id3_tags", SHARD, {}, at_most_more=1, seconds=0.0, at_most_more_seconds=60.0)
    unmeasured = Work("models/svm", "available", {}, at_most_more=1)
    speed = "The next run would do this, in about 5 min at the speed of earlier runs"
    for works, said in (
        ([pending], f"{speed}:"),
        ([pending, more], f"{speed}, or up to 6 min with all that may follow:"),
        ([pending, more, unmeasured], f"{speed}, not counting what may follow:"),
    ):
        print_plan(Plan(works, {"folder": NOW}), in_full=False)
        assert " ".join(capsys.readouterr().out.split()).startswith(said)


def test_models_may_follow_when_anything_before_them_is_due(
    lake, library, a_trained_task, monkeypatch
):
    monkeypatch.setattr(model_states, "BY_DEFAULT", ["majority"])
    a_trained_task()
    listed(lake, library)
    assert at_most_more(plan_of(lake))["models/majority"] == 1
    Refresh(lake).all()
    assert plan_of(lake).is_empty


def test_one_asset_can_be_asked_for_by_name(lake, refresh, a_trained_task):
    assert {work.asset for work in plan_of(lake, asset="id3_tags").work} == {"id3_tags"}
    assert {work.asset for work in plan_of(lake, asset="models/svm").work} == {"models/svm"}
    assert len({work.asset for work in plan_of(lake, asset="models").work}) == len(BY_DEFAULT)
    with pytest.raises(UserError, match="'features': use one of fetches, audio, "):
        plan_of(lake, asset="features")


def test_an_empty_lake_has_an_empty_plan(lake, capsys):
    plan = plan_of(lake)
    assert plan.is_empty and plan.work == []
    print_plan(plan, in_full=False)
    assert "holds no tracks yet" in capsys.readouterr().out


def test_the_view_says_what_why_and_how_long(lake, refresh, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    record_rate(lake, "audio", items=1, seconds=60.0)
    print_plan(plan_of(lake), in_full=False)
    said = capsys.readouterr().out
    assert "5 files to read (5 new), about 5 min\n" in said
    assert "No earlier run has measured how long this takes: id3_tags, summary_features." in said
    assert "The source folder was last read on 2026-11-20 03:17 UTC" in said
    refresh.all()
    print_plan(plan_of(lake), in_full=False)
    said = capsys.readouterr().out
    assert said.startswith("Nothing to do: everything in the last catalogue is up to date.")
    assert "1 too short" in said


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("done", [False, True])
def test_the_view_fits_the_terminal_and_has_no_empty_columns(
    lake, refresh, library, a_trained_task, capsys, monkeypatch, width, done
):
    a_trained_task()
    for number in range(1, 9):
        listed(lake, library, f"folder_{number:02d}")
    if done:
        for shard in lake.partitions(TRACKS):
            Refresh(lake, str(shard)).all()
    monkeypatch.setenv("COLUMNS", str(width))
    print_plan(plan_of(lake), in_full=False)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert all(line == line.rstrip() for line in lines)
    assert not any("│" in line for line in lines)
    assert any("45 files to read (45 new)" in line for line in lines) != done


def test_in_a_pipe_a_line_of_the_view_is_a_line(lake, refresh, capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    print_plan(plan_of(lake), in_full=False)
    said = capsys.readouterr().out
    assert "up to 5 files whose tags are to be read once the steps above are done" in said


def test_many_shards_are_summed_up_unless_an_asset_is_named(lake, library, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    shards = [f"folder_{n:02d}" for n in range(8)]
    for shard in shards:
        listed(lake, library, shard)
    print_plan(plan_of(lake, asset="audio"), in_full=False)
    said = capsys.readouterr().out
    assert "3 others" in said and "40 new" in said and "folder_07" not in said
    print_plan(plan_of(lake, asset="audio"), in_full=True)
    said = capsys.readouterr().out
    assert "others" not in said and all(shard in said for shard in shards)


def test_the_plan_as_json_holds_what_the_plan_holds(lake, refresh):
    said = json.loads(as_json(plan_of(lake)))
    assert said["is_empty"] is False
    assert said["listed_at"] == {"folder": NOW.isoformat()}
    assert said["work"][0] == {
        "asset": "audio", "partition": SHARD, "pending": {"new": 5}, "at_most_more": 0, "left": {},
        "seconds": None, "at_most_more_seconds": None,
    }  # fmt: skip


@pytest.fixture
def set_to_the_lake(lake, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GENRE_ASSETS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GENRE_ASSETS_DATA", str(lake.root))


@pytest.mark.usefixtures("set_to_the_lake")
def test_the_command_line_plans_retries_and_plans_again(refresh, capsys):
    refresh.all()
    assert cli.main(["plan"]) == 0
    assert "Nothing to do" in capsys.readouterr().out
    assert cli.main(["retry", "--status", "too_short"]) == 0
    assert "1 failure in feature_failures marked" in capsys.readouterr().out
    assert cli.main(["plan", "--asset", "summary_features", "--json"]) == 0
    [work] = json.loads(capsys.readouterr().out)["work"]
    assert work["pending"] == {"retry requested": 1}
    assert cli.main(["plan", "--asset", "nothing"]) == 2
    assert "use one of fetches" in capsys.readouterr().err


def test_spectrograms_are_told_of_where_they_were_once_made_and_where_files_were_lost(tmp_path):
    lake = Lake(tmp_path)
    probed = {
        "sha256": "a" * 64, "path": str(tmp_path / "a.wav"), "bytes": 1, "mtime_ns": 1,
        "status": "ok", "probe_version": 1,
    }  # fmt: skip
    for number, shard in enumerate(["folder_00", "folder_01"]):
        track = {"track_id": f"folder:{number}", "source": "folder", "shard": shard}
        place = {"path": probed["path"], "file_bytes": 1, "file_mtime_ns": 1}
        lake.write(TRACKS, TRACKS.of_rows([track | place]), shard)
        lake.write(AUDIO, AUDIO.of_rows([probed | {"track_id": track["track_id"]}]), shard)
    assert plan_of(lake, asset="spectrograms").work == []
    lake.write(SPECTROGRAMS, SPECTROGRAMS.empty(), "folder_01")
    (work,) = plan_of(lake, asset="spectrograms").work
    assert (work.partition, work.pending) == ("folder_01", {"new": 1})

    path = lake.root / relative_path(probed["sha256"])
    row = {
        "track_id": "folder:1", "sha256": probed["sha256"], "segment": 0, "bytes": 4,
        "file": relative_path(probed["sha256"]),
        "extractor_version": spectrograms.EXTRACTOR_VERSION,
    }  # fmt: skip
    lake.write(SPECTROGRAMS, SPECTROGRAMS.of_rows([row]), "folder_01")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"file")
    assert plan_of(lake, asset="spectrograms").is_empty
    path.unlink()
    (work,) = plan_of(lake, asset="spectrograms").work
    assert (work.partition, work.pending) == ("folder_01", {"new": 1})
