import json
from dataclasses import dataclass, field

import pytest

from genre_assets.lake.schemas import REJECTED_ROWS, SIGHTINGS, SWEEPS, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.sources.catalogue import SourceError
from genre_assets.sources.fma_site import catalogue as module
from genre_assets.sources.fma_site.address import Site
from genre_assets.sources.fma_site.archive import Archive
from genre_assets.sources.fma_site.catalogue import SweepError, sweep_site
from genre_assets.sources.fma_site.known_tracks import Known, unread_pages
from genre_assets.sources.fma_site.pace import ComeBackLater
from genre_assets.sources.sweeps import record_sweep

from .site_html import (
    COOKIE_WALL,
    LOGIN,
    SITE,
    Row,
    SmallSite,
    listing,
    real_row,
    row,
    track_info,
    track_page,
    without_genres,
)


@dataclass
class Platform:
    """A lake, and the tables that sweeps of a small site leave there."""

    lake: Lake
    site: SmallSite
    tracks: object = field(default_factory=TRACKS.empty)
    sightings: object = field(default_factory=SIGHTINGS.empty)
    sweeps: object = field(default_factory=SWEEPS.empty)
    log: list = field(default_factory=list)
    number: int = 0

    def sweep(self, *genres, mode="auto", read=None):
        """Sweep the site, and keep what was found as the platform does."""
        self.number += 1
        self.site.asked.clear()
        with Archive(self.lake, f"s{self.number}") as archive:

            def read_and_keep(address, kind):
                page = (read or self.site.read)(address, kind)
                archive.keep(kind, page)
                return page

            found = sweep_site(
                Site(SITE),
                genres or tuple(self.site.genres),
                mode,
                read=read_and_keep,
                archive=archive,
                known=Known(self.lake),
                sweeps=self.sweeps,
                rejected=self.lake.read(REJECTED_ROWS, ["fma_site"]),
                now=self.site.clock,
                log=self.log.append,
            )
        listed = found.catalogue
        record_sweep(self.lake, "fma_site", listed.tracks, self.site.clock(), gone=listed.gone)
        self.lake.write(REJECTED_ROWS, listed.rejected, "fma_site")
        self.tracks = self.lake.read(TRACKS)
        for shard, rows in found.sightings.items():
            self.lake.write(SIGHTINGS, rows, shard)
        self.sightings = self.lake.read(SIGHTINGS)
        self.lake.write(SWEEPS, found.sweeps)
        self.sweeps = self.lake.read(SWEEPS)
        return found

    def track(self, number):
        rows = [r for r in self.tracks.to_pylist() if r["source_track_id"] == str(number)]
        assert len(rows) == 1
        return rows[0]

    def last_sweep(self, genre="Techno"):
        rows = self.sweeps.to_pylist()
        (one,) = [r for r in rows if (r["sweep_id"], r["genre"]) == (f"s{self.number}", genre)]
        return one


@pytest.fixture
def platform(tmp_path):
    return lambda genres, **site: Platform(Lake(tmp_path), SmallSite(genres, **site))


def rejections(found):
    return [(r["place"], r["reason"]) for r in found.catalogue.rejected.to_pylist()]


def test_a_track_is_catalogued_with_its_listing_and_the_licence_of_its_page(platform):
    one = Row(
        track_info(5024, title='A "Title"', artistName="Ov Moi Omm"),
        album_url=f"{SITE}/music/artist-2/album",
    )
    here = platform({"Techno": [5024]}, rows={5024: one})

    found = here.sweep()

    assert found.catalogue.tracks.schema.equals(TRACKS.schema)
    track = here.track(5024)
    url = f"{SITE}/music/artist-2/album/track-5024/"
    licence = "https://creativecommons.org/licenses/by/4.0/"
    expected = {
        "track_id": "fma_site:5024",
        "source": "fma_site",
        "source_track_id": "5024",
        "shard": "fma_005000",
        "title": 'A "Title"',
        "artist": "Ov Moi Omm",
        "artist_id": "artist-2",
        "album": "Album",
        "album_id": "artist-2/album",
        "genres": ["Electronic", "Drum & Bass"],
        "license_url": licence,
        "license_spdx": "CC-BY-4.0",
        "allows_derivatives": True,
        "allows_commercial_use": True,
        "attribution": f'"A "Title"" by Ov Moi Omm, {url}, {licence}',
        "page_url": url,
        "file_url": one.info["fileUrl"],
        "duration_s": 165,
    }
    assert {name: track[name] for name in expected} == expected
    assert {name for name, value in track.items() if value is None} == {
        "genre_top",
        "official_split",
        "subset",
        "path",
        "file_bytes",
        "file_mtime_ns",
        "gone_at",
    }
    assert here.site.requested_retries("track") == [url]


