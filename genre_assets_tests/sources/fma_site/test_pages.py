import json
from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from genre_assets.sources.fma_site import parse_listing, parse_track
from genre_assets.sources.fma_site.pages import (
    LONGEST_PAGE,
    LONGEST_TEXT,
    LayoutChanged,
    LoginPage,
)

from .site_html import (
    BY,
    COOKIE_WALL,
    LOGIN,
    NOT_FOUND,
    SITE,
    Row,
    listing,
    listing_row,
    pager,
    real_row,
    row,
    track_info,
    track_page,
)


def test_a_row_says_everything_but_the_licence():
    info = track_info(210039, title="Scratch My Mind", artistName="Adeline Yeo (HP)")
    shown = parse_listing(listing([Row(info, album_url=f"{SITE}/music/artist-0/an-album")]))

    (one,) = shown.rows
    assert (one.id, one.handle, one.url) == (210039, "track-210039", info["url"])
    assert (one.title, one.artist_name) == ("Scratch My Mind", "Adeline Yeo (HP)")
    assert (one.artist_url, one.artist_handle) == (f"{SITE}/music/artist-0/", "artist-0")
    assert (one.album_title, one.album_handle) == ("Album", "artist-0/an-album")
    assert (one.file_url, one.playback_url) == (info["fileUrl"], info["playbackUrl"])
    assert one.duration_s == 165
    assert one.genres == (("Electronic", "Electronic"), ("Drum & Bass", "Drum_amp_Bass"))
    assert not one.is_single
    assert (shown.first, shown.last, shown.claimed, shown.page) == (1, 1, 1, 1)
    assert not shown.has_next


def test_a_single_has_no_album_and_a_track_may_have_no_page_of_its_artist():
    single = Row(track_info(1, albumTitle="-", artistUrl=None), album_url=None)

    (one,) = parse_listing(listing([single])).rows

    assert one.is_single
    assert (one.album_title, one.album_url, one.album_handle) == (None, None, None)
    assert (one.artist_name, one.artist_url, one.artist_handle) == ("Artist 1", None, None)


def test_the_title_in_the_json_keeps_the_white_space_that_the_page_collapses():
    (one,) = parse_listing(listing([row(1, title="Police Truck  (part. Carlão) ")])).rows

    assert one.title == "Police Truck  (part. Carlão) "


def test_a_title_that_looks_like_a_duration_is_not_taken_for_one():
    (one,) = parse_listing(listing([Row(track_info(1, title="59:59"), duration="01:01:54")])).rows

    assert (one.title, one.duration_s) == ("59:59", 3714)


@pytest.mark.parametrize("shown", ["", "soon", "1:2", "1234:00:00"])
def test_what_is_no_duration_is_none(shown):
    assert parse_listing(listing([Row(track_info(1), duration=shown)])).rows[0].duration_s is None


def test_the_real_rows_are_read_exactly_as_they_were(real_data):
    records = json.loads((real_data / "fma_site" / "listing_breakcore_hard.json").read_text())
    rows, first = [], 1
    for page in (1, 2, 3):
        here = [real_row(record) for record in records if record["page"] == page]
        shown = parse_listing(listing(here, first, 588, page))
        assert (shown.first, shown.last, shown.claimed) == (first, first + len(here) - 1, 588)
        assert (shown.page, shown.has_next, shown.rejected) == (page, page < 3, ())
        first += len(here)
        rows += shown.rows

    repeated = [number for number, times in Counter(one.id for one in rows).items() if times > 1]
    assert (len(rows), len({one.id for one in rows}), repeated) == (588, 587, [104431])
    assert sum(one.artist_url is None for one in rows) == 2
    assert sum(one.is_single for one in rows) == 58
    assert max(len(one.handle) for one in rows) == 245
    assert max(one.duration_s for one in rows) == 3714
    for one, record in zip(rows, records, strict=True):
        info = record["data_track_info"]
        assert (one.id, one.handle, one.url, one.title) == (
            info["id"],
            info["handle"],
            info["url"],
            info["title"],
        )
        assert (one.artist_name, one.artist_url) == (info["artistName"], info["artistUrl"])
        assert (one.album_title or "-", one.album_url) == (info["albumTitle"], record["album_url"])
        assert (one.file_url, one.playback_url) == (info["fileUrl"], info["playbackUrl"])
        assert [[name, f"{SITE}/genre/{slug}/"] for name, slug in one.genres] == record["genres"]


def test_an_empty_genre_is_an_empty_listing():
    for numbers in ("", ""), (0, 0):
        shown = parse_listing(pager(*numbers, 0, 1))
        assert (shown.rows, shown.claimed, shown.has_next) == ((), 0, False)


def test_a_pager_may_set_off_thousands():
    shown = parse_listing(listing([row(1)], claimed="12,345"))

    assert (shown.claimed, shown.has_next) == (12345, True)


