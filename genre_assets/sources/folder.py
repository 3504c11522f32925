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
import stat
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import pyarrow as pa

from genre_assets.lake.schemas import TRACKS
from genre_assets.progress import Log, Progress, counted, silent
from genre_assets.sources.catalogue import (
    Catalogue,
    Rejection,
    SourceError,
    printable,
    rejected_rows,
)
from genre_assets.sources.shards import folder_shard

SOURCE = "folder"
AUDIO_EXTENSIONS = frozenset(
    {
        ".aac",
        ".aif",
        ".aifc",
        ".aiff",
        ".flac",
        ".m4a",
        ".mp3",
        ".mp4",
        ".oga",
        ".ogg",
        ".opus",
        ".wav",
        ".wma",
    }
)
ID_DIGITS = 16


@dataclass(frozen=True)
class _File:
    """An audio file of the library, as the walk found it."""

    path: str
    size: int
    mtime_ns: int


@dataclass
class _Walk:
    files: list[_File] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    other_extensions: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    inner_links: int = 0


def read_catalogue(
    root: Path,
    known: pa.Table,
    *,
    audio: pa.Table | None = None,
    log: Log = silent,
) -> Catalogue:
    """List the audio files of a music library.

    Artist and album are filled from the names of the folders where a file lies as
    ``Artist/Album/Title``; the tags inside the files are read by a later stage.

    Args:
        root: The library.
        known: Rows of ``lake.schemas.TRACKS`` of this source from the last sweep, with those of
            gone tracks.
        audio: Rows of ``lake.schemas.AUDIO`` (``track_id`` and ``sha256`` are used): with them a
            track that was retagged is still known by its bytes when it moves later.
        log: Where progress goes.

    Returns:
        The tracks in the order of their paths.

    Raises:
        SourceError: If the library itself cannot be read.
    """
    root = Path(root).absolute()
    walk = _walk(root)
    identities = _Identities(known, audio)
    identities.keep_unchanged(walk.files)
    identities.match_bytes(_hashed(identities.unmatched(walk.files), walk.rejected, root, log))
    rows = [
        _row(file, track, root)
        for file in walk.files
        if (track := identities.track_of.get(file.path)) is not None
    ]
    log(f"{len(rows)} audio files in {root}, {len(walk.rejected)} rejected")
    return Catalogue(
        TRACKS.of_rows(rows),
        rejected_rows(SOURCE, walk.rejected),
        _notes(walk),
        _elsewhere(known, Path(root)),
    )


