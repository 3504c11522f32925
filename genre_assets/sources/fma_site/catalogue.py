"""The catalogue of the site: its genres' listings, and of each new track the page with its licence.

A listing gives everything but the licence. The page of a track is therefore read once, when the
track is new, and again by full sweeps while no licence is known. The facts of the page are carried
over from the known row; those of the listing are refreshed.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import pyarrow as pa

from genre_assets.errors import UserError
from genre_assets.lake.schemas import REJECTED_ROWS, SWEEPS, TRACKS
from genre_assets.progress import Log, Progress, counted, silent
from genre_assets.sources.catalogue import (
    Catalogue,
    Kind,
    Rejection,
    SourceError,
    rejected_rows,
)
from genre_assets.sources.fma_dataset import attribution
from genre_assets.sources.fma_site.address import Site, genre_in_words
from genre_assets.sources.fma_site.archive import Archive, KeptPage
from genre_assets.sources.fma_site.gone import Gone, find_gone
from genre_assets.sources.fma_site.known_tracks import Known
from genre_assets.sources.fma_site.pace import ComeBackLater
from genre_assets.sources.fma_site.page_contents import (
    Genre,
    LayoutChanged,
    ListingRow,
    TrackPage,
)
from genre_assets.sources.fma_site.pages import parse_track
from genre_assets.sources.fma_site.sweep import GenreSweep, Mode, Read, sweep_genre
from genre_assets.sources.fma_site.sweep_records import (
    SweepError,
    failed_row,
    mode_of_sweep,
    sweep_rows,
    with_failed,
)
from genre_assets.sources.licences import UNKNOWN, Licence, licence_of_url, permissions
from genre_assets.sources.registry import FMA_SITE
from genre_assets.sources.shards import fma_shard

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

PAGES_STAY_FRESH = timedelta(hours=24)
"""Age up to which a kept page of a track is read instead of the site's."""

MOST_FAILURES_IN_A_ROW = 10
"""Track pages in a row that may fail: then it is the site that does not answer or has changed."""

MOST_BUSY_IN_A_ROW = 3
"""Track pages in a row for which the site may be busy to the last: then it is left alone."""

_NAMED = 10
_LICENCE_NOT_KNOWN = (
    "Its licence is therefore not known: it is catalogued, and downloaded once a sweep has read "
    "its page."
)


@dataclass(frozen=True)
class SiteCatalogue:
    """What a sweep of the site found.

    Attributes:
        catalogue: The tracks it saw, what it rejected, and the known tracks that are not gone.
        sightings: Rows of ``lake.schemas.SIGHTINGS``, of all sweeps, of the shards it saw
            tracks of.
        sweeps: Rows of ``lake.schemas.SWEEPS``, of all sweeps.
    """

    catalogue: Catalogue
    sightings: dict[str, pa.Table]
    sweeps: pa.Table


@dataclass(frozen=True)
class _Seen:
    """A track as the listings of this sweep show it."""

    row: ListingRow
    shard: str
    swept_in_full: bool
    known: dict | None

    @property
    def track_id(self) -> str:
        return FMA_SITE.track_id(self.row.id)


@dataclass(frozen=True)
class _PageFacts:
    """What only the page of a track says."""

    licence: Licence = UNKNOWN
    genres: tuple[Genre, ...] = ()


@dataclass
class _Findings:
    """What was odd on the way."""

    rejected: list[Rejection] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    without_page: list[str] = field(default_factory=list)
    failures_in_a_row: int = 0

    def reject(self, origin: str, place: str, reason: str) -> None:
        self.rejected.append(Rejection(origin, place, reason))

    def reject_page(self, url: str, id_: int, reason: str) -> None:
        self.reject(url, f"track {id_}", f"{reason} {_LICENCE_NOT_KNOWN}")


