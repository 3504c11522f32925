"""A partial download, and the note beside it that says which file it is a part of."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from genre_assets.documents import parse_json

if TYPE_CHECKING:
    import httpx

_HEAD_BYTES = 64 * 1024
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]*"')
_HTTP_DATE = re.compile(r"[A-Za-z0-9 ,:-]{1,60}")


@dataclass(frozen=True)
class Note:
    """Which file a partial file is a part of; the total is None until it is known."""

    url: str
    final_url: str
    etag: str | None
    last_modified: str | None
    total: int | None

    @classmethod
    def of_answer(cls, url: str, final_url: str, answer: "httpx.Response") -> "Note":
        """The note of the file that an answer is of."""
        length = answer.headers.get("content-length")
        return cls(
            url,
            final_url,
            answer.headers.get("etag"),
            answer.headers.get("last-modified"),
            int(length) if length else None,
        )

    @property
    def validator(self) -> str | None:
        """What If-Range can be given; None when a changed file could not be told from this one."""
        if self.etag and _STRONG_ETAG.fullmatch(self.etag):
            return self.etag
        if self.last_modified and _HTTP_DATE.fullmatch(self.last_modified):
            return self.last_modified
        return None

    def may_be(self, other: "Note") -> bool:
        """Whether nothing that both notes know tells the files apart."""
        known = (
            (self.etag, other.etag),
            (self.last_modified, other.last_modified),
            (self.total, other.total),
        )
        return all(mine == theirs for mine, theirs in known if None not in (mine, theirs))


@dataclass(frozen=True)
class Partial:
    """What came of a file so far, and the note beside it."""

    path: Path

    @property
    def size(self) -> int:
        """Bytes that came so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def head(self) -> bytes:
        """The first of them, by which a web page is known."""
        with self.path.open("rb") as file:
            return file.read(_HEAD_BYTES)

    def note(self, url: str) -> Note | None:
        """The note, when there is one for that URL and a part to go on from."""
        try:
            note = Note(**parse_json(self._note_path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return note if note.url == url and self.size else None

    def missing(self, url: str) -> int:
        """Bytes of a file that are still to come, 0 where nobody knows."""
        note = self.note(url)
        return max((note.total or 0) - self.size, 0) if note else 0

    def write_note(self, note: Note) -> None:
        """Say which file it is a part of."""
        self._note_path.write_text(json.dumps(asdict(note)))

    def begin(self, note: Note) -> None:
        """Start anew: a note never stands beside bytes of another file."""
        self.forget()
        self.write_note(note)

    def forget(self) -> None:
        """Delete what came, and its note."""
        self.path.unlink(missing_ok=True)
        self._note_path.unlink(missing_ok=True)

    @property
    def _note_path(self) -> Path:
        return self.path.with_suffix(".json")
