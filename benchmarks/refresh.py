"""What a refresh costs, against the number of stored and of new tracks.

A lake of simulated tracks is made for each number of stored ones: ids as the site gives them, of
which three in five are taken, so that 100,000 tracks fill 34 shards; rows of ``tracks``,
``sightings``, ``pages``, ``fetches``, ``audio``, ``id3_tags`` and ``labels`` for all of them, and
of ``summary_features`` for all up to 100,000, for those of the newest shard beyond. Each case is
then measured in a process of its own, on a lake of its own:

* the nightly sweep of six genres, newest first, up to what is known, and the page of each new
  track, with the pages of the tests in place of the site;
* the shards of ``tracks`` that it speaks of, and their fingerprints;
* for each shard whose fingerprint changed what ``fetches``, ``audio``, ``id3_tags`` and
  ``summary_features`` decide and write. The files of new tracks lie there as if downloaded, one and
  a half seconds of noise each, and are really probed and read for tags; their features are made up;
* ``labels``, which are made of all tracks, when a shard changed;
* the views, after each of them.

It leaves out what depends on new tracks alone, the site's pace and librosa (some 0.7 CPU seconds
for a clip of 30 s), and what a run of Dagster takes whatever it does. With ``--dagster`` the same
is done by runs of Dagster, too, as ``dagster job execute`` makes them: asset after asset, with
worker processes that really probe, read tags and extract.
"""

import argparse
import contextlib
import hashlib
import importlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile

from genre_assets.audio.probe import PROBE_VERSION
from genre_assets.features.extraction import extract_shard
from genre_assets.features.summary import COLUMNS, EXTRACTOR_VERSION, FEATURE_SOURCE
from genre_assets.features.summary_extraction import summary_extractor
from genre_assets.labels.labelling import label_tracks
from genre_assets.lake.schemas import (
    AUDIO,
    FEATURE_FAILURES,
    FETCHES,
    ID3_TAGS,
    LABELS,
    PAGES,
    SIGHTINGS,
    SUMMARY_FEATURES,
    SWEEPS,
    TRACKS,
)
from genre_assets.lake.store import Store
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import refresh_views
from genre_assets.progress import silent
from genre_assets.sources import shards
from genre_assets.sources.fma_site.address import Site
from genre_assets.sources.fma_site.archive import Archive, KeptPage
from genre_assets.sources.fma_site.catalogue import sweep_site
from genre_assets.sources.fma_site.downloads import (
    Policy,
    download_shard,
    missing_reasons,
    stored_paths,
    without_damaged,
)
from genre_assets.sources.fma_site.known_tracks import Known
from genre_assets.sources.sweeps import record_sweep, shard_fingerprint, shards_other_than
from genre_assets.tags.probing import probe_shard
from genre_assets.tags.reading import READER_VERSION, read_tags_of_shard
from genre_assets.takedowns.record import taken_down
from genre_assets_tests.sources.fma_site.site_html import (
    SITE,
    Row,
    listing,
    track_info,
    track_page,
)

GENRES = ("Techno", "House", "Indie-Rock", "Garage", "Dubstep", "Drum_amp_Bass")
LICENCE = "https://creativecommons.org/licenses/by/4.0/"
LISTING_ROWS = 200
LISTING_PAGES = 4
NIGHTS = 365
MOST_FEATURES = 100_000
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