def test_a_sweep_says_what_it_saw(platform):
    here = platform({"Techno": [3, 2, 1], "House": [4, 3]})

    found = here.sweep()

    assert [
        (r["genre"], r["claimed"], r["distinct"], r["new"]) for r in here.sweeps.to_pylist()
    ] == [
        ("Techno", 3, 3, 3),
        ("House", 2, 2, 2),
    ]
    sweep = here.last_sweep()
    assert (sweep["mode"], sweep["orders"], sweep["pages"]) == ("full", ["date"], 1)
    assert (sweep["complete"], sweep["reason"], sweep["duplicates"]) == (True, None, 0)
    assert sweep["started_at"] < sweep["finished_at"]
    seen = here.sightings.to_pylist()
    assert [(r["track_id"], r["genre"]) for r in seen] == [
        ("fma_site:1", "Techno"),
        ("fma_site:2", "Techno"),
        ("fma_site:3", "House"),
        ("fma_site:3", "Techno"),
        ("fma_site:4", "House"),
    ]
    assert {r["last_seen_at"] for r in seen if r["genre"] == "Techno"} == {sweep["started_at"]}
    assert found.sightings.keys() == {"fma_000000"}
    # A track of both genres has one page, and it is read once.
    assert len(here.site.requested_retries("track")) == 4


def test_a_second_sweep_asks_for_no_page_of_a_known_track_and_changes_nothing(platform):
    here = platform({"Techno": list(range(300, 0, -1))})
    here.sweep()
    before = here.tracks.drop_columns(["last_seen_at"])

    here.sweep()

    assert here.last_sweep()["mode"] == "incremental"
    assert len(here.site.asked) == 1
    assert here.tracks.drop_columns(["last_seen_at"]).equals(before)
    assert here.tracks["gone_at"].null_count == 300


def test_only_the_pages_of_new_tracks_are_read(platform):
    here = platform({"Techno": list(range(300, 0, -1))})
    here.sweep()
    here.site.genres["Techno"][:0] = [305, 304, 303, 302, 301]

    here.sweep()

    assert len(here.site.requested_retries("track")) == 5
    assert here.last_sweep()["new"] == 5
    assert here.tracks.num_rows == 305


def test_facts_of_the_listing_are_refreshed_and_the_licence_stays(platform):
    here = platform({"Techno": [1]})
    here.sweep()
    here.site.rows[1] = without_genres(row(1, title="Renamed"))

    here.sweep()

    track = here.track(1)
    assert (track["title"], track["license_spdx"]) == ("Renamed", "CC-BY-4.0")
    assert track["attribution"].startswith('"Renamed" by Artist 1, ')
    assert track["genres"] == ["Electronic", "Drum & Bass"]
    assert here.site.requested_retries("track") == []


def test_a_genre_is_swept_in_full_again_after_seven_days(platform):
    here = platform({"Techno": list(range(300, 0, -1))})
    modes = []
    for _ in range(9):
        here.sweep()
        modes.append(here.last_sweep()["mode"])
        here.site.clock.later(days=1)

    assert modes == ["full", *["incremental"] * 6, "full", "incremental"]


def test_a_sweep_while_the_clock_was_ahead_does_not_put_off_the_next_full_one(platform):
    here = platform({"Techno": [2, 1]}, licences={1: None})
    here.site.clock.later(days=400)
    here.sweep()
    here.site.clock.later(days=-400)

    here.sweep()

    assert here.last_sweep()["mode"] == "full"
    assert here.site.requested_retries("track") == [track_info(1)["url"]]


def test_a_full_sweep_that_came_to_no_end_is_made_again(platform):
    here = platform({"Techno": [1]})
    here.sweep()
    rows = here.sweeps.to_pylist()
    here.sweeps = SWEEPS.of_rows([rows[0] | {"complete": False}])

    here.sweep()

    assert here.last_sweep()["mode"] == "full"


def test_a_genre_that_is_asked_for_later_gets_a_full_sweep_of_its_own(platform):
    here = platform({"Techno": [3, 2, 1], "House": list(range(300, 0, -1))})
    here.sweep("Techno")
    here.sweep("Techno", "House")

    assert here.last_sweep("Techno")["mode"] == "incremental"
    assert here.last_sweep("House")["mode"] == "full"
    assert len(here.site.requested_retries("track")) == 297


