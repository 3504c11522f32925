"""The replica's server: pages and files of the site, on the loopback interface alone."""

import socket
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from genre_assets.demo.site.misbehaviour import Answer, Misbehaviour
from genre_assets.demo.site.replies import FILE_FOLDER, FILE_TYPE, PAGE_TYPE, Reply, reply_to
from genre_assets.demo.site.tracks import SiteContent, SiteTrack
from genre_assets.errors import UserError

CHUNK = 64 * 1024
MOST_ENDLESS_BYTES = 64 * 2**20
LOOPBACK = "127.0.0.1"

_LOOK_EVERY_S = 0.02


@dataclass
class Request:
    """A request that came.

    Attributes:
        at: When.
        method: GET or HEAD.
        path: Path and query.
        range: The header of that name, or None.
        agent: The User-Agent.
        status: What was answered; 0 while it is under way, and when there was no answer.
        sent: Bytes of the body that were sent.
    """

    at: datetime
    method: str
    path: str
    range: str | None
    agent: str
    status: int = 0
    sent: int = 0


class ReplicaSite:
    """The site on a port of this machine, while the context lasts.

    Args:
        content: What it shows.
        port: 0 takes a free one.

    Attributes:
        content: What it shows; may be changed while it serves.
        misbehaviour: What it does wrong at the moment.
        requests: What was requested, in order.
        most_in_flight: Requests that were under way at the same time, at most. One whose client
            has hung up is under way no more.

    Raises:
        UserError: If the port cannot be had.
    """

    def __init__(self, content: SiteContent, port: int = 0):
        self.content = content
        self.misbehaviour = Misbehaviour()
        self.requests: list[Request] = []
        self.most_in_flight = 0
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._in_flight: set[socket.socket] = set()
        try:
            self._server = _Server((LOOPBACK, port), self)
        except (OSError, OverflowError) as error:
            raise UserError(
                f"The demo's site cannot listen on port {port} ({error}): stop what uses it, or "
                "choose another one (see --help)."
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_LOOK_EVERY_S,), daemon=True
        )

    @property
    def base(self) -> str:
        """Where it is, such as ``http://127.0.0.1:8765``."""
        return f"http://{LOOPBACK}:{self._server.server_port}"

    def __enter__(self) -> "ReplicaSite":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add(self, tracks: Iterable[SiteTrack]) -> None:
        """Publish tracks, the newest first."""
        self.content = self.content.with_tracks(tracks)

    def remove(self, *ids: int) -> None:
        """Take tracks off the site: page, file and rows."""
        self.content = self.content.without(ids)

    def misbehave(self, *answers: Answer, **changes: Any) -> None:
        """Do these things wrong from now on, and nothing else.

        Args:
            *answers: What goes wrong with single requests.
            **changes: Other fields of ``Misbehaviour``.
        """
        self.misbehaviour = Misbehaviour(list(answers), **changes)

    def behave(self) -> None:
        """Do nothing wrong from now on."""
        self.misbehaviour = Misbehaviour()

    def downloads(self) -> list[Request]:
        """The requests for audio."""
        return [r for r in self.requests if r.path.startswith(f"/{FILE_FOLDER}/")]

    def begin(self, request: Request, connection: socket.socket) -> None:
        """Note that a request is under way."""
        with self._lock:
            self.requests.append(request)
            self._in_flight = {c for c in self._in_flight if not _has_hung_up(c)} | {connection}
            self.most_in_flight = max(self.most_in_flight, len(self._in_flight))

    def finish(self, connection: socket.socket) -> None:
        """Note that a request is answered."""
        with self._lock:
            self._in_flight.discard(connection)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], site: ReplicaSite):
        self.site = site
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without looking up the name of the address, which would ask a name server."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # pyright: ignore[reportAttributeAccessIssue]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Stop listening, and leave no connection that would go on being served."""
        super().server_close()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is nothing to report; anything else is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are kept in ``ReplicaSite.requests`` and not printed."""

    def do_GET(self) -> None:
        site = self.server.site
        self.request_now = Request(
            datetime.now(UTC),
            self.command,
            self.path,
            self.headers.get("Range"),
            self.headers.get("User-Agent", ""),
        )
        site.begin(self.request_now, self.connection)
        try:
            self._answer(site)
        finally:
            site.finish(self.connection)

    do_HEAD = do_GET  # noqa: N815

    def _answer(self, site: ReplicaSite) -> None:
        misbehaviour = site.misbehaviour
        wrong = misbehaviour.for_path(self.path) or Answer("")
        if wrong.hangs:
            self._hang(site)
            return
        site.closing.wait(wrong.wait_s)
        if wrong.endless:
            self._send_without_end(wrong.announced)
            return
        headers = {name.title(): value for name, value in self.headers.items()}
        reply = reply_to(self.path, headers, site.content, misbehaviour, wrong)
        self._send(reply, wrong.cut_after)

    def _hang(self, site: ReplicaSite) -> None:
        self.close_connection = True
        while not site.closing.wait(_LOOK_EVERY_S) and not _has_hung_up(self.connection):
            pass

    def _send(self, reply: Reply, cut_after: int | None) -> None:
        self.request_now.status = reply.status
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers:
            self.send_header(name, value)
        body = b"" if self.command == "HEAD" else reply.body[:cut_after]
        if cut_after is not None and cut_after < len(reply.body):
            self.close_connection = True
        start, end = body[:-CHUNK], body[-CHUNK:]
        if start:
            self.end_headers()
            self._write(start)
        # The client may come back as soon as it has the end, before this thread gets to say so.
        self.server.site.finish(self.connection)
        if not start:
            self.end_headers()
        self._write(end)

    def _write(self, block: bytes) -> None:
        self.request_now.sent += len(block)
        self.wfile.write(block)

    def _send_without_end(self, announced: int | None) -> None:
        self.close_connection = True
        self.request_now.status = 200
        is_file = self.path.startswith(f"/{FILE_FOLDER}/")
        self.send_response(200)
        self.send_header("Content-Type", FILE_TYPE if is_file else PAGE_TYPE)
        if announced is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(announced))
        self.end_headers()
        block = (b"\xff" if is_file else b" ") * CHUNK
        for _ in range(MOST_ENDLESS_BYTES // CHUNK):
            self._write(block if announced is not None else b"%x\r\n%b\r\n" % (CHUNK, block))


def _has_hung_up(connection: socket.socket) -> bool:
    """Whether the client has closed its end of a connection."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