def main() -> None:
    """Measure every case, each in processes of its own, and print the tables."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--stored", type=_numbers, default=(1_000, 10_000, 100_000))
    arguments.add_argument("--new", type=_numbers, default=(0, 100, 1_000))
    arguments.add_argument("--folder", help="where the lakes are made, 400 MB for 100,000 tracks")
    arguments.add_argument(
        "--dagster", action="store_true", help="measure runs of Dagster with real workers, too"
    )
    arguments.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.step:
        name, root, number = options.step
        _admit_ids()
        STEPS[name](Path(root), int(number))
        return
    with tempfile.TemporaryDirectory(prefix="refresh-", dir=options.folder) as folder:
        cases, runs = [], []
        for stored in options.stored:
            root, template = Path(folder, "lake"), Path(folder, "template")
            _in_own_process("build", root, stored)
            if options.dagster:
                _in_own_process("tell", root, 0)
            root.rename(template)
            for new in options.new:
                for step, results in (("refresh", cases), ("refresh_in_dagster", runs)):
                    if step == "refresh" or options.dagster:
                        shutil.copytree(template, root, copy_function=_link_or_copy)
                        _in_own_process("download", root, new)
                        results.append(json.loads(_in_own_process(step, root, new)))
                        shutil.rmtree(root)
                cpu, wall, megabytes = _costs(cases[-1])
                print(
                    f"measured: {stored:,} stored, {new:,} new: {cpu:.2f} CPU s, "
                    f"{wall:.2f} wall s, {megabytes:.0f} MB",
                    file=sys.stderr,
                )
            shutil.rmtree(template)
    _print_cases(cases)
    if runs:
        _print_runs(runs)


def _link_or_copy(source: str, target: str) -> None:
    # Files of a table are never changed, so that links to them are as good as copies.
    (os.link if source.endswith(".parquet") else shutil.copy2)(source, target)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part.replace("_", "")) for part in text.split(","))


def _in_own_process(step: str, root: Path, number: int) -> str:
    checkout = Path(__file__).resolve().parent.parent
    return subprocess.run(
        [sys.executable, __file__, "--step", step, str(root), str(number)],
        env=os.environ | {"PYTHONPATH": str(checkout)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def _admit_ids() -> None:
    """Let there be shards for a million tracks, more than the site has ids."""
    shards.FMA_SHARD_COUNT = 400
    shards.FMA_SHARDS = [f"fma_{n * shards.FMA_IDS_PER_SHARD:06d}" for n in range(400)]
    shards.SHARDS = shards.FMA_SHARDS + shards.FOLDER_SHARDS


# --- the simulated tracks ---


def _id(number: int) -> int:
    return number * 5 // 3


def _page_row(number: int) -> Row:
    """What the listing shows of a track: eight tracks an artist, four artists a top genre."""
    artist, id_ = number // 8, _id(number)
    url = f"{SITE}/music/artist-{artist}/album-{artist}/track-{id_}/"
    info = track_info(
        id_,
        url=url,
        title=f"The {id_}th Song",
        artistName=f"The Band of {artist}",
        artistUrl=f"{SITE}/music/artist-{artist}/",
        albumTitle=f"Album {artist}",
    )
    genre = ("Techno", "House", "Rock", "Dubstep")[artist % 4]
    return Row(info, genres=((genre, genre),), album_url=f"{SITE}/music/artist-{artist}/album")


def _genre_of(number: int) -> str:
    return GENRES[number % len(GENRES)]


def _track(number: int) -> dict:
    row = _page_row(number)
    artist = number // 8
    credit = f'"{row.info["title"]}" by {row.info["artistName"]}'
    return {
        "track_id": f"fma_site:{_id(number)}",
        "source": "fma_site",
        "source_track_id": str(_id(number)),
        "shard": shards.fma_shard(_id(number)),
        "title": row.info["title"],
        "artist": row.info["artistName"],
        "artist_id": f"artist-{artist}",
        "album": row.info["albumTitle"],
        "album_id": f"artist-{artist}/album",
        "genres": [row.genres[0][0]],
        "license_url": LICENCE,
        "license_spdx": "CC-BY-4.0",
        "allows_derivatives": True,
        "allows_commercial_use": True,
        "attribution": f"{credit}, {row.info['url']}, {LICENCE}",
        "page_url": row.info["url"],
        "file_url": row.info["fileUrl"],
        "duration_s": 165.0,
        "first_seen_at": YESTERDAY,
        "last_seen_at": YESTERDAY,
    }


def _sha256(text: object) -> str:
    return hashlib.sha256(str(text).encode()).hexdigest()


def build(root: Path, stored: int) -> None:
    """Make the lake of so many tracks, as a refresh of yesterday left it."""
    lake, store = Lake(root), Store(root)
    numbers = defaultdict(list)
    for number in range(stored):
        numbers[shards.fma_shard(_id(number))].append(number)
    newest = shards.fma_shard(_id(stored - 1))
    for shard, members in numbers.items():
        tracks = [_track(number) for number in members]
        files = [_file(store, track, there=shard == newest) for track in tracks]
        lake.write(TRACKS, TRACKS.of_rows(tracks), shard)
        lake.write(SIGHTINGS, SIGHTINGS.of_rows(list(map(_sighting, members))), shard)
        lake.write(FETCHES, FETCHES.of_rows(list(map(_fetch, tracks, files))), shard)
        lake.write(AUDIO, AUDIO.of_rows(files), shard)
        lake.write(ID3_TAGS, ID3_TAGS.of_rows(list(map(_tags, tracks, files))), shard)
        if stored <= MOST_FEATURES or shard == newest:
            lake.write(SUMMARY_FEATURES, _features(files), shard)
            lake.write(FEATURE_FAILURES, FEATURE_FAILURES.empty(), shard)
    _write_pages(lake, stored)
    lake.write(SWEEPS, SWEEPS.of_rows(list(_sweeps(stored))))
    lake.write(LABELS, _labels(lake))
    fingerprints = {shard: shard_fingerprint(lake.read(TRACKS, [shard])) for shard in numbers}
    versions = {shard: lake.version(TRACKS, shard) for shard in numbers}
    (root / "benchmark.json").write_text(
        json.dumps({"stored": stored, "fingerprints": fingerprints, "versions": versions})
    )
    refresh_views(lake)


def _sighting(number: int) -> dict:
    seen = {"first_seen_at": YESTERDAY, "last_seen_at": YESTERDAY}
    return {"track_id": f"fma_site:{_id(number)}", "genre": _genre_of(number)} | seen


def _fetch(track: dict, file: dict) -> dict:
    return {
        "track_id": track["track_id"],
        "url": track["file_url"],
        "final_url": track["file_url"],
        "run_id": "benchmark",
        "fetched_at": YESTERDAY,
        "status": 200,
        "bytes": file["bytes"],
        "attempts": 1,
        "outcome": "ok",
        "sha256": file["sha256"],
    }


def _file(store: Store, track: dict, *, there: bool) -> dict:
    sha256 = _sha256(track["track_id"])
    path = store.path(sha256, ".mp3")
    file = {
        "track_id": track["track_id"],
        "sha256": sha256,
        "path": str(path),
        "bytes": 4_000_000,
        "mtime_ns": 10**18,
        "format": "MP3",
        "sample_rate": 44_100,
        "channels": 2,
        "duration_s": 165.0,
        "status": "ok",
        "probe_version": PROBE_VERSION,
    }
    if there:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"known by its time and size, never read again")
        found = path.stat()
        file |= {"bytes": found.st_size, "mtime_ns": found.st_mtime_ns}
    return file


def _tags(track: dict, file: dict) -> dict:
    return {
        "track_id": track["track_id"],
        "sha256": file["sha256"],
        "tag_version": "ID3v2.3",
        "title": track["title"],
        "artist": track["artist"],
        "album": track["album"],
        "genres": track["genres"],
        "year": 2024,
        "bitrate": 320_000,
        "encoder": "LAME 3.100",
        "status": "ok",
        "reader_version": READER_VERSION,
    }


def _features(files: list[dict]) -> pa.Table:
    values = np.random.default_rng(0).standard_normal((len(COLUMNS), len(files)))
    return pa.table(
        {
            "track_id": [file["track_id"] for file in files],
            "sha256": [file["sha256"] for file in files],
            "extractor_version": [EXTRACTOR_VERSION] * len(files),
            "feature_source": [FEATURE_SOURCE] * len(files),
            **dict(zip(COLUMNS, values.astype(np.float32), strict=True)),
        },
        schema=SUMMARY_FEATURES.schema,
    )


def _write_pages(lake: Lake, stored: int) -> None:
    """The page of each track, read some time of the last two years."""
    by_month = defaultdict(list)
    for number in range(stored):
        fetched_at = YESTERDAY - timedelta(days=730) * (1 - number / stored)
        url = _page_row(number).info["url"]
        by_month[f"{fetched_at:%Y-%m}"].append(
            {
                "sweep_id": f"{fetched_at:%Y-%m-%d}",
                "kind": "track",
                "url": url,
                "final_url": url,
                "fetched_at": fetched_at,
                "status": 200,
                "sha256": _sha256(url),
                "bytes": 90_000,
                "path": f"pages/{_sha256(url)}.html.gz",
            }
        )
    for month, rows in by_month.items():
        lake.write(PAGES, PAGES.of_rows(rows), month)


def _sweeps(stored: int) -> Iterator[dict]:
    for nights_ago in range(NIGHTS, 0, -1):
        moment = YESTERDAY + timedelta(days=1 - nights_ago)
        for genre in GENRES:
            yield {
                "sweep_id": f"{moment:%Y-%m-%d}",
                "genre": genre,
                "mode": "full" if nights_ago % 7 == 1 else "incremental",
                "started_at": moment,
                "finished_at": moment,
                "pages": 1,
                "orders": ["date"],
                "claimed": stored // len(GENRES),
                "listed": LISTING_ROWS,
                "distinct": LISTING_ROWS,
                "duplicates": 0,
                "new": 0,
                "complete": nights_ago % 7 == 1,
            }


def download(root: Path, new: int) -> None:
    """Leave the files of new tracks as a run leaves them that was killed after the downloads."""
    lake, store = Lake(root), Store(root)
    stored = json.loads((root / "benchmark.json").read_text())["stored"]
    random = np.random.default_rng(stored)
    fetched = defaultdict(list)
    for number in range(stored, stored + new):
        temporary = root / "new.wav"
        soundfile.write(temporary, 0.1 * random.standard_normal(33_075), 22_050)
        sha256 = hashlib.sha256(temporary.read_bytes()).hexdigest()
        file = {"bytes": temporary.stat().st_size, "sha256": sha256}
        store.add(temporary, sha256, ".wav")
        track = _track(number)
        fetched[track["shard"]].append(_fetch(track, file))
    for shard, rows in fetched.items():
        lake.journal(FETCHES, shard).append(FETCHES.of_rows(rows))
    (root / "listings").mkdir(exist_ok=True)
    for genre in GENRES:
        ours = [n for n in range(stored + new - 1, -1, -1) if _genre_of(n) == genre]
        for page in range(1, LISTING_PAGES + 1):
            first = (page - 1) * LISTING_ROWS
            rows = [_page_row(n) for n in ours[first : first + LISTING_ROWS]]
            html = listing(rows, first + 1, len(ours), page)
            (root / "listings" / f"{genre}.{page}.html").write_text(html)
    pages = {}
    for number in range(stored, stored + new):
        row = _page_row(number)
        pages[row.info["url"]] = track_page(row.info, LICENCE, row.genres)
    (root / "listings" / "tracks.json").write_text(json.dumps(pages))


# --- the refresh ---


class InThisProcess:
    """Stands in for the worker processes, so that all that is spent is counted."""

    def run(self, function, items, limit_s, name=str):
        """Run the function on every item."""
        for item in items:
            yield item, function(item)


class MadeUpFeatures:
    """Stands in for the workers that extract."""

    def run(self, function, items, limit_s, name=str):
        """Make up the features of every item."""
        for item in items:
            yield item, dict.fromkeys(item.compute, np.ones(len(COLUMNS), np.float32))


class Meter:
    """Adds up what each part of the refresh costs."""

    def __init__(self):
        self.parts = defaultdict(lambda: [0.0, 0.0])

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Measure what is done in the context as a part."""
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        self.parts[name][0] += time.process_time() - cpu
        self.parts[name][1] += time.perf_counter() - wall


