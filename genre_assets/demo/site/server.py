"""The replica's server: listings, pages and files by path, on the loopback interface alone."""

import hashlib
import json
import threading
import time
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from jinja2 import Environment, PackageLoader, select_autoescape

from genre_assets.demo.site.content import SiteContent, SiteTrack
from genre_assets.demo.site.misbehaviour import Answer, Misbehaviour
from genre_assets.errors import UserError

PAGE_SIZES = (15, 20, 25, 50, 100, 200)
DEFAULT_PAGE_SIZE = 20
ROWS_BETWEEN_ADS = 5
CHUNK = 64 * 1024
MOST_ENDLESS_BYTES = 64 * 2**20

ROBOTS = """\
# The demo's robots.txt: the site's own rules and a block of signals, as the real one has.
User-agent: *
Content-Signal: search=yes, ai-train=no, use=reference
Allow: /

User-agent: ExampleAiCrawler
Disallow: /

User-agent: *
Disallow: /api/
Disallow: /*?*utm_source=
"""

_SORTS = {
    "date": lambda track: track.id,
    "interest": lambda track: track.plays,
    "artist": lambda track: (track.info["artistName"].lower(), track.id),
    "track": lambda track: (track.info["title"].lower(), track.id),
    "album": lambda track: (track.info["albumTitle"].lower(), track.id),
}


@dataclass(frozen=True)
class Request:
    """A request that came.

    Attributes:
        at: When.
        method: GET or HEAD.
        path: Path and query.
        range: The header of that name, or None.
        agent: The User-Agent.
        status: What was answered; 0 while it is under way.
    """

    at: datetime
    method: str
    path: str
    range: str | None
    agent: str
    status: int


