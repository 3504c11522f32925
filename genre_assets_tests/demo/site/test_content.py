import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from genre_assets.demo.corpus import MANIFEST, write_corpus
from genre_assets.demo.plan import plan_corpus, plan_damaged
from genre_assets.demo.site.content import content_from_corpus, content_from_rows
from genre_assets.demo.site.tracks import SiteContent, new_track, slug_of
from genre_assets.errors import UserError
from genre_assets.sources.licences import licence_of_url, permissions
from genre_assets.sources.shards import fma_shard


def planned(folder: Path, tracks_per_style) -> SiteContent:
    """The content of a corpus whose manifest stands there without its files."""
    tracks = plan_corpus(tracks_per_style, 0)
    manifest = {
        "seconds": 10.0,
        "seed": 0,
        "tracks": [
            {"path": t.path, "style": t.style, "artist": t.artist, "seed": seed_of(t)}
            for t in tracks
        ],
        "damaged": [
            {"path": file.path, "mess": file.mess, "origin": file.origin.path}
            for file in plan_damaged(tracks)
        ],
    }
    folder.mkdir(exist_ok=True)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return content_from_corpus(folder)


def seed_of(track):
    styles = ["Techno", "House", "Indie-Rock", "Garage", "Dubstep", "Drum & Bass"]
    return [0, styles.index(track.style), track.artist_number, track.number]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> SiteContent:
    return planned(tmp_path_factory.mktemp("whole"), 22)


def test_the_whole_corpus_is_on_the_site_in_two_shards(whole):
    assert len({track.id for track in whole.rows}) == len(whole.rows) == 136
    assert {fma_shard(track.id) for track in whole.rows} == {"fma_235000", "fma_240000"}
    slugs = {"Techno", "House", "Indie-Rock", "Garage", "Dubstep", "Drum_amp_Bass"}
    assert all(len(whole.of_genre(slug)) >= 22 for slug in slugs)
    assert set(whole.names) == slugs | {"Electronic", "Rock"}


def test_every_track_has_a_page_a_handle_and_a_file_of_its_own(whole):
    for name in ("url", "handle", "fileUrl", "playbackUrl"):
        assert len({track.info[name] for track in whole.rows}) == 136, name


def test_tracks_of_a_style_are_not_neighbours(whole):
    styles = [track.genres[-1] for track in whole.rows if track.id >= 239_000]
    assert not any(a == b for a, b in pairwise(styles))


def test_two_tracks_have_no_licence_and_the_others_many_different_ones(whole):
    licences = [track.licence_url for track in whole.rows]
    assert licences.count(None) == 2
    given = {url for url in licences if url}
    assert {url.endswith("/") for url in given} == {True, False}
    assert {"CC0-1.0", "CC-BY-4.0", "CC-BY-3.0", "CC-BY-NC-SA-4.0", "CC-BY-SA-3.0"} <= {
        licence_of_url(url).spdx for url in given
    }
    assert {permissions(licence_of_url(url))[0] for url in given} == {True, False}


def test_one_artist_has_one_licence(whole):
    by_artist = {}
    for track in whole.rows:
        if track.licence_url:
            by_artist.setdefault(track.info["artistName"], set()).add(track.licence_url)
    assert all(len(licences) == 1 for licences in by_artist.values())


def test_some_tracks_are_as_awkward_as_on_the_real_site(whole):
    infos = [track.info for track in whole.rows]
    assert max(len(info["handle"]) for info in infos) == 245
    assert sum(info["artistUrl"] is None for info in infos) == 1
    assert any("'" in i["title"] and "&" in i["title"] and "ö" in i["title"] for i in infos)
    assert any(info["albumTitle"] == "-" for info in infos)


def test_a_larger_corpus_only_adds_ids_and_puts_them_on_top(tmp_path):
    small, large = planned(tmp_path / "small", 3), planned(tmp_path / "large", 5)
    old = {track.id: track.info for track in small.rows}
    new = {track.id: track.info for track in large.rows}
    assert old.items() <= new.items()
    assert min(new.keys() - old.keys()) > max(old)
    assert len(new) == len(old) + 12