def test_an_incremental_sweep_goes_by_what_this_genre_showed(platform):
    here = platform({"Techno": list(range(300, 0, -1)), "House": list(range(450, 0, -1))})
    here.sweep("Techno")

    # Techno's 300 tracks are known, but House was never read.
    here.sweep("House", mode="incremental")

    assert here.last_sweep("House")["pages"] == 3
    assert here.last_sweep("House")["new"] == 150


def test_a_track_without_licence_is_catalogued_and_its_page_read_again_by_full_sweeps(platform):
    here = platform({"Techno": [1]}, licences={1: None})
    here.sweep()
    track = here.track(1)
    assert (track["license_url"], track["allows_derivatives"]) == (None, None)
    assert track["attribution"] == f'"Track 1" by Artist 1, {SITE}/music/artist-1/album/track-1/'

    here.sweep()
    assert here.site.requested_retries("track") == []

    here.site.licences[1] = "https://creativecommons.org/licenses/by-nc-nd/3.0/"
    here.site.clock.later(days=8)
    here.sweep()
    assert len(here.site.requested_retries("track")) == 1
    track = here.track(1)
    assert track["license_spdx"] == "CC-BY-NC-ND-3.0"
    assert (track["allows_derivatives"], track["allows_commercial_use"]) == (False, False)


def test_a_track_whose_page_is_missing_is_catalogued_without_licence_and_a_note_says_so(platform):
    url = track_info(2)["url"]
    here = platform({"Techno": [3, 2, 1]}, answers={url: 404})

    found = here.sweep()

    assert here.track(2)["license_url"] is None
    assert here.track(1)["license_spdx"] == "CC-BY-4.0"
    assert any("and so no licence, for 1 listed track" in note for note in found.catalogue.notes)
    assert "fma_site:2" in " ".join(found.catalogue.notes)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (COOKIE_WALL, "looked for as div.play-item"),
        (LOGIN, "which requires a login"),
        (401, "answered with status 401: the site refuses it to us"),
        (403, "answered with status 403: the site refuses it to us"),
        (404, "answered with status 404: no such page"),
        (503, "answered with status 503"),
        (track_page(track_info(77)), "is listed as the page of track 2 but shows track 77"),
    ],
)
def test_one_broken_page_of_a_track_is_recorded_and_ends_nothing(platform, answer, reason):
    url = track_info(2)["url"]
    here = platform({"Techno": [3, 2, 1]}, answers={url: answer})

    found = here.sweep()

    assert here.tracks.num_rows == 3
    assert here.track(2)["license_url"] is None
    ((place, said),) = rejections(found)
    assert place == "track 2"
    assert reason in said and "Its licence is therefore not known" in said
    assert found.catalogue.rejected["origin"].to_pylist() == [url]
    assert unread_pages(here.lake) == {url: said}

    # Every later sweep that lists the track tries its page again, and no other one.
    here.sweep()
    assert here.last_sweep()["mode"] == "incremental"
    assert here.site.requested_retries("track") == [url]
    assert unread_pages(here.lake) == {url: said}
    del here.site.answers[url]
    here.sweep()
    assert here.track(2)["license_spdx"] == "CC-BY-4.0"
    assert unread_pages(here.lake) == {}


def test_an_odd_value_of_a_row_is_recorded_and_the_track_kept_without_it(platform):
    rows = {2: row(2, fileUrl=7, artistName=["x"]), 1: row(1, title={"a": 1})}
    here = platform({"Techno": [3, 2, 1]}, rows=rows)
    good = platform({"Techno": [3, 2, 1]}).site

    found = here.sweep()

    assert [r["source_track_id"] for r in here.tracks.to_pylist()] == ["2", "3"]
    assert (here.track(2)["file_url"], here.track(2)["artist"]) == (None, None)
    assert here.track(3)["file_url"] == good.row(3).info["fileUrl"]
    assert here.last_sweep()["complete"]
    said = dict(rejections(found))
    assert set(said) == {"row 3", "track 2"}
    assert said["track 2"] == (
        "The artistName of track 2 is no text. The fileUrl of track 2 is no text."
    )


def test_a_listing_whose_only_row_is_odd_ends_no_sweep(platform):
    here = platform({"Techno": [2], "House": [3]}, rows={2: row(2, id=-1)})

    found = here.sweep()

    assert [r["source_track_id"] for r in here.tracks.to_pylist()] == ["3"]
    assert [place for place, _ in rejections(found)] == ["row 1"]


