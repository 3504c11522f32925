"""What the browser may send to the site: the page that was requested, and nothing that it embeds.

A page can name hundreds of frames, images and scripts, and could send the reader on to yet another
page. Each would be an unscheduled request. So every request of the browser's tab is
held back until it is known to be the document of the page, or a redirect of it; all others are
aborted before they leave the machine.

It listens to the browser over the DevTools protocol (domain ``Fetch``), in a thread: the driver
itself waits for the page and could not.
"""

import json
import socket
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from websocket import WebSocket


class GateClosed(Exception):  # noqa: N818
    """The browser no longer waits for permission to send."""


class Gate:
    """Holds back what a tab of the browser requests.

    Args:
        debugger: Where the browser listens for DevTools, such as ``localhost:40123``.
        tab: Id of the tab, which is that of its main frame.
        timeout_s: Seconds in which the browser has to accept the connection.

    Raises:
        OSError: If the browser does not accept it.
    """

    def __init__(self, debugger: str, tab: str, timeout_s: float):
        self._tab = tab
        self._page: str | None = None
        self._expects_page = False
        self._socket = _connected(debugger, tab, timeout_s)
        self._commands = 0
        self._command("Fetch.enable", {"patterns": [{"urlPattern": "*"}]})
        self._is_open = "result" in json.loads(self._socket.recv())
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def expect_page(self) -> None:
        """Let the next document of the main frame through, with its redirects.

        Raises:
            GateClosed: If the browser no longer waits for permission.
        """
        if not self._is_open:
            raise GateClosed("its requests can no longer be held back.")
        self._expects_page = True

    def close(self) -> None:
        """Stop listening; the browser has to be ended too."""
        self._is_open = False
        self._socket.abort()  # wakes the thread that waits for the browser
        self._thread.join()
        self._socket.shutdown()

    def _keep(self) -> None:
        from websocket import WebSocketException

        try:
            while message := self._socket.recv():
                event = json.loads(message)
                if event.get("method") == "Fetch.requestPaused":
                    self._answer(event["params"])
        except (OSError, ValueError, WebSocketException):
            pass  # the browser has ended, or is about to be ended
        finally:
            self._is_open = False

    def _answer(self, paused: dict[str, Any]) -> None:
        request = {"requestId": paused["requestId"]}
        if self._may_pass(paused):
            self._command("Fetch.continueRequest", request)
        else:
            self._command("Fetch.failRequest", request | {"errorReason": "Aborted"})

    def _may_pass(self, paused: dict[str, Any]) -> bool:
        if paused["resourceType"] != "Document" or paused["frameId"] != self._tab:
            return False
        page = paused.get("networkId")
        if self._expects_page:
            self._expects_page, self._page = False, page
        return page == self._page  # a redirect keeps the id, another page has its own

    def _command(self, method: str, parameters: dict[str, Any]) -> None:
        self._commands += 1
        command = {"id": self._commands, "method": method, "params": parameters}
        self._socket.send(json.dumps(command))


def _connected(debugger: str, tab: str, timeout_s: float) -> "WebSocket":
    from websocket import WebSocketException, create_connection

    host, _, port = debugger.rpartition(":")
    # A socket of its own: the library would go through a proxy that the environment names.
    own = socket.create_connection((host, int(port)), timeout_s)
    try:
        return create_connection(
            f"ws://{debugger}/devtools/page/{tab}", timeout_s, suppress_origin=True, socket=own
        )
    except WebSocketException as error:
        own.close()
        raise OSError(str(error)) from error
