"""Ctrl-C and SIGTERM that others catch."""

import signal
import socket
import threading
from types import TracebackType
from typing import Self


class Interrupts:
    """Remembers every Ctrl-C and SIGTERM that arrives, whoever handles it; a context manager.

    Dagster puts handlers of its own in place while it runs something, and forgets a signal that
    arrives as the run ends. Python also writes the number of each signal to a file descriptor of
    ours, before any handler is called. Outside of Dagster both signals raise KeyboardInterrupt.
    """

    _received: socket.socket | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        self._received, self._arriving = socket.socketpair()
        for end in (self._received, self._arriving):
            end.setblocking(False)
        self._descriptor_before = signal.set_wakeup_fd(
            self._arriving.fileno(), warn_on_full_buffer=False
        )
        self._sigterm_before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._received is None:
            return
        signal.signal(signal.SIGTERM, self._sigterm_before)
        signal.set_wakeup_fd(self._descriptor_before)
        self._received.close()
        self._arriving.close()

    def raise_if_any(self) -> None:
        """Raise what a signal since the last call should have raised.

        Raises:
            KeyboardInterrupt: If Ctrl-C or SIGTERM arrived.
        """
        if self._received is None:
            return
        try:
            signals = self._received.recv(4096)
        except BlockingIOError:
            return
        if {signal.SIGINT, signal.SIGTERM} & set(signals):
            raise KeyboardInterrupt
