"""What the site answers to a request for a path, whatever host was named."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from genre_assets.demo.site.listing import PAGE_SIZES, listing_page
from genre_assets.demo.site.misbehaviour import Answer, Misbehaviour
from genre_assets.demo.site.tracks import SiteContent, SiteTrack, path_of

ROWS_BETWEEN_ADS = 5
FILE_FOLDER = "storage-freemusicarchive-org"
PAGE_TYPE = "text/html; charset=UTF-8"
FILE_TYPE = "audio/mpeg"

COOKIES = (
    "XSRF-TOKEN=demo; Path=/; SameSite=Lax",
    "free_music_archive_session=demo; Path=/; HttpOnly; SameSite=Lax",
    "first_browse=1; Path=/; SameSite=Lax",
)

ROBOTS = """\
# The demo's robots.txt: signals and rules for crawlers that gather for models, then the rest.
User-agent: *
Content-Signal: search=yes, ai-train=no, use=reference
Allow: /

User-agent: ExampleAiCrawler
Disallow: /

User-agent: *
Disallow: /api/
Disallow: /*?*utm_source=
"""

_FOLDER = Path(__file__).parent
_SCRIPTS = {"banner.js": "text/javascript; charset=UTF-8", "site.css": "text/css; charset=UTF-8"}
_RANGE = re.compile(r"bytes=(\d{1,15})?-(\d{1,15})?")


@dataclass(frozen=True)
class Reply:
    """An answer as it goes over the wire.

    Attributes:
        status: HTTP status.
        kind: Media type.
        body: The body.
        headers: Headers beside type and length.
    """

    status: int
    kind: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def reply_to(
    target: str,
    headers: Mapping[str, str],
    content: SiteContent,
    misbehaviour: Misbehaviour,
    wrong: Answer,
) -> Reply:
    """Answer a request.

    Args:
        target: Path and query.
        headers: Headers of the request; those of a name in any case.
        content: What the site shows.
        misbehaviour: What it does wrong.
        wrong: What it does wrong with this request.
    """
    if wrong.status:
        retry = (("Retry-After", wrong.retry_after),) if wrong.retry_after else ()
        return Reply(wrong.status, "text/plain; charset=UTF-8", b"Not now.\n", retry)
    if wrong.html:
        return _page(200, "login")
    parts = urlsplit(f"//site{target}")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    match [unquote(word) for word in parts.path.split("/") if word]:
        case []:
            return _page(200, "home", genres=_counted_genres(content))
        case ["robots.txt"]:
            text = ROBOTS if misbehaviour.robots is None else misbehaviour.robots
            return Reply(200, "text/plain; charset=UTF-8", text.encode())
        case ["static", name] if name in _SCRIPTS:
            return Reply(200, _SCRIPTS[name], (_FOLDER / "static" / name).read_bytes())
        case ["genre", slug] if slug in content.names:
            return _listing(slug, query, content, misbehaviour)
        case ["music", *_]:
            return _music(path_of(parts.path), content, misbehaviour)
        case ["track", handle, what] if track := _named(handle, content):
            return _of_track(track, what)
        case [folder, *_] if folder == FILE_FOLDER:
            return _file(path_of(parts.path), query, headers, content, wrong)
    return _not_found()


def _counted_genres(content: SiteContent) -> list[tuple[str, str, int]]:
    genres = sorted(content.names.items(), key=lambda genre: genre[1].casefold())
    return [(slug, name, len(content.of_genre(slug))) for slug, name in genres]


def _listing(
    slug: str, query: Mapping[str, str], content: SiteContent, misbehaviour: Misbehaviour
) -> Reply:
    return _page(
        200,
        "listing",
        name=content.names[slug],
        listing=listing_page(content.of_genre(slug), query, misbehaviour),
        sizes=PAGE_SIZES,
        has_rows=not misbehaviour.no_rows,
        has_info=not misbehaviour.rows_without_info,
        rows_between_ads=ROWS_BETWEEN_ADS,
    )


def _music(path: str, content: SiteContent, misbehaviour: Misbehaviour) -> Reply:
    rows = {track.id: track for track in content.rows}.values()
    for track in rows:
        if track.page_path == path:
            return _page(200, "track", track=track, has_info=not misbehaviour.rows_without_info)
    if album := [track for track in rows if track.album_url and path_of(track.album_url) == path]:
        info = album[0].info
        return _page(200, "tracks", name=info["albumTitle"], by=info["artistName"], tracks=album)
    if own := [t for t in rows if t.info["artistUrl"] and path_of(t.info["artistUrl"]) == path]:
        return _page(200, "tracks", name=own[0].info["artistName"], by=None, tracks=own)
    return _not_found()


def _named(handle: str, content: SiteContent) -> SiteTrack | None:
    return next((track for track in content.rows if track.info["handle"] == handle), None)


def _of_track(track: SiteTrack, what: str) -> Reply:
    match what:
        case "stream":
            return _redirect(track.info["fileUrl"])
        case "download":
            name = quote(f"{track.info['artistName']} - {track.info['title']}.mp3", safe="")
            return _redirect(f"{track.info['fileUrl']}?download=1&name={name}")
        case "downloadOverlay":
            return _page(200, "overlay", track=track)
    return _not_found()


def _redirect(url: str) -> Reply:
    cookies = tuple(("Set-Cookie", cookie) for cookie in COOKIES)
    return Reply(302, PAGE_TYPE, b"", (("Location", url), *cookies))


def _file(
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    content: SiteContent,
    wrong: Answer,
) -> Reply:
    body = _audio(path, content)
    if body is None:
        return _not_found()
    etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    if wrong.new_etag:
        body, etag = _changed(body), f'{etag[:-1]}-2"'
    about = [("ETag", etag), ("Accept-Ranges", "none" if wrong.no_range else "bytes")]
    if query.get("download") == "1":
        name = quote(query.get("name", "track.mp3"), safe="")
        about.append(("Content-Disposition", f"attachment; filename*=UTF-8''{name}"))
    requested = _RANGE.fullmatch(headers.get("Range", ""))
    if wrong.no_range or not requested or headers.get("If-Range", etag) != etag:
        return Reply(200, FILE_TYPE, body, tuple(about))
    first, last = _bounds(requested, len(body))
    if first > last:
        return Reply(416, FILE_TYPE, b"", (*about, ("Content-Range", f"bytes */{len(body)}")))
    about.append(("Content-Range", f"bytes {first}-{last}/{len(body)}"))
    return Reply(206, FILE_TYPE, body[first : last + 1], tuple(about))