def test_pages_of_tracks_that_all_fail_end_the_sweep(platform):
    numbers = list(range(20, 0, -1))
    answers = {track_info(number)["url"]: COOKIE_WALL for number in numbers[1:]}
    here = platform({"Techno": numbers}, answers=answers)

    with pytest.raises(SweepError, match="10 track pages in a row cannot be read") as raised:
        here.sweep()

    assert len(here.site.requested_retries("track")) == 11
    (sweep,) = raised.value.sweeps.to_pylist()
    assert (sweep["genre"], sweep["claimed"], sweep["complete"]) == ("Techno", 20, False)
    assert sweep["reason"] == str(raised.value)


def test_a_site_that_stays_busy_is_left_alone_after_three_pages(platform):
    here = platform({"Techno": list(range(20, 0, -1))})

    def busy(address, kind):
        if kind == "track":
            here.site.asked.append((kind, address))
            raise ComeBackLater("The site is busy.")
        return here.site.read(address, kind)

    with pytest.raises(SweepError, match="3 track pages in a row"):
        here.sweep(read=busy)
    assert len(here.site.requested_retries("track")) == 3


@pytest.mark.parametrize("answer", [COOKIE_WALL, 404, 403])
def test_a_listing_that_is_none_fails_the_whole_sweep_and_no_sweep_of_it_counts(platform, answer):
    house = f"{SITE}/genre/House?sort=date&d=0&pageSize=200&page=1"
    here = platform({"Techno": [1], "House": [2]}, answers={house: answer})

    with pytest.raises(SweepError, match="Page 1 of the genre House") as raised:
        here.sweep()

    assert isinstance(raised.value, SourceError)
    techno, house = raised.value.sweeps.to_pylist()
    assert (techno["genre"], techno["distinct"], techno["complete"]) == ("Techno", 1, False)
    assert (house["genre"], house["claimed"], house["complete"]) == ("House", None, False)
    assert (house["mode"], house["reason"]) == ("full", str(raised.value))
    assert here.site.requested_retries("track") == []


def test_a_sweep_that_was_killed_asks_for_no_page_of_a_track_twice(platform):
    here = platform({"Techno": list(range(9, 0, -1))})

    def killed(address, kind):
        if len(here.site.requested_retries("track")) == 5:
            raise KeyboardInterrupt
        return here.site.read(address, kind)

    with pytest.raises(KeyboardInterrupt):
        here.sweep(read=killed)
    read_before = set(here.site.requested_retries("track"))
    assert len(read_before) == 5

    here.sweep()

    assert len(here.site.requested_retries("track")) == 4
    assert not read_before & set(here.site.requested_retries("track"))
    assert {r["license_spdx"] for r in here.tracks.to_pylist()} == {"CC-BY-4.0"}


def test_a_page_of_a_track_that_was_kept_long_ago_is_asked_for_again(platform):
    here = platform({"Techno": [1]}, licences={1: None})
    here.sweep()
    here.site.clock.later(hours=12)
    here.sweep(mode="full")
    assert here.site.requested_retries("track") == []

    here.site.clock.later(hours=13)
    here.sweep(mode="full")
    assert len(here.site.requested_retries("track")) == 1


def test_what_is_not_the_sites_is_not_taken(platform):
    rows = {
        1: row(1, fileUrl="https://elsewhere.example/1.mp3"),
        2: row(2, url="https://elsewhere.example/music/2/"),
        3: row(3, url="file:///etc/passwd"),
        4: row(4, url="http://[/"),
        5: row(5, fileUrl="javascript:alert(1)"),
        300_000: row(300_000),
    }
    here = platform({"Techno": [300_000, 6, 5, 4, 3, 2, 1]}, rows=rows)

    found = here.sweep()

    assert [r["source_track_id"] for r in here.tracks.to_pylist()] == ["1", "5", "6"]
    assert here.track(1)["file_url"] is None
    assert here.track(5)["file_url"] is None
    reasons = dict(rejections(found))
    assert reasons.keys() == {f"track {number}" for number in (300_000, 5, 4, 3, 2, 1)}
    assert "lies outside 0 to 299999" in reasons["track 300000"]
    assert reasons["track 2"] == "Its page 'https://elsewhere.example/music/2/' is not the site's."
    assert "so it has none" in reasons["track 1"]
    assert all(url.startswith(SITE) for url in here.site.requested_retries("track"))


def test_genres_come_from_the_page_of_a_track_where_the_listing_shows_none(platform):
    here = platform({"Techno": [1]}, rows={1: without_genres(row(1))})
    here.sweep()

    assert here.track(1)["genres"] == ["Techno"]
    here.sweep()
    assert here.track(1)["genres"] == ["Techno"]


