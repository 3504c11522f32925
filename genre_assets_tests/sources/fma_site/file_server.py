"""A file host that misbehaves on demand, and what goes with it in tests."""

import contextlib
import re
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ENDLESS_BLOCKS = 512
"""Blocks of 64 KiB after which an endless body ends all the same: a disk is not endless."""


@dataclass
class File:
    """A file and the manners of the host with it.

    Attributes:
        body: Its bytes.
        etag: Its entity tag, or None.
        last_modified: Its time of last modification, or None.
        content_type: What the host calls it, or None to call it nothing.
        ranges: Whether the host answers a Range with a part.
        checks_if_range: Whether it looks at If-Range, as it should.
        shifted: Bytes by which its parts start elsewhere than was asked.
        length: ``promised``, ``chunked`` or ``none``.
        first: Answers given before the file is: status, headers and body.
        cuts: After how many bytes of a body the connection is cut, one answer after the other.
        stall_after: Bytes of a body after which nothing comes until ``go_on`` is set, or None.
        go_on: Ends the stall.
        change_to: What the file turns into after its first answer: body and etag.
        endless: Whether the body goes on and on.
    """

    body: bytes
    etag: str | None = '"one"'
    last_modified: str | None = None
    content_type: str | None = "audio/mpeg"
    ranges: bool = True
    checks_if_range: bool = True
    shifted: int = 0
    length: str = "promised"
    first: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    stall_after: int | None = None
    go_on: threading.Event = field(default_factory=threading.Event)
    change_to: tuple[bytes, str | None] | None = None
    endless: bool = False


@dataclass
class Request:
    """What the host was asked, and how many bytes of a file it answered with."""

    path: str
    headers: dict[str, str]
    sent: int = 0


class FileServer:
    """Serves files by their path until it is left."""

    def __init__(self, files: dict[str, File]):
        self.files = files
        self.requests: list[Request] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        poll = {"poll_interval": 0.02}
        threading.Thread(target=self._server.serve_forever, kwargs=poll, daemon=True).start()
        return self

    def __exit__(self, *_):
        for file in self.files.values():
            file.go_on.set()
        self._server.shutdown()
        self._server.server_close()

    def asked(self, path):
        """The requests for one path."""
        return [request for request in self.requests if request.path == path]


class Pace:
    """Gives every turn at once, one at a time, and remembers who was asked to hold off."""

    def __init__(self):
        self.turns = 0
        self.held_off = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def turn(self):
        assert self._lock.acquire(blocking=False), "two requests at a time"
        try:
            self.turns += 1
            yield
        finally:
            self._lock.release()

    def hold_off(self, seconds):
        assert not self._lock.locked(), "held off within a turn"
        self.held_off.append(seconds)


class Robots:
    """Allows all but the paths that hold a word."""

    def __init__(self, forbidden=None):
        self._forbidden = forbidden

    def allows(self, url):
        return self._forbidden is None or self._forbidden not in url


def _handler_of(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            request = Request(self.path, {k.lower(): v for k, v in self.headers.items()})
            server.requests.append(request)
            file = server.files.get(self.path)
            if file is None:
                self._whole(404, {"Content-Type": "text/html"}, b"<title>404</title>")
            elif file.first:
                self._whole(*file.first.pop(0))
            else:
                self._file(file, request)

        def _whole(self, status, headers, body):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _file(self, file, request):
            start = self._start(file, request)
            body, etag = file.body, file.etag
            if file.change_to:
                (file.body, file.etag), file.change_to = file.change_to, None
            if start is not None and start >= len(body):
                self._whole(416, {"Content-Range": f"bytes */{len(body)}"}, b"")
                return
            self.send_response(200 if start is None else 206)
            headers = {
                "Content-Type": file.content_type,
                "ETag": etag,
                "Last-Modified": file.last_modified,
            }
            if start is not None:
                start += file.shifted
                headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            body = body[start or 0 :]
            match file.length:
                case "promised":
                    headers["Content-Length"] = str(len(body))
                case "chunked":
                    headers["Transfer-Encoding"] = "chunked"
                case "none":
                    headers["Connection"] = "close"
            for name, value in headers.items():
                if value is not None:
                    self.send_header(name, value)
            self.end_headers()
            self._send(file, request, body)

        def _start(self, file, request):
            found = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
            if not found or not file.ranges:
                return None
            validator = request.headers.get("if-range")
            same = validator in (None, file.etag, file.last_modified)
            return int(found[1]) if same or not file.checks_if_range else None

        def _send(self, file, request, body):
            cut = file.cuts.pop(0) if file.cuts else None
            stall = file.stall_after
            if stall is not None:
                file.stall_after = None
                self._part(file, request, body[:stall])
                file.go_on.wait(30)
                body = body[stall:]
            self._part(file, request, body if cut is None else body[:cut])
            if file.endless:
                with contextlib.suppress(OSError):
                    for _ in range(ENDLESS_BLOCKS):
                        self._part(file, request, b"\xff" * 65536)
                self.close_connection = True
                return
            if cut is not None and cut < len(body):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_WR)
            elif file.length == "chunked":
                self.wfile.write(b"0\r\n\r\n")

        def _part(self, file, request, part):
            if part and file.length == "chunked":
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            else:
                self.wfile.write(part)
            request.sent += len(part)

        def handle(self):
            try:
                super().handle()
            except OSError:
                self.close_connection = True

    return Handler
