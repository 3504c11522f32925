"""What the audio file of a track is: content address, format, length, or a named failure.

Light: the decoders are imported by the workers.
"""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from genre_assets.audio.files import modification_time_ns, opened
from genre_assets.audio.samples import SamplesOnDisk
from genre_assets.audio.status import AudioError, Status

PROBE_VERSION = 2

PROBED_S = 5.0
"""Seconds at the beginning of a file that are decoded, to be sure that audio comes out."""

LIMIT_S = 120.0
"""Seconds that one file may take, most of which a slow disk may need to read all of it."""

LIMIT_PER_MEGABYTE_S = 0.5
"""Seconds more that a file may take, for one that states no length is decoded to its end."""

FROM_HEADER, FROM_DECODING = "header", "decoding"
"""What the length of a file is known from."""


@dataclass(frozen=True)
class Probe:
    """What a file is; fields that its failure leaves unknown are None.

    Attributes:
        sha256: SHA-256 of the file's bytes, in hexadecimal.
        bytes: Size of the file.
        mtime_ns: Modification time of the file.
        format: Container and codec, such as ``MP3`` or ``MP4/aac``.
        sample_rate: Samples a second and channel.
        channels: Number of channels.
        duration_s: Seconds of audio in the file.
        duration_from: ``header`` where the file states them and its parts amount to that, else
            ``decoding``: the file was decoded to its end.
        status: ``ok`` or the kind of failure.
        reason: Why it failed, in one sentence; None when ok.
    """

    sha256: str | None = None
    bytes: int | None = None
    mtime_ns: int | None = None
    format: str | None = None
    sample_rate: int | None = None
    channels: int | None = None
    duration_s: float | None = None
    duration_from: str | None = None
    status: Status = Status.OK
    reason: str | None = None


def probe(path: Path | str) -> Probe:
    """Identify an audio file, and decode its beginning, or all of it to know its length.

    Args:
        path: The file.

    Returns:
        What it is; a file that cannot be used is described by ``status`` and ``reason``.
    """
    path = Path(path)
    file = Probe()
    try:
        file = _identified(path)
        return _decoded(file, path)
    except AudioError as error:
        return replace(file, status=error.status, reason=error.reason)


def _identified(path: Path) -> Probe:
    with opened(path) as file:
        found = os.fstat(file.fileno())
        try:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            reason = f"{path} cannot be read to its end: {error.strerror}."
            raise AudioError(Status.UNREADABLE, reason) from error
    return Probe(sha256=sha256, bytes=found.st_size, mtime_ns=modification_time_ns(found))


def _decoded(file: Probe, path: Path) -> Probe:
    from genre_assets.audio.decode import read_audio

    audio = read_audio(path, PROBED_S)
    with SamplesOnDisk() as on_disk:
        if not audio.complete and not audio.claim_holds:
            audio = read_audio(path, on_disk=on_disk)
        return replace(
            file,
            format=audio.format,
            sample_rate=audio.sample_rate,
            channels=audio.channels,
            duration_s=audio.decoded_s if audio.complete else audio.claimed_s,
            duration_from=FROM_HEADER if audio.claim_holds else FROM_DECODING,
        )