def test_one_broken_row_among_good_ones_is_rejected_with_its_reason():
    no_json = """<div class="play-item" data-track-info='{"id":'></div>"""
    no_info = '<div class="play-item"></div>'
    rows = [row(1), no_json, no_info, row(7, id="7"), row(3, url=None), row(4, title=["x"]), row(5)]

    shown = parse_listing(listing(rows))

    assert [one.id for one in shown.rows] == [1, 5]
    assert [bad.place for bad in shown.rejected] == [f"row {number}" for number in range(2, 7)]
    for bad, reason in zip(
        shown.rejected,
        ["is no JSON", "has no data-track-info", "id '7' is no whole", "3 has no url", "no text"],
        strict=True,
    ):
        assert reason in bad.reason


def test_a_text_beyond_all_measure_is_rejected():
    shown = parse_listing(listing([row(1), row(2, handle="x" * (LONGEST_TEXT + 1))]))

    assert [one.id for one in shown.rows] == [1]
    assert "The handle of track 2 has 4,001 characters" in shown.rejected[0].reason


BROKEN_ROW = """<div class="play-item" data-track-info='nothing'></div>"""


@pytest.mark.parametrize(
    ("html", "sentence"),
    [
        ("", "div.pagination-full"),
        (NOT_FOUND, "'Free Music Archive - 404 Page not found - Free Music Archive'"),
        (LOGIN, "'Login - Free Music Archive'"),
        (COOKIE_WALL, "div.pagination-full"),
        (listing_row(row(1)), "beside 1 rows"),
        (pager(1, 200, 588, 1), "Rows 1 to 200 of 588 were looked for as div.play-item, and 0"),
        (pager(1, 2, 2, 1) + listing_row(row(1)), "Rows 1 to 2 of 2"),
        (pager(1, 1, 1, 1) + '<div class="play-item"></div>', "has no data-track-info"),
        (pager(1, 1, 1, 1) + BROKEN_ROW, "in data-track-info of 1 rows, and none can be read"),
        (pager(1, 2, 1, 1) + listing_row(row(1)) * 2, "div.pagination-full"),
        ("x" * (LONGEST_PAGE + 1), "at most 20,000,000 characters"),
    ],
)
def test_a_page_that_is_no_listing_says_what_was_looked_for(html, sentence):
    with pytest.raises(LayoutChanged, match="looked for") as raised:
        parse_listing(html)
    assert sentence in str(raised.value)


def test_a_track_page_says_its_licence_and_the_rest():
    info = track_info(7, title="MoonBeam", artistName="VME")

    page = parse_track(track_page(info, genres=(("Techno", "Techno"), ("Lo-fi Rock", "Lo-fi"))))

    assert (page.title, page.artist, page.licence_url) == ("MoonBeam", "VME", BY)
    assert page.genres == (("Techno", "Techno"), ("Lo-fi Rock", "Lo-fi"))
    assert (page.album, page.released, page.plays) == ("Album", "2023-03-25", 12245)
    assert (page.instrumental, page.ai_generated) == (True, False)
    assert (page.track_info.id, page.track_info.file_url) == (7, info["fileUrl"])


def test_the_player_before_the_track_is_not_taken_for_it():
    html = track_page(track_info(7)).replace('"id": 7', '"id": 999', 1)

    assert '"id": 999' in html
    assert parse_track(html).track_info.id == 7


def test_a_track_of_the_genre_instrumental_keeps_its_genre():
    page = parse_track(track_page(track_info(1), genres=(("Instrumental", "Instrumental"),)))

    assert page.genres == (("Instrumental", "Instrumental"),)
    assert page.instrumental is True


@pytest.mark.parametrize(
    "rows",
    [
        "<dl><dt>Genres</dt><dd><a href='/genre/Techno/'>Techno</a></dd>"
        "<dt>Instrumental</dt><dd>No</dd></dl>",
        "<p><b>Genres:</b> <a href='/genre/Techno'>Techno</a></p><p><b>Instrumental:</b> No</p>",
        "<table><tr><th>Genres</th><td><a href='/genre/Techno'> Techno </a></td></tr>"
        "<tr><th>Instrumental</th><td>No</td></tr></table>",
    ],
)
def test_the_rows_of_a_track_may_be_any_kind_of_table(rows):
    item = f"<div class='play-item' data-track-info='{json.dumps(track_info(1))}'></div>"

    page = parse_track(item + rows)

    assert (page.genres, page.instrumental) == ((("Techno", "Techno"),), False)


def test_a_track_without_licence_has_none():
    page = parse_track(track_page(track_info(1), licence=None))

    assert (page.licence_url, page.title) == (None, "Track 1")


@pytest.mark.parametrize(
    ("html", "sentence"),
    [
        (NOT_FOUND, "404 Page not found"),
        (LOGIN, "'Login - Free Music Archive'"),
        (COOKIE_WALL, "div.play-item"),
        (listing_row(row(1, id="x")), "no whole number"),
        (listing_row(row(1)).replace("ptxt-genre", ""), "a[rel=license]"),
    ],
)
def test_a_page_that_is_no_track_page_says_what_was_looked_for(html, sentence):
    with pytest.raises(LayoutChanged, match="looked for") as raised:
        parse_track(html)
    assert sentence in str(raised.value)


texts = st.text(min_size=1, max_size=60)


