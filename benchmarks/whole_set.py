"""What all features of a clip take, against the peer's way, in one process and one thread.

All features are the 518 summary features, harmonic and percussive energies, log-mel, MFCC and
constant-Q. In one pass they are made of one decoding and one of each transform, as by a run of both
assets; two runs, one of each asset, decode and transform for themselves. The peer takes them one
after the other from librosa, as its documentation shows them; its 518 are those of the
FMA dataset's published script. Times are of the processor, the least of the rounds.

    .venv/bin/python benchmarks/whole_set.py clip.mp3
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from genre_assets.features import one_pass, spectrograms, summary
from genre_assets_tests.features.reference import reference_of_file


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clip", type=Path, help="a clip of 30 s, such as one of the FMA dataset")
    parser.add_argument("--rounds", type=int, default=5, help="measurements, of which the least")
    options = parser.parse_args()
    ways: dict[str, Callable[[Path], object]] = {
        "the peer": peers_way,
        "one pass": one_pass.extract,
        "two runs": two_runs,
    }
    seconds = {name: [] for name in ways}
    with threadpool_limits(1):
        for _ in range(1 + options.rounds):
            for name, way in ways.items():
                started = time.thread_time()
                way(options.clip)
                seconds[name].append(time.thread_time() - started)
    least = {name: min(found[1:]) for name, found in seconds.items()}
    for name, found in least.items():
        ratio = least["the peer"] / found
        print(f"{name:16}{1000 * found:8.0f} ms a clip{ratio:8.1f} times as fast")


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


def two_runs(path: Path) -> tuple:
    """All features of a file as two runs, one of each asset, compute them."""
    return summary.extract(path), spectrograms.extract(path)


if __name__ == "__main__":
    main()
