"""Which files of the site are downloaded, and why the others are not."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from genre_assets.lake.journal import Journal
from genre_assets.lake.schemas import FETCHES
from genre_assets.lake.staleness import Need
from genre_assets.lake.store import Store
from genre_assets.sources.fma_site.transfer import TRANSIENT, Access
from genre_assets.sources.policy import excluded_by_policy

RETRY_REQUESTED = "asked_again"
"""Outcome of a row by which somebody requested a retry: no try itself."""

PAGE_NOT_READ = "page_not_read"
"""Outcome of a track whose page was not to be had, so that its licence is not known."""


@dataclass(frozen=True)
class Policy:
    """Which tracks are downloaded.

    Attributes:
        excluded: ``nd`` and ``nc`` where licences that forbid derivatives or commercial use, or
            that nobody knows to allow them, are not wanted.
        taken_down: Says of a row of ``tracks`` why it had to go; None when it had not.
        banned_contents: SHA-256 of audio that had to go.
        unread_pages: By the URL of a track's page, why the last sweep that wanted it could not
            read it.
        again_after: How long a failure that the site answered with is left alone.
    """

    excluded: frozenset[str] = frozenset()
    taken_down: Callable[[dict], str | None] = lambda track: None
    banned_contents: frozenset[str] = frozenset()
    unread_pages: Mapping[str, str] = field(default_factory=dict)
    again_after: timedelta = timedelta(days=7)


@dataclass(frozen=True)
class Choice:
    """Says which tracks of a shard are requested.

    Attributes:
        past: The rows of ``fetches`` of each track, oldest first.
        store: Holds the files.
        policy: Which tracks are requested.
        access: How the site is accessed.
    """

    past: dict[str, list[dict]]
    store: Store
    policy: Policy
    access: Access

    @classmethod
    def of(
        cls, previous: pa.Table, journal: Journal, store: Store, policy: Policy, access: Access
    ) -> "Choice":
        """The choice by the rows of ``fetches`` as they stand and those in the journal."""
        return cls(by_track(joined(previous, journal)), store, policy, access)

    def why_not(self, track: dict) -> tuple[str, str | None] | None:
        """Why a track is not requested: in a word, and in a sentence where ``fetches`` keeps it."""
        latest = self.latest(track)
        if reason := self.policy.taken_down(track):
            return "taken_down", reason
        if latest and latest["sha256"] in self.policy.banned_contents:
            return "taken_down", banned(latest["sha256"])
        if latest and latest["outcome"] == "taken_down":
            return "taken_down", None
        if track["gone_at"] is not None:
            return "gone", None
        requested = latest is not None and latest["outcome"] == RETRY_REQUESTED
        if not requested and newest_stored(of_its_url(track, self.past), self.store):
            return "stored", None
        if refusal := self._refusal(track):
            return refusal
        if latest and self._is_left_alone(latest):
            return f"{latest['outcome']} lately", None
        return None

    def need(self, track: dict) -> Need:
        """Why a track that is requested is."""
        latest = self.latest(track)
        if latest is None:
            return Need.CHANGED if self.past[track["track_id"]] else Need.NEW
        if latest["outcome"] == RETRY_REQUESTED:
            return Need.REQUESTED
        if latest["sha256"]:
            return Need.LOST
        return Need.FAILED if latest["attempts"] else Need.NEW

    def latest(self, track: dict) -> dict | None:
        """The last row of the present address of a track."""
        return next(reversed(of_its_url(track, self.past)), None)

    def _refusal(self, track: dict) -> tuple[str, str] | None:
        if track["license_url"] is None and (why := self.policy.unread_pages.get(_page(track))):
            return PAGE_NOT_READ, why
        if track["license_url"] is None:
            return "no_licence", "Its page names no licence, so it is never downloaded."
        if reason := excluded_by_policy(track, self.policy.excluded):
            return "licence_excluded", reason
        if track["file_url"] is None:
            return "no_file", "The site gives no file for this track."
        return self.access.refusal(track["file_url"])

    def _is_left_alone(self, latest: dict) -> bool:
        answered = latest["attempts"] > 0 and latest["outcome"] not in TRANSIENT
        ago = datetime.now(UTC) - latest["fetched_at"]
        recent = timedelta(0) <= ago < self.policy.again_after
        return answered and recent and latest["sha256"] is None


def partial_key(track: dict) -> str:
    """What the partial download of a track goes by in the store."""
    return f"{track['track_id']} {track['file_url']}"


def address_of(track: dict) -> str:
    """The URL under which ``fetches`` keeps what became of a track.

    It is that of the file or, for a track that the site gives no file for, that of its page.
    """
    return track["file_url"] or _page(track)


def with_addresses(fetches: pa.Table, tracks: list[dict]) -> pa.Table:
    """Give rows without a URL, as the version before wrote them, the page of their track.

    Args:
        fetches: Rows of ``fetches``.
        tracks: Rows of ``tracks`` of the same shard.
    """
    if not fetches["url"].null_count:
        return fetches
    pages = {track["track_id"]: _page(track) for track in tracks}
    rows = fetches.to_pylist()
    for row in rows:
        row["url"] = row["url"] or pages.get(row["track_id"], "")
    return FETCHES.of_rows(rows)


def _page(track: dict) -> str:
    return track.get("page_url") or f"the page of {track['track_id']}"


def banned(sha256: str) -> str:
    """Why a content is not kept."""
    return f"Its content, {sha256}, was taken down."


def joined(previous: pa.Table, journal: Journal) -> pa.Table:
    """Rows of ``fetches`` as they stand with those in the journal, sorted by track and time."""
    rows = [*previous.to_pylist(), *journal.read().to_pylist()]
    by_key = {tuple(row[name] for name in FETCHES.key): row for row in rows}
    return FETCHES.of_rows(sorted(by_key.values(), key=_by_track_and_time))


def _by_track_and_time(row: dict) -> tuple[str, datetime]:
    return row["track_id"], row["fetched_at"]


def by_track(fetches: pa.Table) -> dict[str, list[dict]]:
    """The rows of each track, oldest first."""
    past: dict[str, list[dict]] = defaultdict(list)
    for row in sorted(fetches.to_pylist(), key=_by_track_and_time):
        past[row["track_id"]].append(row)
    return past


def of_its_url(track: dict, past: dict[str, list[dict]]) -> list[dict]:
    """The rows of the present address of a track, oldest first."""
    address = address_of(track)
    # Rows of the version before have no URL where the site gave no file.
    return [row for row in past[track["track_id"]] if (row["url"] or address) == address]


def newest_stored(past: list[dict], store: Store) -> Path | None:
    """Where the newest content lies that is still in the store."""
    contents = (row["sha256"] for row in reversed(past) if row["sha256"])
    return next((path for sha256 in contents if (path := store.find(sha256))), None)
