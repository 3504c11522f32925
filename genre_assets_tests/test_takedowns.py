import hashlib
import json
import os
import re
import shutil
import threading
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from genre_assets.audio.probe import PROBE_VERSION
from genre_assets.cli import commands as cli
from genre_assets.errors import UserError
from genre_assets.features.extraction import extract_shard
from genre_assets.features.spectrogram_files import relative_path
from genre_assets.features.summary import COLUMNS, EXTRACTOR_VERSION, FEATURE_SOURCE
from genre_assets.features.summary_extraction import summary_extractor
from genre_assets.labels.labelling import label_tracks
from genre_assets.lake.parquet import write_parquet
from genre_assets.lake.schemas import (
    AUDIO,
    CHAMPIONS,
    ECHONEST_FEATURES,
    FEATURE_FAILURES,
    FETCHES,
    FMA_FEATURES,
    ID3_TAGS,
    LABELS,
    LEAKY_PREDICTIONS,
    PREDICTIONS,
    REVOKED_TAKEDOWNS,
    SCORES,
    SIGHTINGS,
    SPECTROGRAMS,
    SUMMARY_FEATURES,
    TABLES,
    TAKEDOWNS,
    TASK_MEMBERS,
    TASK_NOTES,
    TRACKS,
)
from genre_assets.lake.store import Store
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import connect, refresh_views
from genre_assets.refresh.plan import plan_of
from genre_assets.sources.attribution import FILE_NAME as ATTRIBUTION
from genre_assets.sources.attribution import write_attribution
from genre_assets.sources.fma_site.downloads import (
    Policy,
    download_shard,
    missing_reasons,
    stored_paths,
)
from genre_assets.tags.probing import probe_shard
from genre_assets.tags.reading import READER_VERSION, read_tags_of_shard
from genre_assets.takedowns.preview import preview
from genre_assets.takedowns.record import taken_down
from genre_assets.takedowns.removal import enforce
from genre_assets.takedowns.request import take_down
from genre_assets.takedowns.revocation import revoke

SHARD = "fma_000000"
FILES = "https://files.freemusicarchive.test/tracks"
NOW = datetime(2026, 5, 6, 12, 0, tzinfo=UTC)
NUMBERS = range(100, 124)
GONE = "fma_site:100"
RECORDS = {"takedowns", "revoked_takedowns", "tracks", "sightings", "fetches", "pages"}
"""Folders of the lake that go on saying that there was such a track."""


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def content(number):
    return f"the audio of track {number}".encode() * 20


