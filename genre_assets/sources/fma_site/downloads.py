"""The audio of the tracks of a shard: which files are requested, and what became of each.

A track is requested when its licence allows it, nobody had it taken down, and the store does not
hold what its URL answered before. Every try is a row of ``fetches``, in the journal as soon as it
is over: a run that is killed loses the file under way at most, and the next one goes on with it.

What came whole and is no web page is kept, decodable or not: a row that names a content is
settled, and a broken file is not requested every night. Its outcome is then ``undecodable`` with
the reason, and ``audio`` records the named failure, as it does for a broken file of any source.

Light: the HTTP client and the decoders are imported when there is a file to request.
"""

import contextlib
import hashlib
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pyarrow as pa

from genre_assets.audio.probe import LIMIT_S, Probe, probe
from genre_assets.audio.status import AudioError, Status
from genre_assets.audio.workers import WorkerPool
from genre_assets.errors import DiskFullError, UserError
from genre_assets.lake.journal import Journal
from genre_assets.lake.schemas import AUDIO, FETCHES, TRACKS
from genre_assets.lake.store import SUFFIXES, Store
from genre_assets.progress import Log, Progress, counted, silent
from genre_assets.sources.fma_site.disk_space import megabytes, not_kept
from genre_assets.sources.fma_site.download_choice import (
    RETRY_REQUESTED,
    Choice,
    Policy,
    address_of,
    banned,
    by_track,
    joined,
    newest_stored,
    of_its_url,
    partial_key,
    with_addresses,
)
from genre_assets.sources.fma_site.pace import LONGEST_WAIT_S
from genre_assets.sources.fma_site.transfer import TRANSIENT, Access, FileHost
from genre_assets.sources.registry import FMA_SITE

__all__ = ["RETRY_REQUESTED", "Choice", "Policy", "partial_key"]

GIVEN_UP_AFTER = 5
"""Files in a row that failed by the way or the moment, after which the host is left alone."""

_SUFFIX_OF_FORMAT = {
    "MP3": ".mp3",
    "MP4": ".m4a",
    "FLAC": ".flac",
    "OGG": ".ogg",
    "WAV": ".wav",
    "AIFF": ".aiff",
    "AAC": ".aac",
}


class HostInTrouble(UserError):  # noqa: N818
    """The host of the files was left alone before all were requested.

    Attributes:
        rows: Rows of ``fetches``, with what was requested before.
    """

    def __init__(self, sentence: str, rows: pa.Table):
        super().__init__(sentence)
        self.rows = rows


def download_shard(
    tracks: pa.Table,
    previous: pa.Table,
    journal: Journal,
    store: Store,
    access: Access,
    policy: Policy,
    workers: WorkerPool,
    run_id: str,
    log: Log = silent,
) -> pa.Table:
    """Bring the audio of a shard up to date with its tracks.

    The caller holds the lock of the shard's ``fetches``, writes what is returned, and then clears
    the journal. A track that is not to be requested gets one row that says why, not one a run.

    Args:
        tracks: Rows of ``tracks`` of the shard; those of other sources are left alone.
        previous: Rows of ``fetches`` of the shard as they stand.
        journal: Journal of ``fetches`` for the shard.
        store: Takes the files.
        access: How the site is accessed.
        policy: Which tracks are requested.
        workers: The processes that decode.
        run_id: The run that requests it.
        log: Takes lines about the progress.

    Returns:
        Rows of ``fetches``: the previous ones, those in the journal, and the new ones.

    Raises:
        HostInTrouble: If the host of the files fails again and again, or wants to be left alone.
        DiskFullError: If there is no room for a file.
        UserError: If the store cannot be written for another reason.
    """
    listed = [row for row in tracks.to_pylist() if row["source"] == FMA_SITE.name]
    past = by_track(joined(previous, journal))
    shard = _Shard(past, store, policy, access, journal, run_id, log)
    wanted = shard.sort_out(listed)
    trouble = shard.download(wanted, workers) if wanted else None
    rows = with_addresses(joined(previous, journal), listed)
    if trouble:
        raise HostInTrouble(trouble, rows)
    return rows


