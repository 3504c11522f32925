"""What went over the wire for a page, by the browser's log of its network."""

from dataclasses import dataclass, field
from typing import Any

from genre_assets.sources.catalogue import SourceError

_TEXT_TYPES = ("text/html", "application/xhtml+xml", "text/plain")


class NoResponse(SourceError):  # noqa: N818
    """The site did not answer, or not in full."""


@dataclass
class Answer:
    """What went over the wire for one page.

    The page itself shows neither its status nor whether it was cut off.

    Attributes:
        request: Id of the request.
        hops: The URL that was requested and those that it was redirected to.
        status: HTTP status, or 0 without an answer.
        mime: Media type.
        retry_after: The header of that name, or None.
        ended: Whether the answer is complete, or failed.
        failure: Why it failed, as the browser calls it, or None.
    """

    request: str = ""
    hops: list[str] = field(default_factory=list)
    status: int = 0
    mime: str = ""
    retry_after: str | None = None
    ended: bool = False
    failure: str | None = None


def with_event(answer: Answer, event: dict[str, Any], frame: str) -> Answer:
    """The answer as known after one more event of the browser's network log."""
    said = event["params"]
    if event["method"] == "Network.requestWillBeSent":
        if said.get("type") == "Document" and said.get("frameId") == frame:
            if said["requestId"] != answer.request:
                if answer.status or answer.ended:
                    return answer  # the page leads on to another, which the gate holds back
                answer = Answer(said["requestId"])
            answer.hops.append(said["request"]["url"])
    elif said.get("requestId") == answer.request:
        match event["method"]:
            case "Network.responseReceived":
                response = said["response"]
                answer.status, answer.mime = response["status"], response["mimeType"]
                headers = {name.lower(): value for name, value in response["headers"].items()}
                answer.retry_after = headers.get("retry-after")
            case "Network.loadingFinished":
                answer.ended = True
            case "Network.loadingFailed":
                answer.ended, answer.failure = True, said["errorText"]
    return answer


def require_page(url: str, answer: Answer) -> None:
    """Refuse an answer that is no page, or not a whole one.

    Raises:
        NoResponse: If it is not whole.
        SourceError: If it is no page.
    """
    if is_no_page(answer):
        raise SourceError(
            f"{url} answered {answer.status} without a page ({answer.mime or 'of no type'})."
        )
    if answer.failure or not answer.ended or not answer.status:
        reason = answer.failure or "it stopped in the middle"
        raise NoResponse(f"{url} was not answered in full ({reason}): see whether the site is up.")


def is_no_page(answer: Answer) -> bool:
    """Whether an answer is a download, or anything else that is no page."""
    # The browser aborts what it has nothing to show for: a download, or no content.
    aborted = answer.failure == "net::ERR_ABORTED"
    return aborted or (answer.status > 0 and answer.mime not in _TEXT_TYPES)