def test_a_removed_track_is_gone_after_two_full_sweeps_and_a_404_and_may_come_back(platform):
    here = platform({"Techno": [3, 2, 1], "House": [2]})
    here.sweep()
    here.site.genres = {"Techno": [3, 1], "House": []}

    here.site.clock.later(days=1)
    here.sweep()
    assert here.track(2)["gone_at"] is None
    here.site.clock.later(days=7)
    here.sweep()
    assert here.last_sweep()["mode"] == "full"
    assert here.track(2)["gone_at"] is None
    here.site.clock.later(days=8)
    here.sweep()
    assert here.track(2)["gone_at"] is not None
    assert here.track(2)["license_spdx"] == "CC-BY-4.0"
    assert here.tracks["gone_at"].null_count == 2

    here.site.clock.later(days=8)
    here.sweep()
    assert here.site.requested_retries("track") == []
    here.site.genres["Techno"].insert(0, 2)
    here.sweep()
    assert here.track(2)["gone_at"] is None


def test_a_track_that_is_unlisted_but_has_its_page_is_not_gone(platform):
    here = platform({"Techno": [2, 1]})
    here.sweep()
    info = track_info(2)
    here.site.genres["Techno"] = [1]
    here.site.answers[info["url"]] = track_page(info)
    for _ in range(2):
        here.site.clock.later(days=8)
        found = here.sweep()

    assert here.track(2)["gone_at"] is None
    assert any("fma_site:2 is no longer listed, but" in note for note in found.catalogue.notes)


def test_a_listing_that_falls_short_is_noted(platform):
    here = platform({"Techno": [2, 1, 1]})

    found = here.sweep()

    assert here.last_sweep()["duplicates"] == 1
    assert any("claims 3 tracks, but 2 were found" in note for note in found.catalogue.notes)


def test_nothing_is_asked_for_when_every_genre_is_empty(platform):
    here = platform({"Techno": []})

    found = here.sweep()

    assert (found.catalogue.tracks.num_rows, found.sightings) == (0, {})
    assert here.last_sweep()["complete"]


def test_progress_is_told(platform):
    here = platform({"Techno": [2, 1]})

    here.sweep()

    assert "Techno: full sweep, 0 tracks known" in here.log
    assert any(line.startswith("2 of 2 track pages read") for line in here.log)


def test_importing_the_source_imports_no_parser_and_no_browser():
    import subprocess
    import sys

    names = "selenium selectolax httpx stamina protego"
    code = (
        f"import sys, {module.__name__}, genre_assets.sources.fma_site.reader; "
        f"print([n for n in '{names}'.split() if n in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "[]"


def test_the_real_rows_are_catalogued_exactly(platform, real_data):
    records = json.loads((real_data / "fma_site" / "listing_breakcore_hard.json").read_text())
    by_id = {record["data_track_info"]["id"]: record for record in records}
    genre = "Breakcore_-_Hard"
    here = platform(
        {genre: [record["data_track_info"]["id"] for record in records]},
        rows={number: real_row(record) for number, record in by_id.items()},
        claimed={genre: 588},
    )

    found = here.sweep()

    sweep = here.last_sweep(genre)
    assert (sweep["claimed"], sweep["distinct"], sweep["duplicates"]) == (588, 587, 1)
    assert found.catalogue.rejected.num_rows == 0
    rows = here.tracks.to_pylist()
    assert len(rows) == len({r["track_id"] for r in rows}) == 587
    assert sum(r["artist_id"] is None for r in rows) == 2
    assert sum(r["album"] is None for r in rows) == 58
    longest = max((record["data_track_info"] for record in records), key=lambda i: len(i["handle"]))
    assert len(longest["handle"]) == 245
    assert here.track(longest["id"])["page_url"] == longest["url"]
    for r in rows:
        record = by_id[int(r["source_track_id"])]
        info = record["data_track_info"]
        assert (r["title"], r["artist"]) == (info["title"], info["artistName"])
        assert (r["page_url"], r["file_url"]) == (info["url"], info["fileUrl"])
        assert (r["album"] or "-") == info["albumTitle"]
        assert r["genres"] == list(dict.fromkeys(name for name, _ in record["genres"]))
        assert r["license_spdx"] == "CC-BY-4.0"
    assert not [p for p in here.lake.root.rglob("*") if len(p.name) > 100]


def test_an_empty_page_of_a_known_genre_leaves_the_catalogue(platform):
    here = platform({"Techno": [2, 1]})
    here.sweep()
    before = here.tracks
    first = f"{SITE}/genre/Techno?sort=date&d=0&pageSize=200&page=1"
    here.site.answers[first] = listing([], 1, 2)

    with pytest.raises(SweepError, match="no listing"):
        here.sweep(mode="full")
    assert here.tracks is before