def stored_paths(tracks: pa.Table, fetches: pa.Table, store: Store) -> pa.Table:
    """Say where the audio of the tracks of the site lies.

    Args:
        tracks: Rows of ``tracks``.
        fetches: Rows of ``fetches`` of the same tracks.
        store: Holds the files.

    Returns:
        The same rows; those of the site have ``path``, ``file_bytes`` and ``file_mtime_ns`` of
        what their URL last answered with, or nulls when the store has nothing of theirs.
    """
    past = by_track(fetches)
    rows = tracks.to_pylist()
    for row in rows:
        if row["source"] == FMA_SITE.name:
            path = _stored(row, past, store)
            found = path.stat() if path else None
            row["path"] = str(path) if path else None
            row["file_bytes"] = found.st_size if found else None
            row["file_mtime_ns"] = found.st_mtime_ns if found else None
    return TRACKS.of_rows(rows)


def missing_reasons(tracks: pa.Table, fetches: pa.Table, store: Store) -> dict[str, str]:
    """Say why tracks of the site have no audio, by ``track_id``.

    Args:
        tracks: Rows of ``tracks``.
        fetches: Rows of ``fetches`` of the same tracks.
        store: Holds the files.
    """
    past = by_track(fetches)
    return {
        row["track_id"]: _why_missing(past[row["track_id"]])
        for row in tracks.to_pylist()
        if row["source"] == FMA_SITE.name and not _stored(row, past, store)
    }


def without_damaged(audio: pa.Table, store: Store) -> pa.Table:
    """Take files out of the store that are no longer what they were, to be downloaded again.

    Args:
        audio: Rows of ``audio``.
        store: Holds the files, each under the hash that it had when it came.

    Returns:
        The same rows; those of damaged files say that their file is missing, and why.
    """
    rows = audio.to_pylist()
    for row in rows:
        path = Path(row["path"]) if row["path"] and row["sha256"] else None
        if path and store.holds(path) and path.stem != row["sha256"]:
            store.remove(path.stem)
            row |= dict.fromkeys(set(row) - {"track_id", "path", "probe_version"})
            row["status"] = str(Status.MISSING)
            row["reason"] = f"{path} was damaged and taken out: the next run downloads it again."
    return AUDIO.of_rows(rows)


