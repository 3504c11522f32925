"""Which tracks are gone from the site.

A listing misses a track now and then, so that one which is not listed need not be gone. It is
gone when every listing that ever showed it was swept in full and to its end twice without it, and
its page says that there is none.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.errors import UserError
from genre_assets.progress import Log, Progress, silent
from genre_assets.sources.fma_site.archive import KeptPage
from genre_assets.sources.fma_site.pace import ComeBackLater

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

SWEEPS_WITHOUT_IT = 2
"""Complete full sweeps of a genre that must have missed a track."""

MOST_UNREAD = 3
"""Pages that may fail before the others are left to the next full sweep."""

_NO_PAGE = (404, 410)


@dataclass(frozen=True)
class Gone:
    """What was found about tracks that are no longer listed.

    Attributes:
        track_ids: Those that are gone.
        notes: Sentences on those that are not listed but whose page is still there.
    """

    track_ids: frozenset[str]
    notes: list[str]


def find_gone(
    tracks_of: Callable[[Iterable[str]], dict[str, dict]],
    sightings: pa.Table,
    sweeps: pa.Table,
    sweep_id: str,
    read: Callable[[str, str], KeptPage],
    log: Log = silent,
) -> Gone:
    """Find the tracks that are gone, asking for the page of each that no listing shows.

    Pages are requested only where this sweep read a listing in full, not on every night between
    two such sweeps.

    Args:
        tracks_of: Gives the rows of ``lake.schemas.TRACKS`` of known tracks, by id; those already
            gone are passed over.
        sightings: Rows of ``lake.schemas.SIGHTINGS``, this sweep's too.
        sweeps: Rows of ``lake.schemas.SWEEPS``, this sweep's too.
        sweep_id: This sweep.
        read: Reads a URL of the site as a page of a kind.
        log: Where progress goes.
    """
    missing = _missing(sightings, sweeps, sweep_id)
    candidates = [
        row
        for _, row in sorted(tracks_of(missing).items())
        if row["gone_at"] is None and row["page_url"]
    ]
    progress = Progress("pages of unlisted tracks read", len(candidates), log)
    gone, notes, unread = set(), [], 0
    for row in candidates:
        try:
            status = read(row["page_url"], "track").status
        except UserError as error:
            unread += 1
            notes.append(
                f"{row['track_id']} is no longer listed, and its page could not be read: {error}"
            )
            if unread == MOST_UNREAD or isinstance(error, ComeBackLater):
                notes.append("The pages of other unlisted tracks wait for the next full sweep.")
                break
        else:
            if status in _NO_PAGE:
                gone.add(row["track_id"])
            else:
                notes.append(
                    f"{row['track_id']} is no longer listed, but its page {row['page_url']} "
                    f"answers with status {status}: it is not gone."
                )
        progress.count(failed=row["track_id"] not in gone)
    return Gone(frozenset(gone), notes)


def _missing(sightings: pa.Table, sweeps: pa.Table, sweep_id: str) -> set[str]:
    """Tracks that every listing they were seen in has lacked for long enough."""
    starts: dict[str, list[datetime]] = {}
    swept_now, asked_now = set(), set()
    rows = sweeps.sort_by("started_at").to_pylist()
    this_began = max(
        (row["started_at"] for row in rows if row["sweep_id"] == sweep_id), default=None
    )
    for sweep in rows:
        if this_began and sweep["started_at"] > this_began:
            continue  # made while the clock was wrong
        if sweep["sweep_id"] == sweep_id:
            asked_now.add(sweep["genre"])
        if sweep["mode"] == "full" and sweep["complete"]:
            starts.setdefault(sweep["genre"], []).append(sweep["started_at"])
            if sweep["sweep_id"] == sweep_id:
                swept_now.add(sweep["genre"])
    if not swept_now:
        return set()
    # Not seen since before the second last of them, at least two have missed it.
    seen_before = {
        genre: times[-SWEEPS_WITHOUT_IT]
        for genre, times in starts.items()
        if len(times) >= SWEEPS_WITHOUT_IT
    }
    missing, still_listed = set(), set()
    # A listing that is no longer requested says nothing of what became of a track.
    swept = pa.array(sorted(asked_now), pa.string())
    for sighting in sightings.filter(pc.is_in(sightings["genre"], value_set=swept)).to_pylist():
        limit = seen_before.get(sighting["genre"])
        if limit is None or sighting["last_seen_at"] >= limit:
            still_listed.add(sighting["track_id"])
        elif sighting["genre"] in swept_now:
            missing.add(sighting["track_id"])
    return missing - still_listed
