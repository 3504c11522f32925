"""The instruments of the demo: drums, basses, plucked strings, pads and voices; light.

Each returns one sound as float32 of shape (samples,) with a peak near 1, or plays a whole
:class:`Line` of notes.
"""

from dataclasses import dataclass

import numpy as np

from genre_assets.demo.synthesis import (
    RATE,
    cutoff_rows,
    decay,
    lowpass_tables,
    midi_hz,
    noise,
    oscillate,
    saturate,
    vowel_tables,
)

TOP_HZ = 15_000
"""The highest overtone that an instrument plays."""


@dataclass(frozen=True)
class Line:
    """A melody of one voice, sample by sample; all arrays have shape (samples,).

    Attributes:
        frequency: Of the note that sounds, in Hz.
        velocity: Its strength from 0 to 1; 0 where nothing sounds.
        age: Seconds since it began.
        left: Seconds until it ends.
    """

    frequency: np.ndarray
    velocity: np.ndarray
    age: np.ndarray
    left: np.ndarray

    def envelope(self, attack_s: float, release_s: float) -> np.ndarray:
        """The loudness of the line, each note faded in and out."""
        rise = np.minimum(self.age / attack_s, 1.0)
        fall = np.clip(self.left / release_s, 0.0, 1.0)
        return self.velocity * rise * fall

    def top_harmonic(self) -> int:
        """The highest harmonic that stays below :data:`TOP_HZ` on the highest note."""
        return max(int(TOP_HZ / max(self.frequency.max(), 30.0)), 2)


def kick(
    rng: np.random.Generator, tone_hz: float, seconds: float, punch: float, drive: float
) -> np.ndarray:
    """A bass drum: a sine that falls to ``tone_hz`` in pitch, and the click of the beater."""
    samples = int(seconds * RATE)
    t = np.arange(samples) / RATE
    sweep = tone_hz * (1 + punch * np.exp(-t / 0.018))
    body = np.sin(2 * np.pi * np.cumsum(sweep) / RATE) * decay(samples, seconds)
    click = noise(rng, samples, 1500, 7000) * decay(samples, 0.02) * 0.08 * punch / 4
    return _full(saturate((body + click).astype(np.float32), drive))


def snare(rng: np.random.Generator, tone_hz: float, seconds: float, wires: float) -> np.ndarray:
    """A snare drum: two modes of the skin, and ``wires`` (0 to 1) of rattle."""
    samples = int(seconds * RATE)
    t = np.arange(samples) / RATE
    skin = np.sin(2 * np.pi * tone_hz * t) + 0.6 * np.sin(2 * np.pi * 1.59 * tone_hz * t)
    rattle = noise(rng, samples, 1200, 11_000) * decay(samples, seconds)
    return _full((1 - wires) * skin * decay(samples, 0.4 * seconds) + wires * 0.5 * rattle)


def clap(rng: np.random.Generator, centre_hz: float, seconds: float) -> np.ndarray:
    """A hand clap: four bursts of noise within 30 ms, and a tail."""
    samples = int(seconds * RATE)
    hiss = noise(rng, samples, 0.7 * centre_hz, 2.5 * centre_hz)
    bursts = np.zeros(samples)
    for number in range(4):
        start = int(number * rng.uniform(0.008, 0.011) * RATE)
        bursts[start:] += decay(samples - start, 0.03 if number < 3 else seconds)
    return _full(hiss * bursts)


def hat(rng: np.random.Generator, low_hz: float, seconds: float, metal: float) -> np.ndarray:
    """A cymbal: noise above ``low_hz`` mixed with ``metal`` (0 to 1) of inharmonic squares."""
    samples = int(seconds * RATE)
    t = np.arange(samples) / RATE
    hiss = noise(rng, samples, low_hz, 17_000)
    ratios = (1.0, 1.34, 1.79, 2.37, 3.11, 4.27)
    ring = sum(np.sign(np.sin(2 * np.pi * ratio * low_hz * 0.55 * t)) for ratio in ratios)
    return _full(((1 - metal) * hiss + metal * 0.5 * np.asarray(ring)) * decay(samples, seconds))


