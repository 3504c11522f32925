"""A web server on this machine that answers as a test wants, and a browser to ask it."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from genre_assets.sources.fma_site.browser import BrowserMissing, Chromium, find_chromium
from genre_assets.sources.fma_site.browser_guardian import processes_of


@dataclass
class WebAnswer:
    body: str | bytes = "<!doctype html><title>A page</title><p>Hello.</p>"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    promised: int | None = None  # the length that is announced, where the body is cut
    cookies: list[str] = field(default_factory=list)
    held: threading.Event | None = None  # answers no sooner


@dataclass
class WebServer:
    port: int
    answers: dict[str, WebAnswer | Callable[[int], WebAnswer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    _holds: list[threading.Event] = field(default_factory=list)

    def hold(self) -> threading.Event:
        """Holds an answer back until the test ends."""
        self._holds.append(threading.Event())
        return self._holds[-1]

    def release(self) -> None:
        """Let all answers go that are held back."""
        for hold in self._holds:
            hold.set()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def base(self) -> str:
        return f"http://{self.host}"

    def answer(self, path: str) -> WebAnswer:
        """What a path answers; a function is told how often it was asked before."""
        found = self.answers.get(path, WebAnswer(status=404))
        return found(self.asked.count(path) - 1) if callable(found) else found


def _handler(server: WebServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append(self.path)
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            answer = server.answer(self.path)
            if answer.held is not None:
                answer.held.wait(20)
            body = answer.body.encode() if isinstance(answer.body, str) else answer.body
            length = len(body) if answer.promised is None else answer.promised
            headers = {"Content-Type": "text/html", "Content-Length": str(length)}
            with suppress(OSError):
                self.send_response(answer.status)
                for name, value in (headers | answer.headers).items():
                    self.send_header(name, value)
                for cookie in answer.cookies:
                    self.send_header("Set-Cookie", cookie)
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format, *args):
            pass

    return Handler


@contextmanager
def serving() -> Iterator[WebServer]:
    server = WebServer(0)
    listening = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    listening.daemon_threads = True
    server.port = listening.server_port
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.release()
    listening.shutdown()
    listening.server_close()


OK_AUDIO = b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nContent-Length: 100000\r\n\r\n"
NEVER_DONE = {
    "a header byte at a time": (b"HTTP/1.1 200 OK\r\nX-Padding: ", b"x", 0.02),
    "100 Continue for ever": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
    "100 Continue as fast as it goes": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500, 0.0),
    "silence": (b"", b"", 0.02),
}
"""Answers that never end: how they begin, what goes on coming, and how often."""


@contextmanager
def never_done(begin: bytes, go_on: bytes, every_s: float) -> Iterator[str]:
    """A server that goes on with an answer until the other side hangs up; its address."""
    closing = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(begin)
            while not closing.wait(every_s):
                connection.sendall(go_on)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        closing.set()
        listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> Chromium:
    try:
        return find_chromium()
    except BrowserMissing as missing:
        pytest.skip(str(missing))


def is_one_sentence(error: object) -> bool:
    said = str(error)
    return said.endswith(".") and "\n" not in said and not re.search(r"\.\s+[A-Z]", said)


def folder_of(browser) -> Path:
    """The folder that a started browser's guardian looks after."""
    return browser._running._guardian.folder


def wait_until(happened: Callable[[], object], at_most_s: float = 20.0) -> None:
    give_up_at = time.monotonic() + at_most_s
    while not happened():
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.02)


def is_clean(folder: Path) -> bool:
    """Whether nothing is left of a browser."""
    return not folder.exists() and not processes_of(folder)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
