"""A music library: a folder tree of audio files.

Which file is which track. A track's id is the first 16 hexadecimal digits of the SHA-256 of the
file's bytes when the library first held it; a further copy of the same bytes gets ``-2``, ``-3``
and so on. The id then stays with the track through renames, moves and retagging. A walk matches
files with known tracks in this order, and each track is given to one file only:

1. Unchanged: the same path, size and modification time. Nothing is read, so a walk over an
   unchanged library reads no file.
2. Same bytes, wherever they lie: the bytes that the track was last probed with, or those it is
   named after. This finds renamed, moved, swapped, copied back and returned files.
3. Same path, new bytes, and bytes of no known track: the file was retagged or re-encoded. A song
   put in the place of another looks the same and inherits its id; everything downstream goes by
   the new bytes. A track that is gone is never matched by its path.
4. Anything else is a new track.
"""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath

import pyarrow as pa

from genre_assets.lake.schemas import TRACKS
from genre_assets.progress import Log, Progress, counted, silent
from genre_assets.sources.catalogue import Catalogue, rejected_rows
from genre_assets.sources.folder_walk import File, Walk, walk
from genre_assets.sources.registry import FOLDER
from genre_assets.sources.removals import IF_MEANT
from genre_assets.sources.shards import folder_shard

ID_DIGITS = 16


def read_catalogue(
    root: Path,
    known: pa.Table,
    *,
    audio: pa.Table | None = None,
    genres: bool = False,
    is_genre: Callable[[str], bool] = lambda name: False,
    believe_removals: bool = False,
    log: Log = silent,
) -> Catalogue:
    """List the audio files of a music library.

    Artist and album are filled from the names of the folders where a file lies as
    ``Artist/Album/Title`` or ``Genre/Artist/Album/Title``; the tags inside the files are read by a
    later stage.

    A known track is gone when its place was looked at and it is not there. What lies in a folder
    or a file that cannot be read was not seen, and is still there; so is what lay in a folder that
    is now empty, as an unmounted share leaves it.

    Args:
        root: The library.
        known: Rows of ``lake.schemas.TRACKS`` of this source from the last sweep, with those of
            gone tracks.
        audio: Rows of ``lake.schemas.AUDIO`` (``track_id`` and ``sha256`` are used): with them a
            track that was retagged is still known by its bytes when it moves later.
        genres: Whether folders that are named like genres give their tracks those genres.
        is_genre: Whether the name of a folder is that of a genre, such as
            ``labels.taxonomy.is_genre``; by default no name is.
        believe_removals: Whether a person has said that what an empty folder or a library that
            is not there any more held is gone.
        log: Where progress goes.

    Returns:
        The tracks in the order of their paths.

    Raises:
        SourceError: If the library itself cannot be read.
    """
    root = Path(root).absolute()
    found = walk(root)
    identities = _Identities(known, audio)
    identities.keep_unchanged(found.files)
    identities.match_bytes(_hashed(identities.unmatched(found.files), found, log))
    rows = [
        _row(file, track, root, genres, is_genre)
        for file in found.files
        if (track := identities.track_of.get(file.path)) is not None
    ]
    log(f"{counted(len(rows), 'audio file')} in {root}")
    unseen = Unseen(known, {row["track_id"] for row in rows}, found, believe_removals)
    return Catalogue(
        TRACKS.of_rows(rows),
        rejected_rows(FOLDER.name, found.all_rejected()),
        unseen.notes(),
        unseen.track_ids,
        doubt=f"The music library {root} is empty: is it mounted?" if found.found_nothing else None,
        skipped=found.skipped(),
    )


class _Identities:
    """Gives each file its track; see the module's docstring for the rule."""

    def __init__(self, known: pa.Table, audio: pa.Table | None):
        columns = ["source_track_id", "track_id", "path", "file_bytes", "file_mtime_ns", "gone_at"]
        rows = known.select(columns).to_pylist()
        # Tracks still listed come first, so that they win over gone ones; then a fixed order.
        rows.sort(key=lambda row: (row["gone_at"] is not None, row["path"] or "", row["track_id"]))
        self.track_of: dict[str, str] = {}
        self._ids = {row["source_track_id"] for row in rows}
        self._claimed: set[str] = set()
        self._at_path: dict[str, list[dict]] = defaultdict(list)
        self._named_after: dict[str, list[str]] = defaultdict(list)
        self._probed_with: dict[str, list[str]] = defaultdict(list)
        probed = {}
        if audio is not None:
            probed = dict(
                zip(audio["track_id"].to_pylist(), audio["sha256"].to_pylist(), strict=True)
            )
        for row in rows:
            track = row["source_track_id"]
            self._at_path[row["path"]].append(row)
            self._named_after[track.partition("-")[0]].append(track)
            if sha256 := probed.get(row["track_id"]):
                self._probed_with[sha256].append(track)

    def unmatched(self, files: Iterable[File]) -> list[File]:
        """The files that have no track yet."""
        return [file for file in files if file.path not in self.track_of]

    def keep_unchanged(self, files: Iterable[File]) -> None:
        """Match files by path, size and modification time."""
        for file in files:
            for row in self._at_path.get(file.path, ()):
                same = (file.size, file.mtime_ns) == (row["file_bytes"], row["file_mtime_ns"])
                if same and self._claim(file, row["source_track_id"]):
                    break

    def match_bytes(self, hashed: list[tuple[File, str]]) -> None:
        """Match files by what they hold, then by path; the rest become new tracks."""
        for candidates in (self._by_probed_bytes, self._by_first_bytes, self._by_path):
            for file, sha256 in hashed:
                if file.path not in self.track_of:
                    self._claim_first(file, candidates(file, sha256))
        for file, sha256 in hashed:
            if file.path not in self.track_of:
                self._claim(file, self._new_id(sha256[:ID_DIGITS]))

    def _by_probed_bytes(self, file: File, sha256: str) -> list[str]:
        return self._nearest_first(file, self._probed_with.get(sha256, []))

    def _by_first_bytes(self, file: File, sha256: str) -> list[str]:
        return self._nearest_first(file, self._named_after.get(sha256[:ID_DIGITS], []))

    def _by_path(self, file: File, sha256: str) -> list[str]:
        if sha256 in self._probed_with or sha256[:ID_DIGITS] in self._named_after:
            return []
        rows = self._at_path.get(file.path, ())
        return [row["source_track_id"] for row in rows if row["gone_at"] is None]

    def _nearest_first(self, file: File, tracks: list[str]) -> list[str]:
        """Of several copies of the same bytes, the one that was at this very path comes first."""
        here = {row["source_track_id"] for row in self._at_path.get(file.path, ())}
        return sorted(tracks, key=lambda track: track not in here)

    def _claim_first(self, file: File, tracks: list[str]) -> None:
        for track in tracks:
            if self._claim(file, track):
                return

    def _claim(self, file: File, track: str) -> bool:
        if track in self._claimed:
            return False
        self._claimed.add(track)
        self._ids.add(track)
        self.track_of[file.path] = track
        return True

    def _new_id(self, base: str) -> str:
        track, copy = base, 1
        while track in self._ids:
            copy += 1
            track = f"{base}-{copy}"
        return track


