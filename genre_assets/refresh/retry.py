"""Failed items stay recorded, with the reason, until they are retried.

Every run retries a failure of the machine; a failure of a file is retried when the file or the
version of the code changes. A retry request clears the code version of a row, which marks it out of
date; the row keeps its reason until the retry. The log of downloads is append-only: there, a
request is a row of its own.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from filelock import Timeout

from genre_assets.audio.status import WORTH_ANOTHER_TRY, Status
from genre_assets.errors import UserError
from genre_assets.lake.files import (
    journal_files,
    partitions_and_journals,
    unless_damaged,
    unless_vanished,
)
from genre_assets.lake.parquet import read_columns
from genre_assets.lake.schemas import (
    AUDIO,
    FETCHES,
    ID3_TAGS,
    TABLES,
    TRACKS,
    Table,
    failure_tables,
)
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import refresh_views
from genre_assets.progress import counted
from genre_assets.sources.fma_site.downloads import RETRY_REQUESTED
from genre_assets.sources.fma_site.transfer import TRANSIENT
from genre_assets.suggestions import did_you_mean, unknown
from genre_assets.tags.reading import NOTHING_TO_READ

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

_OF_DOWNLOADS = (
    "removed",
    "forbidden",
    "unexpected_answer",
    "no_length",
    "too_large",
    "foreign_redirect",
    *sorted(TRANSIENT),
)
"""Kinds of failure of a download beside those of a file."""
_NAMED = 5
"""Shards that are named; of more their number is."""
RUN_ID = "genre-assets retry"
_CALL = "asked_again"
"""File of the lake whose time is that of the last request."""


@dataclass
class RetryRequest:
    """What a retry was requested of.

    Attributes:
        marked: Rows that were marked, by table and shard.
        waiting: Failures that match, that were marked before and not tried since.
        anyway: Failures that match and that every run tries again, marked or not.
        kinds: All that failed and could be marked, by kind.
        table: The one table that was looked at; None for all of them.
    """

    marked: dict[str, dict[str, int]] = field(default_factory=dict)
    waiting: int = 0
    anyway: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    table: str | None = None

    def __str__(self) -> str:
        """What was done, and what to do next."""
        lines = []
        for table, shards in self.marked.items():
            rows = counted(sum(shards.values()), "failure")
            asset = TABLES[table].written_with.name
            where = ", ".join(shards) if len(shards) <= _NAMED else counted(len(shards), "shard")
            lines.append(
                f"{rows} in {table} marked: the next run of {asset} for {where} tries again."
            )
        if self.waiting:
            what = counted(self.waiting, "failure")
            lines.append(f"{what} marked before, and not tried since.")
        if self.marked or self.waiting:
            lines.append(
                "genre-assets plan shows what is marked and genre-assets run tries it; while "
                "make dev runs, it is tried within a minute."
            )
        elif self.kinds:
            kinds = ", ".join(f"{kind} ({n:,})" for kind, n in self.kinds.most_common())
            lines.append(
                f"Nothing was marked, because no failure matches. The failures are: {kinds}."
            )
        else:
            place = f" in {self.table}" if self.table else ""
            lines.append(f"Nothing was marked: there is nothing to retry{place}.")
        if self.anyway:
            what = counted(self.anyway, "failure")
            lines.append(
                f"{what} may be due to the machine and not to the file: every run tries "
                f"{'it' if self.anyway == 1 else 'them'} again by itself."
            )
        return "\n".join(lines)


def request_retry(
    lake: Lake, table: str | None = None, status: str | None = None, track_id: str | None = None
) -> RetryRequest:
    """Request a retry of what failed.

    Args:
        lake: The lake.
        table: Name of one of the tables that hold failures; None looks in all of them.
        status: Kind of failure; None takes all kinds.
        track_id: The track; None takes all of them.

    Raises:
        UserError: If there is no such table, kind of failure or track, or a run is at work on a
            shard.
    """
    tables = failure_tables()
    if table is not None and table not in tables:
        raise UserError(f"{table!r} holds no failures: use one of {', '.join(tables)}.")
    if status is not None:
        _refuse_unknown_kind(lake, status)
    listed = lake.read(TRACKS, columns=["track_id", "gone_at", "file_url"])
    ids = listed["track_id"].to_pylist()
    if track_id is not None and track_id not in ids:
        hint = did_you_mean(track_id, ids) or 'Look it up: genre-assets query "FROM tracks".'
        raise UserError(f"No source has ever listed a track with the id {track_id!r}. {hint}")
    there = listed.filter(pc.is_null(listed["gone_at"])).to_pylist()
    url_of = {row["track_id"]: row["file_url"] for row in there}
    request = _Request(lake, status, track_id, url_of, RetryRequest(table=table))
    try:
        for name in [table] if table else tables:
            for shard in map(str, partitions_and_journals(lake, tables[name])):
                request.mark(tables[name], shard)
    finally:
        if request.outcome.marked:
            refresh_views(lake)
        if request.outcome.marked or request.outcome.waiting:
            _call(lake)
    return request.outcome


def _refuse_unknown_kind(lake: Lake, kind: str) -> None:
    known = {
        str(status): None for status in Status if status not in (Status.OK, Status.MISSING)
    } | dict.fromkeys(_OF_DOWNLOADS)
    # A download may also have failed in a way that this list does not have.
    for table in failure_tables().values():
        column = str(table.outcome)
        found = pc.unique(lake.read(table, columns=[column])[column]).to_pylist()
        known |= dict.fromkeys(name for name in found if name and name != Status.OK)
    known |= {str(Status.MISSING): None}
    if kind not in known:
        raise unknown("kind of failure", kind, known)


def requested_retries(
    lake: Lake, looked_at: Mapping[str, str]
) -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    """Find the shards of which a retry is requested.

    Args:
        lake: The lake.
        looked_at: What the last look returned second. Tables that did not change are not read,
            unless a retry was requested since, if only of what had been requested before.

    Returns:
        For each pair of an asset and a shard the version of the rows with a request, and what to
        hand to the next look.
    """
    call = lake.places.retry_requested
    called_at = str(call.stat().st_mtime_ns) if call.exists() else ""
    found, versions = {}, {_CALL: called_at}
    if looked_at.get(_CALL) != called_at:
        looked_at = {}
    for table in failure_tables().values():
        for shard in map(str, partitions_and_journals(lake, table)):
            place, version = f"{table.name} {shard}", lake.version(table, shard)
            versions[place] = version
            if looked_at.get(place) != version and _has_request(lake, table, shard):
                found[table.written_with.name, shard] = f"{version} {called_at}"
    return found, versions


def _call(lake: Lake) -> None:
    """Record the time of the request."""
    call = lake.places.retry_requested
    call.parent.mkdir(parents=True, exist_ok=True)
    call.touch()


def _has_request(lake: Lake, table: Table, shard: str) -> bool:
    if column := table.version:
        return lake.read(table, [shard], columns=[column])[column].null_count > 0 or any(
            _lacks_a_version(lake, path, table) for path in journal_files(lake, table, shard)
        )
    tries = lake.read(table, [shard], columns=["track_id", "fetched_at", "outcome"])
    latest = {
        row["track_id"]: row["outcome"]
        for row in sorted(tries.to_pylist(), key=lambda row: row["fetched_at"])
    }
    return RETRY_REQUESTED in latest.values()


def _lacks_a_version(lake: Lake, path: Path, table: Table) -> bool:
    """Whether a row in a file of a journal lacks the version of the code that made it."""
    column = str(table.version)
    with unless_vanished(), unless_damaged(lake, table):
        return read_columns(path, [column])[column].null_count > 0
    return False


@dataclass(frozen=True)
class _Request:
    """What a retry is requested of, and what came of it so far.

    Attributes:
        lake: The lake.
        status: Kind of failure, or None.
        track_id: The track, or None.
        url_of: Where the file of each track comes from that is not gone.
        outcome: What came of it.
    """

    lake: Lake
    status: str | None
    track_id: str | None
    url_of: dict[str, str | None]
    outcome: RetryRequest

    def mark(self, table: Table, shard: str) -> None:
        """Mark what matches in one shard.

        Raises:
            UserError: If a run is at work on it.
        """
        lock = self.lake.lock(table.written_with, shard)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UserError(
                f"A run is at work on {table.written_with.name} of {shard}: run this command again "
                "when it is done."
            ) from None
        try:
            mark = self._mark_fetches if table == FETCHES else self._mark_rows
            if count := mark(table, shard):
                self.outcome.marked.setdefault(table.name, {})[shard] = count
        finally:
            lock.release()

    def _mark_rows(self, table: Table, shard: str) -> int:
        """Take the version from the rows that match, and from those of the same content."""
        journal = self.lake.journal(table, shard)
        stored, unfinished = self.lake.read(table, [shard]), journal.read()
        matching = [
            row
            for row in pa.concat_tables([stored, unfinished]).to_pylist()
            if self._is_failure(table, row)
            and not self._is_waiting(row, row["status"], row[str(table.version)] is None)
            and self._matches(row, row["status"], row["status"] in WORTH_ANOTHER_TRY)
        ]
        if not matching:
            return 0
        # A file is probed for each track; of the same content the rest is done once for all.
        key = "track_id" if table == AUDIO else "sha256"
        marked = pa.array(sorted({row[key] for row in matching}), pa.string())
        self.lake.write(table, _without_version(stored, table, key, marked), shard)
        if unfinished.num_rows:
            # Rows that are lost by a kill here are computed again, which is what was requested.
            journal.clear()
            journal.append(_without_version(unfinished, table, key, marked))
        return len({row["track_id"] for row in matching})

    def _mark_fetches(self, table: Table, shard: str) -> int:
        """Add a request for each track whose last try of its present address failed."""
        stored = self.lake.read(table, [shard])
        rows = pa.concat_tables([stored, self.lake.journal(table, shard).read()]).to_pylist()
        latest: dict[str, dict] = {}
        for row in sorted(rows, key=lambda row: row["fetched_at"]):
            if row["track_id"] in self.url_of and self.url_of[row["track_id"]] == row["url"]:
                latest[row["track_id"]] = row
        self.outcome.waiting += sum(
            row["outcome"] == RETRY_REQUESTED and self._is_meant(row, RETRY_REQUESTED)
            for row in latest.values()
        )
        new = [
            _request_row(row)
            for row in latest.values()
            if row["attempts"]
            and row["outcome"] not in ("ok", "taken_down")
            and self._matches(row, row["outcome"], row["outcome"] in TRANSIENT)
        ]
        if new:
            self.lake.write(table, pa.concat_tables([stored, table.of_rows(new)]), shard)
        return len(new)

    def _is_failure(self, table: Table, row: dict) -> bool:
        """Whether a row says that something failed that can be tried again."""
        if row["status"] == Status.OK:
            return False
        if row["status"] == Status.MISSING != self.status:
            # There is no file to try, and the next run that finds one does.
            return False
        if table == AUDIO:
            return row["track_id"] in self.url_of
        if table == ID3_TAGS:
            is_sound = row["status"] == Status.NO_TAGS != self.status
            return not is_sound and row["status"] not in NOTHING_TO_READ
        return True

    def _is_waiting(self, row: dict, kind: str, is_requested: bool) -> bool:
        self.outcome.waiting += is_requested and self._is_meant(row, kind)
        return is_requested

    def _is_meant(self, row: dict, kind: str) -> bool:
        return self.status in (None, kind) and self.track_id in (None, row["track_id"])

    def _matches(self, row: dict, kind: str, every_run_tries: bool) -> bool:
        is_meant = self._is_meant(row, kind)
        if every_run_tries:
            self.outcome.anyway += is_meant
            return False
        self.outcome.kinds[kind] += 1
        return is_meant


def _without_version(rows: pa.Table, table: Table, key: str, marked: pa.Array) -> pa.Table:
    name = str(table.version)
    column = rows.schema.get_field_index(name)
    is_meant = pc.is_in(rows[key], value_set=marked)
    kept = pc.if_else(is_meant, pa.scalar(None, pa.int64()), rows[name])
    return rows.set_column(column, rows.schema.field(name), kept)


def _request_row(row: dict) -> dict:
    return {
        "track_id": row["track_id"],
        "url": row["url"],
        "run_id": RUN_ID,
        "fetched_at": datetime.now(UTC),
        "bytes": 0,
        "attempts": 0,
        "outcome": RETRY_REQUESTED,
        "reason": f"A retry was requested; the last try: {row['reason']}",
    }
