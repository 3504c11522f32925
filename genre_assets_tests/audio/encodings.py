"""Sound in every encoding at hand, as bytes: made by FFmpeg, so that headers can be left out."""

import io
from fractions import Fraction

import av
import numpy as np

SAMPLE_RATE = 48_000
LAYOUTS = {1: "mono", 2: "stereo"}

# Codec, container, options of the container, name of the samples' format.
ENCODINGS = {
    "mp3": ("libmp3lame", "mp3", {}, "fltp"),
    "mp3 without Xing": ("libmp3lame", "mp3", {"write_xing": "0"}, "fltp"),
    "mp2": ("mp2", "mp2", {}, "s16"),
    "aac": ("aac", "adts", {}, "fltp"),
    "m4a": ("aac", "mp4", {}, "fltp"),
    "m4a in fragments": ("aac", "mp4", {"movflags": "frag_keyframe+empty_moov"}, "fltp"),
    "alac": ("alac", "mp4", {}, "s16p"),
    "ac3": ("ac3", "ac3", {}, "fltp"),
    "opus": ("libopus", "ogg", {"page_duration": "100000"}, "flt"),
    "flac in ogg": ("flac", "ogg", {}, "s16"),
    "flac": ("flac", "flac", {}, "s16"),
    "wma": ("wmav2", "asf", {}, "fltp"),
    "opus in webm": ("libopus", "webm", {}, "flt"),
    "flac in mka": ("flac", "matroska", {}, "s16"),
    "wavpack": ("wavpack", "wv", {}, "s16p"),
    "tta": ("tta", "tta", {}, "s16"),
    "wav": ("pcm_s16le", "wav", {}, "s16"),
    "adpcm in wav": ("adpcm_ima_wav", "wav", {}, "s16p"),
    "mp3 in wav": ("libmp3lame", "wav", {}, "fltp"),
    "rf64": ("pcm_s16le", "wav", {"rf64": "always"}, "s16"),
    "w64": ("pcm_s16le", "w64", {}, "s16"),
    "aiff": ("pcm_s16be", "aiff", {}, "s16"),
    "au": ("pcm_s16be", "au", {}, "s16"),
    "caf": ("pcm_s16be", "caf", {}, "s16"),
}


class _Pipe(io.BytesIO):
    """Takes bytes as a pipe does: nothing that was written can be mended afterwards."""

    def seekable(self):
        return False

    def seek(self, *_):
        raise OSError("A pipe cannot be sought in.")


def noise(seconds, amplitude=0.3, channels=1, rate=SAMPLE_RATE, seed=0):
    """White noise, shape (channels, n)."""
    random = np.random.default_rng(seed)
    return (amplitude * random.uniform(-1, 1, (channels, round(seconds * rate)))).astype(np.float32)


def quiet_tone(seconds, channels=1, rate=SAMPLE_RATE):
    """A soft tone, shape (channels, n)."""
    t = np.arange(round(seconds * rate)) / rate
    return np.tile(0.01 * np.sin(2 * np.pi * 300 * t), (channels, 1)).astype(np.float32)


def silence(seconds, channels=1, rate=SAMPLE_RATE):
    """Nothing, shape (channels, n)."""
    return np.zeros((channels, round(seconds * rate)), np.float32)


def encoded(
    samples, encoding="mp3", *, rate=SAMPLE_RATE, bit_rate=None, quality=None, piped=False, **more
):
    """Encode samples of shape (channels, n).

    Args:
        samples: Float, full scale 1.
        encoding: One of ``ENCODINGS``.
        rate: Samples a second.
        bit_rate: Bits a second; by default the codec's own choice.
        quality: Quality of a variable bit rate, in the codec's own measure.
        piped: Whether the file is written without going back to its header.
        more: Options of the container.
    """
    codec, container_format, options, sample_format = ENCODINGS[encoding]
    file = _Pipe() if piped else io.BytesIO()
    with av.open(file, "w", format=container_format, options=options | more) as container:
        layout = LAYOUTS[len(samples)]
        stream = container.add_stream(codec, rate=rate, layout=layout, format=sample_format)
        if bit_rate:
            stream.codec_context.bit_rate = bit_rate
        if quality is not None:
            stream.codec_context.qscale = True
            stream.codec_context.global_quality = quality * 118
        stream.codec_context.open()
        block = stream.codec_context.frame_size or 1024
        for start in range(0, samples.shape[1], block):
            frame = _frame(samples[:, start : start + block], sample_format, layout)
            frame.sample_rate, frame.pts = rate, start
            frame.time_base = Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def _frame(samples, sample_format, layout):
    if sample_format.startswith("s16"):
        samples = np.round(samples * 32767).astype(np.int16)
    if not sample_format.endswith("p"):
        samples = samples.T.reshape(1, -1)
    return av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), sample_format, layout)


def seconds_decoded_by_ffmpeg(path):
    """Seconds of sound that FFmpeg decodes from a file, 0 where it cannot."""
    seconds = 0.0
    try:
        with av.open(io.BytesIO(path.read_bytes())) as container:
            packets = container.demux(container.streams.audio[0])
            while True:
                try:
                    packet = next(packets)
                except (StopIteration, av.error.FFmpegError):
                    return seconds
                try:
                    for frame in packet.decode():
                        seconds += frame.samples / frame.sample_rate
                except av.error.FFmpegError:
                    continue
    except (av.error.FFmpegError, IndexError, ValueError):
        return seconds
