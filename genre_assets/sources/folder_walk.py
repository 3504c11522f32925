"""A walk through a music library: its audio files, and what in it is skipped or unreadable.

The names of files say what is music: endings of formats that the decoders read are taken, those
of other sound are named one by one, since they are music that the platform does without, and
everything else is counted.
"""

import os
import re
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from genre_assets.audio.files import modification_time_ns
from genre_assets.progress import counted
from genre_assets.sources.catalogue import Kind, Rejection, SourceError, printable

# fmt: off
AUDIO_EXTENSIONS = frozenset({
    ".3ga", ".aac", ".ac3", ".adts", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".au", ".bwf",
    ".caf", ".dsf", ".eac3", ".ec3", ".flac", ".m4a", ".m4b", ".m4r", ".mka", ".mp+", ".mp1",
    ".mp2", ".mp3", ".mp4", ".mpc", ".mpga", ".oga", ".ogg", ".oggflac", ".opus", ".rf64", ".snd",
    ".spx", ".tak", ".tta", ".voc", ".w64", ".wav", ".wave", ".webm", ".wma", ".wv",
})
"""Endings of files that the decoders can read; what is in them is found out when they are read."""

OTHER_SOUND_EXTENSIONS = frozenset({
    ".aa", ".aax", ".aaxc", ".cda", ".dff", ".dts", ".dtshd", ".gsm", ".it", ".kar", ".m4p",
    ".mid", ".midi", ".mlp", ".mod", ".mpp", ".mtm", ".nsf", ".ofr", ".ofs", ".oma", ".ra", ".ram",
    ".rm", ".rmi", ".s3m", ".shn", ".sid", ".spc", ".thd", ".vqf", ".xm",
})
"""Endings of sound that is left out: protected, made of notes, or of a format that is not read."""
# fmt: on

_SYSTEM_FOLDERS = re.compile(
    r"\$recycle\.bin|recycler|recycled|#recycle|@recycle|\.trash(-\d+|es)"
    r"|network trash folder|@eadir|#snapshot|@recently-snapshot|\.snapshots?"
    r"|system volume information|lost\+found|__macosx|\.appledouble",
    re.IGNORECASE,
)
"""Folders of systems and servers: what was deleted, thumbnails, snapshots, rescued pieces."""

_NAMED_ENDINGS = 20


@dataclass(frozen=True)
class File:
    """An audio file of the library, as the walk found it."""

    path: str
    size: int
    mtime_ns: int


@dataclass
class Walk:
    """What a walk found.

    Attributes:
        root: The library.
        files: Its audio files, in the order of their paths' bytes.
        rejected: What was left out, with its reason.
        unread: Paths of files and folders that could not be read: nobody knows what is in them.
        empty: Paths of folders without anything in them, as a share leaves when it is unmounted.
        other_extensions: Files that are no sound, by ending.
        system_folders: Folders of systems and servers, by name.
        hidden: Files and folders whose name begins with a dot.
        inner_links: Links to places in the library.
    """

    root: Path
    files: list[File] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    empty: set[str] = field(default_factory=set)
    other_extensions: Counter[str] = field(default_factory=Counter)
    system_folders: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    inner_links: int = 0

    def reject(self, path: str, reason: str, kind: Kind = Kind.TRACK) -> None:
        """Leave something out."""
        self.rejected.append(
            Rejection(str(self.root), os.path.relpath(path, self.root), reason, kind)
        )

    def reject_unread(self, path: str, reason: str) -> None:
        """Leave out what could not be read, so that what is known of it is kept."""
        self.unread.add(path)
        self.reject(path, reason)

    @property
    def found_nothing(self) -> bool:
        """Whether the library is as empty as a mount point without its disk."""
        of_systems = sum(self.system_folders.values())
        left_out = len(self.rejected) > of_systems or self.other_extensions
        return not (self.files or left_out or self.inner_links)

    def skipped(self) -> list[str]:
        """Sentences on what was skipped and is nothing to worry about."""
        notes = []
        if self.other_extensions:
            named = _named(self.other_extensions)
            total = sum(self.other_extensions.values())
            notes.append(f"Skipped {counted(total, 'file')} of other kinds: {named}.")
        if self.system_folders:
            total = sum(self.system_folders.values())
            named = _named(self.system_folders)
            notes.append(f"Skipped {counted(total, 'system folder')}: {named}.")
        if self.hidden:
            notes.append(f"Skipped {counted(self.hidden, 'hidden item')}.")
        if self.inner_links:
            links = counted(self.inner_links, "symbolic link")
            notes.append(f"Skipped {links} to places in the library.")
        return notes

    def all_rejected(self) -> list[Rejection]:
        """What was left out, and how many files of each kind that is no sound."""
        others = [
            Rejection(
                str(self.root),
                f"*{ending}" if ending.startswith(".") else "files without an ending",
                f"Not audio: {counted(count, 'file')}.",
                Kind.OTHER,
            )
            for ending, count in sorted(self.other_extensions.items())
        ]
        return self.rejected + others


