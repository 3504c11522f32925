"""Pages of the site as its server writes them, and a small site of them for tests."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html import escape
from urllib.parse import parse_qs, urlsplit

from genre_assets.sources.fma_site.archive import KeptPage

SITE = "https://freemusicarchive.org"
FILES = "https://files.freemusicarchive.org/storage-freemusicarchive-org"
BY = "https://creativecommons.org/licenses/by/4.0"
NOT_FOUND = (
    "<html><head><title>Free Music Archive - 404 Page not found - Free Music Archive</title></head>"
    "<body><h1>Page not found</h1></body></html>"
)
LOGIN = (
    "<html><head><title>Login - Free Music Archive</title></head>"
    "<body><form action='/login'><input name='email'></form></body></html>"
)
COOKIE_WALL = (
    "<html><head><title>Free Music Archive</title></head>"
    "<body><div id='CybotCookiebotDialog'>This website uses cookies</div></body></html>"
)


def track_info(number, **changes):
    """The JSON of a track of artist-<number % 3>."""
    artist = f"artist-{number % 3}"
    info = {
        "id": number,
        "handle": f"track-{number}",
        "url": f"{SITE}/music/{artist}/album/track-{number}/",
        "title": f"Track {number}",
        "artistName": f"Artist {number % 3}",
        "artistUrl": f"{SITE}/music/{artist}/",
        "albumTitle": "Album",
        "playbackUrl": f"{SITE}/track/track-{number}/stream/",
        "downloadUrl": f"{SITE}/track/track-{number}/download/",
        "fileName": f"{number}.mp3",
        "fileUrl": f"{FILES}/tracks/{number:040}.mp3",
    }
    return info | changes


@dataclass(frozen=True)
class Row:
    """What a row of a listing shows."""

    info: dict
    duration: str = "02:45"
    genres: tuple = (("Electronic", "Electronic"), ("Drum & Bass", "Drum_amp_Bass"))
    album_url: str | None = f"{SITE}/music/artist/album"


def row(number, **changes):
    return Row(track_info(number, **changes))


def attribute(value):
    """JSON as the server writes it between single quotes."""
    text = json.dumps(value).replace("/", r"\/")
    for sign in "'&<>":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def shown(value):
    """A value as the text of a page, whatever it is."""
    return escape(str(value or ""))


def listing_row(row):
    info = row.info
    album = "<span>—</span>"
    if row.album_url:
        album = f'<a href="{row.album_url}">{shown(info["albumTitle"])}</a>'
    genres = " , ".join(
        f'<a href="{SITE}/genre/{slug}/">{escape(name)}</a>' for name, slug in row.genres
    )
    return f"""
<div class="play-item odd gcol grid w-full gid-electronic tid-{info["id"]}"
     data-track-info='{attribute(info)}'>
  <span class="inline-flex big-play"><i class="icn-play"></i></span>
  <span class="ptxt-track"><a href="{escape(str(info["url"]))}">
      {shown(info["title"])}</a></span>
  <span class="ptxt-artist"><span>by</span>
      <a href="{shown(info["artistUrl"]) or "#"}">{shown(info["artistName"])}</a></span>
  <span class="hidden ptxt-album">{album}</span>
  <span class="ptxt-genre">{genres}</span>
  <span class="inline-flex w-12">{row.duration}</span>
  <span class="controls"><a class="icn js-download"
      data-url="{SITE}/track/x/downloadOverlay/">Download</a></span>
</div>"""


def pager(first, last, claimed, page):
    return f"""
<div class="pagination-full"><span>Results <b>{first}</b> - <b>{last}</b> of <b>{claimed}</b></span>
  <select class="per_page"><option>20</option><option>200</option></select>
  <a class="icn pagination-prev"></a> <a>{max(page - 1, 1)}</a>
  <span class="bg-blue text-white">{page}</span> <a>{page + 1}</a>
  <a class="icn pagination-next"></a></div>"""


def listing(rows, first=1, claimed=None, page=1):
    """One page of a listing, with an advertisement after every fifth row."""
    claimed = len(rows) if claimed is None else claimed
    parts = []
    for number, one in enumerate(rows, start=1):
        parts.append(one if isinstance(one, str) else listing_row(one))
        if number % 5 == 0:
            parts.append('<div class="freestar-ads"></div>')
    numbers = (first, first + len(rows) - 1) if rows else ("", "")
    return f"""<!DOCTYPE html><html><head><title>Techno - Free Music Archive</title></head><body>
