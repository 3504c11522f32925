import json
import re
import socket
import threading
import time
from contextlib import closing
from http.client import HTTPConnection

import httpx
import pytest

from genre_assets.demo.site.content import content_from_rows
from genre_assets.demo.site.misbehaviour import Answer
from genre_assets.demo.site.server import ReplicaSite
from genre_assets.demo.site.tracks import SiteContent, new_track
from genre_assets.errors import UserError
from genre_assets.sources.fma_site.pages import LayoutChanged, parse_listing, parse_track
from genre_assets.sources.fma_site.robots import Robots
from genre_assets_tests.demo.site.conftest import SONG, one

NOT_FOUND = "Free Music Archive - 404 Page not found - Free Music Archive"


@pytest.fixture
def client(site):
    with httpx.Client(base_url=site.base, timeout=10) as client:
        yield client


@pytest.fixture
def newest(site):
    return site.content.rows[0]


def listing(client, query="pageSize=200", slug="Techno"):
    return parse_listing(client.get(f"/genre/{slug}?{query}").text)


def title_of(page):
    return re.search(r"<title>(.*?)</title>", page.text)[1]


# Pages


def test_listings_say_what_their_rows_are(client, site):
    first, second = (listing(client, f"pageSize=200&page={n}") for n in (1, 2))
    assert (first.first, first.last, first.claimed, first.page) == (1, 200, 230, 1)
    assert (second.first, second.last, second.page) == (201, 230, 2)
    assert not first.rejected
    shown = {row.id: row for row in (*first.rows, *second.rows)}
    assert [*shown] == [track.id for track in site.content.rows]
    for track in site.content.rows:
        row = shown[track.id]
        assert (row.title, row.url, row.file_url) == tuple(
            track.info[name] for name in ("title", "url", "fileUrl")
        )
        assert (row.genres, row.duration_s) == (track.genres, 10.0)


def test_an_advertisement_stands_after_every_fifth_row(client):
    html = client.get("/genre/Techno?pageSize=15").text
    kinds = re.findall(r'class="(play-item|freestar-ads)', html)
    assert kinds == (["play-item"] * 5 + ["freestar-ads"]) * 3


def test_all_corpus_pages_are_read_by_the_parsers(corpus_site):
    content = corpus_site.content
    with httpx.Client(base_url=corpus_site.base) as client:
        rows = {}
        for slug in content.names:
            rows |= {row.id: row for row in listing(client, slug=slug).rows}
        assert rows.keys() == {track.id for track in content.rows}
        for track in content.rows:
            told = parse_track(client.get(track.page_path + "/").text)
            assert told.track_info.id == track.id
            assert (told.title, told.artist) == (track.info["title"], track.info["artistName"])
            assert told.licence_url == track.licence_url
            assert told.genres == track.genres
            assert (told.plays, told.released) == (track.plays, track.released.isoformat())
            assert (told.instrumental, told.ai_generated) == (True, False)
            file = client.get(track.file_path)
            assert file.headers["content-type"] == "audio/mpeg"
            assert file.content == track.audio.read_bytes()


def test_the_first_data_track_info_of_a_track_page_is_a_plain_div(client, newest):
    html = client.get(newest.page_path).text
    plain, row = re.findall(r"<div([^<>]*?)data-track-info='", html)
    assert plain.strip() == ""
    assert "play-item" in row


@pytest.mark.parametrize(
    "title", ['It\'s & <b>"A/B"</b>', "naïve Größe 静か", "a  b\nc", "</script><!--", "\\u0027 \\"]
)
def test_no_title_breaks_out_of_its_place(title):
    track = new_track(5, title, title, ["Techno"], album=title)
    with ReplicaSite(SiteContent((track,))) as site:
        page = httpx.get(f"{site.base}/genre/Techno").text
        assert parse_listing(page).rows[0].title == title
        assert title not in ('It\'s & <b>"A/B"</b>', "</script><!--") or title not in page
        told = parse_track(httpx.get(site.base + track.page_path).text)
        assert (told.title, told.track_info.album_title) == (title, title)