def _audio(path: str, content: SiteContent) -> bytes | None:
    audio = next((track.audio for track in content.rows if track.file_path == path), None)
    if not isinstance(audio, Path):
        return audio
    return audio.read_bytes() if audio.is_file() else None


def _changed(body: bytes) -> bytes:
    """Another content of the same length, which can be told from the first by its ETag alone."""
    tail = bytes(byte ^ 0xFF for byte in body[-256:])
    return body[: -len(tail)] + tail if tail else body


def _bounds(requested: re.Match[str], length: int) -> tuple[int, int]:
    """First and last byte of a range; the first lies behind the last when there is none."""
    first, last = requested.groups()
    if first is None:
        return max(length - int(last or 0), 0), length - 1
    return int(first), min(int(last or length), length - 1)


def _not_found() -> Reply:
    return _page(404, "not_found")


def _page(status: int, template: str, **values: object) -> Reply:
    html = _templates().get_template(f"{template}.html.j2").render(**values)
    headers = (("Cache-Control", "no-cache, private"), *(("Set-Cookie", c) for c in COOKIES))
    return Reply(status, PAGE_TYPE, html.encode(), headers)


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Links lead to this server, whatever host the rows name.
    templates.filters["path"] = lambda url: urlsplit(url or "").path
    templates.filters["as_info"] = _as_info
    templates.filters["short"] = _short
    return templates


def _as_info(info: Mapping[str, object]) -> Markup:
    """JSON as the site writes it between the single quotes of an attribute."""
    text = json.dumps(dict(info), separators=(",", ":")).replace("/", r"\/")
    for sign in "'&<>":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 (nothing is left in it that could end the attribute)


def _short(number: int) -> str:
    """A number as listings abbreviate it, such as ``12.2K``."""
    return f"{number / 1000:.1f}K" if number >= 1000 else str(number)