def refresh(root: Path, new: int) -> None:
    """Refresh the lake, and print what it cost as JSON."""
    lake, store, meter = Lake(root), Store(root), Meter()
    before = json.loads((root / "benchmark.json").read_text())
    _load_decoders(root)
    start = time.process_time()
    with meter.part("sweep"):
        swept = _sweep(lake)
    changed = {}
    with meter.part("tracks"):
        listed = swept.catalogue
        record_sweep(lake, "fma_site", listed.tracks, datetime.now(UTC), gone=listed.gone)
        for state in shards_other_than(lake, before["versions"]):
            if state.fingerprint != before["fingerprints"].get(state.shard):
                changed[state.shard] = state.rows.num_rows
        for shard, rows in swept.sightings.items():
            lake.write(SIGHTINGS, rows, shard)
        lake.write(SWEEPS, swept.sweeps)
    with meter.part("views"):
        refresh_views(lake)
    assert listed.tracks.num_rows >= new and bool(changed) == bool(new), "not what was meant"
    for name, bring_up_to_date in ASSETS.items() if changed else ():
        for shard in changed:
            with meter.part(name):
                bring_up_to_date(lake, store, shard)
        with meter.part("views"):
            refresh_views(lake)
    if changed:
        with meter.part("labels"):
            lake.write(LABELS, _labels(lake))
        with meter.part("views"):
            refresh_views(lake)
        assert lake.read(LABELS).num_rows == before["stored"] + new
    used = resource.getrusage(resource.RUSAGE_SELF)
    case = {
        "stored": before["stored"],
        "new": new,
        "shards": len(changed),
        "start": start,
        "parts": meter.parts,
        "megabytes": used.ru_maxrss / 1024,
    }
    print(json.dumps(case))