@dataclass(frozen=True)
class _Shard(Choice):
    """What became of the tracks of a shard before, and all that it takes to ask again."""

    journal: Journal
    run_id: str
    log: Log

    def sort_out(self, tracks: list[dict]) -> list[dict]:
        """The tracks to request; why others are not is counted, and recorded when it is new."""
        wanted, refused, others = [], [], Counter()
        for track in tracks:
            why_not = self.why_not(track)
            if why_not is None:
                wanted.append(track)
                continue
            outcome, reason = why_not
            others[outcome] += 1
            if outcome == "taken_down":
                self.store.forget_partial(partial_key(track))
            latest = self.latest(track)
            if reason and (not latest or (latest["outcome"], latest["reason"]) != why_not):
                refused.append(self._row(track, {"outcome": outcome, "reason": reason}))
        self.journal.append(FETCHES.of_rows(refused))
        counts = [f"{n:,} {_in_words(outcome)}" for outcome, n in sorted(others.items())]
        self.log(", ".join([f"{counted(len(wanted), 'file')} to download", *counts]))
        return wanted

    def download(self, tracks: list[dict], workers: WorkerPool) -> str | None:
        """Ask for the files one after the other; says if the host had to be left alone."""
        trouble = None
        received, in_a_row, outcomes = 0, 0, Counter()
        progress = Progress(
            "files downloaded",
            len(tracks),
            lambda line: self.log(f"{line}, {received / 1e6:.1f} MB"),
        )
        with FileHost(self.access) as host:
            for track in tracks:
                try:
                    row, wait_s = self._download(track, host, workers)
                except DiskFullError as error:
                    raise _with_all_that_is_left(
                        error, len(tracks) - progress.done, received, outcomes["ok"]
                    ) from error
                received += row["bytes"]
                outcomes[row["outcome"]] += 1
                progress.count(failed=row["outcome"] != "ok")
                in_a_row = in_a_row + 1 if row["outcome"] in TRANSIENT else 0
                if in_a_row == GIVEN_UP_AFTER or wait_s > LONGEST_WAIT_S:
                    left = counted(len(tracks) - progress.done, "file")
                    trouble = f"The host has trouble, {left} left to the next run: {row['reason']}"
                    break
        ended = (f"{n:,} {outcome.replace('_', ' ')}" for outcome, n in sorted(outcomes.items()))
        self.log(f"Downloads: {', '.join(ended)}")
        return trouble

    def _download(self, track: dict, host: FileHost, workers: WorkerPool) -> tuple[dict, float]:
        """The row of one download and, when it failed, how long the host asked clients to wait."""
        url, key = track["file_url"], partial_key(track)
        try:
            partial = self.store.partial(key)
            transfer = host.receive(url, partial)
            answer = asdict(transfer)
            wait_s = answer.pop("wait_s")
            if transfer.outcome == "ok":
                return self._kept(track, answer, partial, workers), wait_s
            return self._recorded(track, answer), wait_s
        except OSError as error:
            raise not_kept(url, self.store.root, error) from error

    def _kept(self, track: dict, answer: dict, partial: Path, workers: WorkerPool) -> dict:
        """Move a whole file to the store, unless it had to go."""
        url = track["file_url"]
        with partial.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        # Recorded first: whoever is killed in between leaves a whole file that is not requested
        # again, and never one in the store that nobody knows.
        if sha256 in self.policy.banned_contents:
            row = self._recorded(
                track, answer | {"outcome": "taken_down", "reason": banned(sha256)}
            )
        else:
            found = _probed(partial, workers)
            if found.reason is not None:
                reason = found.reason.replace(str(partial), url)
                answer |= {"outcome": "undecodable", "reason": reason}
            row = self._recorded(track, answer | {"sha256": sha256})
            self.store.add(partial, sha256, _suffix(found.format, url))
        self.store.forget_partial(partial_key(track))
        return row

    def _recorded(self, track: dict, answer: dict) -> dict:
        row = self._row(track, answer)
        self.journal.append(FETCHES.of_rows([row]))
        return row

    def _row(self, track: dict, answer: dict) -> dict:
        return {
            "track_id": track["track_id"],
            "url": address_of(track),
            "run_id": self.run_id,
            "fetched_at": datetime.now(UTC),
            "bytes": 0,
            "attempts": 0,
            "sha256": None,
        } | answer


def _with_all_that_is_left(
    error: DiskFullError, left: int, received: int, files: int
) -> DiskFullError:
    all_of_it = f", about {megabytes(received / files * left)} in all" if files else ""
    return DiskFullError(f"{error} {counted(left, 'file')} left to download{all_of_it}.")


def _probed(path: Path, workers: WorkerPool) -> Probe:
    with contextlib.closing(workers.run(probe, [path], LIMIT_S)) as results:
        [(_, found)] = results
    if isinstance(found, AudioError):
        return Probe(status=found.status, reason=found.reason)
    return found


def _suffix(format_: str | None, url: str) -> str:
    container = (format_ or "").partition("/")[0]
    suffix = _SUFFIX_OF_FORMAT.get(container, PurePosixPath(urlsplit(url).path).suffix.lower())
    return suffix if suffix in SUFFIXES else ".bin"


def _stored(track: dict, past: dict[str, list[dict]], store: Store) -> Path | None:
    rows = past[track["track_id"]]
    if rows and rows[-1]["outcome"] == "taken_down":
        return None
    return newest_stored(of_its_url(track, past), store) or newest_stored(rows, store)


def _why_missing(past: list[dict]) -> str:
    if not past:
        return "It is not downloaded yet."
    latest = past[-1]
    if latest["sha256"]:
        return "Its file was downloaded and is not in the store any more."
    if latest["attempts"] and latest["outcome"] != "taken_down":
        return f"The download failed: {latest['reason']}"
    return latest["reason"]


def _in_words(why_not: str) -> str:
    """Why a file is not downloaded now."""
    if why_not == "stored":
        return "already stored"
    kind, lately, _ = why_not.partition(" lately")
    kind = kind.replace("_", " ")
    return f"not tried again ({kind})" if lately else kind
