"""Decoding with FFmpeg (through PyAV): what libsndfile cannot read, or not to its end.

Loads PyAV when a file is opened.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genre_assets.audio.asf_header import stated_seconds
from genre_assets.audio.data_size import data_size
from genre_assets.audio.flac_frames import stated_samples
from genre_assets.audio.mpeg_frames import mpeg_length
from genre_assets.audio.ogg_pages import ogg_pages
from genre_assets.audio.recognition import kind_of, lacks_its_end
from genre_assets.audio.status import AudioError, Status
from genre_assets.audio.streams import Stream, agree

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream
    from av.container import InputContainer

# Named so that no playlist or script format, which can name other files and hosts, is ever tried.
_FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,caf,dsf,eac3,flac,matroska,mov,mp3,mpc,mpc8,ogg,tak,tta,w64,wav,wv"
)
_NAMES = {"mov,mp4,m4a,3gp,3g2,mj2": "MP4", "matroska,webm": "Matroska"}

_STATE_NO_LENGTH = ("aac", "ac3", "eac3", "amr")
"""Containers whose length FFmpeg estimates from the bit rate of their beginning."""

_WITH_DATA_SIZE = ("wav", "w64", "aiff", "caf", "au")


class _Part:
    """A part of a file as a file of its own.

    It has no name, so that FFmpeg goes by its content and not by the ending.
    """

    def __init__(self, file: FileIO, begin: int, end: int):
        self._descriptor, self._begin, self._size = file.fileno(), begin, end - begin
        self._position = 0

    def read(self, size: int) -> bytes:
        size = max(min(size, self._size - self._position), 0)
        content = os.pread(self._descriptor, size, self._begin + self._position)
        self._position += len(content)
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            # To FFmpeg a negative position is an error; an exception would be printed.
            return -errno.EINVAL
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position


@contextmanager
def ffmpeg_stream(
    file: FileIO, path: Path, container_format: str | None = None, why_not: str | None = None
) -> Iterator[Stream]:
    """Open a file with FFmpeg.

    Args:
        file: The file.
        path: Its path, for sentences.
        container_format: What FFmpeg calls its container, where that is known.
        why_not: What another decoder that recognised the file says against it.

    Raises:
        AudioError: If FFmpeg cannot read it.
    """
    parts = _parts(file)
    with _opened(parts[0], file, path, container_format, why_not) as container:
        if not container.streams.audio:
            raise AudioError(Status.NO_AUDIO, f"{path} holds no audio stream.")
        audio = container.streams.audio[0]
        if audio.codec_context is None:
            raise _undecodable(path, "no decoder knows its codec")
        errors: list[str] = []
        frames = chain(
            _frames(container, audio, errors.append),
            *(_frames_of_part(part, file, path) for part in parts[1:]),
        )
        first = next(frames, None)
        if first is None and errors:
            raise _undecodable(path, errors[0])
        sample_rate = first.sample_rate if first else audio.codec_context.sample_rate
        if sample_rate < 1:
            raise _undecodable(path, "its header gives no sample rate")
        claimed_s = _claimed_s(container, audio, file)
        yield Stream(
            sample_rate=sample_rate,
            channels=first.layout.nb_channels if first else audio.codec_context.channels,
            format=_format(container.format.name, audio.codec_context.codec.canonical_name),
            claimed_s=claimed_s,
            claim_holds=lambda: (
                claimed_s is not None and agree(claimed_s, _seconds_of_packets(file, path))
            ),
            blocks=_as_float(chain([first] if first else [], frames), sample_rate),
        )


def seconds_decoded(file: FileIO, path: Path, container_format: str | None = None) -> float:
    """Decode a file to its end and count the seconds, 0 if FFmpeg cannot read it."""
    try:
        with ffmpeg_stream(file, path, container_format) as stream:
            return sum(block.shape[1] for block in stream.blocks) / stream.sample_rate
    except AudioError:
        return 0.0


def _parts(file: FileIO) -> list[_Part]:
    """The files that a file was joined from, where FFmpeg would stop after the first."""
    joined_at = ogg_pages(file).joined_at if kind_of(file) == "an Ogg file" else []
    ends = [0, *joined_at, os.fstat(file.fileno()).st_size]
    return [_Part(file, begin, end) for begin, end in pairwise(ends)]


def _frames_of_part(part: _Part, file: FileIO, path: Path) -> Iterator["AudioFrame"]:
    with suppress(AudioError), _opened(part, file, path, None, None) as container:
        if container.streams.audio and container.streams.audio[0].codec_context is not None:
            yield from _frames(container, container.streams.audio[0], lambda _: None)


@contextmanager
def _opened(
    part: _Part, file: FileIO, path: Path, container_format: str | None, why_not: str | None
) -> Iterator["InputContainer"]:
    import av
    from av.error import ArgumentError, EOFError, InvalidDataError

    part.seek(0)
    try:
        container = av.open(
            part,
            mode="r",
            format=container_format,
            metadata_errors="replace",
            options={"format_whitelist": _FORMATS, "protocol_whitelist": "file"},
        )
    except (ArgumentError, EOFError, InvalidDataError) as error:
        # The first is FFmpeg's answer to a format that is not on the list.
        raise _not_recognised(file, path, why_not) from error
    except MemoryError as error:
        raise _undecodable(path, "it needs more memory than there is") from error
    except Exception as error:
        raise _undecodable(path, in_words(error)) from error
    with container:
        yield container


def _not_recognised(file: FileIO, path: Path, why_not: str | None) -> AudioError:
    if lacks_its_end(file):
        return AudioError(
            Status.TRUNCATED,
            f"{path} is cut off: it begins like an MP4 file, and the part that says where its "
            "sound lies is missing.",
        )
    if why_not is not None:
        return _undecodable(path, in_a_sentence(why_not))
    if (kind := kind_of(file)) is not None:
        return _undecodable(path, f"it begins like {kind}, but no sound is found in it")
    return AudioError(
        Status.NOT_AUDIO, f"No decoder recognises {path} as audio: is it another kind of file?"
    )


def _frames(
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
            complain(in_words(error))
            return
        try:
            frames = packet.decode()
        except FFmpegError as error:
            complain(in_words(error))
        else:
            yield from frames


def _as_float(frames: Iterator["AudioFrame"], sample_rate: int) -> Iterator[np.ndarray]:
    import av

    resampler = layout = None
    for frame in frames:
        # The layout and rate of a damaged or joined file may change on the way.
        found = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or found != layout:
            if resampler is not None:
                yield from (rest.to_ndarray() for rest in resampler.resample(None))
            resampler = av.AudioResampler(format="fltp", rate=sample_rate)
            layout = found
        for converted in resampler.resample(frame):
            yield converted.to_ndarray()
    if resampler is not None:
        yield from (rest.to_ndarray() for rest in resampler.resample(None))


def _format(container_name: str, codec: str) -> str:
    name = _NAMES.get(container_name, container_name.upper())
    return name if name == codec.upper() else f"{name}/{codec}"


def _claimed_s(container: "InputContainer", audio: "AudioStream", file: FileIO) -> float | None:
    """Seconds that the file itself states, or None where FFmpeg could only estimate."""
    match container.format.name:
        case "mp3":
            length = mpeg_length(file)
            is_whole = length.stated_s is not None and length.present_s <= length.stated_s + 0.15
            return length.stated_s if is_whole else None
        case "flac" if not stated_samples(file):
            return None
        case "asf":
            return stated_seconds(file)
        case "ogg":
            pages = ogg_pages(file)
            if pages.joined_at or pages.first_granule > 10 * 48_000:
                return None
        case name if name in _STATE_NO_LENGTH:
            return None
        case name if name in _WITH_DATA_SIZE:
            size, bit_rate = data_size(file), audio.codec_context.bit_rate
            if size is None or size.stated is None:
                return None
            if bit_rate:
                return 8 * size.stated / bit_rate
    seconds = None
    if audio.duration is not None and audio.time_base is not None:
        seconds = float(audio.duration * audio.time_base)
    elif container.duration is not None:
        seconds = container.duration / 1_000_000
    return seconds if seconds and seconds > 0 else None


def _seconds_of_packets(file: FileIO, path: Path) -> float:
    """Seconds of sound in the packets of a file, without decoding them."""
    from av.error import FFmpegError

    seconds = 0.0
    with _opened(_parts(file)[0], file, path, None, None) as container:
        packets = container.demux(container.streams.audio[0])
        while True:
            try:
                packet = next(packets)
            except (StopIteration, FFmpegError):
                return seconds
            if packet.duration and packet.time_base:
                seconds += float(packet.duration * packet.time_base)


def _undecodable(path: Path, detail: str) -> AudioError:
    return AudioError(Status.UNDECODABLE, f"The audio in {path} cannot be decoded: {detail}.")


def in_a_sentence(message: str) -> str:
    """The message of a decoder, as the end of a sentence."""
    message = " ".join(message.split()).rstrip(".")
    if message.count("'") % 2 or message.count('"') % 2:
        message = message.replace("'", "").replace('"', "")
    is_a_word = message[1:2].islower() or message[1:2] == " "
    return message[0].lower() + message[1:] if is_a_word else message


def in_words(error: Exception) -> str:
    """An error of FFmpeg, as the end of a sentence."""
    from av.error import ArgumentError, EOFError, InvalidDataError, PatchWelcomeError

    match error:
        case InvalidDataError():
            return "its data is damaged"
        case ArgumentError() | OSError(errno=errno.EINVAL):
            return "its header is damaged or needs a decoder that does not exist"
        case EOFError():
            return "it ends too early"
        case PatchWelcomeError():
            return "FFmpeg does not support its variant of the codec"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if text.startswith("Error number"):
        return "its data is damaged"
    return in_a_sentence(text)
