"""The scrape as Dagster runs it: a real browser, the replica, and what a refresh costs."""

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from dataclasses import replace

import dagster as dg
import psutil
import pytest

from genre_assets.demo.corpus import write_corpus
from genre_assets.demo.site.content import SiteContent, content_from_corpus, content_from_rows
from genre_assets.demo.site.misbehaviour import Answer
from genre_assets.demo.site.server import ReplicaSite
from genre_assets.lake.schemas import (
    AUDIO,
    FEATURE_FAILURES,
    FETCHES,
    PAGES,
    REJECTED_ROWS,
    SUMMARY_FEATURES,
    SWEEPS,
    TRACKS,
)
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.assets.features import extraction
from genre_assets.orchestration.assets.ingest import fetches, fma_site_catalogue
from genre_assets.orchestration.assets.metadata import audio, id3_tags
from genre_assets.orchestration.resources import FmaSite, LakeResource, LicencePolicy, Workers
from genre_assets.quality.tables import keys_unique, parts_of, rows_valid
from genre_assets.sources.fma_site.browser import BrowserMissing, find_chromium
from genre_assets_tests.assets.conftest import BIN, Platform

STYLES = ["Techno", "House", "Indie-Rock", "Garage", "Dubstep", "Drum & Bass"]
OLD = 2
"""Tracks of each style that the site has before the new ones."""


@pytest.fixture(scope="module", autouse=True)
def chromium():
    try:
        return find_chromium()
    except BrowserMissing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    counts = dict.fromkeys(STYLES, OLD) | dict.fromkeys(STYLES[:5], OLD + 1)
    write_corpus(folder, counts, seconds=3.0, workers=2)
    return content_from_corpus(folder)


@pytest.fixture
def old_and_new(corpus):
    """Rows that the site begins with, and five of a later shard that it gets later."""
    newest, older = corpus.rows[:5], corpus.rows[5:]
    return older, [replace(track, info=track.info | {"id": track.id + 5_000}) for track in newest]


@pytest.fixture
def site(old_and_new):
    old, _ = old_and_new
    content = content_of(old)
    with ReplicaSite(content) as site:
        yield site


def content_of(rows):
    return SiteContent(list(rows))


class Scrape:
    """The assets of the scrape over one lake and one site."""

    def __init__(self, folder, site, genres=None):
        self.lake = Lake(folder / "lake")
        self.site = site
        self._versions: dict[str, str] = {}
        self._resources = {
            "lake": LakeResource(root=str(self.lake.root)),
            "fma_site": FmaSite(base=site.base, **({"genres": genres} if genres else {})),
            "licence_policy": LicencePolicy(),
            "workers": Workers(count=1),
        }

    def sweep(self, mode="auto") -> set[str]:
        """Sweep the site; the shards whose data version is another than before."""
        result = self.try_to_sweep(mode)
        assert result.success, result.failure_data_for_node("fma_site_catalogue")
        versions = {
            event.materialization.partition: event.materialization.tags["dagster/data_version"]
            for event in result.events_for_node("fma_site_catalogue")
            if event.is_step_materialization and event.asset_key == dg.AssetKey("tracks")
        }
        changed = {key for key in versions if versions[key] != self._versions.get(key)}
        self._versions |= versions
        return changed

    def try_to_sweep(self, mode="auto"):
        return dg.materialize(
            [fma_site_catalogue],
            resources=self._resources,
            run_config={"ops": {"fma_site_catalogue": {"config": {"mode": mode}}}},
            raise_on_error=False,
        )

    def refresh(self, shards, *more: str) -> None:
        """Bring shards up to date, from downloads to tags, and of what else is named."""
        for shard in sorted(shards):
            done = dg.materialize(
                [fetches, audio, id3_tags, extraction],
                selection=dg.AssetSelection.assets("fetches", "audio", "id3_tags", *more),
                resources=self._resources,
                partition_key=shard,
            )
            assert done.success

    def rows(self, table) -> list[dict]:
        return self.lake.read(table).to_pylist()

    def tracks(self) -> dict[int, dict]:
        return {int(row["source_track_id"]): row for row in self.rows(TRACKS)}

    def stored(self) -> set[str]:
        return {path.stem for path in (self.lake.root / "files").rglob("*.mp3")}


