"""Revoking a take-down that was a mistake."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from genre_assets.errors import UserError
from genre_assets.lake.files import everything_of, partitions_and_journals
from genre_assets.lake.schemas import FETCHES, REVOKED_TAKEDOWNS, TAKEDOWNS, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.lake.views import refresh_views
from genre_assets.progress import Log, counted, silent
from genre_assets.sources.fma_site.downloads import RETRY_REQUESTED
from genre_assets.sources.registry import source_named
from genre_assets.suggestions import did_you_mean
from genre_assets.takedowns.record import names_of, taken_down

RUN_ID = "genre-assets take-down --undo"
_NAMED = 10


@dataclass(frozen=True)
class Revoked:
    """A take-down that was revoked, and what that brings back.

    Attributes:
        kind: track or artist.
        subject: The ``track_id``, or the artist's name, as it was recorded.
        downloads: Tracks whose audio is downloaded again.
        own_files: Tracks whose files were never deleted and are read again.
        lost: Tracks that their source does not list any more: their audio cannot come back.
        held: Tracks that another take-down keeps out.
    """

    kind: str
    subject: str
    downloads: tuple[str, ...] = ()
    own_files: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    held: tuple[str, ...] = ()

    def __str__(self) -> str:
        """What comes back and what does not, in lines."""
        lines = [f"The take-down of the {self.kind} {self.subject} is revoked."]
        again = []
        if self.downloads:
            again.append(f"downloads {counted(len(self.downloads), 'file')} again")
        if self.own_files:
            again.append(f"reads {counted(len(self.own_files), 'file')} of your own again")
        if again:
            lines.append(
                f"The next run {' and '.join(again)}, and makes tags, labels, features, models and "
                "reports anew."
            )
        if self.lost:
            lines.append(
                "These tracks cannot come back, because their source no longer lists them: "
                f"{_named(self.lost)}."
            )
        if self.held:
            lines.append(f"These tracks are kept out by another take-down: {_named(self.held)}.")
        if not (again or self.lost or self.held):
            lines.append("It had removed no audio.")
        return "\n".join(lines)


def revoke(
    lake: Lake,
    kind: str,
    subject: str,
    reason: str | None,
    now: datetime,
    log: Log = silent,
) -> Revoked:
    """Revoke a take-down; its record moves to ``revoked_takedowns``, with when and why.

    Nothing that was removed is restored here: the next run downloads and computes it again, where
    the source still has it.

    Args:
        lake: The lake.
        kind: track or artist.
        subject: The ``track_id``, or the artist's name, in any spelling.
        reason: Why, if somebody says.
        now: When, with its time zone.
        log: Takes a line when another run has to be waited for.

    Raises:
        UserError: If no such take-down is in force.
    """
    subject = " ".join(subject.split())
    with lake.held(TAKEDOWNS, log=log):
        recorded = lake.read(TAKEDOWNS).to_pylist()
        meant = [row for row in recorded if _is_meant(row, kind, subject)]
        if not meant:
            raise _none_in_force(recorded, kind, subject)
        revoked = {"revoked_at": now, "revoked_because": reason or None}
        lake.write(
            REVOKED_TAKEDOWNS,
            REVOKED_TAKEDOWNS.of_rows(
                [*lake.read(REVOKED_TAKEDOWNS).to_pylist(), *(row | revoked for row in meant)]
            ),
        )
        kept = [row for row in recorded if row not in meant]
        lake.write(TAKEDOWNS, TAKEDOWNS.of_rows(kept))
    reached = {track_id for row in meant for track_id in row["track_ids"]}
    found = _sorted_out(lake, kind, meant[0]["subject"], reached)
    _ask_again(lake, set(found.downloads), now, log)
    refresh_views(lake)
    return found


def _is_meant(row: dict, kind: str, subject: str) -> bool:
    if row["kind"] != kind:
        return False
    if row["subject"] == subject:
        return True
    return kind == "artist" and not names_of(row["subject"]).isdisjoint(names_of(subject))


def _none_in_force(held: list[dict], kind: str, subject: str) -> UserError:
    subjects = [row["subject"] for row in held if row["kind"] == kind]
    if subjects:
        hint = did_you_mean(subject, subjects)
        hint = hint or f"The take-downs of these are in force: {_named(tuple(subjects))}."
    else:
        hint = f"No {kind} is taken down."
    return UserError(f"No take-down of the {kind} {subject!r} is in force. {hint}")


def _sorted_out(lake: Lake, kind: str, subject: str, reached: set[str]) -> Revoked:
    gone = taken_down(lake)
    rows = {row["track_id"]: row for row in lake.read(TRACKS).to_pylist()}
    contents = defaultdict(set)
    for row in everything_of(lake, FETCHES, ["track_id", "sha256"]):
        contents[row["track_id"]].add(row["sha256"])
    downloads, own_files, lost, held = [], [], [], []
    for track_id in sorted(reached):
        track = rows.get(track_id)
        if track and gone.reason_for(track):
            held.append(track_id)
        elif not track or track["gone_at"]:
            lost.append(track_id)
        elif not source_named(track["source"]).is_site:
            own_files += [track_id] if track["path"] else []
        elif not gone.contents.isdisjoint(contents[track_id]):
            held.append(track_id)
        elif track["license_url"] and track["file_url"] and contents[track_id] - {None}:
            downloads.append(track_id)
    return Revoked(kind, subject, *map(tuple, (downloads, own_files, lost, held)))


def _ask_again(lake: Lake, track_ids: set[str], now: datetime, log: Log) -> None:
    """Let the next run ask for files whose last row says that they were taken down."""
    for shard in map(str, partitions_and_journals(lake, FETCHES)):
        with lake.held(FETCHES, shard, log):
            stored = lake.read(FETCHES, [shard])
            rows = pa.concat_tables([stored, lake.journal(FETCHES, shard).read()]).to_pylist()
            latest = {row["track_id"]: row for row in sorted(rows, key=lambda r: r["fetched_at"])}
            new = [
                {
                    "track_id": row["track_id"],
                    "url": row["url"],
                    "run_id": RUN_ID,
                    "fetched_at": max(now, row["fetched_at"] + timedelta(microseconds=1)),
                    "bytes": 0,
                    "attempts": 0,
                    "outcome": RETRY_REQUESTED,
                    "reason": "Its take-down was revoked.",
                }
                for row in latest.values()
                if row["track_id"] in track_ids and row["outcome"] == "taken_down"
            ]
            if new:
                lake.write(FETCHES, pa.concat_tables([stored, FETCHES.of_rows(new)]), shard)


def _named(names: tuple[str, ...]) -> str:
    others = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {others:,} more" if others > 0 else "")