@given(title=texts, handle=st.text(min_size=1, max_size=245), artist=texts)
def test_any_title_handle_and_artist_is_read_as_it_is(title, handle, artist):
    info = track_info(1, title=title, handle=handle, artistName=artist)

    (one,) = parse_listing(listing([Row(info)])).rows
    page = parse_track(track_page(info))

    assert (one.title, one.handle, one.artist_name) == (title, handle, artist)
    assert (page.title, page.artist, page.track_info.handle) == (title, artist, handle)


def test_half_a_character_does_not_stop_a_listing():
    (one,) = parse_listing(listing([row(1, title="half \ud83c")])).rows

    assert one.title == "half \ufffd"


scraps = st.lists(
    st.sampled_from(
        [
            listing_row(row(1)),
            pager(1, 1, 1, 1),
            pager("", "", 0, 1),
            track_page(track_info(1)),
            "<div class='play-item' data-track-info='",
            '{"id":1e999}',
            "[" * 500,
            "'>",
            "<span class='ptxt-genre'><a href='http://[/genre/x'>x</a>",
            '<a rel="license">',
            "<b>Plays</b>",
            "<h1>",
            "</div>",
            "\x00",
        ]
    )
    | st.text(max_size=40),
    max_size=12,
)


@given(scraps)
def test_no_html_raises_anything_but_that_the_layout_changed(parts):
    for parse in parse_listing, parse_track:
        try:
            parse("".join(parts))
        except LayoutChanged as error:
            assert str(error)


FIELDS = sorted(track_info(1))
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 2**63, 10**4000, float("nan"), float("inf"), 1.5]),
    st.lists(st.none() | st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            "x" * 1_000_000,
            "\0",
            "a\0b",
            "\ud800",
            "\x9b31m\x1b]0;x\x07",
            "\u202eevil\u2066",
            "20012-13-45T99:00:00Z",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "ftp://freemusicarchive.org/x.mp3",
            "data:audio/mpeg;base64,AAAA",
            "//evil/x.mp3",
            "https://freemusicarchive.org@evil/x.mp3",
            "http://[",
            "https://freemusicarchive.org:99999/",
        ]
    ),
)


@given(st.sampled_from(FIELDS), ODD, st.integers(0, 2), st.sampled_from([1, 3]))
def test_one_odd_value_of_a_row_changes_no_other_row(field, value, place, number_of_rows):
    place = min(place, number_of_rows - 1)
    good = [row(number) for number in range(1, number_of_rows + 1)]
    assume(field != "id" or value not in range(1, number_of_rows + 1))
    odd = [*good]
    odd[place] = Row(good[place].info | {field: value})

    shown = parse_listing(listing(odd))

    others = [one for one in parse_listing(listing(good)).rows if one.id != place + 1]
    assert [one for one in shown.rows if one.id in {o.id for o in others}] == others
    mine = [one for one in shown.rows if one.id not in {o.id for o in others}]
    if not mine:
        (rejected,) = shown.rejected
        assert rejected.place == f"row {place + 1}" and rejected.reason.endswith(".")
        assert len(rejected.reason) < 1_000
        return
    assert shown.rejected == ()
    for name in ("artist_name", "artist_url", "album_title", "playback_url", "file_url"):
        assert isinstance(getattr(mine[0], name), str | None)
    for text in (mine[0].title, mine[0].url, mine[0].handle, mine[0].file_url or ""):
        text.encode()
    named = {"artistName", "artistUrl", "albumTitle", "playbackUrl", "fileUrl"}
    if field in named and not isinstance(value, str | None):
        assert [said.place for said in shown.odd] == [f"track {place + 1}"]
        assert field in shown.odd[0].reason


@given(st.sampled_from(FIELDS), ODD)
def test_one_odd_value_of_a_track_page_is_left_out_or_named(field, value):
    good = parse_track(track_page(track_info(7)))
    try:
        page = parse_track(track_page(track_info(7) | {field: value}))
    except LayoutChanged as error:
        assert field in str(error)
        return
    assert (page.licence_url, page.genres) == (good.licence_url, good.genres)
    assert page.album == good.album or field == "albumTitle"


def test_rows_that_are_all_odd_are_a_changed_layout_but_for_a_few():
    few = parse_listing(listing([row(1, id="a"), row(2, title=None)], claimed=402))
    assert (len(few.rejected), few.rows) == (2, ())
    with pytest.raises(LayoutChanged, match="none can be read"):
        parse_listing(listing([row(number, id=str(number)) for number in range(1, 6)]))


@pytest.mark.parametrize("parse", [parse_listing, parse_track])
@pytest.mark.parametrize(
    "html",
    [
        LOGIN,
        "<title>Sign in to listen</title>",
        "<title>Free Music Archive</title><form><input type=password></form>",
    ],
)
def test_a_login_page_is_called_one(parse, html):
    with pytest.raises(LoginPage, match="requires a login"):
        parse(html)
    with pytest.raises(LayoutChanged) as raised:
        parse(COOKIE_WALL)
    assert not isinstance(raised.value, LoginPage)