def test_a_second_run_fetches_nothing_and_new_tracks_cost_what_they_are(
    tmp_path, site, old_and_new
):
    old, new = old_and_new
    scrape = Scrape(tmp_path, site)
    shards = scrape.sweep()
    scrape.refresh(shards, "summary_features")

    tracks = scrape.tracks()
    assert set(tracks) == {track.id for track in old}
    licensed = {track.id for track in old if track.licence_url}
    assert {id_ for id_, row in tracks.items() if row["license_url"]} == licensed
    assert {request.path for request in site.downloads()} == {
        track.file_path for track in old if track.id in licensed
    }
    assert site.most_in_flight == 1
    assert all(request.agent.startswith("genre_assets/") for request in site.requests)
    sound = {row["track_id"] for row in scrape.rows(AUDIO) if row["status"] == "ok"}
    assert {
        row["track_id"] for row in scrape.rows(SUMMARY_FEATURES) + scrape.rows(FEATURE_FAILURES)
    } == sound

    site.requests.clear()
    features = scrape.lake.files(SUMMARY_FEATURES)
    assert scrape.sweep() == set()
    scrape.refresh(shards, "summary_features")
    assert site.downloads() == []
    assert [request for request in site.requests if "/music/" in request.path] == []
    assert scrape.lake.files(SUMMARY_FEATURES) == features

    site.requests.clear()
    site.add(new)
    changed = scrape.sweep()
    assert changed == {"fma_240000"}
    assert shards == {"fma_235000"}
    scrape.refresh(changed)
    assert Counter(request.path for request in site.downloads()) == Counter(
        track.file_path for track in new
    )
    assert len(new) == 5


def test_a_track_is_gone_after_two_full_sweeps_and_a_404_and_its_audio_stays(tmp_path, site):
    scrape = Scrape(tmp_path, site)
    scrape.refresh(scrape.sweep())
    victim = next(track for track in site.content.rows if track.licence_url)
    stored = scrape.stored()
    site.remove(victim.id)
    scrape.sweep("incremental")
    scrape.sweep("full")
    assert scrape.tracks()[victim.id]["gone_at"] is None
    changed = scrape.sweep("full")
    row = scrape.tracks()[victim.id]
    assert row["gone_at"] is not None
    assert changed == {row["shard"]}
    scrape.refresh(changed)
    assert scrape.stored() == stored
    statuses = {row["track_id"]: row["status"] for row in scrape.rows(AUDIO)}
    assert statuses[f"fma_site:{victim.id}"] == "ok"


def test_a_changed_layout_fails_loudly_and_leaves_the_catalogue(tmp_path, site):
    scrape = Scrape(tmp_path, site)
    scrape.sweep()
    before = scrape.lake.read(TRACKS)
    for change in ("no_rows", "rows_without_info"):
        setattr(site.misbehaviour, change, True)
        result = scrape.try_to_sweep("full")
        failure = result.failure_data_for_node("fma_site_catalogue").user_failure_data
        assert "Techno" in failure.description, failure
        setattr(site.misbehaviour, change, False)
    assert scrape.lake.read(TRACKS).equals(before)
    assert [row["complete"] for row in scrape.rows(SWEEPS)].count(False) >= 2
    assert scrape.try_to_sweep("full").success


def test_a_site_that_is_busy_is_asked_again_when_it_says_so(tmp_path, site):
    site.misbehaviour.answers = [
        Answer("/genre/Techno", times=1, status=503, retry_after="0"),
        Answer("/genre/House", times=1, status=429, retry_after="0"),
        Answer("/music/", times=2, status=503, retry_after="0"),
        Answer("/tracks/", times=2, status=429, retry_after="0"),
    ]
    scrape = Scrape(tmp_path, site)
    scrape.refresh(scrape.sweep())
    assert scrape.rows(REJECTED_ROWS) == []
    assert {row["outcome"] for row in scrape.rows(FETCHES)} <= {
        "ok", "no_licence", "undecodable", "not_audio"
    }  # fmt: skip