def pluck(
    rng: np.random.Generator, hz: float, seconds: float, brightness: float, sustain: float
) -> np.ndarray:
    """A plucked string.

    K. Karplus and A. Strong, Digital Synthesis of Plucked-String and Drum Timbres, Computer Music
    Journal 7(2), 1983; computed a period at a time.

    Args:
        rng: Draws the shape that the string is plucked to.
        hz: Pitch.
        seconds: Length of the sound.
        brightness: From 0 (plucked with the thumb) to 1 (with a plectrum at the bridge).
        sustain: Loss factor of a period, just below 1.
    """
    samples = int(seconds * RATE)
    period = max(int(RATE / hz - 0.5), 2)
    string = rng.uniform(-1, 1, period)
    for _ in range(int(6 * (1 - brightness))):
        string = 0.5 * (string + np.roll(string, 1))
    periods = [string]
    for _ in range(samples // period + 2):
        string = sustain * 0.5 * (string + np.concatenate((periods[-1][-1:], string[:-1])))
        periods.append(string)
    rendered = np.concatenate(periods)
    # The loop's period is a whole number of samples and a half; reading faster or slower tunes it.
    ratio = hz * (period + 0.5) / RATE
    places = np.arange(samples) * ratio
    return _full(np.interp(places, np.arange(len(rendered)), rendered) - string.mean())


def chord(
    notes: list[float], seconds: float, cutoff_hz: float, fall_s: float, even: float = 1.0
) -> np.ndarray:
    """A keyboard chord that closes its filter from ``cutoff_hz`` within ``fall_s``."""
    samples = int(seconds * RATE)
    t = np.arange(samples) / RATE
    cutoff = cutoff_hz * np.exp(-2 * t / fall_s)
    sound = np.zeros(samples, dtype=np.float32)
    for note in notes:
        frequency = np.full(samples, midi_hz(note))
        top = max(int(TOP_HZ / frequency[0]), 2)
        rows = cutoff_rows(cutoff, frequency, top)
        sound += oscillate(frequency, rows, lowpass_tables(top, even=even))
    return _full(sound * decay(samples, 1.6 * seconds, 0.004) * _fade_out(samples))


def pad(
    rng: np.random.Generator, notes: list[float], samples: int, cutoff_hz: float, detune: float
) -> np.ndarray:
    """A sustained chord of detuned voices, left and right apart; shape (2, samples)."""
    sides = np.zeros((2, samples), dtype=np.float32)
    for note in notes:
        top = max(int(TOP_HZ / midi_hz(note)), 2)
        tables = lowpass_tables(top)
        for side in sides:
            hz = midi_hz(note + rng.normal(0, detune))
            rows = cutoff_rows(np.asarray(cutoff_hz), np.asarray(hz), top)
            phase = (np.arange(samples) * hz / RATE + rng.random()) * tables.shape[1]
            side += tables[
                min(int(rows), len(tables) - 1), phase.astype(np.int64) % tables.shape[1]
            ]
    fade = np.minimum(1.0, np.arange(samples) / (0.15 * samples))
    return (sides / len(notes) * fade * fade[::-1]).astype(np.float32)


def sub_bass(line: Line, overtones: float) -> np.ndarray:
    """A sine bass with a little of its second and third harmonic."""
    phase = 2 * np.pi * np.cumsum(line.frequency) / RATE
    tone = np.sin(phase) + overtones * (0.5 * np.sin(2 * phase) + 0.3 * np.sin(3 * phase))
    return (tone * line.envelope(0.008, 0.03)).astype(np.float32)


def synth_bass(
    line: Line,
    cutoff_hz: np.ndarray | float,
    resonance: float = 0.0,
    even: float = 1.0,
    detune: float = 0.0,
) -> np.ndarray:
    """A sawtooth or square bass behind a moving low-pass filter.

    Args:
        line: What it plays.
        cutoff_hz: Of the filter, for the whole line or sample by sample.
        resonance: Extra gain at the cutoff.
        even: Level of the even harmonics; 0 is a square wave.
        detune: Semitones between the outer ones of three voices; 0 plays one voice.
    """
    top = line.top_harmonic()
    tables = lowpass_tables(top, resonance, even)
    rows = cutoff_rows(np.asarray(cutoff_hz), line.frequency, top)
    spread = (0.0,) if detune == 0 else (-detune / 2, 0.013, detune / 2)
    voices = [oscillate(line.frequency * 2 ** (s / 12), rows, tables) for s in spread]
    return sum(voices[1:], voices[0]) / len(voices) * line.envelope(0.004, 0.02)


def voice(
    rng: np.random.Generator, line: Line, roughness: float, vibrato: float, breath: float
) -> np.ndarray:
    """A singer on changing vowels.

    Args:
        rng: Draws vowels and tremor.
        line: What is sung.
        roughness: From 0 (choirboy) to 1 (shout).
        vibrato: Depth in semitones.
        breath: Level of the breath.
    """
    samples = len(line.frequency)
    t = np.arange(samples) / RATE
    begins = np.diff(line.velocity * line.frequency, prepend=0) != 0
    vowel = rng.integers(0, 5, int(begins.sum()) + 1)[np.cumsum(begins)]
    tremor = np.sin(2 * np.pi * rng.uniform(4.5, 6) * t)
    hz = line.frequency * 2 ** (vibrato * tremor * np.minimum(line.age / 0.4, 1) / 12)
    sung = oscillate(hz, vowel, vowel_tables(float(np.median(line.frequency))))
    envelope = line.envelope(0.03, 0.06)
    air = noise(rng, samples, 1500, 7000) * 0.2 * breath * envelope
    return (saturate((sung * envelope).astype(np.float32), 4 * roughness) + air).astype(np.float32)


def organ(line: Line, drawbars: np.ndarray) -> np.ndarray:
    """A transistor organ; ``drawbars`` are the levels of its first harmonics, shape (n,)."""
    phase = 2 * np.pi * np.cumsum(line.frequency) / RATE
    tone = sum(level * np.sin((n + 1) * phase) for n, level in enumerate(drawbars))
    return (np.asarray(tone) / drawbars.sum() * line.envelope(0.01, 0.02)).astype(np.float32)


def _fade_out(samples: int) -> np.ndarray:
    return np.minimum(1.0, np.arange(samples, 0, -1) / (0.01 * RATE))


def _full(sound: np.ndarray) -> np.ndarray:
    return (sound / (np.abs(sound).max() + 1e-9)).astype(np.float32)
