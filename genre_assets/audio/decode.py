"""Audio files to samples.

libsndfile (through soundfile) decodes what it knows, among it MP3, FLAC, Ogg, WAVE and AIFF;
FFmpeg (through PyAV) decodes the rest, such as AAC and ALAC in MP4.

Loads soundfile, and PyAV when it is needed: import this module when an asset runs. The native
decoders may write warnings to stderr; the worker processes have none.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile as sf

from genre_assets.audio.files import opened
from genre_assets.audio.samples import Samples, SamplesOnDisk, pieces
from genre_assets.audio.status import AudioError, Status

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream
    from av.container import InputContainer

MAX_SAMPLES = 4 * 3600 * 48_000
"""Longest audio that is decoded: 4 hours at 48 kHz, 2.8 GB as float32."""

MOST_IN_MEMORY = 10 * 60 * 48_000
"""Samples of the longest audio that :func:`decoded` keeps in memory: 10 minutes at 48 kHz."""

TRUNCATED_BELOW = 0.5
"""Part of the claimed length that has to be there for a file not to count as truncated."""

_BLOCK_FRAMES = 1 << 14
"""So few that a block stays in the processor's cache until it is mixed."""

# Error numbers of libsndfile. The sentence that goes with the second speaks of a missing file;
# with a file that is there it means that libmpg123 found no whole frame.
_UNRECOGNISED = 1
_BAD_FILE = 7

# Named so that no playlist or script format, which can name other files and hosts, is ever tried.
_FFMPEG_FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,caf,dsf,eac3,flac,matroska,mov,mp3,mpc,mpc8,ogg,tak,tta,w64,wav,wv"
)
_FFMPEG_NAMES = {"mov,mp4,m4a,3gp,3g2,mj2": "MP4", "matroska,webm": "Matroska"}


@dataclass(frozen=True)
class _Stream:
    sample_rate: int
    channels: int
    format: str
    claimed_s: float | None
    blocks: Iterator[np.ndarray]  # Of shape (channels, n), float32; the next may overwrite one.


@dataclass(frozen=True)
class Audio:
    """Decoded audio.

    Attributes:
        samples: Mono samples, float32 of shape (n,), or on disk.
        sample_rate: Samples a second.
        channels: Channels of the file, of which ``samples`` is the mean.
        format: Container and codec, such as ``MP3`` or ``MP4/aac``.
        claimed_s: Length in seconds that the header claims, or None when it claims none.
        complete: Whether ``samples`` reaches to the end of the file.
    """

    samples: Samples
    sample_rate: int
    channels: int
    format: str
    claimed_s: float | None
    complete: bool

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
        try:
            with _soundfile_stream(file) as stream:
                audio = _read(stream, path, seconds, on_disk)
        except sf.LibsndfileError as refusal:
            file.seek(0)
            if on_disk is not None:
                on_disk.clear()
            with _ffmpeg_stream(file, path, refusal) as stream:
                audio = _read(stream, path, seconds, on_disk)
    _refuse_unusable(audio, path)
    return audio


def _read(
    stream: _Stream, path: Path, seconds: float | None, on_disk: SamplesOnDisk | None
) -> Audio:
    if seconds is None and (stream.claimed_s or 0) * stream.sample_rate > MAX_SAMPLES:
        # A damaged header may claim anything.
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
    return Audio(
        samples=on_disk or mixed.samples[:limit],
        sample_rate=stream.sample_rate,
        channels=stream.channels,
        format=stream.format,
        claimed_s=stream.claimed_s,
        complete=complete,
    )


def _append(samples: np.ndarray, to: SamplesOnDisk, path: Path) -> None:
    try:
        to.append(samples)
    except AudioError as error:
        raise AudioError(error.status, f"{path}: {error.reason}") from error


def _expected(stream: _Stream, limit: int) -> int:
    """Samples to make room for beforehand; what a claim is too large by is never touched."""
    claimed = max(stream.claimed_s or 0, 0) * stream.sample_rate
    return int(min(min(claimed, limit) + _BLOCK_FRAMES, MOST_IN_MEMORY))


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
            f"{path} is cut off or damaged: its header claims {claimed_s:.2f} s of audio and "
            f"{audio.decoded_s:.2f} s can be decoded.",
        )
    if not len(audio.samples):
        raise AudioError(Status.NO_AUDIO, f"{path} is a sound file without a sample of audio.")
    if not all(np.isfinite(piece).all() for piece in pieces(audio.samples)):
        raise AudioError(
            Status.NOT_FINITE, f"{path} is damaged: some of its samples are not finite numbers."
        )


