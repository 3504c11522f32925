"""From the layers of a song to a stereo clip with the artist's room, equalisation and level."""

import numpy as np

from genre_assets.demo.artists import Sound
from genre_assets.demo.song import Layer, Song
from genre_assets.demo.synthesis import RATE, saturate

PEAK = 0.89
"""Highest sample of a clip, with room for what the encoder adds."""


def mix(song: Song) -> np.ndarray:
    """Mix a song.

    Returns:
        Shape (samples, 2), float32, no sample above :data:`PEAK`.
    """
    sound = song.sound
    dry = np.zeros((2, song.samples), dtype=np.float32)
    wet = np.zeros((2, song.samples), dtype=np.float32)
    levels = {"drums": sound.drum_level, "bass": sound.bass_level, "lead": sound.lead_level}
    for layer in song.layers:
        stereo = float(levels[layer.part] * layer.level) * _stereo(layer, sound.width)
        dry += stereo
        wet += float(layer.send) * stereo
    dry += sound.hiss * dry.std() * song.rng.standard_normal(dry.shape, np.float32)
    mixed = _in_room_and_equalised(dry, wet, sound, song.rng)
    mixed = saturate(mixed, sound.drive)
    return _levelled(mixed, sound.loudness_db).T


def _stereo(layer: Layer, width: float) -> np.ndarray:
    if layer.signal.ndim == 2:
        middle = layer.signal.mean(axis=0)
        return middle + width * (layer.signal - middle)
    angle = (1 + width * layer.pan) * np.pi / 4
    return np.stack((float(np.cos(angle)) * layer.signal, float(np.sin(angle)) * layer.signal))


def _in_room_and_equalised(
    dry: np.ndarray, wet: np.ndarray, sound: Sound, rng: np.random.Generator
) -> np.ndarray:
    samples = dry.shape[1]
    hz = np.fft.rfftfreq(samples, 1 / RATE)
    echoes = np.fft.rfft(_room(rng, sound.room_s, samples))
    spectrum = np.fft.rfft(dry) + sound.room * np.fft.rfft(wet) * echoes
    return np.fft.irfft(spectrum * _equalisation(hz, sound), samples)


def _room(rng: np.random.Generator, seconds: float, samples: int) -> np.ndarray:
    # The clip is convolved as a loop: it begins within the song, so an echo already sounds.
    tail = np.zeros((2, samples), dtype=np.float32)
    length = min(int(seconds * RATE), samples)
    fall = np.exp(-6.9 * np.arange(length, dtype=np.float32) / length)
    tail[:, :length] = rng.standard_normal((2, length), np.float32) * fall
    tail[:, : int(0.012 * RATE)] = 0
    return tail / np.sqrt((tail**2).sum(axis=1, keepdims=True))


def _equalisation(hz: np.ndarray, sound: Sound) -> np.ndarray:
    octaves = np.log2(np.maximum(hz, 20) / 1000)
    peak = np.exp(-(((octaves - np.log2(sound.presence_hz / 1000)) / 0.8) ** 2))
    gain = 10 ** ((sound.tilt_db * octaves + sound.presence_db * peak) / 20)
    gain /= np.sqrt(1 + (hz / sound.high_cut_hz) ** 8)
    gain *= hz**2 / (hz**2 + sound.low_cut_hz**2)
    return gain.astype(np.float32)


def _levelled(mixed: np.ndarray, loudness_db: float) -> np.ndarray:
    loud = mixed * 10 ** (loudness_db / 20) / (mixed.std() + 1e-9)
    return (PEAK * np.tanh(loud / PEAK)).astype(np.float32)
