"""Audio files to samples.

libsndfile (through soundfile) decodes what it knows and reads to its end, among it MP3, FLAC, Ogg,
WAVE and AIFF; FFmpeg (through PyAV) decodes the rest, such as AAC and ALAC in MP4, and files whose
header does not state how long they are.

Loads soundfile, and PyAV when it is needed: import this module when an asset runs. The native
decoders may write warnings to stderr; the worker processes have none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import numpy as np
import soundfile as sf

from genre_assets.audio.files import opened
from genre_assets.audio.samples import Samples, SamplesOnDisk, pieces
from genre_assets.audio.status import AudioError, Status
from genre_assets.audio.streams import Stream, agree
from genre_assets.audio.with_ffmpeg import ffmpeg_stream, seconds_decoded
from genre_assets.audio.with_libsndfile import BLOCK_FRAMES, StopsEarlyError, libsndfile_stream

MAX_SAMPLES = 4 * 3600 * 48_000
"""Longest audio that is decoded: 4 hours at 48 kHz, 2.8 GB as float32."""

MOST_IN_MEMORY = 10 * 60 * 48_000
"""Samples of the longest audio that :func:`decoded` keeps in memory: 10 minutes at 48 kHz."""

TRUNCATED_BELOW = 0.5
"""Part of the claimed length that has to be there for a file not to count as truncated."""

_SHORT_BY_S = 0.1
"""Seconds by which a decoder may stay below what a file states before another one is tried."""

# Error numbers of libsndfile. The sentence that goes with the second speaks of a missing file;
# with a file that is there it means that libmpg123 found no whole frame.
_UNRECOGNISED = 1
_BAD_FILE = 7


@dataclass(frozen=True)
class Audio:
    """Decoded audio.

    Attributes:
        samples: Mono samples, float32 of shape (n,), or on disk.
        sample_rate: Samples a second.
        channels: Channels of the file, of which ``samples`` is the mean.
        format: Container and codec, such as ``MP3`` or ``MP4/aac``.
        claimed_s: Seconds that the file itself states, or None when it states none.
        complete: Whether ``samples`` reaches to the end of the file.
        claim_holds: Whether the file states its length and what is there amounts to that.
    """

    samples: Samples
    sample_rate: int
    channels: int
    format: str
    claimed_s: float | None
    complete: bool
    claim_holds: bool

    @property
    def decoded_s(self) -> float:
        """Length of the samples in seconds."""
        return len(self.samples) / self.sample_rate


def decode(path: Path | str) -> tuple[np.ndarray, int]:
    """Decode an audio file to mono.

    The samples are those of ``librosa.load(path, sr=None, mono=True)`` for every file that
    libsndfile reads: the mean of the channels at the file's own rate.

    Args:
        path: An audio file.

    Returns:
        Samples, float32 of shape (n,) with n > 0, and the sample rate in hertz.

    Raises:
        AudioError: If the file cannot be used, with the kind of failure and a sentence.

    Example:
        >>> samples, sample_rate = decode("clip.mp3")  # doctest: +SKIP
    """
    audio = read_audio(Path(path))
    return audio.samples[:], audio.sample_rate


@contextmanager
def decoded(path: Path | str) -> Iterator[tuple[Samples, int]]:
    """Decode an audio file of any length as :func:`decode` does, without filling the memory.

    The samples of a long file lie on disk until the context ends.

    Raises:
        AudioError: As :func:`decode`.
    """
    with SamplesOnDisk() as on_disk:
        audio = read_audio(Path(path), on_disk=on_disk)
        yield audio.samples, audio.sample_rate


def read_audio(
    path: Path, seconds: float | None = None, on_disk: SamplesOnDisk | None = None
) -> Audio:
    """Decode an audio file, or its first seconds, to mono.

    Memory grows with what is decoded, never with what a header claims.

    Args:
        path: An audio file.
        seconds: How much to decode; None decodes all of it.
        on_disk: Where more than :data:`MOST_IN_MEMORY` samples go; None keeps all in memory.

    Raises:
        AudioError: If the file cannot be used; a file is held to be truncated when less than
            half of what its header claims can be decoded.
    """
    with opened(path) as file:
        audio = _read_file(file, path, seconds, on_disk)
    _refuse_unusable(audio, path)
    return audio


def _read_file(
    file: FileIO, path: Path, seconds: float | None, on_disk: SamplesOnDisk | None
) -> Audio:
    container_format = why_not = None
    try:
        with libsndfile_stream(file) as stream:
            audio = _read(stream, path, seconds, on_disk)
        if not _ends_early(audio) or not _ffmpeg_reads_more(file, path, audio):
            return audio
    except StopsEarlyError as error:
        container_format = error.ffmpeg_format
    except sf.LibsndfileError as refusal:
        why_not = _detail(refusal) if refusal.code != _UNRECOGNISED else None
    if on_disk is not None:
        on_disk.clear()
    with ffmpeg_stream(file, path, container_format, why_not) as stream:
        return _read(stream, path, seconds, on_disk)


def _ends_early(audio: Audio) -> bool:
    return audio.complete and audio.decoded_s < (audio.claimed_s or 0) - _SHORT_BY_S


def _ffmpeg_reads_more(file: FileIO, path: Path, audio: Audio) -> bool:
    # libmpg123 gives up where a part of the file is damaged; FFmpeg goes on after it.
    return seconds_decoded(file, path) > audio.decoded_s + _SHORT_BY_S


def _read(
    stream: Stream, path: Path, seconds: float | None, on_disk: SamplesOnDisk | None
) -> Audio:
    claims_too_much = (stream.claimed_s or 0) * stream.sample_rate > MAX_SAMPLES
    # A damaged header may claim anything.
    if seconds is None and claims_too_much and stream.claim_holds():
        raise _too_long(path, "claims to be", stream.sample_rate)
    limit = MAX_SAMPLES if seconds is None else round(seconds * stream.sample_rate)
    mixed = _Mono(_expected(stream, limit))
    length = 0
    complete = True
    for block in stream.blocks:
        mixed.add(block)
        length += block.shape[1]
        if length >= limit:
            complete = False
            break
        if on_disk is not None and length > MOST_IN_MEMORY:
            _append(mixed.samples, on_disk, path)
            mixed = _Mono(0)
    if seconds is None and not complete:
        raise _too_long(path, "is", stream.sample_rate)
    decoded_s = length / stream.sample_rate
    return Audio(
        samples=on_disk or mixed.samples[:limit],
        sample_rate=stream.sample_rate,
        channels=stream.channels,
        format=stream.format,
        claimed_s=stream.claimed_s,
        complete=complete,
        claim_holds=_bears_out(stream, decoded_s if complete else None),
    )


def _bears_out(stream: Stream, decoded_s: float | None) -> bool:
    """Whether a file is as long as it states; decoded_s is None where it was not decoded whole."""
    if stream.claimed_s is None:
        return False
    return stream.claim_holds() if decoded_s is None else agree(stream.claimed_s, decoded_s)


def _append(samples: np.ndarray, to: SamplesOnDisk, path: Path) -> None:
    try:
        to.append(samples)
    except AudioError as error:
        raise AudioError(error.status, f"{path}: {error.reason}") from error


def _expected(stream: Stream, limit: int) -> int:
    """Samples to make room for beforehand; what a claim is too large by is never touched."""
    claimed = max(stream.claimed_s or 0, 0) * stream.sample_rate
    return int(min(min(claimed, limit) + BLOCK_FRAMES, MOST_IN_MEMORY))


class _Mono:
    """Mono samples, mixed from blocks that come one after the other.

    Args:
        expected: Samples to make room for; more find room, too.
    """

    def __init__(self, expected: int):
        self._room = np.empty(expected, np.float32)
        self._length = 0

    @property
    def samples(self) -> np.ndarray:
        """All that was mixed, shape (n,), float32."""
        return self._room[: self._length]

    def add(self, block: np.ndarray) -> None:
        """Mix a block of shape (channels, n), float32."""
        end = self._length + block.shape[1]
        if end > len(self._room):
            more = np.empty(max(end, 2 * len(self._room)), np.float32)
            more[: self._length] = self.samples
            self._room = more
        _mix(block, self._room[self._length : end])
        self._length = end


def _mix(block: np.ndarray, into: np.ndarray) -> None:
    if len(block) == 2:
        # Halving is exact, so this equals the mean and takes a third of its time.
        np.add(block[0], block[1], out=into)
        into *= np.float32(0.5)
    else:
        np.mean(block, axis=0, out=into)


def _detail(refusal: sf.LibsndfileError) -> str:
    if refusal.code == _BAD_FILE:
        return "it begins like MPEG audio and breaks off"
    return refusal.error_string.strip().removeprefix("Error : ").rstrip(".")


def _too_long(path: Path, is_or_claims: str, sample_rate: int) -> AudioError:
    hours = MAX_SAMPLES / sample_rate / 3600
    return AudioError(
        Status.UNDECODABLE,
        f"{path} {is_or_claims} longer than {hours:.1f} h, the most that is decoded at "
        f"{sample_rate} Hz: cut it into pieces.",
    )


def _refuse_unusable(audio: Audio, path: Path) -> None:
    claimed_s = audio.claimed_s or 0.0
    if audio.complete and audio.decoded_s < TRUNCATED_BELOW * claimed_s and claimed_s >= 0.01:
        raise AudioError(
            Status.TRUNCATED,
            f"{path} is cut off or damaged: its header claims {claimed_s:.2f} s of audio, but only "
            f"{audio.decoded_s:.2f} s can be decoded.",
        )
    if not len(audio.samples):
        raise AudioError(Status.NO_AUDIO, f"{path} contains no audio.")
    if not all(np.isfinite(piece).all() for piece in pieces(audio.samples)):
        raise AudioError(
            Status.NOT_FINITE, f"{path} is damaged: some of its samples are not finite numbers."
        )