def test_the_attribute_is_escaped_as_the_site_does(site, client):
    site.add([new_track(999, "It's A & B", "X", ["Techno"])])
    attribute = re.search(r"data-track-info='([^']*)'", client.get("/genre/Techno").text)[1]
    assert r"It\u0027s A \u0026 B" in attribute
    assert r"https:\/\/freemusicarchive.test\/music\/x\/single\/it-s-a-b-999\/" in attribute
    assert json.loads(attribute) == site.content.rows[0].info


def test_a_track_without_licence_links_none(site, client):
    site.add([one(1000, licence_url=None)])
    page = client.get(site.content.rows[0].page_path)
    assert 'rel="license"' not in page.text
    assert parse_track(page.text).licence_url is None


@pytest.mark.parametrize(
    "path",
    [
        "/genre/Polka", "/music/nobody/", "/music/artist-1/single/no-such-track/", "/music/",
        "/track/no-such-track/stream/", "/storage-freemusicarchive-org/tracks/none.mp3",
        "/static/../server.py", "/static/server.py", "/api/get/tracks.json", "/%00", "//x/y",
        "/storage-freemusicarchive-org/../../etc/passwd", "/favicon.ico",
    ],
)  # fmt: skip
def test_an_unknown_path_is_a_real_404(site, path):
    with socket.create_connection(site.base.removeprefix("http://").split(":")) as guest:
        guest.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: guest.recv(65536), b"")).decode()
    assert answer.startswith("HTTP/1.1 404 ")
    assert f"<title>{NOT_FOUND}</title>" in answer


def test_artists_and_albums_have_pages(client, newest):
    assert client.get("/music/artist-5/").status_code == 200
    assert newest.info["url"].rpartition(".test")[2] in client.get("/music/artist-5/an-album").text
    assert "Techno" in client.get("/").text


def test_pages_set_cookies_and_cannot_be_asked_for_again_by_tag(client, newest):
    for path in ("/", "/genre/Techno", newest.page_path, "/none"):
        headers = client.get(path).headers
        assert "etag" not in headers
        assert "last-modified" not in headers
        cookies = {c.partition("=")[0] for c in headers.get_list("set-cookie")}
        assert cookies == {"XSRF-TOKEN", "free_music_archive_session", "first_browse"}


def test_the_host_does_not_matter_and_connections_are_kept(site):
    with closing(HTTPConnection(site.base.removeprefix("http://"))) as connection:
        ports = set()
        for host in ("freemusicarchive.org", "files.freemusicarchive.org", "x"):
            connection.request("GET", "/genre/Techno", headers={"Host": host})
            ports.add(connection.sock.getsockname())
            answer = connection.getresponse()
            assert (answer.status, answer.version) == (200, 11)
            answer.read()
    assert len(ports) == 1


def test_robots_allow_what_is_scraped_and_can_be_changed(site, client, newest):
    robots = Robots("x", client.get("/robots.txt").text)
    for path in ("/genre/Techno?sort=date&page=2", newest.page_path + "/", newest.file_path):
        assert robots.allows(site.base + path)
    assert not robots.allows(site.base + "/api/get/tracks.json")
    assert robots.content_signal["ai-train"] == "no"
    site.misbehave(robots="User-agent: *\nDisallow: /genre/")
    assert not Robots("x", client.get("/robots.txt").text).allows(site.base + "/genre/Techno")


# Files