def site_track(number, **more):
    """Two tracks an artist, two artists a genre in turns."""
    artist = f"Zoë and the Band {(number - 100) // 2}"
    return {
        "track_id": f"fma_site:{number}",
        "source": "fma_site",
        "source_track_id": str(number),
        "shard": SHARD,
        "title": f"Song {number}",
        "artist": artist,
        "artist_id": artist.casefold(),
        "genres": ["Rock" if (number - 100) // 2 % 2 else "Folk"],
        "license_url": "https://creativecommons.org/licenses/by/4.0/",
        "allows_derivatives": True,
        "allows_commercial_use": True,
        "page_url": f"https://freemusicarchive.test/music/{number}/",
        "file_url": f"{FILES}/{number}.mp3",
        "first_seen_at": NOW - timedelta(days=9),
        "last_seen_at": NOW,
    } | more


def fetch(number, sha, **more):
    return {
        "track_id": f"fma_site:{number}",
        "url": f"{FILES}/{number}.mp3",
        "run_id": "first",
        "fetched_at": NOW - timedelta(days=8),
        "status": 200,
        "bytes": 1,
        "attempts": 1,
        "outcome": "ok",
        "sha256": sha,
    } | more


def audio(track_id, path, **more):
    found = path.stat()
    return {
        "track_id": track_id,
        "sha256": sha256(path.read_bytes()),
        "path": str(path),
        "bytes": found.st_size,
        "mtime_ns": found.st_mtime_ns,
        "duration_s": 30.0,
        "status": "ok",
        "probe_version": PROBE_VERSION,
    } | more


def features(track_id, sha, table=SUMMARY_FEATURES):
    generator = np.random.default_rng(int(sha[:8], 16))
    values = dict(zip(COLUMNS, generator.normal(size=len(COLUMNS)).tolist(), strict=True))
    known = (
        {"sha256": sha, "extractor_version": EXTRACTOR_VERSION} if table is SUMMARY_FEATURES else {}
    )
    return {"track_id": track_id, "feature_source": FEATURE_SOURCE} | known | values


class IdleWorkers:
    """Workers that must be given nothing to do."""

    def run(self, function, items, *_, **__):
        assert list(items) == []
        return (nothing for nothing in ())


class ALake:
    """A lake of a site's tracks, up to their labels."""

    def __init__(self, root):
        self.lake = Lake(root)
        self.root = self.lake.root
        self.places = self.lake.places
        self.store = Store(root)
        self.lines = []

    def fill(self, contents=None):
        contents = {n: content(n) for n in NUMBERS} | (contents or {})
        paths = {number: self.keep(bytes_) for number, bytes_ in contents.items()}
        files = [audio(f"fma_site:{n}", path) for n, path in paths.items()]
        known = [(row["track_id"], row["sha256"]) for row in files]
        self.write(TRACKS, [site_track(n) for n in contents])
        self.write(
            SIGHTINGS,
            [{"track_id": key, "genre": "Folk", "first_seen_at": NOW} for key, _ in known],
        )
        self.write(FETCHES, [fetch(n, sha256(contents[n])) for n in contents])
        for duration_s in (29.0, 30.0):
            self.write(AUDIO, [row | {"duration_s": duration_s} for row in files])
        tags = {"tag_version": "ID3v2.4", "status": "ok", "reader_version": READER_VERSION}
        self.write(
            ID3_TAGS, [{"track_id": key, "sha256": sha, "title": "x"} | tags for key, sha in known]
        )
        self.write(SUMMARY_FEATURES, [features(key, sha) for key, sha in known])
        self.write(FEATURE_FAILURES, [])
        self.write(SPECTROGRAMS, [self.spectrograms(key, sha) for key, sha in known])
        for genres in (["Jazz"], None):
            self.label(genres)
        refresh_views(self.lake)
        return self

    def spectrograms(self, track_id, sha):
        file = relative_path(sha)
        (self.root / file).parent.mkdir(parents=True, exist_ok=True)
        (self.root / file).write_text(f"The sound of {sha}.")
        return {"track_id": track_id, "sha256": sha, "segment": 0, "file": file}

    def keep(self, bytes_):
        part = self.store.partial("being written")
        part.write_bytes(bytes_)
        return self.store.add(part, sha256(bytes_), ".mp3")

    def write(self, table, rows, key=SHARD):
        self.lake.write(table, table.of_rows(rows), key if table.partitioned_by else None)

    def add(self, table, *rows, key=SHARD):
        self.write(table, [*self.lake.read(table, [key]).to_pylist(), *rows], key)

    def label(self, genres=None):
        tracks = self.lake.read(TRACKS).to_pylist()
        if genres:
            tracks = [row | {"genres": genres} for row in tracks]
        tracks = TRACKS.of_rows(tracks)
        labelled = label_tracks(
            tracks,
            self.lake.read(AUDIO),
            self.lake.read(ID3_TAGS),
            taken_down(self.lake).times(tracks),
        )
        self.lake.write(LABELS, labelled.labels)

    def task(self, name, track_ids, credited=True):
        """All that is stored of a task, in the forms of the real thing."""
        told = [
            {"task": name, "model": "forest", "track_id": key, "split": "cv"} for key in track_ids
        ]
        self.write(TASK_MEMBERS, [{"task": name, "track_id": key} for key in track_ids], name)
        self.write(TASK_NOTES, [{"task": name, "kind": "note", "text": "well"}], name)
        self.write(PREDICTIONS, told, name)
        self.write(LEAKY_PREDICTIONS, told, name)
        score = {"task": name, "model": "forest", "split": "cv", "metric": "accuracy"}
        self.write(SCORES, [score | {"value": 0.5}], name)
        self.write(CHAMPIONS, [{"task": name, "model": "forest"}], name)
        folder = self.root / "models" / f"task={name}" / "forest"
        write_parquet(PREDICTIONS.of_rows(told), folder / "predictions.parquet")
        (folder / "training.json").write_text(json.dumps({"task": name}))
        (folder / "model.skops").write_bytes(b"a model")
        report = self.root / "reports" / name / "index.html"
        report.parent.mkdir(parents=True)
        report.write_text("<p>A report.</p>")
        if credited:
            write_attribution(self.lake.read(TRACKS), track_ids, folder / ATTRIBUTION)
        return folder

    def refresh(self):
        """What the assets from the downloads to the labels do; nothing is to be computed."""
        gone = taken_down(self.lake)
        listed, previous = self.lake.read(TRACKS, [SHARD]), self.lake.read(FETCHES, [SHARD])
        journal = self.lake.journal(FETCHES, SHARD)
        policy = Policy(frozenset(), gone.reason_for, gone.contents)
        fetched = download_shard(
            listed, previous, journal, self.store, None, policy, IdleWorkers(), "second"
        )
        self.lake.write(FETCHES, fetched, SHARD)
        journal.clear()
        placed = gone.without_files(stored_paths(listed, fetched, self.store))
        why = missing_reasons(listed, fetched, self.store) | gone.reasons(listed)
        files = probe_shard(
            placed, self.lake.read(AUDIO, [SHARD]), IdleWorkers(), self.lines.append, why
        )
        self.lake.write(AUDIO, files, SHARD)
        tags = read_tags_of_shard(files, self.lake.read(ID3_TAGS, [SHARD]), IdleWorkers())
        self.lake.write(ID3_TAGS, tags, SHARD)
        extract_shard(self.lake, SHARD, [summary_extractor()], IdleWorkers())
        self.label()

    def take_down(self, kind="track", subject=GONE, reason="Its maker asked.", now=NOW, **more):
        log = self.lines.append
        return take_down(self.lake, self.store, kind, subject, reason, now, log, **more)

    def preview(self, kind="track", subject=GONE):
        return preview(self.lake, self.store, kind, subject)

    def revoke(self, kind="track", subject=GONE, reason=None, now=NOW):
        return revoke(self.lake, kind, subject, reason, now, self.lines.append)

    def enforce(self):
        return enforce(self.lake, self.store, self.lines.append)

    def ids(self, table):
        return set(self.lake.read(table)["track_id"].to_pylist())

    def row(self, table, track_id):
        rows = self.lake.read(table).filter(pc.field("track_id") == track_id).to_pylist()
        return rows[0] if rows else None

    def traces(self, *needles):
        """Files, of whatever kind, that hold one of the texts or are named by it."""
        return sorted(
            str(path.relative_to(self.root))
            for path in self.root.rglob("*")
            if path.is_file()
            and path.relative_to(self.root).parts[0] not in RECORDS
            and path.suffix != ".lock"
            and any(needle in text for text in (str(path), text_of(path)) for needle in needles)
        )


def text_of(path):
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            may_hold = [f.name for f in file.schema_arrow if not pa.types.is_floating(f.type)]
            return str(file.read(columns=may_hold).to_pylist())
    if path.suffix == ".skops" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return "".join(archive.read(name).decode("latin-1") for name in archive.namelist())
    if path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as connection:
            return "".join(
                str(connection.execute(f'SELECT * FROM "{name}"').fetchall())
                for name in TABLES
                if name not in RECORDS
            ) + path.read_bytes().decode("latin-1")
    return path.read_bytes().decode("latin-1")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return ALake(tmp_path_factory.mktemp("template") / "lake").fill()


@pytest.fixture
def a_lake(template, tmp_path):
    shutil.copytree(template.root, tmp_path / "lake")
    copy = ALake(tmp_path / "lake")
    rows = copy.lake.read(AUDIO).to_pylist()
    copy.write(AUDIO, [audio(row["track_id"], copy.store.find(row["sha256"])) for row in rows])
    return copy


def everything_but(lake, track_ids):
    """All rows of all derived tables that are not of the tracks."""
    features = (SUMMARY_FEATURES, SPECTROGRAMS, FMA_FEATURES, ECHONEST_FEATURES)
    tables = (AUDIO, ID3_TAGS, LABELS, *features)
    return {
        table.name: [
            row for row in lake.read(table).to_pylist() if row["track_id"] not in track_ids
        ]
        for table in tables
    }


def train_for_real(a_lake, name, labels):
    from genre_assets.evaluation.champion import choose_champion
    from genre_assets.evaluation.reports.task import write_report
    from genre_assets.evaluation.scores import score
    from genre_assets.models.storage import save_model
    from genre_assets.models.training import train
    from genre_assets.models.up_to_date import gather_predictions
    from genre_assets.tasks.members import build_task
    from genre_assets_tests.models.corpus import FAST, a_task

    lake = a_lake.lake
    task = a_task(name=name, features=("summary_features",))
    tracks, values = lake.read(TRACKS), lake.read(SUMMARY_FEATURES)
    keys = {"summary_features": values["track_id"].to_pylist()}
    members = build_task(task, labels, tracks, keys).members
    for model in ("majority", "random_forest"):
        folder = save_model(lake, train(FAST[model], task, members, values))
        write_attribution(tracks, members["track_id"].to_pylist(), folder / ATTRIBUTION)
    honest, leaky, notes = gather_predictions(lake, name, members, values)
    assert notes == []
    scores = score(honest, leaky, members, NOW)
    champion = choose_champion(scores, CHAMPIONS.empty(), honest, members, NOW)
    write_report(
        lake.places.report(name), task, members, tracks.slice(0, 0), honest,
        scores, champion, NOW, "the command",
    )  # fmt: skip
    rows = (TASK_MEMBERS, members), (PREDICTIONS, honest), (LEAKY_PREDICTIONS, leaky)
    for table, found in (*rows, (SCORES, scores), (CHAMPIONS, champion)):
        lake.write(table, found, name)
    refresh_views(lake)
    return members["track_id"].to_pylist()


def test_nothing_of_a_track_is_left_in_any_file_and_no_refresh_brings_it_back(a_lake):
    lake = a_lake.lake
    labels = lake.read(LABELS)
    assert GONE in train_for_real(a_lake, "with_it", labels)
    without = labels.filter(pc.invert(pc.is_in(labels["track_id"], labels["track_id"].slice(0, 4))))
    assert GONE not in train_for_real(a_lake, "without_it", without)
    a_lake.lake.journal(SUMMARY_FEATURES, SHARD).append(lake.read(SUMMARY_FEATURES))
    a_lake.store.partial(f"{GONE} {FILES}/100.mp3").write_bytes(content(100)[:50])
    gone_sha = sha256(content(100))
    assert len(a_lake.traces(GONE, gone_sha)) == 22
    spared = everything_but(lake, {GONE})

    done = a_lake.take_down()

    assert a_lake.traces(GONE, gone_sha) == []
    assert list(a_lake.places.partial.iterdir()) == []
    assert everything_but(lake, {GONE}) == spared
    assert GONE in a_lake.ids(TRACKS) & a_lake.ids(SIGHTINGS) & a_lake.ids(FETCHES)
    assert done.tracks == done.removed.tracks == (GONE,)
    assert done.removed.tasks == ("with_it",)
    assert done.removed.files == done.removed.partial_downloads == 1
    assert done.removed.rows == {
        "audio": 1, "id3_tags": 1, "labels": 1, "spectrograms": 1, "summary_features": 1
    }  # fmt: skip
    assert lake.partitions(SCORES) == ["without_it"]
    assert not lake.read(TASK_MEMBERS, ["with_it"]).num_rows
    assert sorted(path.name for path in (a_lake.root / "models").iterdir()) == ["task=without_it"]
    assert sorted(path.name for path in (a_lake.root / "reports").iterdir()) == ["without_it"]

    a_lake.refresh()
    assert not a_lake.enforce()
    assert not a_lake.store.has(gone_sha)
    assert a_lake.traces(gone_sha) == []
    assert a_lake.row(LABELS, GONE)["excluded"] == "taken down on 2026-05-06"
    for table in (AUDIO, ID3_TAGS):
        row = a_lake.row(table, GONE)
        assert (row["status"], row["sha256"]) == ("missing", None)
        assert row["reason"] == "It was taken down on 2026-05-06."
    assert GONE not in a_lake.ids(SUMMARY_FEATURES) | a_lake.ids(FEATURE_FAILURES)
    assert GONE not in train_for_real(a_lake, "with_it", lake.read(LABELS))
    assert not a_lake.enforce()


def test_the_summary_says_what_is_gone_and_what_to_train_again(a_lake):
    a_lake.task("styles", [GONE, "fma_site:101"])
    text = str(a_lake.take_down())
    assert text.splitlines()[0] == f"The track {GONE} is taken down: 1 track ({GONE})."
    assert "1 audio file, 1 row of audio, 1 row of id3_tags" in text
    assert "These tasks have to be trained again, from task_dataset on: styles." in text
    assert str(a_lake.take_down()).splitlines() == [
        f"The track {GONE} is taken down: 1 track ({GONE}).",
        "Removed: nothing was left to remove.",
    ]


def test_a_take_down_is_recorded_with_its_reason_and_keeps_the_first_one(a_lake):
    a_lake.take_down(reason=" Its maker\nasked. ")
    a_lake.take_down(reason="Another reason.", now=NOW + timedelta(days=1))
    [row] = a_lake.lake.read(TAKEDOWNS).to_pylist()
    assert row == {
        "kind": "track",
        "subject": GONE,
        "reason": "Its maker asked.",
        "taken_down_at": NOW,
        "track_ids": [GONE],
        "contents": [sha256(content(100))],
    }


def test_tracks_with_the_same_bytes_go_too_and_their_tasks(tmp_path):
    a_lake = ALake(tmp_path).fill({110: content(100)})
    a_lake.task("copied", ["fma_site:110", "fma_site:111"])
    a_lake.task("spared", ["fma_site:101", "fma_site:111"])
    done = a_lake.take_down()
    assert done.tracks == (GONE, "fma_site:110")
    assert done.removed.tasks == ("copied",)
    assert a_lake.traces(GONE, "fma_site:110", sha256(content(100))) == []
    assert taken_down(a_lake.lake).reason_for(site_track(110)) is not None


def test_bytes_that_come_under_a_new_id_later_go_too(a_lake):
    a_lake.take_down()
    path = a_lake.keep(content(100))
    a_lake.add(TRACKS, site_track(130))
    a_lake.add(AUDIO, audio("fma_site:130", path))
    removed = a_lake.enforce()
    assert removed.tracks == ("fma_site:130",)
    assert a_lake.traces("fma_site:130", sha256(content(100))) == []
    assert taken_down(a_lake.lake).reason_for(site_track(130)) is not None


def test_a_journal_of_downloads_tells_of_bytes_that_no_table_knows_yet(a_lake):
    new = b"never heard of"
    a_lake.keep(new)
    a_lake.lake.journal(FETCHES, SHARD).append(
        FETCHES.of_rows([fetch(100, sha256(new), fetched_at=NOW)])
    )
    a_lake.take_down()
    assert taken_down(a_lake.lake).contents == {sha256(new), sha256(content(100))}
    assert not a_lake.store.has(sha256(new))


def test_older_audio_of_a_track_goes_too_but_not_whoever_has_what_it_once_had(a_lake):
    old = b"what its address answered last year"
    a_lake.keep(old)
    past = {"fetched_at": NOW - timedelta(days=300), "run_id": "old"}
    a_lake.add(FETCHES, fetch(100, sha256(old), **past), fetch(110, sha256(old), **past))
    assert a_lake.take_down().tracks == (GONE,)
    assert not a_lake.store.has(sha256(old))
    assert a_lake.store.has(sha256(content(110)))


def test_broken_files_are_alike_without_being_the_same_recording(a_lake):
    broken = {"sha256": sha256(b""), "status": "empty", "reason": "It is empty."}
    rows = {row["track_id"]: row for row in a_lake.lake.read(AUDIO).to_pylist()}
    rows[GONE] |= broken
    rows["fma_site:110"] |= broken
    a_lake.write(AUDIO, list(rows.values()))
    assert a_lake.take_down().tracks == (GONE,)
    assert "fma_site:110" in a_lake.ids(AUDIO)


def test_a_broken_file_stays_in_the_store_only_while_another_track_has_it(a_lake):
    broken = {"outcome": "undecodable", "reason": "It is broken.", "fetched_at": NOW}
    shared, own = b"shared and broken", b"broken"
    for bytes_ in (shared, own):
        a_lake.keep(bytes_)
    a_lake.add(
        FETCHES,
        fetch(100, sha256(shared), **broken),
        fetch(100, sha256(own), **broken | {"run_id": "again"}),
        fetch(110, sha256(shared), **broken),
    )
    assert a_lake.take_down().tracks == (GONE,)
    assert a_lake.store.has(sha256(shared))
    assert not a_lake.store.has(sha256(own))


def test_the_same_track_of_the_research_dataset_goes_with_that_of_the_site(a_lake, tmp_path):
    clip = tmp_path / "fma_small" / "000100.mp3"
    clip.parent.mkdir()
    clip.write_bytes(b"a clip")
    twin = "fma_dataset:100"
    own = {"track_id": twin, "source": "fma_dataset", "path": str(clip), "file_bytes": 6}
    a_lake.add(TRACKS, site_track(100, **own))
    a_lake.add(AUDIO, audio(twin, clip))
    a_lake.write(FMA_FEATURES, [features(twin, "0" * 64, FMA_FEATURES)])
    a_lake.write(ECHONEST_FEATURES, [{"track_id": twin}, {"track_id": "fma_dataset:101"}])
    assert a_lake.take_down().tracks == (twin, GONE)
    assert a_lake.traces(twin) == []
    assert a_lake.ids(ECHONEST_FEATURES) == {"fma_dataset:101"}
    assert clip.read_bytes() == b"a clip"

    a_lake.write(FMA_FEATURES, [features(twin, "0" * 64, FMA_FEATURES)])
    assert a_lake.enforce().rows == {"fma_features": 1}
    assert a_lake.traces(twin) == []


@pytest.mark.parametrize(
    "spelling", ["Zoë and the Band 3", "zoe & band 3", "BAND 3, Zoe", " Zoë  and the Band 3"]
)
def test_an_artist_goes_in_any_spelling(a_lake, spelling):
    a_lake.task("styles", ["fma_site:107", "fma_site:110"])
    done = a_lake.take_down("artist", spelling)
    assert done.tracks == ("fma_site:106", "fma_site:107")
    assert done.removed.tasks == ("styles",)
    assert a_lake.traces(*done.tracks, *(sha256(content(n)) for n in (106, 107))) == []
    a_lake.refresh()
    assert a_lake.row(LABELS, "fma_site:106")["excluded"] == "taken down on 2026-05-06"
    assert a_lake.row(LABELS, "fma_site:108")["excluded"] is None


def test_a_new_track_of_an_artist_who_is_gone_is_never_downloaded(a_lake):
    a_lake.take_down("artist", "Zoë and the Band 3")
    a_lake.add(TRACKS, site_track(130, artist="The Band 3 and Zoe"))
    gone = taken_down(a_lake.lake)
    assert gone.reason_for(a_lake.row(TRACKS, "fma_site:130")) == "It was taken down on 2026-05-06."
    a_lake.refresh()
    assert a_lake.row(FETCHES, "fma_site:130")["outcome"] == "taken_down"
    assert a_lake.row(LABELS, "fma_site:130")["excluded"] == "taken down on 2026-05-06"
    assert a_lake.enforce().tracks == ("fma_site:130",)
    assert "fma_site:130" in a_lake.lake.read(TAKEDOWNS).to_pylist()[0]["track_ids"]


def test_an_artist_without_a_key_goes_by_the_exact_name_only(a_lake):
    a_lake.add(TRACKS, site_track(130, artist="Various Artists"), site_track(131, artist="VA"))
    assert a_lake.take_down("artist", "Various Artists").tracks == ("fma_site:130",)


def test_the_tags_name_the_artist_where_the_source_only_guesses(a_lake, tmp_path):
    song = tmp_path / "song.mp3"
    song.write_bytes(b"a song")
    own = {"source": "folder", "path": str(song)}
    a_lake.add(
        TRACKS,
        site_track(130, track_id="folder:a", artist="Rock", **own),
        site_track(131, track_id="folder:b", artist="Rock", **own),
    )
    tags = {"status": "ok", "artist": "Ed Askew"}
    a_lake.add(ID3_TAGS, {"track_id": "folder:a"} | tags, {"track_id": "fma_site:100"} | tags,
               key="folder_00")  # fmt: skip
    assert a_lake.take_down("artist", "Askew, Ed").tracks == ("folder:a",)
    assert song.exists()
    assert taken_down(a_lake.lake).reason_for({"track_id": "folder:a", "artist": "Rock"})


def test_a_track_of_several_artists_goes_with_any_of_them_but_takes_no_other_along(a_lake):
    a_lake.add(
        TRACKS,
        site_track(130, artist="Alice; Bob"),
        site_track(131, artist="Alice"),
        site_track(132, artist="Bob"),
    )
    assert a_lake.take_down("artist", "bob").tracks == ("fma_site:130", "fma_site:132")
    gone = taken_down(a_lake.lake)
    assert gone.reason_for({"track_id": "fma_site:133", "artist": "Carol;BOB"})
    assert gone.reason_for({"track_id": "fma_site:134", "artist": "Alice"}) is None


def test_an_artist_whom_nobody_lists_is_refused_unless_that_is_meant(a_lake):
    with pytest.raises(UserError, match=r"'Zoë and the Bend 3'\. Did you mean Zoë and the Band 3"):
        a_lake.take_down("artist", "Zoë and the Bend 3")
    assert a_lake.lake.read(TAKEDOWNS).num_rows == 0
    done = a_lake.take_down("artist", "Zoë and the Bend 3", in_advance=True)
    assert done.tracks == ()
    assert not done.removed
    assert "no source lists it yet, and it will be kept out when one does" in str(done)
    assert taken_down(a_lake.lake).reason_for(site_track(130, artist="Zoe & Bend 3"))
    # One that is recorded can be enforced again.
    assert a_lake.take_down("artist", "Zoë and the Bend 3").tracks == ()


def test_a_track_that_nobody_lists_yet_can_be_kept_out(a_lake):
    a_lake.take_down(subject="fma_site:999", in_advance=True)
    assert taken_down(a_lake.lake).reason_for(site_track(999))
    with pytest.raises(UserError, match="A track_id is one of folder"):
        a_lake.take_down(subject="song of nobody", in_advance=True)


def state_of(folder):
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_a_preview_says_what_is_then_removed_and_changes_nothing(a_lake, tmp_path):
    song = tmp_path / "song.mp3"
    song.write_bytes(b"a song")
    own = {"source": "folder", "path": str(song), "file_bytes": 6, "artist": "Zoë and the Band 3"}
    a_lake.add(TRACKS, site_track(130, track_id="folder:a", **own))
    a_lake.add(AUDIO, audio("folder:a", song))
    a_lake.task("styles", ["fma_site:107", "fma_site:110"])
    before = state_of(a_lake.root)
    found = a_lake.preview("artist", "zoe & band 3")
    assert state_of(a_lake.root) == before
    said = str(found)
    done = a_lake.take_down("artist", "zoe & band 3")
    assert tuple(track["track_id"] for track in found.tracks) == done.tracks
    assert (found.rows, found.files) == (done.removed.rows, done.removed.files)
    assert (tuple(found.models), found.reports) == (done.removed.tasks,) * 2
    assert found.own_files == 1 and song.exists()
    assert "  fma_site:106  Song 106 by Zoë and the Band 3\n" in said
    assert "1 model, the scores and the report of styles, to be made anew without them" in said
    assert "1 file of your own would stay where it is" in said
    assert "nothing to remove" in str(a_lake.preview("artist", "Nobody"))


def test_a_mistake_is_revoked_and_the_next_run_asks_for_the_files_again(a_lake):
    a_lake.take_down("artist", "Zoë and the Band 3")
    a_lake.refresh()
    assert a_lake.row(FETCHES, "fma_site:106")["outcome"] == "ok"
    assert a_lake.lake.read(FETCHES).to_pylist()[-1]["outcome"] == "ok"
    revoked = a_lake.revoke("artist", "the band 3 & Zoe", "It was a typing mistake.")
    assert revoked.downloads == ("fma_site:106", "fma_site:107")
    assert "The next run downloads 2 files again" in str(revoked)
    gone = taken_down(a_lake.lake)
    assert gone.contents == frozenset() and not gone.reason_for(site_track(106))
    assert a_lake.lake.read(TAKEDOWNS).num_rows == 0
    [row] = a_lake.lake.read(REVOKED_TAKEDOWNS).to_pylist()
    assert (row["revoked_at"], row["revoked_because"]) == (NOW, "It was a typing mistake.")
    assert (row["taken_down_at"], row["reason"]) == (NOW, "Its maker asked.")
    (fetches,) = [work for work in plan_of(a_lake.lake).work if work.asset == "fetches"]
    assert fetches.pending == {"retry requested": 2}
    a_lake.label()
    assert a_lake.row(LABELS, "fma_site:106")["excluded"] is None
    # The same may be taken down and revoked again.
    a_lake.take_down("artist", "Zoë and the Band 3", now=NOW + timedelta(days=1))
    assert taken_down(a_lake.lake).reason_for(site_track(106))
    a_lake.revoke("artist", "Zoë and the Band 3", now=NOW + timedelta(days=2))
    assert a_lake.lake.read(REVOKED_TAKEDOWNS).num_rows == 2


def test_a_download_that_only_the_journal_of_a_killed_run_knows_is_asked_for_again(a_lake):
    a_lake.take_down("artist", "Zoë and the Band 3")
    a_lake.refresh()
    a_lake.lake.journal(FETCHES, "fma_005000").append(a_lake.lake.read(FETCHES, [SHARD]))
    shutil.rmtree(a_lake.places.table(FETCHES))
    a_lake.revoke("artist", "Zoë and the Band 3")
    asked = a_lake.lake.read(FETCHES, ["fma_005000"]).to_pylist()
    assert {row["track_id"] for row in asked} == {"fma_site:106", "fma_site:107"}


def test_what_a_revocation_cannot_bring_back_is_said(a_lake, tmp_path):
    song = tmp_path / "song.mp3"
    song.write_bytes(b"a song")
    own = {"source": "folder", "path": str(song), "artist": "Zoë and the Band 3"}
    a_lake.add(TRACKS, site_track(130, track_id="folder:a", **own))
    rows = a_lake.lake.read(TRACKS).to_pylist()
    next(row for row in rows if row["track_id"] == "fma_site:107")["gone_at"] = NOW
    a_lake.write(TRACKS, rows)
    a_lake.take_down("artist", "Zoë and the Band 3")
    a_lake.take_down("track", "fma_site:106")
    revoked = a_lake.revoke("artist", "Zoë and the Band 3")
    assert (revoked.downloads, revoked.own_files) == ((), ("folder:a",))
    assert (revoked.lost, revoked.held) == (("fma_site:107",), ("fma_site:106",))
    assert (
        "These tracks cannot come back, because their source no longer lists them: fma_site:107."
        in str(revoked)
    )
    assert a_lake.enforce().rows == {} and song.exists()


def test_only_a_take_down_that_is_in_force_can_be_revoked(a_lake):
    with pytest.raises(UserError, match="No artist is taken down"):
        a_lake.revoke("artist", "Zoë and the Band 3")
    a_lake.take_down("artist", "Zoë and the Band 3")
    with pytest.raises(UserError, match=r"is in force\. Did you mean Zoë and the Band 3"):
        a_lake.revoke("artist", "Zoë and the Bond 33")
    with pytest.raises(UserError, match="No track is taken down"):
        a_lake.revoke("track", GONE)


class Stdin:
    def __init__(self, answer):
        self.answer = answer

    def isatty(self):
        return self.answer is not None

    def readline(self):
        return f"{self.answer}\n"


ARTIST = ("take-down", "artist", "Zoë and the Band 3")
WHY = ("--reason", "requested by the artist")


@pytest.mark.parametrize(
    ("words", "answer", "status", "said", "is_done"),
    [
        ((*ARTIST, "--dry-run"), None, 0, "This was a dry run: nothing was removed.", False),
        ((*ARTIST, *WHY), None, 2, "add --yes to remove without confirmation", False),
        ((*ARTIST, "--yes"), None, 2, "Say who requested it and why, with --reason", False),
        ((*ARTIST, *WHY), "y", 1, "Nothing was removed.", False),
        ((*ARTIST, *WHY), " Yes ", 0, "is taken down: 2 tracks", True),
        ((*ARTIST, *WHY, "--yes"), None, 0, "is taken down: 2 tracks", True),
        (("take-down", "artist", "Nobody", *WHY, "--yes"), None, 2, "add --in-advance", False),
    ],
)
def test_the_command_line_shows_it_first_and_asks(
    a_lake, monkeypatch, capsys, words, answer, status, said, is_done
):
    monkeypatch.setenv("GENRE_ASSETS_DATA", str(a_lake.root))
    monkeypatch.setattr("sys.stdin", Stdin(answer))
    assert cli.main(list(words)) == status
    printed = capsys.readouterr()
    assert said in printed.out + printed.err
    if answer is not None or "--dry-run" in words:
        assert "2 downloaded audio files" in printed.out
    assert (a_lake.lake.read(TAKEDOWNS).num_rows == 1) == is_done
    if is_done:
        assert cli.main([*ARTIST, "--undo"]) == 0
        assert "is revoked" in capsys.readouterr().out


@pytest.mark.parametrize(
    "subject, meant",
    [
        ("100", f"'100'. Did you mean {GONE}?"),
        ("fma_dataset:100", f"Did you mean {GONE}?"),
        ("https://freemusicarchive.test/music/100/", f"Did you mean {GONE}?"),
        ("song 100", f"Did you mean {GONE}?"),
        ("fma_site:999", "Look it up in the view tracks."),
    ],
)
def test_a_track_that_nobody_listed_cannot_be_taken_down(a_lake, subject, meant):
    with pytest.raises(UserError, match=re.escape(meant)):
        a_lake.take_down(subject=subject)
    assert a_lake.lake.read(TAKEDOWNS).num_rows == 0


@pytest.mark.parametrize(
    "kind, subject, reason, said",
    [
        ("album", GONE, "why", "'album' cannot be taken down"),
        ("artist", "  ", "why", "Say which artist"),
        ("track", GONE, " \n", "Say who requested"),
    ],
)
def test_a_take_down_needs_a_kind_a_subject_and_a_reason(a_lake, kind, subject, reason, said):
    with pytest.raises(UserError, match=said):
        a_lake.take_down(kind, subject, reason)
    assert a_lake.lake.read(TAKEDOWNS).num_rows == 0


def test_nothing_is_taken_down_in_an_empty_lake(tmp_path):
    a_lake = ALake(tmp_path / "lake")
    gone = taken_down(a_lake.lake)
    assert gone.reason_for(site_track(100)) is None
    assert gone.times(TRACKS.empty()) == gone.reasons(TRACKS.empty()) == {}
    assert gone.contents == frozenset()
    assert not a_lake.enforce()
    assert not a_lake.root.exists()


def test_a_file_of_the_owner_stays_and_is_not_looked_at_again(a_lake, tmp_path):
    song = tmp_path / "song.mp3"
    song.write_bytes(content(100))
    found = {"path": str(song), "file_bytes": song.stat().st_size, "file_mtime_ns": 1}
    own = site_track(130, track_id="folder:a", source="folder", artist="Someone", **found)
    a_lake.add(TRACKS, own)
    a_lake.add(AUDIO, audio("folder:a", song))
    assert a_lake.take_down("track", "folder:a").tracks == (GONE, "folder:a")
    assert song.exists()
    tracks = TRACKS.of_rows([own, site_track(101, **found)])
    hidden, shown = taken_down(a_lake.lake).without_files(tracks).to_pylist()
    assert (hidden["path"], hidden["file_bytes"], hidden["file_mtime_ns"]) == (None, None, None)
    assert shown == tracks.to_pylist()[1]
    [row] = probe_shard(
        TRACKS.of_rows([hidden]), AUDIO.empty(), IdleWorkers(),
        why_missing=taken_down(a_lake.lake).reasons(tracks),
    ).to_pylist()  # fmt: skip
    assert (row["status"], row["reason"]) == ("missing", "It was taken down on 2026-05-06.")


def test_a_task_is_known_by_any_file_that_names_the_track(a_lake):
    others = ["fma_site:110", "fma_site:111"]
    a_lake.task("by_predictions", others)
    a_lake.write(PREDICTIONS, [{"task": "by_predictions", "track_id": GONE}], "by_predictions")
    a_lake.write(PREDICTIONS, [], "by_predictions")
    model = a_lake.task("by_attribution", others)
    write_attribution(a_lake.lake.read(TRACKS), [GONE], model / ATTRIBUTION)
    a_lake.task("by_report", others)
    (a_lake.root / "reports" / "by_report" / "index.html").write_text(f"<td>{GONE}</td>")
    a_lake.task("spared", others)
    (a_lake.root / "reports" / "spared" / "index.html").write_text(f"<td>{GONE}0</td>")
    done = a_lake.take_down()
    assert done.removed.tasks == ("by_attribution", "by_predictions", "by_report")
    for folder, name in (("models", "task=spared"), ("reports", "spared")):
        assert [path.name for path in (a_lake.root / folder).iterdir()] == [name]
    assert set(a_lake.lake.read(TASK_MEMBERS)["task"].to_pylist()) == {"spared"}
    for table in (TASK_NOTES, PREDICTIONS, LEAKY_PREDICTIONS, SCORES, CHAMPIONS):
        assert a_lake.lake.partitions(table) == ["spared"]


def test_a_model_that_does_not_say_whom_it_learnt_from_goes_when_a_track_is_first_reached(a_lake):
    others = ["fma_site:110", "fma_site:111"]
    a_lake.task("old", others, credited=False)
    assert a_lake.take_down().removed.tasks == ("old",)
    a_lake.task("new", others, credited=False)
    assert a_lake.enforce().tasks == ()
    assert a_lake.lake.partitions(SCORES) == ["new"]


def test_a_model_that_was_in_training_when_its_track_went_is_deleted_when_it_is_stored(a_lake):
    a_lake.take_down()
    a_lake.task("late", [GONE, "fma_site:110"])
    assert a_lake.enforce().tasks == ("late",)
    assert a_lake.traces(GONE) == a_lake.lake.partitions(SCORES) == []


def test_a_refresh_that_began_before_does_not_undo_it(a_lake):
    stale = {table: a_lake.lake.read(table) for table in (AUDIO, ID3_TAGS, SUMMARY_FEATURES)}
    labels = a_lake.lake.read(LABELS)
    a_lake.take_down()
    for table, rows in stale.items():
        a_lake.lake.write(table, rows, SHARD)
    a_lake.lake.write(LABELS, labels)
    a_lake.keep(content(100))
    assert a_lake.enforce().rows == dict.fromkeys(
        ("audio", "id3_tags", "labels", "summary_features"), 1
    )
    assert a_lake.traces(GONE, sha256(content(100))) == []


def test_a_journal_keeps_its_other_rows_in_their_order(a_lake):
    journal = a_lake.lake.journal(FEATURE_FAILURES, SHARD)
    failed = {"sha256": "5" * 64, "extractor_version": EXTRACTOR_VERSION, "status": "failed"}
    for second, ids in enumerate([[GONE], [GONE, "fma_site:110"], ["fma_site:111"]]):
        before = set(a_lake.places.internal.rglob("*.parquet"))
        journal.append(FEATURE_FAILURES.of_rows([{"track_id": key} | failed for key in ids]))
        [path] = set(a_lake.places.internal.rglob("*.parquet")) - before
        os.utime(path, ns=(second, second))
    a_lake.take_down()
    assert journal.read()["track_id"].to_pylist() == ["fma_site:110", "fma_site:111"]
    assert a_lake.traces(GONE) == []


def test_a_label_that_points_at_a_gone_track_goes_with_it(a_lake):
    labels = [row for row in a_lake.lake.read(LABELS).to_pylist()]
    labels[10]["duplicate_of"] = GONE
    a_lake.lake.write(LABELS, LABELS.of_rows(labels))
    assert a_lake.take_down().removed.rows["labels"] == 2
    assert a_lake.traces(GONE) == []


def test_what_a_killed_run_was_writing_goes_and_what_a_running_one_writes_stays(a_lake):
    folder = a_lake.lake.path(AUDIO, SHARD).parent
    old, new = (folder / f".{name}.parquet.0.tmp" for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half a file")
    os.utime(old, (time.time() - 7200,) * 2)
    a_lake.take_down()
    assert [path.exists() for path in (old, new)] == [False, True]


def test_it_waits_for_the_run_that_writes_the_shard(a_lake):
    waiting = threading.Event()

    def log(line):
        if "waiting" in line:
            waiting.set()

    with a_lake.lake.lock(SUMMARY_FEATURES, SHARD):
        work = threading.Thread(
            target=take_down,
            args=(a_lake.lake, a_lake.store, "track", GONE, "Its maker asked.", NOW, log),
        )
        work.start()
        assert waiting.wait(10)
        work.join(0.3)
        assert work.is_alive()
        assert GONE in a_lake.ids(SUMMARY_FEATURES)
        assert GONE in a_lake.lake.read(TAKEDOWNS)["track_ids"].to_pylist()[0]
    work.join(10)
    assert a_lake.traces(GONE) == []


def test_the_views_can_be_queried_afterwards(a_lake):
    a_lake.take_down()
    with duckdb.connect(str(a_lake.places.views), read_only=True) as connection:
        found = connection.execute("SELECT count(*) FROM audio").fetchall()
    with connect(a_lake.lake) as connection:
        assert connection.execute("SELECT count(*) FROM audio").fetchall() == found == [(23,)]


class Killed(BaseException):
    """Ends a process between two changes of the disk."""


def test_whenever_it_is_killed_the_next_call_finishes_it(tmp_path, monkeypatch):
    template = ALake(tmp_path / "template").fill({110: content(100)})
    template.task("styles", [GONE, "fma_site:111"])
    template.task("by_model", ["fma_site:111"], credited=False)
    template.lake.journal(SUMMARY_FEATURES, SHARD).append(template.lake.read(SUMMARY_FEATURES))
    template.store.partial(f"{GONE} {FILES}/100.mp3").write_bytes(b"a part")
    monkeypatch.setattr("genre_assets.takedowns.removal.refresh_views", lambda lake: None)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    template.places.views.unlink()
    changes = [(Path, "unlink"), (Path, "rename"), (Path, "replace"), (shutil, "rmtree")]

    def killed_at(a_lake, step):
        done = 0

        def dying(change):
            def changed(*args, **kwargs):
                nonlocal done
                if done >= step:
                    raise Killed
                done += 1
                return change(*args, **kwargs)

            return changed

        with monkeypatch.context() as patch:
            for owner, name in changes:
                patch.setattr(owner, name, dying(getattr(owner, name)))
            try:
                a_lake.take_down()
            except Killed:
                return True
        return False

    step, deaths = 0, 0
    while True:
        root = tmp_path / f"killed at {step}"
        shutil.copytree(template.root, root)
        a_lake = ALake(root)
        died = killed_at(a_lake, step)
        recorded = a_lake.lake.read(TAKEDOWNS).num_rows
        assert recorded or a_lake.ids(AUDIO) == template.ids(AUDIO)
        a_lake.enforce() if recorded else a_lake.take_down()
        assert a_lake.traces(GONE, "fma_site:110", sha256(content(100)), "a part") == []
        [mark] = a_lake.traces("styles")
        assert mark.startswith(f"{TASK_MEMBERS.name}/task=styles")
        assert not (root / "models" / "task=by_model").exists()
        assert list(a_lake.places.trash.glob("*")) == []
        assert not a_lake.enforce()
        shutil.rmtree(root)
        if not died:
            break
        deaths += 1
        step += 3  # every change takes half a minute
    assert deaths > 10