def test_files_that_misbehave_are_recorded_and_the_others_come(tmp_path, site):
    licensed = [
        track for track in site.content.rows if track.licence_url and track.info["id"] > 239_000
    ]
    login, cut, changing = (track.file_path for track in licensed[:3])
    site.misbehaviour.answers = [
        Answer(login, html=True),
        Answer(cut, times=1, cut_after=5_000),
        Answer(changing, times=1, cut_after=5_000),
        Answer(changing, new_etag=True),
    ]
    scrape = Scrape(tmp_path, site)
    scrape.refresh(scrape.sweep())
    outcomes = {row["url"].rpartition("/")[2]: row for row in scrape.rows(FETCHES)}
    assert outcomes[login.rpartition("/")[2]]["outcome"] == "not_audio"
    assert "Login" in outcomes[login.rpartition("/")[2]]["reason"]
    resumed = outcomes[cut.rpartition("/")[2]]
    assert (resumed["outcome"], resumed["attempts"]) == ("ok", 2)
    assert [request.range for request in site.downloads() if request.path == cut] == [
        None, "bytes=5000-"
    ]  # fmt: skip
    assert outcomes[changing.rpartition("/")[2]]["sha256"] is not None
    assert len(scrape.rows(FETCHES)) == len(site.content.rows)


def test_a_track_hidden_at_a_border_is_found_by_another_order_or_missed_aloud(tmp_path, site):
    hidden = next(track for track in site.content.rows if "Techno" in dict(track.genres))
    site.misbehaviour.hidden = {hidden.id}
    scrape = Scrape(tmp_path, site)
    scrape.sweep("full")
    assert hidden.id in scrape.tracks()
    (sweep,) = (row for row in scrape.rows(SWEEPS) if row["genre"] == "Techno")
    assert sweep["distinct"] == sweep["claimed"] > sweep["listed"]
    assert len(sweep["orders"]) == 2


def test_a_killed_browser_is_restarted_and_the_sweep_completes(tmp_path, site):
    def kill_browsers():
        while not any("/music/" in request.path for request in site.requests):
            time.sleep(0.01)
        for child in psutil.Process().children(recursive=True):
            if "chrom" in child.name() and "driver" not in child.name():
                child.kill()
                killed.append(child.pid)

    killed = []
    killer = threading.Thread(target=kill_browsers)
    killer.start()
    scrape = Scrape(tmp_path, site)
    scrape.sweep()
    killer.join()
    assert killed
    assert len(scrape.tracks()) == len(site.content.rows)
    assert scrape.rows(REJECTED_ROWS) == []


