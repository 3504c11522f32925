"""Samples that fit in memory, or lie in a temporary file because they do not."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import cached_property
from io import BufferedRandom

import numpy as np

from genre_assets.audio.status import AudioError, Status

PIECE = 1 << 20
"""Samples worked on at a time: 4 MB."""


class SamplesOnDisk:
    """The samples of a long clip in a file of the system's temporary folder, read by slices.

    The file has no name, so that it is gone with the process, however that ends. It is read and
    not mapped, for mapped pages count as memory of the process.

    As a context manager it gives back the room on disk at the end.
    """

    def __init__(self):
        self._opened = ExitStack()
        self._length = 0

    @cached_property
    def _file(self) -> BufferedRandom:
        # Not before it is needed: most clips need no folder that can be written.
        return self._opened.enter_context(tempfile.TemporaryFile(prefix="genre_assets-"))

    def __enter__(self) -> "SamplesOnDisk":
        return self

    def __exit__(self, *_: object) -> None:
        # What a full disk did not take is tried once more, and was told of already.
        with suppress(OSError):
            self._opened.close()

    def append(self, samples: np.ndarray) -> None:
        """Write samples, float32 of shape (n,), after the last.

        Raises:
            AudioError: If there is no room.
        """
        try:
            self._file.seek(0, 2)
            self._file.write(np.ascontiguousarray(samples, np.float32).data)
            self._file.flush()
        except OSError as error:
            raise AudioError(
                Status.FAILED,
                f"The samples of so long a clip do not fit in {tempfile.tempdir or 'any folder'} "
                f"({error.strerror}): make room there, or let TMPDIR name another folder.",
            ) from error
        self._length += len(samples)

    def clear(self) -> None:
        """Drop all samples."""
        if self._length:
            self._file.truncate(0)
        self._length = 0

    def __len__(self) -> int:
        """Samples that there are."""
        return self._length

    def __getitem__(self, wanted: slice) -> np.ndarray:
        """Read neighbouring samples, float32 of shape (n,)."""
        start, stop, _ = wanted.indices(self._length)
        samples = np.empty(max(stop - start, 0), np.float32)
        self._file.seek(start * samples.itemsize)
        self._file.readinto(samples.data)
        return samples


Samples = np.ndarray | SamplesOnDisk
"""Mono samples, float32."""


def pieces(samples: Samples, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
    """Yield the samples from ``start`` to ``stop``, or to the last, in pieces."""
    stop = len(samples) if stop is None else stop
    for first in range(start, stop, PIECE):
        yield samples[first : min(first + PIECE, stop)]