def _load_decoders(root: Path) -> None:
    """Import what is imported when the first page and file are read: it costs the same always."""
    from genre_assets.audio.probe import probe
    from genre_assets.sources.fma_site.pages import parse_listing
    from genre_assets.tags.reading import read_tags

    soundfile.write(root / "first.wav", np.ones(11_025) / 2, 22_050)
    probe(root / "first.wav")
    read_tags(root / "first.wav")
    parse_listing(listing([_page_row(0)]))
    label_tracks(TRACKS.empty(), AUDIO.empty(), ID3_TAGS.empty())


def _sweep(lake: Lake):
    with Archive(lake, "tonight") as archive:
        return sweep_site(
            Site(SITE),
            GENRES,
            "auto",
            read=_reader(lake, archive),
            archive=archive,
            known=Known(lake),
            sweeps=lake.read(SWEEPS),
        )


def _reader(lake: Lake, archive: Archive) -> Callable[[str, str], KeptPage]:
    """Reads and keeps pages that lie in a folder in place of the site."""
    tracks = json.loads((lake.root / "listings" / "tracks.json").read_text())

    def answer(address: str, kind: str) -> str:
        if kind == "track":
            return tracks[address]
        genre, number = address.split("/")[2].partition("?")[0], address.rpartition("page=")[2]
        return (lake.root / "listings" / f"{genre}.{number}.html").read_text()

    def read(address: str, kind: str) -> KeptPage:
        url = f"{SITE}{address}" if address.startswith("/") else address
        page = KeptPage(url, url, 200, answer(address, kind), datetime.now(UTC))
        archive.keep(kind, page)
        return page

    return read