<header><nav><span>Genres</span><a href="{SITE}/genre/Blues/">Blues</a></nav></header>
<div data-track-info='{{"id":1}}' class="player"></div>
<div class="w-full">{"".join(parts)}</div>
{pager(*numbers, claimed, page)}</body></html>"""


def track_page(info, licence=BY, genres=(("Techno", "Techno"),), instrumental="Yes", ai="No"):
    link = f'<a rel="license" href="{licence}">A licence</a>' if licence else ""
    links = " ".join(f'<a href="{SITE}/genre/{slug}/">{escape(name)}</a>' for name, slug in genres)
    title, artist = shown(info["title"]), shown(info["artistName"])
    album = shown(info["albumTitle"])
    return f"""<!DOCTYPE html>
<html><head><title>{artist} - {title} - Free Music Archive</title></head><body>
<header><nav><span>Genres</span><a href="{SITE}/genre/Blues/">Blues</a></nav></header>
<div data-track-info='{attribute(info)}' class="player"></div>
<h1>{title}</h1><h2>{artist}</h2>
<div class="play-item grid" data-track-info='{attribute(info)}'><span class="big-play"></span></div>
<div class="row"><span>Released</span><span>2023-03-25</span></div>
<div class="row"><span>Plays</span><span title="12245">12.2K</span></div>
{link}
<div class="row"><span>Genres</span><span>{links}</span></div>
<div class="row"><span>Album</span><span><a href="#">{album}</a></span></div>
<div class="row"><span>Instrumental</span><span>{instrumental}</span></div>
<div class="row"><span>AI generated?</span><span>{ai}</span></div>
</body></html>"""


@dataclass
class Clock:
    """A clock that goes on by a second whenever it is read."""

    time: datetime = datetime(2026, 8, 3, tzinfo=UTC)

    def __call__(self):
        self.time += timedelta(seconds=1)
        return self.time

    def later(self, **span):
        self.time += timedelta(**span)


@dataclass
class SmallSite:
    """Answers what is requested as the site would, and notes it.

    Attributes:
        genres: Numbers of the tracks of each genre, newest first.
        rows: The row of a track where it is no ordinary one.
        licences: The licence of a track where it is not BY; None for none.
        answers: The page, or the status, of a URL where it is no ordinary one.
        claimed: What the pager of a genre says where it is wrong.
    """

    genres: dict
    rows: dict = field(default_factory=dict)
    licences: dict = field(default_factory=dict)
    answers: dict = field(default_factory=dict)
    claimed: dict = field(default_factory=dict)
    page_size: int = 200
    clock: Clock = field(default_factory=Clock)
    asked: list = field(default_factory=list)
    before_answer: object = None

    def read(self, address, kind):
        url = f"{SITE}{address}" if address.startswith("/") else address
        self.asked.append((kind, url))
        if self.before_answer:
            self.before_answer(url)
        status, html = self._answer(url, kind)
        return KeptPage(url, url, status, html, self.clock())

    def requested_retries(self, kind):
        return [url for asked, url in self.asked if asked == kind]

    def _answer(self, url, kind):
        special = self.answers.get(url)
        if special is not None:
            return (special, NOT_FOUND) if isinstance(special, int) else (200, special)
        parts = urlsplit(url)
        if kind == "listing":
            return self._listing(parts.path.split("/")[2], parse_qs(parts.query))
        for number in {n for numbers in self.genres.values() for n in numbers}:
            info = self.row(number).info
            if info["url"] == url:
                return 200, track_page(info, self.licences.get(number, BY))
        return 404, NOT_FOUND

    def _listing(self, genre, query):
        if genre not in self.genres:
            return 404, NOT_FOUND
        numbers = self.genres[genre]
        if query["sort"] == ["track"]:
            numbers = sorted(set(numbers))
        page = int(query["page"][0])
        first = (page - 1) * self.page_size
        shown = [self.row(number) for number in numbers[first : first + self.page_size]]
        claimed = self.claimed.get(genre, len(numbers))
        return 200, listing(shown, first + 1, claimed, page)

    def row(self, number):
        return self.rows.get(number) or row(number)


def real_row(record):
    """A row of the real listing as it was parsed."""
    return Row(
        record["data_track_info"],
        record["duration"],
        tuple((name, url.rstrip("/").rpartition("/")[2]) for name, url in record["genres"]),
        record["album_url"],
    )


def without_genres(one):
    return replace(one, genres=())
