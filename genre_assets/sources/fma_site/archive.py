"""The audit trail: every page of the site as it answered, kept compressed under its hash.

A page is durable before the next one is requested, so that a sweep that was killed never requests
the page of a track again.
"""

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from genre_assets.lake.files import journal_keys
from genre_assets.lake.schemas import PAGES
from genre_assets.lake.storage import written_whole
from genre_assets.lake.tables import Lake

_MERGE_EVERY = 1_000
"""Pages after which the journal is merged: it holds a file for each of them."""

_DEFINITE = (200, 404, 410)
"""Statuses that say what is there, or that nothing is."""


@dataclass(frozen=True)
class KeptPage:
    """A page that was kept.

    Attributes:
        url: The page, under the site's own name.
        final_url: The page that answered, after redirects.
        status: HTTP status.
        html: The answer's text.
        fetched_at: When the answer was complete, with its time zone.
    """

    url: str
    final_url: str
    status: int
    html: str
    fetched_at: datetime


class Archive:
    """Keeps the pages of one sweep, and finds those of all sweeps. A context manager.

    Rows of a run that was killed are taken over when an archive is opened, so only one may be
    open at a time.

    Args:
        lake: Where pages and their rows are kept.
        sweep_id: The sweep that requests it.
    """

    def __init__(self, lake: Lake, sweep_id: str):
        self.sweep_id = sweep_id
        self._lake = lake
        self._unmerged = 0
        self._newest: dict[tuple[str, str], dict] = {}
        self._answered: set[tuple[str, str]] = set()
        self._remembered: set[str] = set()
        self._merge_journals()
        self._months = [month for month in lake.partitions(PAGES) if month]

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def keep(self, kind: str, page: KeptPage) -> None:
        """Keep a page, durably.

        Args:
            kind: robots, listing or track.
            page: The page.
        """
        text = page.html.encode("utf-8", "replace")
        sha256 = hashlib.sha256(text).hexdigest()
        path = self._path(sha256)
        if self._text(sha256) is None:
            _write_durably(gzip.compress(text, mtime=0), path)
        row = {
            "sweep_id": self.sweep_id,
            "kind": kind,
            "url": page.url,
            "final_url": page.final_url,
            "fetched_at": page.fetched_at,
            "status": page.status,
            "sha256": sha256,
            "bytes": len(text),
            "path": self._lake.places.name_of(path),
        }
        self._lake.journal(PAGES, f"{page.fetched_at.astimezone(UTC):%Y-%m}").append(
            PAGES.of_rows([row])
        )
        self._remember(row)
        self._unmerged += 1
        if self._unmerged >= _MERGE_EVERY:
            self._merge_journals()

    def latest(
        self, url: str, kind: str, since: datetime, until: datetime | None = None
    ) -> KeptPage | None:
        """The newest answer with status 200 that is kept for a URL.

        Args:
            url: The page, under the site's own name.
            kind: robots, listing or track.
            since: How old it may be at most.
            until: How new it may be at most: a page from the future was kept while the clock was
                wrong.

        Returns:
            The page, or None when there is none or its file no longer holds what it held.
        """
        self._remember_months_since(since)
        row = self._newest.get((kind, url))
        if row is None or row["fetched_at"] < since or (until and row["fetched_at"] > until):
            return None
        text = self._text(row["sha256"])
        if text is None:
            return None
        return KeptPage(
            url, row["final_url"], row["status"], text.decode("utf-8"), row["fetched_at"]
        )

    def has_answer(self, url: str, kind: str) -> bool:
        """Whether any sweep got the page, or learned that there is none."""
        self._remember_months_since(None)
        return (kind, url) in self._answered

    def close(self) -> None:
        """Bring the rows from the journal into the table."""
        self._merge_journals()

    def _remember_months_since(self, since: datetime | None) -> None:
        """Read the rows of the months from a time on, once: a sweep seldom needs old ones."""
        first = f"{since.astimezone(UTC):%Y-%m}" if since else ""
        columns = ["kind", "url", "final_url", "fetched_at", "status", "sha256"]
        for month in self._months:
            if month >= first and month not in self._remembered:
                self._remembered.add(month)
                for row in self._lake.read(PAGES, [month], columns=columns).to_pylist():
                    self._remember(row)

    def _remember(self, row: dict) -> None:
        key = row["kind"], row["url"]
        if row["status"] in _DEFINITE:
            self._answered.add(key)
        newest = self._newest.get(key)
        if row["status"] == 200 and (not newest or newest["fetched_at"] <= row["fetched_at"]):
            self._newest[key] = row

    def _merge_journals(self) -> None:
        # A run that was killed may have left the journal of any month.
        for month in journal_keys(self._lake, PAGES):
            journal = self._lake.journal(PAGES, month)
            with self._lake.lock(PAGES, month):
                new = journal.read()
                if new.num_rows:
                    stored = self._lake.read(PAGES, [month])
                    self._lake.write(
                        PAGES, _without_repeats(pa.concat_tables([stored, new])), month
                    )
                    journal.clear()
        self._unmerged = 0

    def _path(self, sha256: str) -> Path:
        return self._lake.places.pages / sha256[:2] / f"{sha256}.html.gz"

    def _text(self, sha256: str) -> bytes | None:
        try:
            text = gzip.decompress(self._path(sha256).read_bytes())
        except (OSError, EOFError, zlib.error):
            return None
        return text if hashlib.sha256(text).hexdigest() == sha256 else None


def _without_repeats(rows: pa.Table) -> pa.Table:
    """The rows in the order of their keys; a run killed after a merge left some twice."""
    keys = zip(*(rows[name].to_pylist() for name in PAGES.key), strict=True)
    place = {key: number for number, key in enumerate(keys)}
    order = sorted(place, key=lambda key: (key[2], key[1], key[0]))
    return rows.take(pa.array([place[key] for key in order], pa.int64()))


def _write_durably(content: bytes, path: Path) -> None:
    with written_whole(path, len(content)) as temporary:
        temporary.write_bytes(content)