def test_a_run_killed_in_mid_download_loses_nothing_and_fetches_nothing_twice(tmp_path, site):
    platform = Platform(tmp_path / "lake")
    settings = platform.environment | {"GENRE_ASSETS_FMA_SITE": site.base}
    scrape = Scrape(tmp_path, site)
    shards = scrape.sweep()
    shard = max(shards, key=lambda key: [row["shard"] for row in scrape.rows(TRACKS)].count(key))
    site.requests.clear()
    site.misbehaviour.answers = [Answer("/tracks/", wait_s=0.2)]
    command = [
        BIN / "dagster", "asset", "materialize", "-m", "genre_assets.definitions",
        "--select", "fetches", "--partition", shard,
    ]  # fmt: skip
    with subprocess.Popen(
        command, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as run:  # fmt: skip
        while len(site.downloads()) < 4:
            assert run.poll() is None
            time.sleep(0.02)
        os.killpg(run.pid, signal.SIGKILL)
    first = len(site.downloads())
    assert not list((scrape.lake.root / "files").rglob("*.part"))
    scrape.refresh([shard])
    asked = Counter(request.path for request in site.downloads())
    licensed = [
        track for track in site.content.rows
        if track.licence_url and scrape.tracks()[track.id]["shard"] == shard
    ]  # fmt: skip
    assert set(asked) == {track.file_path for track in licensed}
    assert 4 <= first < len(licensed)
    # The file under way when the run was killed may be requested again, from where it broke off.
    assert sum(asked.values()) <= len(licensed) + 1
    contents = {row["sha256"] for row in scrape.rows(FETCHES) if row["sha256"]}
    assert contents == scrape.stored()


def test_what_is_odd_about_a_track_is_said_of_it_and_stops_no_other(tmp_path, site):
    good, no_file, refused, login, missing, odd, unlicensed, *_ = (
        track for track in site.content.rows if track.licence_url
    )
    site.content = content_of(
        [
            good,
            replace(no_file, info=no_file.info | {"fileUrl": None}),
            refused,
            login,
            missing,
            replace(odd, info=odd.info | {"artistName": 7, "title": "a\0\u202eb"}),
            replace(unlicensed, licence_url=None),
        ]
    )
    site.misbehave(
        Answer(refused.page_path, status=403),
        Answer(login.page_path, html=True),
        Answer(missing.page_path, status=404),
    )
    scrape = Scrape(tmp_path, site)
    scrape.refresh(scrape.sweep())

    def fetched(track):
        rows = [row for row in scrape.rows(FETCHES) if row["track_id"] == f"fma_site:{track.id}"]
        return max(rows, key=lambda row: row["fetched_at"])

    assert {
        track.id: fetched(track)["outcome"]
        for track in (no_file, refused, login, missing, unlicensed)
    } == {
        unlicensed.id: "no_licence",
        no_file.id: "no_file",
        refused.id: "page_not_read",
        login.id: "page_not_read",
        missing.id: "page_not_read",
    }
    assert "answered with status 403" in fetched(refused)["reason"]
    assert "requires a login" in fetched(login)["reason"]
    assert "answered with status 404" in fetched(missing)["reason"]
    assert {request.path for request in site.downloads()} == {good.file_path, odd.file_path}
    audio = {row["track_id"]: row for row in scrape.rows(AUDIO)}
    for track in (no_file, refused, login, missing, unlicensed):
        row = audio[f"fma_site:{track.id}"]
        assert (row["status"], row["reason"]) == ("missing", fetched(track)["reason"])
    assert "artistName" in next(
        row["reason"] for row in scrape.rows(REJECTED_ROWS) if row["place"] == f"track {odd.id}"
    )
    parts = parts_of(scrape.lake, [TRACKS, FETCHES, AUDIO, REJECTED_ROWS, PAGES, SWEEPS])
    assert (rows_valid(scrape.lake, parts).passed, keys_unique(scrape.lake, parts).passed) == (
        True,
        True,
    )

    site.behave()
    scrape.refresh(scrape.sweep("incremental"))
    assert {request.path for request in site.downloads()} >= {
        refused.file_path, login.file_path, missing.file_path
    }  # fmt: skip
    assert [row["place"] for row in scrape.rows(REJECTED_ROWS)] == [f"track {odd.id}"]


def is_single(track):
    return track.info["albumTitle"] == "-"


def handle_length(track):
    return len(track.info["url"].rstrip("/").rpartition("/")[2])


def odd_among(tracks):
    """The rows that a parser stumbles over, the first of all, and three of the many singles."""
    singles = [track for track in tracks if is_single(track)][:3]
    ids = Counter(track.id for track in tracks)
    return tuple(
        track
        for track in tracks
        if track is tracks[0]
        or track in singles
        or track.info["artistUrl"] is None
        or ids[track.id] > 1
        or handle_length(track) == 245
    )


def test_real_rows_are_catalogued_exactly(tmp_path, real_data):
    content = content_from_rows(real_data / "fma_site" / "listing_breakcore_hard.json")
    # Each costs a page in the browser; without one, other tests read all 588 of them.
    content = SiteContent(odd_among(content.rows))
    with ReplicaSite(content) as site:
        scrape = Scrape(tmp_path, site, genres=["Breakcore_-_Hard"])
        scrape.sweep()
    tracks = scrape.tracks()
    assert 6 < len(content.rows) < 12
    assert len(tracks) == len(content.rows) - 1
    for shown in content.rows:
        row, info = tracks[shown.id], shown.info
        assert row["title"] == info["title"]
        assert row["artist"] == info["artistName"]
        assert row["page_url"] == info["url"]
        assert row["file_url"] == info["fileUrl"]
        assert row["genres"] == list(dict.fromkeys(name for name, _ in shown.genres))
        assert row["license_url"] is not None
    assert sum(row["artist_id"] is None for row in tracks.values()) == 2
    singles = {track.id for track in content.rows if is_single(track)}
    assert len(singles) >= 3
    assert {id_ for id_, row in tracks.items() if row["album"] is None} == singles
    assert max(map(handle_length, content.rows)) == 245
    (sweep,) = scrape.rows(SWEEPS)
    assert (sweep["claimed"], sweep["listed"]) == (len(content.rows), len(content.rows))
    assert (sweep["distinct"], sweep["duplicates"]) == (len(tracks), 1)
    assert str(len(tracks)) in sweep["reason"]
    assert scrape.rows(REJECTED_ROWS) == []
    kept = scrape.rows(PAGES)
    assert Counter(row["kind"] for row in kept)["track"] == len(tracks)
    assert all((scrape.lake.root / row["path"]).exists() for row in kept)
