"""Files in the lake that are not tables: downloaded audio, addressed by its content.

A file's name is the SHA-256 of its bytes, ``<lake>/files/ab/<sha256>.mp3``: one file however many
tracks name it. It appears whole and synced or not at all. Unfinished
downloads are kept elsewhere, out of sight.
"""

import hashlib
import re
from pathlib import Path

from genre_assets.lake.places import Places
from genre_assets.lake.space import room_for
from genre_assets.lake.storage import move_into_place

SUFFIXES = (".mp3", ".m4a", ".flac", ".ogg", ".wav", ".aiff", ".aac", ".bin")
"""What the name of a file may end in; ``.bin`` is for bytes that no decoder knows."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Store:
    """The content-addressed files below one folder.

    Args:
        root: The folder of the lake; made when it is missing.
    """

    def __init__(self, root: Path | str):
        self.root = Path(root).expanduser().absolute()
        self._places = Places(self.root)

    def path(self, sha256: str, suffix: str) -> Path:
        """Where a content of that format lies or would lie.

        Raises:
            ValueError: If it is no SHA-256 in lower-case hexadecimal, or no suffix of audio.
        """
        if not _SHA256.fullmatch(sha256):
            raise ValueError(f"{sha256!r} is not a SHA-256: 64 lower-case hexadecimal digits.")
        if suffix not in SUFFIXES:
            raise ValueError(f"{suffix!r} is none of the suffixes {', '.join(SUFFIXES)}.")
        return self._places.files / sha256[:2] / f"{sha256}{suffix}"

    def find(self, sha256: str) -> Path | None:
        """Where the content lies, whatever its suffix; None when it is not there."""
        paths = (self.path(sha256, suffix) for suffix in SUFFIXES)
        return next((path for path in paths if path.is_file()), None)

    def has(self, sha256: str) -> bool:
        """Whether the content is there."""
        return self.find(sha256) is not None

    def holds(self, path: Path) -> bool:
        """Whether a path is one of a file of the store."""
        return path.is_relative_to(self._places.files)

    def add(self, temporary: Path, sha256: str, suffix: str) -> Path:
        """Move a finished file to its place; one with the same content that is there stays.

        Args:
            temporary: The file, on the same file system; it is gone afterwards.
            sha256: SHA-256 of its bytes.
            suffix: One of :data:`SUFFIXES`.

        Returns:
            Where the content lies.
        """
        path = self.path(sha256, suffix)
        if (present := self.find(sha256)) is not None:
            temporary.unlink(missing_ok=True)
            return present
        with room_for(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            move_into_place(temporary, path)
        return path

    def remove(self, sha256: str) -> bool:
        """Delete a content; whether there was one."""
        present = self.find(sha256)
        if present is not None:
            present.unlink(missing_ok=True)
        return present is not None

    def partial(self, key: str) -> Path:
        """Where a download that is not finished keeps its bytes, in a folder that is made.

        Beside it, with the suffix ``.json``, may lie what the download needs to go on.

        Args:
            key: Names the download; the path is made of its hash and never of its text.
        """
        folder = self._places.partial
        with room_for(folder):
            folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        return folder / f"{digest}.part"

    def forget_partial(self, key: str) -> None:
        """Delete what there is of a download, and what lies beside it."""
        part = self.partial(key)
        part.unlink(missing_ok=True)
        part.with_suffix(".json").unlink(missing_ok=True)
