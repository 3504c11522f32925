import contextlib
import errno
import hashlib
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import stamina

from genre_assets.audio.workers import WorkerPool
from genre_assets.errors import DiskFullError, UserError
from genre_assets.lake.places import Places
from genre_assets.lake.schemas import AUDIO, FETCHES, TRACKS
from genre_assets.lake.store import Store
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import connect, refresh_views
from genre_assets.quality.tables import keys_unique, rows_valid
from genre_assets.sources.fma_site import disk_space
from genre_assets.sources.fma_site import downloads as module
from genre_assets.sources.fma_site.address import Site
from genre_assets.sources.fma_site.downloads import (
    GIVEN_UP_AFTER,
    RETRY_REQUESTED,
    HostInTrouble,
    Policy,
    download_shard,
    missing_reasons,
    stored_paths,
    without_damaged,
)
from genre_assets.sources.fma_site.transfer import Access
from genre_assets.tags.probing import probe_shard
from genre_assets_tests.audio.clips import write
from genre_assets_tests.sources.fma_site.file_server import File, FileServer, Pace, Robots

SHARD = "fma_000000"
FILES = "https://files.freemusicarchive.org"
BY = "https://creativecommons.org/licenses/by/4.0/"


@pytest.fixture(autouse=True)
def no_waiting():
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Three short songs as MP3."""
    folder = tmp_path_factory.mktemp("clips")
    return [
        write(folder / f"{n}.mp3", seconds=1 + n / 2, channels=1).read_bytes() for n in range(3)
    ]


@pytest.fixture(scope="module")
def workers():
    with WorkerPool(1) as pool:
        yield pool


def track(number, **fields):
    return {
        "track_id": f"fma_site:{number}",
        "source": "fma_site",
        "source_track_id": str(number),
        "shard": SHARD,
        "license_url": BY,
        "allows_derivatives": True,
        "allows_commercial_use": True,
        "file_url": f"{FILES}/{number}.mp3",
    } | fields


class Refresh:
    """What a caller of the downloads does, run after run."""

    def __init__(self, root, server, workers):
        self.lake = Lake(root)
        self.store = Store(root)
        self.journal = self.lake.journal(FETCHES, SHARD)
        self.access = Access(Site(server.base), "tests", Pace(), Robots())
        self.workers = workers
        self.lines = []

    def __call__(self, *tracks, policy=None, run_id="a run"):
        previous = self.lake.read(FETCHES, [SHARD])
        rows = download_shard(
            TRACKS.of_rows(list(tracks)),
            previous,
            self.journal,
            self.store,
            self.access,
            policy or Policy(),
            self.workers,
            run_id,
            self.lines.append,
        )
        self.lake.write(FETCHES, rows, SHARD)
        self.journal.clear()
        assert rows.slice(0, 0).schema == FETCHES.schema
        return rows.to_pylist()[previous.num_rows :]

    def files(self):
        return sorted(p for p in (self.store.root / "files").rglob("*") if p.is_file())

    def leftovers(self):
        return sorted(Places(self.store.root).partial.glob("*"))


@pytest.fixture
def server(clips):
    files = {f"/{n}.mp3": File(body, etag=f'"{n}"') for n, body in enumerate(clips)}
    with FileServer(files) as running:
        yield running


@pytest.fixture
def refresh(tmp_path, server, workers):
    return Refresh(tmp_path / "lake", server, workers)


def outcomes(rows):
    return [row["outcome"] for row in rows]


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_what_is_downloaded_lies_in_the_store_and_is_logged(refresh, server, clips):
    rows = refresh(track(0), track(1), run_id="run 7")
    assert outcomes(rows) == ["ok", "ok"]
    assert [row["sha256"] for row in rows] == [sha256(clips[0]), sha256(clips[1])]
    first = rows[0]
    assert first["url"] == first["final_url"] == f"{FILES}/0.mp3"
    assert (first["status"], first["etag"], first["attempts"]) == (200, '"0"', 1)
    assert (first["bytes"], first["reason"], first["run_id"]) == (len(clips[0]), None, "run 7")
    assert {path.read_bytes() for path in refresh.files()} == {clips[0], clips[1]}
    assert {path.suffix for path in refresh.files()} == {".mp3"}
    assert refresh.leftovers() == []
    assert refresh.lines[0] == "2 files to download"
    assert refresh.lines[-2].startswith("2 of 2 files downloaded, ")
    assert refresh.lines[-2].endswith(" MB")
    assert refresh.lines[-1] == "Downloads: 2 ok"


def test_a_second_run_asks_for_nothing_and_a_new_track_is_all_the_third_asks_for(refresh, server):
    refresh(track(0), track(1))
    assert refresh(track(0), track(1)) == []
    assert refresh.lines[-1] == "0 files to download, 2 already stored"
    assert len(server.requests) == 2
    assert len(refresh(track(0), track(1), track(2))) == 1
    assert [request.path for request in server.requests] == ["/0.mp3", "/1.mp3", "/2.mp3"]


def test_a_new_address_is_asked_and_the_old_audio_stays_until_then(refresh, server, clips):
    def audio_of(row):
        fetches = refresh.lake.read(FETCHES)
        [found] = stored_paths(TRACKS.of_rows([row]), fetches, refresh.store).to_pylist()
        return Path(found["path"]).read_bytes()

    moved = track(0, file_url=f"{FILES}/1.mp3")
    refresh(track(0))
    assert audio_of(moved) == clips[0]
    assert outcomes(refresh(moved)) == ["ok"]
    assert audio_of(moved) == clips[1]
    assert refresh(track(0)) == []
    assert audio_of(track(0)) == clips[0]


def test_a_content_that_is_lost_from_the_store_is_fetched_again(refresh, clips):
    refresh(track(0))
    refresh.store.remove(sha256(clips[0]))
    assert outcomes(refresh(track(0))) == ["ok"]
    assert refresh.store.has(sha256(clips[0]))


def test_tracks_with_the_same_bytes_share_a_file(refresh, server, clips):
    server.files["/1.mp3"].body = clips[0]
    assert outcomes(refresh(track(0), track(1))) == ["ok", "ok"]
    assert [path.stem for path in refresh.files()] == [sha256(clips[0])]
    assert refresh.leftovers() == []


def test_a_broken_file_that_somebody_asked_for_again_is_fetched_once_more(refresh, server, clips):
    server.files["/0.mp3"].body = b"no audio at all" * 100
    refresh(track(0))
    assert refresh(track(0)) == []
    server.files["/0.mp3"].body = clips[0]
    asking = {
        "track_id": "fma_site:0", "url": f"{FILES}/0.mp3", "run_id": "asking",
        "fetched_at": datetime.now(UTC), "attempts": 0, "bytes": 0, "outcome": RETRY_REQUESTED,
    }  # fmt: skip
    previous = refresh.lake.read(FETCHES, [SHARD]).to_pylist()
    refresh.lake.write(FETCHES, FETCHES.of_rows([*previous, asking]), SHARD)
    assert outcomes(refresh(track(0))) == ["ok"]
    assert refresh(track(0)) == []
    fetches = refresh.lake.read(FETCHES)
    [found] = stored_paths(TRACKS.of_rows([track(0)]), fetches, refresh.store).to_pylist()
    assert Path(found["path"]).read_bytes() == clips[0]


def test_a_track_that_is_gone_or_of_another_source_is_not_asked_for(refresh, server):
    assert refresh(track(0, gone_at=datetime.now(UTC)), track(1, source="folder")) == []
    assert server.requests == []
    assert refresh.lines == ["0 files to download, 1 gone"]


def test_a_track_without_a_licence_is_never_asked_for_and_says_so_once(refresh, server):
    rows = refresh(track(0, license_url=None))
    assert outcomes(rows) == ["no_licence"]
    assert rows[0]["reason"] == "Its page names no licence, so it is never downloaded."
    assert (rows[0]["attempts"], rows[0]["status"], rows[0]["final_url"]) == (0, None, None)
    assert refresh(track(0, license_url=None)) == []
    assert server.requests == []
    assert outcomes(refresh(track(0))) == ["ok"]


def test_a_track_without_a_file_is_recorded_as_such_and_the_others_come(refresh, workers):
    page = "https://freemusicarchive.org/music/a/b/c/"
    without = track(1, file_url=None, page_url=page)
    tracks = [track(0), without, track(2)]
    rows = {row["track_id"]: row for row in refresh(*tracks)}
    assert [row["outcome"] for row in rows.values()] == ["ok", "no_file", "ok"]
    assert (rows["fma_site:1"]["url"], rows["fma_site:1"]["attempts"]) == (page, 0)
    parts = [(FETCHES, SHARD)]
    assert rows_valid(refresh.lake, parts).passed and keys_unique(refresh.lake, parts).passed
    assert refresh(*tracks) == []

    fetches, listed = refresh.lake.read(FETCHES), TRACKS.of_rows(tracks)
    why = missing_reasons(listed, fetches, refresh.store)
    assert why == {"fma_site:1": "The site gives no file for this track."}
    stored = stored_paths(listed, fetches, refresh.store)
    audio = probe_shard(stored, AUDIO.empty(), workers, why_missing=why).to_pylist()
    assert [row["status"] for row in audio] == ["ok", "missing", "ok"]
    assert audio[1]["reason"] == why["fma_site:1"]


def test_rows_of_the_version_before_that_lack_a_url_are_mended(refresh):
    page = "https://freemusicarchive.org/music/a/b/c/"
    old = {
        "track_id": "fma_site:1", "url": None, "run_id": "old", "fetched_at": datetime.now(UTC),
        "attempts": 0, "bytes": 0, "outcome": "no_file",
        "reason": "The site gives no file for this track.",
    }  # fmt: skip
    refresh.lake.write(FETCHES, FETCHES.of_rows([old]), SHARD)
    assert refresh(track(1, file_url=None, page_url=page)) == []
    assert rows_valid(refresh.lake, [(FETCHES, SHARD)]).passed
    assert refresh.lake.read(FETCHES)["url"].to_pylist() == [page]


def test_a_track_whose_page_was_not_read_is_not_said_to_have_no_licence(refresh, server):
    page, why = "https://freemusicarchive.org/music/a/b/c/", "It answered with status 403."
    unlicensed = track(0, license_url=None, page_url=page)
    (row,) = refresh(unlicensed, policy=Policy(unread_pages={page: why}))
    assert (row["outcome"], row["reason"]) == ("page_not_read", why)
    (row,) = refresh(unlicensed)
    assert row["outcome"] == "no_licence"
    assert server.requests == []
    assert outcomes(refresh(track(0, page_url=page), policy=Policy(unread_pages={page: why}))) == [
        "ok"
    ]


@pytest.mark.parametrize(
    ("excluded", "terms", "reason"),
    [
        ({"nd"}, {"allows_derivatives": False}, "does not allow derivatives"),
        ({"nd"}, {"allows_derivatives": None}, "is not known to allow derivatives"),
        ({"nd", "nc"}, {"allows_commercial_use": False}, "does not allow commercial use"),
        ({"nc"}, {"allows_commercial_use": None}, "is not known to allow commercial use"),
    ],
)
def test_an_excluded_licence_is_not_asked_for(refresh, server, excluded, terms, reason):
    policy = Policy(excluded=frozenset(excluded))
    rows = refresh(track(0, **terms), track(1), policy=policy)
    assert outcomes(rows) == ["licence_excluded", "ok"]
    assert rows[0]["reason"] == f"The settings exclude it: its licence {BY} {reason}."
    assert refresh(track(0, **terms), policy=policy) == []
    assert server.asked("/0.mp3") == []
    assert outcomes(refresh(track(0, **terms))) == ["ok"]


def test_what_no_setting_excludes_is_downloaded_whatever_its_licence_allows(refresh):
    terms = {"allows_derivatives": False, "allows_commercial_use": None}
    assert outcomes(refresh(track(0, **terms))) == ["ok"]
    policy = Policy(excluded=frozenset({"nc"}))
    assert outcomes(refresh(track(1, allows_derivatives=False), policy=policy)) == ["ok"]


def test_addresses_that_may_not_be_asked_are_recorded_once(refresh, server):
    refresh.access = replace(refresh.access, robots=Robots("/2"))
    tracks = [
        track(0, file_url=None),
        track(1, file_url="https://example.com/1.mp3"),
        track(2),
    ]
    assert outcomes(refresh(*tracks)) == ["no_file", "foreign_address", "disallowed"]
    assert refresh(*tracks) == []
    assert server.requests == []


def test_a_track_that_was_taken_down_is_not_asked_for_and_loses_its_part(refresh, server):
    server.files["/0.mp3"].cuts = [500] * 4
    assert outcomes(refresh(track(0))) == ["cut_short"]
    assert refresh.leftovers()
    policy = Policy(taken_down=lambda row: "The artist asked." if row["track_id"] else None)
    rows = refresh(track(0), policy=policy)
    assert [(row["outcome"], row["reason"]) for row in rows] == [
        ("taken_down", "The artist asked.")
    ]
    assert refresh.leftovers() == []
    assert refresh(track(0), policy=policy) == []
    assert len(server.requests) == 4


def test_audio_that_was_taken_down_is_deleted_when_it_comes_again(refresh, server, clips):
    banned = Policy(banned_contents=frozenset({sha256(clips[0])}))
    rows = refresh(track(0), policy=banned)
    assert [(row["outcome"], row["sha256"]) for row in rows] == [("taken_down", None)]
    assert sha256(clips[0]) in rows[0]["reason"]
    assert refresh.files() == refresh.leftovers() == []
    for policy in (banned, replace(banned, again_after=timedelta(0))):
        assert refresh(track(0), policy=policy) == []
    assert len(server.requests) == 1


def test_audio_that_is_known_and_was_taken_down_is_not_asked_for_again(refresh, server, clips):
    refresh(track(0))
    refresh.store.remove(sha256(clips[0]))
    policy = Policy(banned_contents=frozenset({sha256(clips[0])}))
    assert outcomes(refresh(track(0), policy=policy)) == ["taken_down"]
    assert refresh(track(0), policy=policy) == []
    assert len(server.requests) == 1


def test_a_removed_file_is_asked_for_again_only_after_a_while(refresh, server, clips):
    answers = [(404, {}, b""), (403, {}, b"")]
    server.files["/0.mp3"].first = answers.copy()
    assert outcomes(refresh(track(0))) == ["removed"]
    assert refresh(track(0)) == []
    assert refresh.lines[-1] == "0 files to download, 1 not tried again (removed)"
    later = Policy(again_after=timedelta(0))
    assert outcomes(refresh(track(0), policy=later)) == ["forbidden"]
    assert refresh(track(0)) == []
    assert outcomes(refresh(track(0), policy=later)) == ["ok"]
    assert len(server.requests) == 3


def test_a_failure_of_the_moment_is_resumed_by_the_next_run(refresh, server, clips):
    server.files["/0.mp3"].cuts = [500] * 4
    rows = refresh(track(0))
    assert (rows[0]["outcome"], rows[0]["attempts"], rows[0]["bytes"]) == ("cut_short", 4, 2000)
    rows = refresh(track(0))
    assert (rows[0]["outcome"], rows[0]["attempts"]) == ("ok", 1)
    assert rows[0]["bytes"] == len(clips[0]) - 2000
    assert refresh.files()[0].read_bytes() == clips[0]


def test_a_bad_track_does_not_end_the_run(refresh, server):
    server.files["/0.mp3"].first = [(200, {"Content-Type": "text/html"}, b"<title>Hi</title>")]
    server.files["/1.mp3"].first = [(302, {"Location": "http://["}, b"")]
    rows = refresh(track(0), track(1), track(2))
    assert outcomes(rows) == ["not_audio", "failed", "ok"]
    assert refresh.lines[-1] == "Downloads: 1 failed, 1 not audio, 1 ok"


def test_what_does_not_decode_is_kept_with_its_reason_and_not_fetched_again(refresh, server):
    server.files["/0.mp3"].body = b"no audio at all"
    rows = refresh(track(0))
    assert (rows[0]["outcome"], rows[0]["sha256"]) == ("undecodable", sha256(b"no audio at all"))
    assert f"{FILES}/0.mp3" in rows[0]["reason"]
    assert str(refresh.store.root) not in rows[0]["reason"]
    assert [path.read_bytes() for path in refresh.files()] == [b"no audio at all"]
    assert refresh(track(0), policy=Policy(again_after=timedelta(0))) == []
    assert len(server.requests) == 1


def test_a_file_is_named_for_what_it_is(refresh, server, tmp_path):
    flac = write(tmp_path / "clip.flac").read_bytes()
    server.files |= {
        "/0.mp3": File(flac),
        "/noname": File(b"no audio, no name"),
        "/evil.php": File(b"no audio either"),
    }
    refresh(
        track(0),
        track(1, file_url=f"{FILES}/noname"),
        track(2, file_url=f"{FILES}/evil.php"),
    )
    suffixes = {path.read_bytes(): path.suffix for path in refresh.files()}
    assert suffixes == {flac: ".flac", b"no audio, no name": ".bin", b"no audio either": ".bin"}


def test_a_host_in_trouble_is_left_alone(refresh, server):
    busy = [(503, {}, b"")] * 4
    server.files |= {f"/{n}.mp3": File(b"", first=busy.copy()) for n in range(9)}
    with pytest.raises(HostInTrouble, match="4 files left to the next run: ") as trouble:
        refresh(*[track(n) for n in range(9)])
    assert outcomes(trouble.value.rows.to_pylist()) == ["server_error"] * GIVEN_UP_AFTER
    assert len(server.requests) == 4 * GIVEN_UP_AFTER


def test_a_host_that_asks_for_an_hour_gets_it(refresh, server):
    server.files["/0.mp3"].first = [(429, {"Retry-After": "3600"}, b"")]
    with pytest.raises(HostInTrouble, match="1 file left to the next run") as trouble:
        refresh(track(0), track(1))
    assert outcomes(trouble.value.rows.to_pylist()) == ["too_many_requests"]
    assert len(server.requests) == 1


def test_rows_in_the_journal_of_a_dead_run_count(refresh, server, monkeypatch):
    monkeypatch.setattr(refresh.lake, "write", lambda *_: None)
    monkeypatch.setattr(refresh.journal, "clear", lambda: None)
    assert len(refresh(track(0))) == 1
    rows = refresh(track(0))
    assert outcomes(rows) == ["ok"]
    assert len(server.requests) == 1


@pytest.mark.parametrize("killed_in", ["_probed", "Store.add"])
def test_a_whole_file_is_not_asked_for_again_wherever_the_run_died(
    refresh, server, clips, monkeypatch, killed_in
):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        owner, _, name = killed_in.rpartition(".")
        patch.setattr(getattr(module, owner) if owner else module, name, die)
        refresh(track(0))
    assert refresh.files() == []
    rows = refresh(track(0))
    assert (rows[-1]["outcome"], rows[-1]["attempts"]) == ("ok", 0)
    assert [path.read_bytes() for path in refresh.files()] == [clips[0]]
    assert len(server.requests) == 1
    assert refresh(track(0)) == []


def test_a_store_that_cannot_be_written_ends_the_run_with_one_sentence(refresh, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Store, "add", full)
    with pytest.raises(UserError, match="No space left on device") as raised:
        refresh(track(0))
    assert f"{FILES}/0.mp3" in str(raised.value)


def test_a_disk_that_fills_up_ends_the_downloads_in_one_sentence(refresh, server, monkeypatch):
    def usage(folder):
        free = 10**9 if len(server.requests) < 2 else disk_space.KEPT_FREE_BYTES + 4_000_000
        return SimpleNamespace(total=10**10, free=free)

    monkeypatch.setattr(disk_space.shutil, "disk_usage", usage)
    tracks = [track(n) for n in range(3)]
    server.files["/1.mp3"].body = b"\xff" * 5_000_000
    with pytest.raises(DiskFullError) as raised:
        refresh(*tracks)
    said = str(raised.value)
    assert said.startswith(f"The disk is full: the download of {FILES}/1.mp3 cannot be kept in ")
    assert "5.0 MB are needed for it" in said and "2 files left to download, about" in said
    assert [request.path for request in server.requests] == ["/0.mp3", "/1.mp3"]

    monkeypatch.undo()
    assert outcomes(refresh(*tracks))[0] == "ok"
    assert [request.path for request in server.requests].count("/0.mp3") == 1


def test_audio_is_probed_where_it_lies_and_says_why_it_is_missing(refresh, server, workers, clips):
    server.files["/2.mp3"].first = [(404, {}, b"")]
    broken = track(3)
    server.files["/3.mp3"] = File(b"no audio at all")
    tracks = [track(0), track(1, license_url=None), track(2), broken]
    other = track(9, track_id="folder:9", source="folder", path="/music/9.mp3", file_bytes=9)
    refresh(*tracks)
    fetches = refresh.lake.read(FETCHES)
    listed = TRACKS.of_rows([*tracks, track(4), other])
    stored = stored_paths(listed, fetches, refresh.store)
    assert stored.schema == TRACKS.schema
    by_id = {row["track_id"]: row for row in stored.to_pylist()}
    assert by_id["folder:9"] == TRACKS.of_rows([other]).to_pylist()[0]
    found = by_id["fma_site:0"]
    assert Path(found["path"]) == refresh.store.find(sha256(clips[0]))
    assert found["file_bytes"] == len(clips[0])
    assert found["file_mtime_ns"] == Path(found["path"]).stat().st_mtime_ns

    why = missing_reasons(listed, fetches, refresh.store)
    assert why == {
        "fma_site:1": "Its page names no licence, so it is never downloaded.",
        "fma_site:2": f"The download failed: {FILES}/2.mp3 answered 404 Not Found.",
        "fma_site:4": "It is not downloaded yet.",
    }
    ours = TRACKS.of_rows([row for key, row in by_id.items() if key != "folder:9"])
    audio = probe_shard(ours, AUDIO.empty(), workers, why_missing=why).to_pylist()
    assert [row["status"] for row in audio] == ["ok", "missing", "missing", "not_audio", "missing"]
    assert {row["track_id"]: row["reason"] for row in audio if row["status"] == "missing"} == why
    assert audio[0]["sha256"] == sha256(clips[0])


def test_audio_that_had_to_go_has_no_path(refresh, clips):
    refresh(track(0))
    refresh(track(0), policy=Policy(taken_down=lambda row: "The artist asked."))
    listed, fetches = TRACKS.of_rows([track(0)]), refresh.lake.read(FETCHES)
    assert stored_paths(listed, fetches, refresh.store)["path"].to_pylist() == [None]
    assert missing_reasons(listed, fetches, refresh.store) == {"fma_site:0": "The artist asked."}


def test_audio_that_was_lost_says_so(refresh, clips):
    refresh(track(0))
    refresh.store.remove(sha256(clips[0]))
    why = missing_reasons(TRACKS.of_rows([track(0)]), refresh.lake.read(FETCHES), refresh.store)
    assert why["fma_site:0"] == "Its file was downloaded and is not in the store any more."


class ElsewhereServer:
    """A server that another process runs."""

    def __init__(self, base):
        self.base = base


def refresh_in_a_process_of_its_own(root, base):
    with WorkerPool(1) as workers:
        Refresh(Path(root), ElsewhereServer(base), workers)(track(0), track(1), track(2))


def started(root, base):
    code = (
        "import sys; from genre_assets_tests.sources.fma_site import test_downloads as t; "
        "t.refresh_in_a_process_of_its_own(*sys.argv[1:])"
    )
    return subprocess.Popen([sys.executable, "-c", code, str(root), base])


def part_sizes(root):
    return [path.stat().st_size for path in Places(Path(root)).partial.glob("*.part")]


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_run_killed_in_mid_download_is_finished_by_the_next_one(refresh, server, clips):
    cut = len(clips[1]) // 2
    server.files["/1.mp3"].stall_after = cut
    root = refresh.store.root
    killed = started(root, server.base)
    wait_until(lambda: server.asked("/1.mp3") and part_sizes(root) == [cut])
    killed.send_signal(signal.SIGKILL)
    assert killed.wait(30) == -signal.SIGKILL

    assert [path.read_bytes() for path in refresh.files()] == [clips[0]]
    refresh_views(refresh.lake)
    assert connect(refresh.lake).execute("SELECT count(*) FROM fetches").fetchall() == [(0,)]
    assert part_sizes(root) == [cut]

    assert started(root, server.base).wait(60) == 0
    assert {path.read_bytes() for path in refresh.files()} == set(clips)
    assert refresh.leftovers() == []
    assert len(server.asked("/0.mp3")) == len(server.asked("/2.mp3")) == 1
    ranges = [request.headers.get("range") for request in server.asked("/1.mp3")]
    assert ranges == [None, f"bytes={cut}-"]
    rows = refresh.lake.read(FETCHES).to_pylist()
    assert outcomes(rows) == ["ok"] * 3
    assert sum(row["bytes"] for row in rows) == sum(map(len, clips)) - cut


def test_a_stored_file_that_was_damaged_is_taken_out_and_downloaded_again(refresh, server, clips):
    (row,) = refresh(track(0))
    path = refresh.store.find(row["sha256"])
    whole = {"track_id": row["track_id"], "path": str(path), "sha256": row["sha256"]}
    audio = AUDIO.of_rows([whole | {"status": "ok"}])
    assert without_damaged(audio, refresh.store).equals(audio)

    path.write_bytes(b"not what it was")
    damaged = AUDIO.of_rows([whole | {"sha256": "0" * 64, "status": "not_audio"}])
    (told,) = without_damaged(damaged, refresh.store).to_pylist()
    assert (told["status"], told["sha256"]) == ("missing", None)
    assert "was damaged" in told["reason"]
    assert outcomes(refresh(track(0))) == ["ok"]
    assert refresh.store.find(row["sha256"]).read_bytes() == clips[0]


def test_a_damaged_file_of_ones_own_is_left_alone(tmp_path):
    own = tmp_path / "song.mp3"
    own.write_bytes(b"mine")
    audio = AUDIO.of_rows([{"track_id": "folder:a", "path": str(own), "sha256": "1" * 64}])
    assert without_damaged(audio, Store(tmp_path / "lake")).equals(audio)
    assert own.exists()