def _fetches(lake: Lake, store: Store, shard: str) -> None:
    with lake.lock(FETCHES, shard):
        journal = lake.journal(FETCHES, shard)
        listed, previous = lake.read(TRACKS, [shard]), lake.read(FETCHES, [shard])
        no_access, no_workers = None, None
        rows = download_shard(
            listed, previous, journal, store, no_access, Policy(), no_workers, "tonight"
        )
        lake.write(FETCHES, rows, shard)
        journal.clear()


def _audio(lake: Lake, store: Store, shard: str) -> None:
    gone = taken_down(lake)
    listed, fetched = lake.read(TRACKS, [shard]), lake.read(FETCHES, [shard])
    placed = gone.without_files(stored_paths(listed, fetched, store))
    why_missing = missing_reasons(listed, fetched, store) | gone.reasons(listed)
    with lake.lock(AUDIO, shard):
        previous, journal = lake.read(AUDIO, [shard]), lake.journal(AUDIO, shard)
        rows = probe_shard(placed, previous, InThisProcess(), silent, why_missing, journal)
        lake.write(AUDIO, without_damaged(rows, store), shard)
        journal.clear()


def _id3_tags(lake: Lake, store: Store, shard: str) -> None:
    files, previous = lake.read(AUDIO, [shard]), lake.read(ID3_TAGS, [shard])
    lake.write(ID3_TAGS, read_tags_of_shard(files, previous, InThisProcess()), shard)