def test_a_style_that_comes_later_changes_no_id(tmp_path):
    one = planned(tmp_path / "one", {"Dubstep": 2})
    all_ = planned(tmp_path / "all", 2)
    old = {track.id: track.info for track in one.rows}
    assert old.items() <= {track.id: track.info for track in all_.rows}.items()


def test_the_site_tells_the_truth_and_serves_the_messy_files(tmp_path):
    write_corpus(tmp_path, tracks_per_style={"Techno": 1}, seconds=1.0)
    empty, own = sorted(content_from_corpus(tmp_path).rows, key=lambda track: track.id)
    truth = json.loads((tmp_path / MANIFEST).read_text())["tracks"][0]
    assert own.info["artistName"] == truth["artist"]
    assert ("Techno", "Techno") in own.genres
    assert own.duration == "00:01"
    assert own.audio.read_bytes() == (tmp_path / truth["path"]).read_bytes()
    assert empty.audio.read_bytes() == b""
    assert empty.info["title"] == "Nothing at All"


@pytest.mark.parametrize("text", [None, "", "[]", '{"tracks": 1}', '{"tracks": [{}]}'])
def test_a_folder_without_a_corpus_is_named(tmp_path, text):
    if text is not None:
        (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(UserError, match=str(tmp_path)):
        content_from_corpus(tmp_path)


ROW = {
    "page": 1,
    "data_track_info": {
        "id": 7,
        "handle": "a",
        "url": "https://freemusicarchive.org/music/x/single/a/",
        "title": "A",
        "artistName": "X",
        "artistUrl": None,
        "albumTitle": "-",
        "fileUrl": "https://files.freemusicarchive.org/storage-freemusicarchive-org/tracks/a.mp3",
    },
    "duration": "01:33",
    "genres": [["Drum & Bass", "https://freemusicarchive.org/genre/Drum_amp_Bass/"]],
    "album_url": None,
}


def test_rows_keep_their_order_and_their_repetitions(tmp_path):
    path = tmp_path / "rows.json"
    other = {**ROW, "data_track_info": {**ROW["data_track_info"], "id": 9}}
    path.write_text(json.dumps([ROW, other, ROW]))
    content = content_from_rows(path)
    assert [track.id for track in content.rows] == [7, 9, 7]
    assert content.rows[0].info == ROW["data_track_info"]
    assert content.names == {"Drum_amp_Bass": "Drum & Bass"}
    assert licence_of_url(content.rows[0].licence_url).spdx is not None
    assert content.rows[0].licence_url == content_from_rows(path).rows[0].licence_url


@pytest.mark.parametrize("text", ["", "7", '["row"]', "[{}]", '[{"data_track_info": null}]'])
def test_a_file_without_rows_is_named(tmp_path, text):
    path = tmp_path / "rows.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"rows\.json does not hold listing rows"):
        content_from_rows(path)


def test_new_tracks_come_before_older_ones_and_leave_a_given_order_alone():
    def track(id_):
        return new_track(id_, "T", "A", ["House"])

    content = SiteContent(tuple(map(track, (30, 50, 40, 40, 10))))
    grown = content.with_tracks([track(60), track(20), track(70)])
    assert [row.id for row in grown.rows] == [70, 60, 30, 50, 40, 40, 20, 10]
    assert [row.id for row in grown.without([40, 70]).rows] == [60, 30, 50, 20, 10]


def test_a_genre_that_lost_its_tracks_is_still_known():
    track = new_track(1, "T", "A", ["House"])
    assert SiteContent((track,)).without([1]).names == {"House": "House"}


def test_names_without_latin_letters_have_handles_of_their_own():
    assert slug_of("Café Mirador") == "cafe-mirador"
    assert slug_of("静かな灯台").isascii()
    assert slug_of("静かな灯台") != slug_of("コウモリ通り")


def test_a_track_can_be_changed_in_a_copy():
    track = new_track(1, "T", "A", ["House"])
    assert replace(track, info=track.info | {"id": 2}).id == 2
