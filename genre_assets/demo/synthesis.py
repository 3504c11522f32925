"""Oscillators, envelopes and filters that the demo's instruments are made of; light.

All signals are float32 at :data:`RATE`. Filters work on whole signals in the frequency domain:
they have no phase and need nothing but NumPy.
"""

from collections.abc import Callable

import numpy as np

RATE = 44_100
"""Samples a second."""

TABLE_SIZE = 2048
CUTOFF_STEPS = 64


def midi_hz(note: float) -> float:
    """Frequency of a MIDI note in equal temperament, A4 (69) at 440 Hz."""
    return 440.0 * 2.0 ** ((note - 69) / 12)


def decay(samples: int, seconds: float, attack_s: float = 0.001) -> np.ndarray:
    """An envelope that rises at once and falls by 60 dB in the given seconds; shape (samples,)."""
    t = np.arange(samples, dtype=np.float32) / RATE
    return np.minimum(t / attack_s, 1.0) * np.exp(-6.9 * t / seconds)


def shape_spectrum(
    signal: np.ndarray, gain: Callable[[np.ndarray], np.ndarray | float]
) -> np.ndarray:
    """Multiply a signal's spectrum by a gain over frequency.

    Args:
        signal: Shape (..., samples).
        gain: Takes frequencies in Hz, gives factors.

    Returns:
        The filtered signal, of the same shape.
    """
    samples = signal.shape[-1]
    factors = np.asarray(gain(np.fft.rfftfreq(samples, 1 / RATE)), dtype=np.float32)
    return np.fft.irfft(np.fft.rfft(signal.astype(np.float32)) * factors, samples)


def band(low_hz: float, high_hz: float, order: int = 2) -> Callable[[np.ndarray], np.ndarray]:
    """A band-pass gain with slopes of 6 dB an octave for each order."""

    def gain(hz: np.ndarray) -> np.ndarray:
        hz = np.maximum(hz, 1.0)
        return 1 / np.sqrt((1 + (low_hz / hz) ** (2 * order)) * (1 + (hz / high_hz) ** (2 * order)))

    return gain


def noise(rng: np.random.Generator, samples: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Band-limited white noise with a standard deviation of 1; shape (samples,)."""
    # A power of two, because the transform of an unlucky length takes several times longer.
    white = rng.standard_normal(1 << max(samples - 1, 1).bit_length(), np.float32)
    filtered = shape_spectrum(white, band(low_hz, high_hz))[:samples]
    return filtered / (filtered.std() + 1e-9)


def lowpass_tables(
    top_harmonic: int, resonance: float = 0.0, even: float = 1.0, slope: float = 1.0
) -> np.ndarray:
    """One period of a sawtooth behind a low-pass filter, at rising cutoffs.

    Args:
        top_harmonic: The highest harmonic that may sound.
        resonance: Extra gain at the cutoff.
        even: Level of the even harmonics; 0 makes a square wave.
        slope: Harmonic n has the amplitude ``n ** -slope`` before the filter.

    Returns:
        Shape (CUTOFF_STEPS, TABLE_SIZE); the cutoff rises geometrically from the fundamental to
        ``top_harmonic``.
    """
    harmonics = np.arange(1, max(top_harmonic, 2) + 1)
    cutoffs = np.geomspace(1, harmonics[-1], CUTOFF_STEPS)[:, None]
    level = harmonics ** -float(slope) * np.where(harmonics % 2 == 0, even, 1.0)
    lowpass = 1 / np.sqrt(1 + (harmonics / cutoffs) ** 6)
    peak = 1 + resonance * np.exp(-((np.log2(harmonics / cutoffs) / 0.3) ** 2))
    return _periods(level * lowpass * peak)


def vowel_tables(fundamental_hz: float) -> np.ndarray:
    """One period of a sung tone for each of the vowels a, e, i, o and u; shape (5, TABLE_SIZE).

    Formants after Peterson and Barney, Control Methods Used in a Study of the Vowels, 1952.
    """
    formants = [(730, 1090), (530, 1840), (270, 2290), (570, 840), (300, 870)]
    harmonics = np.arange(1, max(int(6000 / fundamental_hz), 2) + 1)
    hz = harmonics * fundamental_hz
    levels = []
    for first, second in formants:
        peaks = [(first, 1.0, 120), (second, 0.5, 160), (2700, 0.2, 300)]
        shape = sum(g * np.exp(-(((hz - f) / (2 * width)) ** 2)) for f, g, width in peaks)
        levels.append((shape + 0.03) / np.sqrt(harmonics))
    return _periods(np.array(levels))


def oscillate(frequency: np.ndarray, rows: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """Play wavetables.

    Args:
        frequency: In Hz, shape (samples,).
        rows: Which table sounds, shape (samples,); fractions are cut off.
        tables: Shape (tables, TABLE_SIZE).

    Returns:
        Shape (samples,).
    """
    phase = np.cumsum(frequency.astype(np.float64)) / RATE
    columns = (phase * TABLE_SIZE).astype(np.int64) % TABLE_SIZE
    return tables[np.clip(rows, 0, len(tables) - 1).astype(np.int64), columns]


def cutoff_rows(cutoff_hz: np.ndarray, frequency: np.ndarray, top_harmonic: int) -> np.ndarray:
    """The rows of :func:`lowpass_tables` that stand for a cutoff in Hz; shape (samples,)."""
    octaves = np.log2(np.maximum(cutoff_hz / np.maximum(frequency, 1.0), 1.0))
    return octaves / np.log2(max(top_harmonic, 2)) * (CUTOFF_STEPS - 1)


def saturate(signal: np.ndarray, drive: float) -> np.ndarray:
    """Soft clipping that keeps the level of a full signal; ``drive`` 0 leaves it as it is."""
    if drive <= 0:
        return signal
    peak = np.abs(signal).max() + 1e-9
    pressed = np.tanh(signal / peak * (1 + drive)) / np.tanh(1 + drive)
    return (pressed * peak).astype(np.float32)


def levelled(signal: np.ndarray, rms: float) -> np.ndarray:
    """The signal at a root mean square of ``rms``."""
    return (signal * (rms / (np.sqrt(np.mean(signal**2)) + 1e-9))).astype(np.float32)


def _periods(levels: np.ndarray) -> np.ndarray:
    spectrum = np.zeros((len(levels), TABLE_SIZE // 2 + 1), dtype=np.complex128)
    kept = min(levels.shape[1], TABLE_SIZE // 2 - 1)
    spectrum[:, 1 : kept + 1] = -0.5j * TABLE_SIZE * levels[:, :kept]
    tables = np.fft.irfft(spectrum, TABLE_SIZE)
    return (tables / np.abs(tables).max()).astype(np.float32)