def _elsewhere(known: pa.Table, root: Path) -> frozenset[str]:
    """Known tracks of other libraries, about which a walk of this one says nothing."""
    listed = zip(known["track_id"].to_pylist(), known["path"].to_pylist(), strict=True)
    return frozenset(
        track_id
        for track_id, path in listed
        if path and not PurePath(path).is_relative_to(root) and Path(path).is_file()
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

    def unmatched(self, files: Iterable[_File]) -> list[_File]:
        """The files that have no track yet."""
        return [file for file in files if file.path not in self.track_of]

    def keep_unchanged(self, files: Iterable[_File]) -> None:
        """Match files by path, size and modification time."""
        for file in files:
            for row in self._at_path.get(file.path, ()):
                same = (file.size, file.mtime_ns) == (row["file_bytes"], row["file_mtime_ns"])
                if same and self._claim(file, row["source_track_id"]):
                    break

    def match_bytes(self, hashed: list[tuple[_File, str]]) -> None:
        """Match files by what they hold, then by path; the rest become new tracks."""
        for candidates in (self._by_probed_bytes, self._by_first_bytes, self._by_path):
            for file, sha256 in hashed:
                if file.path not in self.track_of:
                    self._claim_first(file, candidates(file, sha256))
        for file, sha256 in hashed:
            if file.path not in self.track_of:
                self._claim(file, self._new_id(sha256[:ID_DIGITS]))

    def _by_probed_bytes(self, file: _File, sha256: str) -> list[str]:
        return self._nearest_first(file, self._probed_with.get(sha256, []))

    def _by_first_bytes(self, file: _File, sha256: str) -> list[str]:
        return self._nearest_first(file, self._named_after.get(sha256[:ID_DIGITS], []))

    def _by_path(self, file: _File, sha256: str) -> list[str]:
        if sha256 in self._probed_with or sha256[:ID_DIGITS] in self._named_after:
            return []
        rows = self._at_path.get(file.path, ())
        return [row["source_track_id"] for row in rows if row["gone_at"] is None]

    def _nearest_first(self, file: _File, tracks: list[str]) -> list[str]:
        """Of several copies of the same bytes, the one that was at this very path comes first."""
        here = {row["source_track_id"] for row in self._at_path.get(file.path, ())}
        return sorted(tracks, key=lambda track: track not in here)

    def _claim_first(self, file: _File, tracks: list[str]) -> None:
        for track in tracks:
            if self._claim(file, track):
                return

    def _claim(self, file: _File, track: str) -> bool:
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


def _walk(root: Path) -> _Walk:
    """Find the audio files below a folder, in the order of their paths' bytes."""
    walk = _Walk()
    real_root = os.path.realpath(root)
    folders = [str(root)]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            if folder == str(root):
                raise SourceError(
                    f"The music library {root} cannot be read ({error.strerror}): "
                    "name a folder that can."
                ) from error
            _reject(walk, root, folder, f"The folder cannot be read ({error.strerror}).")
            continue
        inner = []
        for entry in entries:
            if entry.name.startswith("."):
                walk.hidden += 1
            elif entry.is_symlink():
                _consider_link(walk, root, real_root, entry)
            elif entry.is_dir(follow_symlinks=False):
                inner.append(entry.path)
            else:
                _consider_file(walk, root, entry)
        folders += reversed(inner)
    walk.files.sort(key=lambda file: file.path.encode())
    return walk


def _consider_link(walk: _Walk, root: Path, real_root: str, entry: os.DirEntry) -> None:
    """A link inside the library adds nothing; one that leaves it is not followed."""
    try:
        is_folder = entry.is_dir()
    except OSError:
        is_folder = False
    if not is_folder and not _is_audio(entry.name):
        walk.other_extensions[_extension(entry.name)] += 1
        return
    target = Path(os.path.realpath(entry.path))
    if not target.exists():
        _reject(walk, root, entry.path, "The symbolic link leads nowhere.")
    elif target.is_relative_to(real_root):
        walk.inner_links += 1
    else:
        reason = "The symbolic link leaves the library: make what it points to a library."
        _reject(walk, root, entry.path, reason)


def _consider_file(walk: _Walk, root: Path, entry: os.DirEntry) -> None:
    if not _is_audio(entry.name):
        walk.other_extensions[_extension(entry.name)] += 1
        return
    try:
        entry.path.encode()
    except UnicodeEncodeError:
        _reject(walk, root, entry.path, "Its path is no valid UTF-8: rename it.")
        return
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        _reject(walk, root, entry.path, f"The file cannot be examined ({error.strerror}).")
        return
    # Reading a pipe would wait for ever.
    if not stat.S_ISREG(status.st_mode):
        _reject(walk, root, entry.path, "It is not a regular file.")
        return
    walk.files.append(_File(entry.path, status.st_size, status.st_mtime_ns))


def _hashed(
    files: list[_File], rejected: list[Rejection], root: Path, log: Log
) -> list[tuple[_File, str]]:
    """The SHA-256 of each file; those that cannot be read are rejected."""
    hashed = []
    progress = Progress("new or changed files hashed", len(files), log)
    for file in files:
        try:
            hashed.append((file, _sha256(file.path)))
        except OSError as error:
            place = os.path.relpath(file.path, root)
            reason = f"The file cannot be read ({error.strerror})."
            rejected.append(Rejection(str(root), place, reason))
            progress.count(failed=True)
        else:
            progress.count()
    return hashed


def _sha256(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _row(file: _File, track: str, root: Path) -> dict:
    parts = Path(file.path).relative_to(root).parts
    artist, album = parts[:2] if len(parts) == 3 else (None, None)
    return {
        "track_id": f"{SOURCE}:{track}",
        "source": SOURCE,
        "source_track_id": track,
        "shard": folder_shard(track),
        "title": PurePath(parts[-1]).stem,
        "artist": artist,
        "album": album,
        "genres": [],
        "path": file.path,
        "file_bytes": file.size,
        "file_mtime_ns": file.mtime_ns,
    }


def _notes(walk: _Walk) -> list[str]:
    notes = []
    if walk.other_extensions:
        counts = sorted(walk.other_extensions.items(), key=lambda item: (-item[1], item[0]))
        named = ", ".join(f"{count} {extension}" for extension, count in counts[:20])
        more = f" and {len(counts) - 20} other kinds" if len(counts) > 20 else ""
        total = sum(walk.other_extensions.values())
        notes.append(f"{counted(total, 'file')} of other kinds: {named}{more}.")
    if walk.hidden:
        notes.append(f"{counted(walk.hidden, 'hidden item')} passed over.")
    if walk.inner_links:
        notes.append(
            f"{counted(walk.inner_links, 'symbolic link')} to places in the library not followed."
        )
    return notes


def _is_audio(name: str) -> bool:
    return PurePath(name).suffix.lower() in AUDIO_EXTENSIONS


def _extension(name: str) -> str:
    return printable(PurePath(name).suffix.lower()) or "without extension"


def _reject(walk: _Walk, root: Path, path: str, reason: str) -> None:
    walk.rejected.append(Rejection(str(root), os.path.relpath(path, root), reason))