def sweep_site(
    site: Site,
    genres: Collection[str],
    mode: Literal["auto"] | Mode,
    *,
    read: Read,
    archive: Archive,
    known: Known,
    sweeps: pa.Table,
    rejected: pa.Table = REJECTED_ROWS.empty(),  # noqa: B008
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    log: Log = silent,
) -> SiteCatalogue:
    """Sweep genres of the site, and read the pages of the tracks that are new.

    Args:
        site: Where the site is.
        genres: Slugs of the genres.
        mode: full, incremental, or auto: full for a genre that has had no complete full sweep
            for seven days.
        read: Reads a path or a URL of the site as a page of a kind, such as ``PageReader.read``.
        archive: Where read pages are kept; its ``sweep_id`` is that of this sweep.
        known: What the lake knows of the site's tracks.
        sweeps: All rows of ``lake.schemas.SWEEPS``.
        rejected: Rows of ``lake.schemas.REJECTED_ROWS`` of this source. Those of incremental
            sweeps before stay until their track or listing is looked at again.
        now: The clock.
        log: Where progress goes.

    Raises:
        SweepError: If a page is not the listing it should be, or track pages fail in a row.
    """
    findings = _Findings()
    swept: list[GenreSweep] = []
    genre, mode_now, started_at = "", mode, now()
    try:
        for genre in dict.fromkeys(genres):
            started_at = now()
            mode_now = mode_of_sweep(genre, mode, sweeps, started_at)
            known_here = known.seen_in(genre)
            log(
                f"{genre_in_words(genre)}: {mode_now} sweep, "
                f"{counted(len(known_here), 'track')} known"
            )
            swept.append(sweep_genre(genre, read, known_here, mode_now, now=now, log=log))
        stored = _known_among(swept, known)
        seen = _seen(site, swept, stored, findings)
        moment = now()
        unread = set(rejected["origin"].to_pylist())
        wanted = {id_: track for id_, track in seen.items() if _needs_page(track, archive, unread)}
        facts = _page_facts(wanted, read, archive, moment, findings, log)
    except SourceError as error:
        rows = sweep_rows(archive.sweep_id, swept, _known_among(swept, known))
        if genre not in {sweep.genre for sweep in swept}:
            rows.append(failed_row(archive.sweep_id, genre, mode_now, started_at, now()))
        raise SweepError(str(error), with_failed(sweeps, rows, error)) from error
    findings.notes += [s.reason for s in swept if s.mode == "full" and s.reason]
    all_sweeps = pa.concat_tables(
        [sweeps, SWEEPS.of_rows(sweep_rows(archive.sweep_id, swept, stored))]
    )
    sightings = known.sightings(_sightings(swept, seen))
    gone = Gone(frozenset(), [])
    if any(sweep.mode == "full" for sweep in swept):
        all_sightings = known.all_sightings(sightings)
        gone = find_gone(known.tracks, all_sightings, all_sweeps, archive.sweep_id, read, log)
    findings.notes += gone.notes
    if findings.without_page:
        named = ", ".join(findings.without_page[:_NAMED])
        findings.notes.append(
            f"No page of its own, and so no licence, for "
            f"{counted(len(findings.without_page), 'listed track')}: {named}."
        )
    catalogue = Catalogue(
        TRACKS.of_rows([_track_row(track, facts.get(id_)) for id_, track in sorted(seen.items())]),
        _with_earlier(rejected, findings.rejected, seen, swept),
        findings.notes,
        gone=gone.track_ids,
    )
    return SiteCatalogue(catalogue, sightings, all_sweeps)


def _known_among(swept: list[GenreSweep], known: Known) -> dict[str, dict]:
    """The known rows of the tracks that the listings show, by id."""
    return known.tracks(
        FMA_SITE.track_id(id_) for id_ in {id_ for sweep in swept for id_ in sweep.rows}
    )


def _with_earlier(
    earlier: pa.Table, found: list[Rejection], seen: dict[int, _Seen], swept: list[GenreSweep]
) -> pa.Table:
    """The rejections of this sweep, and earlier ones of what an incremental one did not look at."""
    if all(sweep.mode == "full" for sweep in swept):
        return rejected_rows(FMA_SITE.name, found)
    looked_at = {f"track {id_}" for id_ in seen} | {rejection.place for rejection in found}
    kept = [
        Rejection(row["origin"], row["place"], row["reason"], row["kind"] or Kind.TRACK)
        for row in earlier.to_pylist()
        if row["place"] not in looked_at
    ]
    return rejected_rows(FMA_SITE.name, [*found, *kept])


def _seen(
    site: Site, swept: Iterable[GenreSweep], known: dict[str, dict], findings: _Findings
) -> dict[int, _Seen]:
    """The tracks that the listings show and that can be catalogued."""
    rows: dict[int, tuple[GenreSweep, ListingRow]] = {}
    in_full = set()
    for sweep in swept:
        findings.rejected += [*sweep.rejected, *sweep.odd]
        for id_, row in sweep.rows.items():
            rows.setdefault(id_, (sweep, row))
            if sweep.mode == "full":
                in_full.add(id_)
    seen = {}
    for id_, (sweep, row) in rows.items():
        origin, place = f"/genre/{sweep.genre}", f"track {id_}"
        try:
            shard = fma_shard(id_)
        except ValueError as error:
            findings.reject(origin, place, str(error))
            continue
        if not _belongs(site, row.url):
            findings.reject(origin, place, f"Its page {row.url!r} is not the site's.")
            continue
        if row.file_url is not None and not _belongs(site, row.file_url):
            reason = f"Its file {row.file_url!r} is not the site's, so it has none."
            findings.reject(origin, place, reason)
            row = replace(row, file_url=None)
        seen[id_] = _Seen(row, shard, id_ in in_full, known.get(FMA_SITE.track_id(id_)))
    return seen