class _SequentialSoundFile(sf.SoundFile):
    def seekable(self) -> bool:
        # soundfile seeks after every block of a seekable file, which alters the samples that
        # follow in mono MP3 files; without it blocks equal one read of the whole.
        return False


@contextmanager
def _soundfile_stream(file: FileIO) -> Iterator[_Stream]:
    with _SequentialSoundFile(file.fileno(), closefd=False) as sound:
        codec_says_more = sound.format not in ("MP3", "FLAC")
        yield _Stream(
            sample_rate=sound.samplerate,
            channels=sound.channels,
            format=f"{sound.format}/{sound.subtype}" if codec_says_more else sound.format,
            claimed_s=sound.frames / sound.samplerate,
            blocks=_soundfile_blocks(sound),
        )


def _soundfile_blocks(sound: sf.SoundFile) -> Iterator[np.ndarray]:
    block = np.empty((_BLOCK_FRAMES, sound.channels), np.float32)
    while len(read := sound.read(out=block)):
        yield read.T


@contextmanager
def _ffmpeg_stream(file: FileIO, path: Path, refusal: sf.LibsndfileError) -> Iterator[_Stream]:
    import av
    from av.error import ArgumentError, EOFError, InvalidDataError

    try:
        container = av.open(
            file,
            mode="r",
            metadata_errors="replace",
            options={"format_whitelist": _FFMPEG_FORMATS, "protocol_whitelist": "file"},
        )
    except (ArgumentError, EOFError, InvalidDataError) as error:
        # The first is FFmpeg's answer to a format that is not on the list.
        if refusal.code != _UNRECOGNISED:
            raise _undecodable(path, _detail(refusal)) from error
        raise AudioError(
            Status.NOT_AUDIO, f"No decoder recognises {path} as audio: is it another kind of file?"
        ) from error
    except MemoryError as error:
        raise _undecodable(path, "it asks for more memory than there is") from error
    except Exception as error:
        raise _undecodable(path, _text(error)) from error

    with container:
        if not container.streams.audio:
            raise AudioError(Status.NO_AUDIO, f"{path} holds no audio stream.")
        audio = container.streams.audio[0]
        if audio.codec_context is None:
            raise _undecodable(path, "no decoder knows its codec")
        errors: list[str] = []
        frames = _ffmpeg_frames(container, audio, errors.append)
        first = next(frames, None)
        if first is None and errors:
            raise _undecodable(path, errors[0])
        sample_rate = first.sample_rate if first else audio.codec_context.sample_rate
        if sample_rate < 1:
            raise _undecodable(path, f"it claims {sample_rate} samples a second")
        container_name = container.format.name
        yield _Stream(
            sample_rate=sample_rate,
            channels=first.layout.nb_channels if first else audio.codec_context.channels,
            format=f"{_FFMPEG_NAMES.get(container_name, container_name.upper())}/"
            f"{audio.codec_context.codec.canonical_name}",
            claimed_s=_claimed_seconds(container, audio),
            blocks=_as_float(chain([first] if first else [], frames), sample_rate),
        )


def _ffmpeg_frames(
    container: "InputContainer",
    audio: "AudioStream",
    complain: Callable[[str], None],
) -> Iterator["AudioFrame"]:
    from av.error import FFmpegError

    packets = container.demux(audio)
    while True:
        # A packet that cannot be decoded is left out and decoding goes on after it, as the
        # ffmpeg command does; an error of the container itself ends the audio.
        try:
            packet = next(packets)
        except StopIteration:
            return
        except FFmpegError as error:
            complain(_text(error))
            return
        try:
            frames = packet.decode()
        except FFmpegError as error:
            complain(_text(error))
        else:
            yield from frames


def _as_float(frames: Iterator["AudioFrame"], sample_rate: int) -> Iterator[np.ndarray]:
    import av

    resampler = layout = None
    for frame in frames:
        # The layout and rate of a damaged or chained file may change on the way.
        found = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or found != layout:
            resampler = av.AudioResampler(format="fltp", rate=sample_rate)
            layout = found
        for converted in resampler.resample(frame):
            yield converted.to_ndarray()


def _claimed_seconds(container: "InputContainer", audio: "AudioStream") -> float | None:
    if audio.duration is not None and audio.time_base is not None:
        return float(audio.duration * audio.time_base)
    return container.duration / 1_000_000 if container.duration is not None else None


def _undecodable(path: Path, detail: str) -> AudioError:
    return AudioError(Status.UNDECODABLE, f"The audio in {path} cannot be decoded: {detail}.")


def _detail(refusal: sf.LibsndfileError) -> str:
    if refusal.code == _BAD_FILE:
        return "it begins like MPEG audio and breaks off"
    return refusal.error_string.strip().removeprefix("Error : ").rstrip(".")


def _text(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
