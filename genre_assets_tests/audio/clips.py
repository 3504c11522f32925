"""Small audio files, written by the codecs themselves."""

from fractions import Fraction

import numpy as np
import soundfile as sf

SAMPLE_RATE = 22_050


def tone(seconds, channels=2):
    """A tone of shape (n, channels) whose channels differ."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return np.stack(
        [0.4 * np.sin(2 * np.pi * 220 * (c + 1) * t) for c in range(channels)], axis=1
    ).astype(np.float32)


def write(path, seconds=1.0, channels=2):
    """Write a tone in the format that the suffix names."""
    sf.write(path, tone(seconds, channels), SAMPLE_RATE)
    return path


def write_m4a(path, seconds=1.0, codec="aac"):
    """Write a stereo tone as MP4."""
    import av

    samples = np.ascontiguousarray(tone(seconds).T)
    if codec == "alac":
        samples = np.round(samples * 32767).astype(np.int16)
    layout = {"aac": "fltp", "alac": "s16p"}[codec]
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=SAMPLE_RATE, layout="stereo", format=layout)
        for start in range(0, samples.shape[1], 1024):
            block = np.ascontiguousarray(samples[:, start : start + 1024])
            frame = av.AudioFrame.from_ndarray(block, format=layout, layout="stereo")
            frame.sample_rate = SAMPLE_RATE
            frame.pts = start
            frame.time_base = Fraction(1, SAMPLE_RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
