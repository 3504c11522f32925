"""The clips of the FMA dataset: which audio files lie in the folder of a subset."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from genre_assets.audio.files import modification_time_ns
from genre_assets.sources.catalogue import Rejection

_SHELF = re.compile(r"[0-9]{3}")
_CLIP = re.compile(r"[0-9]{6}\.mp3")


@dataclass
class Clips:
    """The audio files of a subset.

    Attributes:
        folder: The folder of the subset.
        files: Size and modification time of each clip, by track id.
        rejected: What could not be read.
        notes: Sentences on what is odd.
        unseen: The shelves, such as ``000``, and the clips, such as ``000002``, that nobody
            could look at, or that a share leaves empty when it is unmounted.
        all_unseen: Whether the folder itself could not be read.
    """

    folder: Path
    files: dict[int, tuple[int, int]] = field(default_factory=dict)
    rejected: list[Rejection] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unseen: set[str] = field(default_factory=set)
    all_unseen: bool = False

    def is_unseen(self, track_id: int) -> bool:
        """Whether nobody knows if the clip of a track is there."""
        name = f"{track_id:06d}"
        return self.all_unseen or bool({name, name[:3]} & self.unseen)


def find_clips(folder: Path) -> Clips:
    """Look through ``000/`` to ``999/`` of a subset's folder once."""
    clips = Clips(folder)
    shelves = _entries(folder, clips.rejected)
    clips.all_unseen = shelves is None
    others = 0
    for shelf in shelves or ():
        if not _SHELF.fullmatch(shelf.name) or not _is_folder(shelf):
            continue
        inside = _entries(Path(shelf.path), clips.rejected)
        if not inside:
            clips.unseen.add(shelf.name)
        for entry in inside or ():
            if not _CLIP.fullmatch(entry.name) or not entry.name.startswith(shelf.name):
                others += 1
                continue
            try:
                found = entry.stat()
                size_and_time = found.st_size, modification_time_ns(found)
                is_file = entry.is_file()
            except OSError as error:
                reason = f"The file cannot be examined ({error.strerror})."
                clips.rejected.append(Rejection(str(folder), entry.path, reason))
                clips.unseen.add(entry.name[:6])
                continue
            if is_file:
                clips.files[int(entry.name[:6])] = size_and_time
    if others:
        clips.notes.append(f"{others} files in {folder} are not named like clips.")
    return clips


def _entries(folder: Path, rejected: list[Rejection]) -> Iterable[os.DirEntry] | None:
    """What is in a folder, or None when it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        reason = f"The folder cannot be read ({error.strerror})."
        rejected.append(Rejection(str(folder), str(folder), reason))
        return None


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # Looking into it then says why it cannot be read.
        return True