def _belongs(site: Site, url: str) -> bool:
    try:
        site.request_url(url)
    except (SourceError, ValueError):
        return False
    return True


def _page_facts(
    wanted: dict[int, _Seen],
    read: Read,
    archive: Archive,
    now: datetime,
    findings: _Findings,
    log: Log,
) -> dict[int, _PageFacts]:
    """Read the pages of tracks whose licence is not known yet."""
    progress = Progress("track pages read", len(wanted), log)
    facts = {}
    for id_, track in wanted.items():
        url = track.row.url
        try:
            kept = archive.latest(url, "track", now - PAGES_STAY_FRESH, now)
            facts[id_] = _kept_facts(kept, track, findings) or _facts_of(
                read(url, "track"), track, findings
            )
            findings.failures_in_a_row = 0
        except UserError as error:
            findings.failures_in_a_row += 1
            findings.reject_page(url, id_, str(error))
            most = MOST_FAILURES_IN_A_ROW
            if isinstance(error, ComeBackLater):
                most = MOST_BUSY_IN_A_ROW
            if findings.failures_in_a_row >= most:
                raise SourceError(
                    f"{findings.failures_in_a_row} track pages in a row cannot be read, the last "
                    f"one {url}: {error}"
                ) from error
        progress.count(failed=findings.failures_in_a_row > 0)
    return facts


def _kept_facts(page: KeptPage | None, track: _Seen, findings: _Findings) -> _PageFacts | None:
    """What a page that was kept says; None when it is none of the track's, such as a login page."""
    try:
        return _facts_of(page, track, findings) if page else None
    except SourceError:
        return None


def _needs_page(track: _Seen, archive: Archive, unread: Collection[str]) -> bool:
    """Whether to read the page of a track; ``unread`` are those that failed the last time."""
    if track.known is None:
        return True
    if track.known["license_url"]:
        return False
    if track.swept_in_full or track.row.url in unread:
        return True
    return not archive.has_answer(track.row.url, "track")


def _facts_of(page: KeptPage, track: _Seen, findings: _Findings) -> _PageFacts:
    if page.status in (404, 410):
        findings.without_page.append(track.track_id)
        findings.reject_page(
            page.url, track.row.id, f"{page.url} answered with status {page.status}: no such page."
        )
        return _PageFacts()
    if page.status != 200:
        refused = page.status in (401, 403, 451)
        why = ": the site refuses it to us" if refused else ""
        raise SourceError(f"{page.url} answered with status {page.status}{why}.")
    shown = parse_track(page.html)
    _refuse_another_track(shown, track, page)
    return _PageFacts(licence_of_url(shown.licence_url or ""), shown.genres)


def _refuse_another_track(shown: TrackPage, track: _Seen, page: KeptPage) -> None:
    if shown.track_info.id != track.row.id:
        raise LayoutChanged(
            f"{page.url} is listed as the page of track {track.row.id} but shows track "
            f"{shown.track_info.id}."
        )


def _track_row(track: _Seen, facts: _PageFacts | None) -> dict:
    row, known = track.row, track.known or {}
    facts = facts or _PageFacts()
    # The licence that is known stays: a page that has given one is not read again.
    licence = licence_of_url(known.get("license_url") or "") if known else UNKNOWN
    if facts.licence != UNKNOWN:
        licence = facts.licence
    allows_derivatives, allows_commercial_use = permissions(licence)
    genres = row.genres or facts.genres
    names = list(dict.fromkeys(name for name, _ in genres)) or known.get("genres") or []
    credit = (attribution(row.title, row.artist_name, None), row.url, licence.url)
    return {
        "track_id": track.track_id,
        "source": FMA_SITE.name,
        "source_track_id": str(row.id),
        "shard": track.shard,
        "title": row.title,
        "artist": row.artist_name,
        "artist_id": row.artist_handle,
        "album": row.album_title,
        "album_id": row.album_handle,
        "genres": names,
        "license_url": licence.url,
        "license_spdx": licence.spdx,
        "allows_derivatives": allows_derivatives,
        "allows_commercial_use": allows_commercial_use,
        "attribution": ", ".join(part for part in credit if part),
        "page_url": row.url,
        "file_url": row.file_url,
        "duration_s": known.get("duration_s") if row.duration_s is None else row.duration_s,
    }


def _sightings(swept: Iterable[GenreSweep], seen: dict[int, _Seen]) -> Iterator[dict]:
    """Rows of ``lake.schemas.SIGHTINGS`` for what this sweep saw."""
    for sweep in swept:
        now = {"first_seen_at": sweep.started_at, "last_seen_at": sweep.started_at}
        for id_ in sweep.rows.keys() & seen.keys():
            yield {"track_id": FMA_SITE.track_id(id_), "genre": sweep.genre} | now
