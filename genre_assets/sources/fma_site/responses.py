"""What an answer to the request for a file says of itself."""

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

_HEAD_BYTES = 64 * 1024
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
_HTML_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,100})", re.IGNORECASE)


def beginning(answer: "httpx.Response") -> bytes:
    """The first bytes of a body that is not read any further."""
    head = b""
    for block in answer.iter_raw():
        head += block
        if len(head) >= _HEAD_BYTES:
            break
    return head[:_HEAD_BYTES]


def html_page(head: bytes) -> str:
    """A web page in words, by its title where it has one."""
    found = _HTML_TITLE.search(head.decode("utf-8", "replace"))
    title = " ".join(html.unescape(found[1]).split()) if found else ""
    return f"a web page, {title!r}" if title else "a web page without a title"


def range_of(answer: "httpx.Response") -> tuple[int | None, int | None]:
    """First byte and total size by the Content-Range; None for what it does not say."""
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
    if not found:
        return None, None
    first, total = found.groups()
    return int(first) if first else None, int(total) if total != "*" else None