def _summary_features(lake: Lake, store: Store, shard: str) -> None:
    [made] = extract_shard(lake, shard, [summary_extractor()], MadeUpFeatures())
    assert made.failures.num_rows == 0


def _labels(lake: Lake) -> pa.Table:
    files = lake.read(AUDIO, columns=["track_id", "sha256", "status"])
    tags = lake.read(ID3_TAGS, columns=["track_id", "artist", "album", "genres", "encoder"])
    return label_tracks(lake.read(TRACKS), files, tags).labels


ASSETS = {
    "fetches": _fetches,
    "audio": _audio,
    "id3_tags": _id3_tags,
    "features": _summary_features,
}


# --- the same through Dagster ---


class SiteAccess:
    """Stands in for the guest of the site, and gives it pages that lie in a folder."""

    site = Site(SITE)

    @contextmanager
    def visit(self, lake: Lake, archive: Archive, log) -> Iterator["SiteAccess"]:
        """Open no browser."""
        self.read = _reader(lake, archive)
        yield self

    def file_access(self, lake: Lake, log) -> None:
        """Let nothing be requested: all files are there."""


def tell(root: Path, _: int) -> None:
    """Let a first sweep tell Dagster of all shards."""
    download(root, 0)
    _materialize(root, ["fma_site_catalogue"])


def refresh_in_dagster(root: Path, new: int) -> None:
    """Refresh the lake by runs of Dagster, and print what they cost as JSON."""
    lake, before = Lake(root), json.loads((root / "benchmark.json").read_text())
    _load_decoders(root)
    importlib.import_module("genre_assets.definitions")
    parts, start = {}, time.process_time()

    def run(asset: str, shards: tuple[str, str] | None = None) -> dict[str, str]:
        started = time.perf_counter()
        told = _materialize(root, [asset], shards)
        parts[asset] = time.perf_counter() - started
        return told

    known, told = before["fingerprints"], run("fma_site_catalogue")
    changed = [shard for shard, version in told.items() if version != known.get(shard)]
    assert bool(changed) == bool(new), "not what was meant"
    if changed:
        for asset in ("fetches", "audio", "id3_tags", "summary_features"):
            run(asset, (min(changed), max(changed)))
        run("labels")
        assert lake.read(LABELS).num_rows == before["stored"] + new
        assert lake.read(FEATURE_FAILURES).num_rows == 0
    used = resource.getrusage(resource.RUSAGE_SELF)
    case = {
        "stored": before["stored"],
        "new": new,
        "start": start,
        "parts": parts,
        "megabytes": used.ru_maxrss / 1024,
    }
    print(json.dumps(case))


