"""Sounds made by arithmetic, for tests."""

import numpy as np


def noise(sample_rate: int, seconds: float = 1.5, amplitude: float = 0.1) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (amplitude * rng.standard_normal(int(sample_rate * seconds))).astype(np.float32)


def tone(sample_rate: int, hertz: float, seconds: float = 1.5) -> np.ndarray:
    time = np.arange(int(sample_rate * seconds)) / sample_rate
    return (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def sweep(sample_rate: int, seconds: float = 3.0) -> np.ndarray:
    time = np.arange(int(sample_rate * seconds)) / sample_rate
    return (0.5 * np.sin(2 * np.pi * (200 * time + 300 * time**2))).astype(np.float32)


def noise_after_silence(sample_rate: int) -> np.ndarray:
    samples = noise(sample_rate, seconds=3)
    samples[:sample_rate] = 0
    return samples