def walk(root: Path) -> Walk:
    """Find the audio files below a folder.

    Raises:
        SourceError: If the folder itself cannot be read.
    """
    found = Walk(root)
    real_root = os.path.realpath(root)
    folders = [str(root)]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                inside = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            if folder == str(root):
                raise SourceError(
                    f"The music library {root} cannot be read ({error.strerror}): is it mounted? "
                    "Mount it, or name another folder."
                ) from error
            found.reject_unread(folder, f"The folder cannot be read ({error.strerror}).")
            continue
        if not inside and folder != str(root):
            found.empty.add(folder)
        inner = []
        for entry in inside:
            try:
                inner += _consider(found, real_root, entry)
            except OSError as error:
                reason = f"It cannot be examined ({error.strerror})."
                found.reject_unread(entry.path, reason)
        folders += reversed(inner)
    found.files.sort(key=lambda file: file.path.encode())
    return found


def _consider(found: Walk, real_root: str, entry: os.DirEntry) -> list[str]:
    """Take an entry of a folder, or leave it out; returns it when it is a folder to look into."""
    if _SYSTEM_FOLDERS.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
        found.system_folders[printable(entry.name)] += 1
        reason = "System folders, such as those for deleted files, are not searched."
        found.reject(entry.path, reason, Kind.OTHER)
    elif entry.name.startswith("."):
        found.hidden += 1
    elif entry.is_symlink():
        _consider_link(found, real_root, entry)
    elif entry.is_dir(follow_symlinks=False):
        return [entry.path]
    else:
        _consider_file(found, entry)
    return []


def _consider_link(found: Walk, real_root: str, entry: os.DirEntry) -> None:
    """A link inside the library adds nothing; one that leaves it is not followed."""
    try:
        is_folder = entry.is_dir()
    except OSError:
        is_folder = False
    if not is_folder and not _is_audio(entry.name):
        _leave_out(found, entry)
        return
    target = Path(os.path.realpath(entry.path))
    if not target.exists():
        found.reject_unread(entry.path, "The symbolic link leads nowhere.")
    elif target.is_relative_to(real_root):
        found.inner_links += 1
    else:
        reason = (
            "The symbolic link points outside the library: move what it points to into the library."
        )
        found.reject_unread(entry.path, reason)


def _consider_file(found: Walk, entry: os.DirEntry) -> None:
    if not _is_audio(entry.name):
        _leave_out(found, entry)
        return
    try:
        entry.path.encode()
    except UnicodeEncodeError:
        found.reject(entry.path, "Its path is not valid UTF-8: rename it.")
        return
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        found.reject_unread(entry.path, f"The file cannot be examined ({error.strerror}).")
        return
    # Reading a pipe would wait for ever.
    if not stat.S_ISREG(status.st_mode):
        found.reject(entry.path, "It is not a regular file.")
        return
    found.files.append(File(entry.path, status.st_size, modification_time_ns(status)))


def _leave_out(found: Walk, entry: os.DirEntry) -> None:
    extension = PurePath(entry.name).suffix.lower()
    if extension in OTHER_SOUND_EXTENSIONS:
        reason = f"Files of the type {extension} are not read: convert it, for example to FLAC."
        found.reject(entry.path, reason, Kind.SOUND)
    else:
        found.other_extensions[printable(extension) or "without extension"] += 1


def _is_audio(name: str) -> bool:
    return PurePath(name).suffix.lower() in AUDIO_EXTENSIONS


def _named(counts: Counter[str]) -> str:
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = ", ".join(f"{count} {name}" for name, count in most[:_NAMED_ENDINGS])
    more = f" and {len(most) - _NAMED_ENDINGS} other kinds" if len(most) > _NAMED_ENDINGS else ""
    return named + more
