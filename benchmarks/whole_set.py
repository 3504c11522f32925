"""What all features of a clip take, against the peer's way, in one process and one thread.

All features are the 518 summary features, harmonic and percussive energies, log-mel, MFCC and
constant-Q. The peer takes them one after the other from librosa, as its documentation shows them;
its 518 are those of the FMA dataset's published script.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
from threadpoolctl import threadpool_limits

from genre_assets.audio.decode import decode
from genre_assets.features import spectrograms, summary
from genre_assets_tests.features.reference import reference_of_file


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path, help="a clip of 30 s, such as one of the FMA dataset")
    parser.add_argument("--rounds", type=int, default=5, help="measurements, of which the median")
    options = parser.parse_args()
    spectrograms.warm_up()
    ways: dict[str, Callable[[Path], object]] = {"the peer": peers_way, "ours": our_way}
    seconds = {name: [] for name in ways}
    with threadpool_limits(1):
        for _ in range(options.rounds + 1):
            for name, way in ways.items():
                started = time.perf_counter()
                way(options.clip)
                seconds[name].append(time.perf_counter() - started)
    medians = {name: float(np.median(found[1:])) for name, found in seconds.items()}
    for name, median in medians.items():
        print(f"{name:10}{1000 * median:8.0f} ms a clip")
    print(f"ratio {medians['the peer'] / medians['ours']:.1f}")


def peers_way(path: Path) -> tuple:
    """All features of a file, one after the other from librosa."""
    summary_features, _ = reference_of_file(path)
    samples, sample_rate = librosa.load(path, sr=None, mono=True)
    spectrogram = librosa.stft(samples)
    harmonic, percussive = librosa.decompose.hpss(np.abs(spectrogram))
    energies = np.stack([np.sum(part**2, axis=0) for part in (harmonic, percussive)])
    mel = librosa.feature.melspectrogram(y=samples, sr=sample_rate)
    log_mel = librosa.power_to_db(mel)
    mfcc = librosa.feature.mfcc(S=log_mel, n_mfcc=20)
    constant_q = librosa.amplitude_to_db(np.abs(librosa.cqt(samples, sr=sample_rate)))
    return summary_features, energies, log_mel, mfcc, constant_q


def our_way(path: Path) -> tuple:
    """All features of a file, from one decoding."""
    samples, sample_rate = decode(path)
    return summary.summarise(samples, sample_rate), spectrograms.segments_of(samples, sample_rate)


if __name__ == "__main__":
    main()