def _materialize(
    root: Path, assets: list[str], shards: tuple[str, str] | None = None
) -> dict[str, str]:
    """Run assets in this process; gives the data version of each shard of tracks told of."""
    import dagster as dg

    from genre_assets.definitions import defs
    from genre_assets.orchestration.console import one_line_console
    from genre_assets.orchestration.resources import FmaSite, LakeResource

    FmaSite.guest = lambda self: SiteAccess()
    site, lake = FmaSite(genres=list(GENRES)), LakeResource(root=str(root))
    job = dg.Definitions(
        assets=defs.assets,
        resources={**(defs.resources or {}), "fma_site": site, "lake": lake},
        loggers={"console": one_line_console},
    ).resolve_implicit_global_asset_job_def()
    tags = {}
    if shards:
        first, last = shards
        tags["dagster/asset_partition_range_start"] = first
        tags["dagster/asset_partition_range_end"] = last
    home = root / "dagster"
    home.mkdir(exist_ok=True)
    with (
        contextlib.redirect_stdout(sys.stderr),
        dg.DagsterInstance.local_temp(str(home)) as instance,
    ):
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(name) for name in assets],
            tags=tags,
            run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
        )
    told = (
        event.step_materialization_data.materialization
        for event in result.get_asset_materialization_events()
    )
    return {
        one.partition: one.tags["dagster/data_version"]
        for one in told
        if one.asset_key == dg.AssetKey("tracks")
    }


STEPS = {
    "build": build,
    "tell": tell,
    "download": download,
    "refresh": refresh,
    "refresh_in_dagster": refresh_in_dagster,
}


# --- the tables ---


def _print_cases(cases: list[dict]) -> None:
    parts = list(dict.fromkeys(name for case in cases for name in case["parts"]))
    titles = ["stored", "new", "shards", "CPU s", "ratio", "wall s", "ratio", "MB", "ratio"]
    print("  ".join(f"{title:>9}" for title in titles))
    first = [*_costs(cases[0])]
    for case in cases:
        cells = [f"{case['stored']:,}", f"{case['new']:,}", f"{case['shards']}"]
        for cost, of_first in zip(_costs(case), first, strict=True):
            cells += [f"{cost:,.2f}" if cost < 100 else f"{cost:,.0f}", f"{cost / of_first:.1f}"]
        print("  ".join(f"{cell:>9}" for cell in cells))
    print("\nCPU seconds by part; start is what the interpreter and its imports take, in no sum")
    print("  ".join(f"{title:>9}" for title in ["stored", "new", "start", *parts]))
    for case in cases:
        cells = [f"{case['stored']:,}", f"{case['new']:,}", f"{case['start']:.2f}"]
        cells += [f"{case['parts'].get(name, [0])[0]:.2f}" for name in parts]
        print("  ".join(f"{cell:>9}" for cell in cells))


def _print_runs(runs: list[dict]) -> None:
    parts = list(dict.fromkeys(name for run in runs for name in run["parts"]))
    print("\nWall seconds of each run of Dagster, CPU seconds of the start; MB without the workers")
    print("  ".join(f"{title:>16}" for title in ["stored", "new", "start", *parts, "all", "MB"]))
    for run in runs:
        seconds = [run["start"], *(run["parts"].get(name, 0) for name in parts)]
        cells = [f"{run['stored']:,}", f"{run['new']:,}", *(f"{cost:.2f}" for cost in seconds)]
        cells += [f"{sum(seconds[1:]):.2f}", f"{run['megabytes']:.0f}"]
        print("  ".join(f"{cell:>16}" for cell in cells))


def _costs(case: dict) -> tuple[float, float, float]:
    cpu, wall = (sum(part[column] for part in case["parts"].values()) for column in (0, 1))
    return cpu, wall, case["megabytes"]


if __name__ == "__main__":
    main()
