"""One deadline for the whole of an HTTP answer.

The timeouts of httpx are for a single read. A server that sends one byte of a header a second, or
``100 Continue`` again and again, passes every one of them and is waited for without end. So a
timer ends the connection when the time for the answer is over, whatever has come until then.
"""

import contextlib
import socket
import threading
from typing import Any

_CONNECTED = (".connect_tcp.complete", ".start_tls.complete")
"""Events by which httpcore hands out the stream of a new connection."""


class Deadline:
    """The time that one answer may take. A context manager, entered before the request is made.

    Give :attr:`extensions` to a request of a client that keeps no connection alive: the deadline
    has to see the connection being made. When the time is over the connection is shut down, and
    whoever reads from it meets the end of the answer or an error of httpx; then :attr:`passed`
    says why.

    Args:
        seconds: From now on until the answer has to be there.

    Attributes:
        passed: Whether the time was over before the answer was.
        extensions: What to give to the request.
    """

    def __init__(self, seconds: float):
        self.passed = False
        self.extensions: dict[str, Any] = {"trace": self._note_connection}
        self._changing = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = self._new_timer(seconds)

    def __enter__(self) -> "Deadline":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def restart(self, seconds: float) -> None:
        """Allow so many seconds from now on, unless the time is over already."""
        self._timer.cancel()
        self._timer = self._new_timer(seconds)
        self._timer.start()

    def _new_timer(self, seconds: float) -> threading.Timer:
        timer = threading.Timer(seconds, self._end)
        timer.daemon = True
        return timer

    def _note_connection(self, event: str, info: dict[str, Any]) -> None:
        if event.endswith(_CONNECTED):
            with self._changing:
                self._socket = info["return_value"].get_extra_info("socket")
                if self.passed:
                    _shut_down(self._socket)

    def _end(self) -> None:
        with self._changing:
            self.passed = True
            _shut_down(self._socket)


def _shut_down(connection: socket.socket | None) -> None:
    if connection is not None:
        with contextlib.suppress(OSError):
            # By the plain socket's method: that of a TLS socket drops what another thread reads by.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