class ReplicaSite:
    """The site on a port of this machine, while the context lasts.

    Args:
        content: What it shows; may be changed while it serves.
        port: 0 takes a free one.

    Attributes:
        content: As given.
        misbehaviour: What it does wrong at the moment.
        requests: What was asked for, in order.
        most_in_flight: Requests that were under way at the same time, at most.

    Raises:
        UserError: If the port is taken.
    """

    def __init__(self, content: SiteContent, port: int = 0):
        self.content = content
        self.misbehaviour = Misbehaviour()
        self.requests: list[Request] = []
        self.most_in_flight = 0
        self._in_flight = 0
        self._lock = threading.Lock()
        try:
            self._server = _Server(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise UserError(
                f"The demo's site cannot listen on port {port} ({error.strerror}): end what uses "
                "it, or choose another with --port."
            ) from error
        self._server.site = self
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def base(self) -> str:
        """Where it is, such as ``http://127.0.0.1:8765``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "ReplicaSite":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, tracks: Iterable[SiteTrack]) -> None:
        """Publish tracks, the newest first again."""
        self.content = SiteContent(
            sorted([*self.content.rows, *tracks], key=lambda track: -track.id)
        )

    def remove(self, *ids: int) -> None:
        """Take tracks off the site: page, file and rows."""
        self.content = SiteContent([row for row in self.content.rows if row.id not in ids])

    def downloads(self) -> list[Request]:
        """The requests for audio."""
        return [request for request in self.requests if "/tracks/" in request.path]

    @contextmanager
    def _counted(self, handler: "_Handler"):
        with self._lock:
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1
                self.requests.append(
                    Request(
                        datetime.now(UTC),
                        handler.command,
                        handler.path,
                        handler.headers.get("Range"),
                        handler.headers.get("User-Agent", ""),
                        handler.answered,
                    )
                )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    site: ReplicaSite

    def handle_error(self, request, client_address) -> None:
        """A guest that hangs up in mid-answer is nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"  # pyright: ignore[reportIncompatibleVariableOverride]
    answered = 0

    def log_message(self, format, *args) -> None:
        """Requests are kept in ``ReplicaSite.requests`` and not printed."""

    def do_GET(self) -> None:
        self.answered = 0
        with self.server.site._counted(self):
            self._serve()

    do_HEAD = do_GET  # noqa: N815

    def _serve(self) -> None:
        site = self.server.site
        wrong = site.misbehaviour.for_path(self.path)
        if wrong:
            time.sleep(wrong.wait_s)
            if wrong.status:
                retry = {"Retry-After": wrong.retry_after} if wrong.retry_after else {}
                return self._send(wrong.status, "text/plain", b"Not now.\n", retry)
            if wrong.html:
                return self._send(200, "text/html; charset=UTF-8", _page("login.html.j2"))
            if wrong.endless:
                return self._send_without_end()
        parts = urlsplit(self.path)
        words = [word for word in parts.path.split("/") if word]
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        match words:
            case []:
                self._html(200, "home.html.j2", genres=sorted(site.content.names.items()))
            case ["robots.txt"]:
                robots = site.misbehaviour.robots
                text = ROBOTS if robots is None else robots
                self._send(200, "text/plain; charset=UTF-8", text.encode())
            case ["banner.js"]:
                self._send(200, "text/javascript", _page("banner.js"))
            case ["genre", slug] if slug in site.content.names:
                self._listing(slug, query)
            case ["music", *_]:
                self._music(parts.path)
            case ["track", handle, "stream" | "download"]:
                self._redirect(handle)
            case ["track", handle, "downloadOverlay"]:
                self._overlay(handle)
            case ["storage-freemusicarchive-org", *_]:
                self._file(parts.path, wrong or Answer(""))
            case _:
                self._not_found()

    def _listing(self, slug: str, query: dict[str, str]) -> None:
        site = self.server.site
        tracks = site.content.of_genre(slug)
        sort = query.get("sort", "date")
        sort = sort if sort in _SORTS else "date"
        downwards = query.get("d") != "1"
        newest_first = sort == "date" and downwards
        if not newest_first:
            tracks = sorted(tracks, key=_SORTS[sort], reverse=downwards)
        size = int(query["pageSize"]) if query.get("pageSize", "").isdigit() else 0
        size = size if size in PAGE_SIZES else DEFAULT_PAGE_SIZE
        number = int(query["page"]) if query.get("page", "").isdigit() else 1
        claimed = len(tracks)
        if newest_first:
            tracks = _at_borders(tracks, size, site.misbehaviour)
        pages = max(-(-len(tracks) // size), 1)
        if not 1 <= number <= pages:
            return self._not_found()
        shown = tracks[(number - 1) * size : number * size]
        return self._html(
            200,
            "listing.html.j2",
            name=site.content.names[slug],
            slug=slug,
            rows=[] if site.misbehaviour.no_rows else shown,
            with_info=not site.misbehaviour.rows_without_info,
            info=_attribute,
            ads_after=ROWS_BETWEEN_ADS,
            first=(number - 1) * size + 1 if shown else 0,
            last=(number - 1) * size + len(shown),
            claimed=claimed,
            size=size,
            sizes=PAGE_SIZES,
            number=number,
            pages=pages,
        )

    def _music(self, path: str) -> None:
        for track in self.server.site.content.rows:
            if path.rstrip("/") == track.page_path.rstrip("/"):
                return self._html(200, "track.html.j2", track=track, info=_attribute)
        here = path.rstrip("/") + "/"
        tracks = [t for t in self.server.site.content.rows if t.page_path.startswith(here)]
        if not tracks or here.count("/") < 3:
            return self._not_found()
        return self._html(200, "artist.html.j2", tracks=tracks)

    def _by_handle(self, handle: str) -> SiteTrack | None:
        rows = self.server.site.content.rows
        return next((track for track in rows if track.info["handle"] == handle), None)

    def _redirect(self, handle: str) -> None:
        track = self._by_handle(handle)
        if track is None:
            return self._not_found()
        name = f"?download=1&name={handle}.mp3" if self.path.endswith("/download/") else ""
        return self._send(302, "text/plain", b"", {"Location": track.file_path + name})

    def _overlay(self, handle: str) -> None:
        track = self._by_handle(handle)
        if track is None:
            return self._not_found()
        return self._html(200, "overlay.html.j2", track=track)

    def _file(self, path: str, wrong: Answer) -> None:
        rows = self.server.site.content.rows
        track = next((track for track in rows if track.file_path == path), None)
        if track is None or track.audio is None or not track.audio.exists():
            return self._not_found()
        content = track.audio.read_bytes()
        if wrong.new_etag:
            content = content[::-1]
        etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        headers = {"ETag": etag, "Accept-Ranges": "none" if wrong.no_range else "bytes"}
        start = 0 if wrong.no_range else self._start(etag)
        if start and start >= len(content):
            headers["Content-Range"] = f"bytes */{len(content)}"
            return self._send(416, "audio/mpeg", b"", headers)
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        status = 206 if start else 200
        return self._send(status, "audio/mpeg", content[start:], headers, wrong.cut_after)

    def _start(self, etag: str) -> int:
        """First byte that is asked for, 0 when another file was meant or no range is."""
        asked = self.headers.get("Range", "")
        if self.headers.get("If-Range", etag) != etag or not asked.startswith("bytes="):
            return 0
        first, _, last = asked.removeprefix("bytes=").partition("-")
        return int(first) if first.isdigit() and not last else 0

    def _not_found(self) -> None:
        self._html(404, "not_found.html.j2")

    def _html(self, status: int, template: str, **values) -> None:
        cookies = {"Set-Cookie": "first_browse=1; path=/"}
        self._send(status, "text/html; charset=UTF-8", _page(template, **values), cookies)

    def _send(
        self,
        status: int,
        kind: str,
        body: bytes,
        headers: dict[str, str] | None = None,
        cut_after: int | None = None,
    ) -> None:
        self.answered = status
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body[:cut_after])
        if cut_after is not None and cut_after < len(body):
            self.close_connection = True

    def _send_without_end(self) -> None:
        self.answered = 200
        self.send_response(200)
        self.send_header("Content-Type", "audio/mpeg")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for _ in range(MOST_ENDLESS_BYTES // CHUNK):
            self.wfile.write(bytes(CHUNK))


def _at_borders(tracks: list[SiteTrack], size: int, wrong: Misbehaviour) -> list[SiteTrack]:
    """What the default order shows: without what it hides, and with what it repeats."""
    shown = [track for track in tracks if track.id not in wrong.hidden]
    if wrong.repeated_at_border and len(shown) > size:
        shown = [*shown[:size], *shown[size - 1 :]]
    return shown


def _attribute(info: dict) -> str:
    """A JSON object as it stands between single quotes of an attribute."""
    text = json.dumps(info, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
    for character in "'&<>":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("genre_assets.demo.site"),
        autoescape=select_autoescape(("html.j2",)),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Links lead to this server, whatever host the rows name.
    templates.filters["path"] = lambda url: urlsplit(url).path if url else "#"
    return templates


def _page(template: str, **values) -> bytes:
    return _templates().get_template(template).render(**values).encode()