def test_stream_and_download_lead_to_the_file_host(client, site):
    site.add([new_track(999, "A/B & C", "Ä", ["Techno"], handle="a-b", audio=SONG)])
    url = site.content.rows[0].info["fileUrl"]
    answer = client.get("/track/a-b/stream/")
    assert (answer.status_code, answer.headers["location"]) == (302, url)
    answer = client.get("/track/a-b/download/")
    location = answer.headers["location"]
    assert location == f"{url}?download=1&name=%C3%84%20-%20A%2FB%20%26%20C.mp3"
    file = client.get(location.rpartition(".test")[2])
    assert file.content == SONG
    assert "%C3%84%20-%20A%2FB%20%26%20C.mp3" in file.headers["content-disposition"]
    overlay = client.get("/track/a-b/downloadOverlay/").text
    assert "/track/a-b/download/" in overlay
    assert 'rel="license"' in overlay


@pytest.mark.parametrize(
    ("asked", "status", "part", "content_range"),
    [
        ("bytes=0-", 206, SONG, "bytes 0-153599/153600"),
        ("bytes=1000-", 206, SONG[1000:], "bytes 1000-153599/153600"),
        ("bytes=10-19", 206, SONG[10:20], "bytes 10-19/153600"),
        ("bytes=10-999999", 206, SONG[10:], "bytes 10-153599/153600"),
        ("bytes=-5", 206, SONG[-5:], "bytes 153595-153599/153600"),
        ("bytes=153600-", 416, b"", "bytes */153600"),
        ("bytes=9-3", 416, b"", "bytes */153600"),
        ("bytes=1-2,5-6", 200, SONG, None),
        ("words=1-2", 200, SONG, None),
    ],
)
def test_parts_of_files_are_given_as_asked(client, newest, asked, status, part, content_range):
    answer = client.get(newest.file_path, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (status, part)
    assert answer.headers.get("content-range") == content_range
    assert answer.headers["content-length"] == str(len(part))


def test_a_part_of_another_file_is_the_whole_file(client, newest):
    etag = client.get(newest.file_path).headers["etag"]
    asked = {"Range": "bytes=100-"}
    same = client.get(newest.file_path, headers=asked | {"If-Range": etag})
    other = client.get(newest.file_path, headers=asked | {"if-range": '"other"'})
    assert (same.status_code, other.status_code) == (206, 200)
    assert other.content == SONG


def test_head_says_what_get_would(client, newest):
    answer = client.head(newest.file_path)
    assert (answer.headers["content-length"], answer.content) == ("153600", b"")
    assert client.head("/none").status_code == 404


def test_a_track_without_a_file_has_a_page(client, site):
    site.add([one(1000, audio=None)])
    track = site.content.rows[0]
    assert client.get(track.page_path).status_code == 200
    assert client.get(track.file_path).status_code == 404


# What changes while it serves


def test_tracks_come_and_go_while_it_serves(client, site):
    site.add([one(1001), one(1002)])
    assert [row.id for row in listing(client).rows[:3]] == [1002, 1001, 230]
    gone = site.content.rows[0]
    site.remove(1002)
    assert [row.id for row in listing(client).rows[:2]] == [1001, 230]
    assert title_of(client.get(gone.page_path)) == NOT_FOUND
    assert client.get(gone.file_path).status_code == 404
    assert client.get(f"/track/{gone.info['handle']}/stream/").status_code == 404


def test_a_listing_that_lost_its_tracks_is_empty_and_there(site, client):
    site.remove(*(track.id for track in site.content.rows))
    empty = listing(client)
    assert (empty.rows, empty.claimed) == ((), 0)


def test_real_rows_are_served_exactly(real_data):
    path = real_data / "fma_site" / "listing_breakcore_hard.json"
    rows = json.loads(path.read_text())
    slug = "Breakcore_-_Hard"
    with ReplicaSite(content_from_rows(path)) as site, httpx.Client(base_url=site.base) as client:
        for number in (1, 2, 3):
            html = client.get(f"/genre/{slug}?sort=date&d=0&pageSize=200&page={number}").text
            given = [row for row in rows if row["page"] == number]
            attributes = re.findall(r"<div class=\"play-item[^']*data-track-info='([^']*)'", html)
            assert list(map(json.loads, attributes)) == [row["data_track_info"] for row in given]
            page = parse_listing(html)
            assert (page.claimed, page.rejected) == (588, ())
            assert [[list(g) for g in row.genres] for row in page.rows] == [
                [[name, url.split("/")[4]] for name, url in row["genres"]] for row in given
            ]
        by_title = [
            row.id
            for number in (1, 2, 3)
            for row in listing(client, f"sort=track&d=1&pageSize=200&page={number}", slug).rows
        ]
        assert len(by_title) == len(set(by_title)) == 587
        for track in site.content.rows[::50]:
            assert parse_track(client.get(track.page_path).text).licence_url == track.licence_url


# What it does wrong


def test_a_status_comes_so_often_as_was_said(client, site, newest):
    site.misbehave(
        Answer("/genre/", times=2, status=503, retry_after="7"), Answer("/storage", status=429)
    )
    answers = [client.get("/genre/Techno") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert [answer.headers.get("retry-after") for answer in answers] == ["7", "7", None]
    answer = client.get(newest.file_path)
    assert (answer.status_code, answer.headers.get("retry-after")) == (429, None)
    site.behave()
    assert client.get(newest.file_path).status_code == 200


def test_a_login_page_comes_in_place_of_audio(client, site, newest):
    site.misbehave(Answer(newest.file_path, html=True))
    answer = client.get(newest.file_path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert title_of(answer) == "Login - Free Music Archive"
    assert client.get(site.content.rows[1].file_path).content == SONG


@pytest.mark.parametrize("after", [0, 1000, 100_000])
def test_a_connection_is_cut_and_the_rest_can_be_had(client, site, newest, after):
    site.misbehave(Answer(newest.file_path, times=1, cut_after=after))
    received = b""
    with pytest.raises(httpx.RemoteProtocolError), client.stream("GET", newest.file_path) as answer:
        assert answer.headers["content-length"] == str(len(SONG))
        for block in answer.iter_raw():
            received += block
    assert received == SONG[:after]
    rest = client.get(newest.file_path, headers={"Range": f"bytes={after}-"})
    assert received + rest.content == SONG
    assert [request.sent for request in site.downloads()] == [after, len(SONG) - after]


def test_ranges_can_be_ignored(client, site, newest):
    site.misbehave(Answer(newest.file_path, no_range=True))
    answer = client.get(newest.file_path, headers={"Range": "bytes=5-"})
    assert (answer.status_code, answer.content) == (200, SONG)
    assert answer.headers["accept-ranges"] == "none"


def test_a_file_changes_between_two_requests(client, site, newest):
    site.misbehave(Answer(newest.file_path, times=1), Answer(newest.file_path, new_etag=True))
    before = client.get(newest.file_path)
    tag = before.headers["etag"]
    asked = {"Range": "bytes=100-", "If-Range": tag}
    after = client.get(newest.file_path, headers=asked)
    assert (after.status_code, len(after.content)) == (200, len(before.content))
    assert after.content != before.content
    assert after.headers["etag"] != tag


def test_rows_can_be_left_out_though_the_pager_counts_them(client, site):
    site.misbehave(no_rows=True)
    page = client.get("/genre/Techno").text
    assert "play-item" not in page
    assert "<b>230</b>" in page
    with pytest.raises(LayoutChanged):
        parse_listing(page)


def test_rows_can_lose_their_information(client, site, newest):
    site.misbehave(rows_without_info=True)
    page = client.get("/genre/Techno").text
    assert page.count('class="play-item') == 20
    with pytest.raises(LayoutChanged):
        parse_listing(page)
    with pytest.raises(LayoutChanged):
        parse_track(client.get(newest.page_path).text)


def test_a_repeated_track_leaves_a_listing_that_the_parser_takes(client, site):
    site.misbehave(repeated_at_border=True)
    first, second = (listing(client, f"pageSize=200&page={n}") for n in (1, 2))
    assert first.rows[-1].id == second.rows[0].id
    assert second.last == second.claimed == 231


def test_an_answer_that_never_comes_ends_when_the_guest_leaves(site):
    site.misbehave(Answer("/genre/", hangs=True))
    for _ in range(3):
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{site.base}/genre/Techno", timeout=0.1)
    assert httpx.get(f"{site.base}/").status_code == 200
    assert [request.status for request in site.requests] == [0, 0, 0, 200]
    assert site.most_in_flight == 1


def test_a_slow_answer_comes(site, client):
    site.misbehave(Answer("/genre/", wait_s=0.3))
    with pytest.raises(httpx.ReadTimeout):
        client.get("/genre/Techno", timeout=0.05)
    site.misbehave(Answer("/genre/", wait_s=0.05))
    assert client.get("/genre/Techno").status_code == 200


@pytest.mark.parametrize("announced", [None, 10**12])
def test_a_body_without_end_goes_on_until_the_guest_leaves(client, site, newest, announced):
    site.misbehave(Answer("/", endless=True, announced=announced))
    for path, kind in ((newest.file_path, "audio/mpeg"), ("/genre/Techno", "text/html")):
        with client.stream("GET", path) as answer:
            assert answer.headers["content-type"].startswith(kind)
            received = 0
            for block in answer.iter_raw():
                received += len(block)
                if received > 3_000_000:
                    break
    site.behave()
    assert client.get("/").status_code == 200
    assert site.most_in_flight == 1


# The log


def test_requests_are_kept_as_they_came(client, site, newest):
    headers = {"User-Agent": "genre_assets/1 (contact)", "Range": "bytes=1-"}
    client.get(newest.file_path + "?download=1", headers=headers)
    client.head("/none")
    first, second = site.requests
    assert (first.method, first.path) == ("GET", newest.file_path + "?download=1")
    assert (first.range, first.agent) == ("bytes=1-", "genre_assets/1 (contact)")
    assert (first.status, first.sent) == (206, len(SONG) - 1)
    assert (second.method, second.range, second.status) == ("HEAD", None, 404)
    assert site.downloads() == [first]


def test_requests_one_after_the_other_are_never_counted_as_two(site, newest):
    for _ in range(60):
        assert httpx.get(site.base + newest.file_path).content == SONG
    assert site.most_in_flight == 1


def test_two_requests_at_a_time_are_counted(site):
    site.misbehave(Answer("/genre/", wait_s=0.3))
    guests = [
        threading.Thread(target=httpx.get, args=(f"{site.base}/genre/Techno",)) for _ in range(3)
    ]
    for guest in guests:
        guest.start()
    for guest in guests:
        guest.join()
    assert site.most_in_flight == 3


# The server


def test_it_listens_on_the_loopback_interface_alone(site):
    assert site.base.startswith("http://127.0.0.1:")
    assert site._server.socket.getsockname()[0] == "127.0.0.1"


def test_a_taken_port_is_named(site):
    port = int(site.base.rpartition(":")[2])
    with pytest.raises(UserError, match=f"port {port}"):
        ReplicaSite(site.content, port)


def test_nothing_is_served_once_it_is_left():
    with ReplicaSite(SiteContent((one(1),))) as site, httpx.Client() as client:
        assert client.get(site.base).status_code == 200
        site.__exit__()
        with pytest.raises(httpx.TransportError):
            client.get(site.base)
        with pytest.raises(httpx.ConnectError):
            httpx.get(site.base)


def test_leaving_it_does_not_wait_for_a_hanging_answer(site):
    site.misbehave(Answer("/genre/", hangs=True))
    guest = threading.Thread(target=_ask_in_vain, args=(f"{site.base}/genre/Techno",))
    guest.start()
    while not site.requests:
        time.sleep(0.01)
    site.__exit__()
    guest.join(5)
    assert not guest.is_alive()


def _ask_in_vain(url):
    with pytest.raises(httpx.TransportError):
        httpx.get(url, timeout=30)