_UNREAD = "kept as still there, because the file or the folder cannot be read"
_EMPTY = f"kept as still there, though the folder is empty now: is it mounted? {IF_MEANT}"
_OTHER_LIBRARY = f"kept as still there, though the other library is not: is it mounted? {IF_MEANT}"
"""Why a known track is still there although the walk did not see it."""


class Unseen:
    """The known tracks that a walk did not see and whose place it did not see either.

    Args:
        known: Rows of ``lake.schemas.TRACKS``.
        listed: ``track_id`` of the tracks that the walk found.
        found: The walk.
        believe_removals: Whether only what cannot be read counts as not seen.
    """

    def __init__(self, known: pa.Table, listed: set[str], found: Walk, believe_removals: bool):
        self._folder_is_there: dict[PurePath, bool] = {}
        self._reasons: dict[str, list[str]] = defaultdict(list)
        elsewhere = set()
        for row in known.select(["track_id", "path", "gone_at"]).to_pylist():
            track_id, path = row["track_id"], row["path"]
            if track_id in listed or not path or row["gone_at"] is not None:
                continue
            above = {path, *(str(folder) for folder in PurePath(path).parents)}
            if not PurePath(path).is_relative_to(found.root):
                if _is_file(path):
                    elsewhere.add(track_id)
                elif not believe_removals and not self._is_there(PurePath(path).parent):
                    self._reasons[_OTHER_LIBRARY].append(track_id)
            elif above & found.unread:
                self._reasons[_UNREAD].append(track_id)
            elif above & found.empty and not believe_removals:
                self._reasons[_EMPTY].append(track_id)
        self.track_ids = frozenset(elsewhere.union(*self._reasons.values()))
        """Tracks of whose removal the walk knows nothing."""

    def notes(self) -> list[str]:
        """Sentences that count them."""
        return [
            f"{counted(len(tracks), 'known track')} {why}." for why, tracks in self._reasons.items()
        ]

    def _is_there(self, folder: PurePath) -> bool:
        """Whether a folder can be looked into and holds anything."""
        if folder not in self._folder_is_there:
            try:
                with os.scandir(folder) as entries:
                    self._folder_is_there[folder] = next(entries, None) is not None
            except OSError:
                self._folder_is_there[folder] = False
        return self._folder_is_there[folder]


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:
        return False


def _hashed(files: list[File], found: Walk, log: Log) -> list[tuple[File, str]]:
    """The SHA-256 of each file; those that cannot be read are rejected."""
    hashed = []
    progress = Progress("new or changed files hashed", len(files), log)
    for file in files:
        try:
            hashed.append((file, _sha256(file.path)))
        except OSError as error:
            found.reject_unread(file.path, f"The file cannot be read ({error.strerror}).")
            progress.count(failed=True)
        else:
            progress.count()
    return hashed


def _sha256(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _row(file: File, track: str, root: Path, genres: bool, is_genre: Callable[[str], bool]) -> dict:
    parts = Path(file.path).relative_to(root).parts
    artist, album = _artist_and_album(parts[:-1], is_genre)
    return {
        "track_id": FOLDER.track_id(track),
        "source": FOLDER.name,
        "source_track_id": track,
        "shard": folder_shard(track),
        "title": PurePath(parts[-1]).stem,
        "artist": artist,
        "album": album,
        # Innermost first.
        "genres": [*filter(is_genre, reversed(parts[:-1]))] if genres else [],
        "path": file.path,
        "file_bytes": file.size,
        "file_mtime_ns": file.mtime_ns,
    }


def _artist_and_album(
    folders: tuple[str, ...], is_genre: Callable[[str], bool]
) -> tuple[str | None, str | None]:
    """What the folders of a file may be named after: ``Artist/Album``, maybe below a genre."""
    if folders and is_genre(folders[0]):
        artist, album = (*folders[1:], None, None)[:2]
        return (artist, album) if len(folders) <= 3 else (None, None)
    return (folders[0], folders[1]) if len(folders) == 2 else (None, None)
