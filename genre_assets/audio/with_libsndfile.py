"""Decoding with libsndfile, wherever it reads to the end of the sound.

libsndfile, and libmpg123 below it, stop at the length that they expect. Where a file states none,
they estimate it from the first frames or take the largest number there is, and where files were
joined it is the length of the first. Such files are left to FFmpeg.

Loads soundfile.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO

import numpy as np
import soundfile as sf

from genre_assets.audio.data_size import data_size
from genre_assets.audio.flac_frames import samples_in_frames, stated_samples
from genre_assets.audio.mpeg_frames import mpeg_length
from genre_assets.audio.ogg_pages import ogg_pages
from genre_assets.audio.streams import Stream, agree

BLOCK_FRAMES = 1 << 14
"""So few that a block stays in the processor's cache until it is mixed."""

_TRIMMED = 8_192
"""Samples that gapless playback may leave out at the ends of an MP3, twice 4,095 at most."""

_CALLED_BY_FFMPEG = {"WAVEX": "wav", "RF64": "wav"}
"""Containers that FFmpeg has another name for; of the others it has the same in small letters."""

_WITH_DATA_SIZE = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF")


class StopsEarlyError(Exception):
    """libsndfile would not read all of the sound in a file.

    Attributes:
        ffmpeg_format: What FFmpeg calls the container.
    """

    def __init__(self, ffmpeg_format: str):
        super().__init__(ffmpeg_format)
        self.ffmpeg_format = ffmpeg_format


class _SequentialSoundFile(sf.SoundFile):
    def seekable(self) -> bool:
        # soundfile seeks after every block of a seekable file, which alters the samples that
        # follow in mono MP3 files; without it blocks equal one read of the whole.
        return False


@contextmanager
def libsndfile_stream(file: FileIO) -> Iterator[Stream]:
    """Open a file with libsndfile.

    Raises:
        soundfile.LibsndfileError: If libsndfile cannot read it.
        StopsEarlyError: If libsndfile would not read all of it.
    """
    with _SequentialSoundFile(file.fileno(), closefd=False) as sound:
        claimed_s = _claimed_s(file, sound)
        codec_says_more = sound.format not in ("MP3", "FLAC")
        yield Stream(
            sample_rate=sound.samplerate,
            channels=sound.channels,
            format=f"{sound.format}/{sound.subtype}" if codec_says_more else sound.format,
            claimed_s=claimed_s,
            claim_holds=lambda: _holds(file, sound.format, sound.samplerate, claimed_s),
            blocks=_blocks(sound),
        )


def _blocks(sound: sf.SoundFile) -> Iterator[np.ndarray]:
    block = np.empty((BLOCK_FRAMES, sound.channels), np.float32)
    while len(read := sound.read(out=block)):
        yield read.T


def _claimed_s(file: FileIO, sound: sf.SoundFile) -> float | None:
    """Seconds that a file states, or None where it states none and all of it is read anyway.

    Raises:
        StopsEarlyError: If it states none, or holds more than it states.
    """
    seconds = sound.frames / sound.samplerate
    if sound.format == "MP3":
        length = mpeg_length(file)
        stops_early = length.stated_s is None or not (
            length.present_s <= length.stated_s + 0.15
            and length.present_s <= seconds + 0.15 + _TRIMMED / sound.samplerate
        )
    elif sound.format == "FLAC":
        stops_early = stated_samples(file) != sound.frames
    elif sound.format == "OGG":
        pages = ogg_pages(file)
        begins_late = pages.first_granule > 10 * 48_000
        stops_early = bool(pages.joined_at) or begins_late
    elif sound.format in _WITH_DATA_SIZE and (size := data_size(file)) and size.present:
        is_of_mpeg = sound.subtype.startswith("MPEG")
        is_joined = sound.format in ("AU", "W64") and 0 < (size.stated or 0) < size.present
        stops_early = is_of_mpeg or is_joined or not sound.frames
        if size.stated is None:
            seconds = None
        elif size.present < size.stated:
            seconds *= size.stated / size.present
    else:
        stops_early = False
    if stops_early:
        raise StopsEarlyError(_CALLED_BY_FFMPEG.get(sound.format, sound.format.lower()))
    return seconds


def _holds(file: FileIO, sound_format: str, sample_rate: int, claimed_s: float | None) -> bool:
    if claimed_s is None:
        return False
    if sound_format == "MP3":
        length = mpeg_length(file)
        return length.stated_s is not None and agree(length.stated_s, length.present_s)
    if sound_format == "FLAC":
        return agree(claimed_s, samples_in_frames(file) / sample_rate)
    if sound_format == "OGG":
        return not ogg_pages(file).lacking
    size = data_size(file) if sound_format in _WITH_DATA_SIZE else None
    return size is None or size.stated is None or size.present >= size.stated
