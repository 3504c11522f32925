"""Ways in which a site disappoints its guests, switched on one by one."""

import threading
from dataclasses import dataclass, field


@dataclass
class Answer:
    """What goes wrong with requests to some paths.

    Without anything but a path and a number it lets so many requests pass as they should.

    Attributes:
        path: Requests whose path and query contain this text.
        times: How many of them; None for all.
        status: Answer with this status and nothing else.
        retry_after: The header of that name beside the status.
        html: Answer 200 with a login page in place of what was requested.
        cut_after: End the connection after so many bytes of the body.
        no_range: Ignore Range, and send all.
        new_etag: The file has another ETag and another content of the same length.
        wait_s: Seconds before the answer.
        hangs: Never answer.
        endless: Send bytes until the client leaves, 64 MiB at most.
        announced: Length that an endless body pretends to have; None pretends nothing.
    """

    path: str
    times: int | None = None
    status: int | None = None
    retry_after: str | None = None
    html: bool = False
    cut_after: int | None = None
    no_range: bool = False
    new_etag: bool = False
    wait_s: float = 0.0
    hangs: bool = False
    endless: bool = False
    announced: int | None = None


@dataclass
class Misbehaviour:
    """What the site does wrong at the moment; nothing to begin with.

    Attributes:
        answers: What goes wrong with single requests; the first that fits is taken.
        no_rows: Listings count their tracks and show none, as after a change of layout.
        rows_without_info: Rows come without ``data-track-info``.
        hidden: Ids that the default order leaves out although they are counted.
        repeated_at_border: In the default order the last track of page 1 is the first of page 2
            again, and is counted again.
        missed_at_border: In the default order the last track of page 1 stands where the first of
            page 2 should, which no page shows and the count includes.
        page_size: Rows of a page, whatever was requested; None gives what was.
        robots: Text of robots.txt in place of the usual one.
    """

    answers: list[Answer] = field(default_factory=list)
    no_rows: bool = False
    rows_without_info: bool = False
    hidden: set[int] = field(default_factory=set)
    repeated_at_border: bool = False
    missed_at_border: bool = False
    page_size: int | None = None
    robots: str | None = None

    def __post_init__(self):
        self._lock = threading.Lock()

    def for_path(self, path: str) -> Answer | None:
        """What goes wrong with a request for a path, which is counted."""
        with self._lock:
            for answer in self.answers:
                if answer.path in path and answer.times != 0:
                    if answer.times is not None:
                        answer.times -= 1
                    return answer
        return None
