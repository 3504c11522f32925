"""Whether reading spectrograms keeps a training step waiting.

Files of made-up spectrograms, as the extractor writes them, are read as a net is fed, and a small
convolutional net is trained on this machine's processor: on one batch again and again, which needs
no reading, and on the batches as they are read. Beside it the same records in a single file, the
usual shape of TFRecords. Files are in the page cache: it is the pipeline that is measured, not the
disk, which has 403 kB a segment to deliver.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow as tf

from genre_assets.features.spectrogram_files import write_segments
from genre_assets.features.spectrograms import BANDS, Segment
from genre_assets.lake.places import Places
from genre_assets.lake.tfrecords import write_tfrecord
from genre_assets.models.batches import Side, batches

GENRES, SEGMENTS, FRAMES, BATCH = 8, 3, 861, 32


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=100, help="tracks, of three segments each")
    parser.add_argument("--rounds", type=int, default=3, help="measurements, of which the best")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        side = made_up(Path(folder), options.tracks)
        whole = in_one_file(Path(folder), side)
        net = small_net()
        x, y = next(iter(batches(side, BATCH, seed=0)))
        net.train_on_batch(x, y)
        ways: dict[str, Callable[[], Iterable]] = {
            "read, a file a track": lambda: batches(side, BATCH, seed=0),
            "read, one file": lambda: batches(whole, BATCH, seed=0),
            "trained on one batch": lambda: trained(net, [(x, y)] * 5),
            "trained while reading": lambda: trained(net, batches(side, BATCH, seed=0).take(5)),
        }
        rates = {name: 0.0 for name in ways}
        for _ in range(options.rounds):
            for name, way in ways.items():
                rates[name] = max(rates[name], rate(way))
    for name, found in rates.items():
        print(f"{name:24}{found:8.0f} segments/s")
    ratio = rates["read, a file a track"] / rates["trained on one batch"]
    print(f"Reading is {ratio:.1f} times as fast as the training step.")


def made_up(folder: Path, tracks: int) -> Side:
    """Tracks of noise in files of their own."""
    rng = np.random.default_rng(0)
    files = []
    for track in range(tracks):
        segments = [
            Segment(
                number,
                10.0 * number,
                {
                    name: rng.normal(-30, 15, (FRAMES, bands)).astype(np.float16)
                    for name, bands in BANDS.items()
                },
            )
            for number in range(SEGMENTS)
        ]
        sha256 = f"{track:064x}"
        write_segments(Places(folder), sha256, segments)
        files += [str(path) for path in folder.rglob(f"{sha256}.tfrecord")]
    counts = np.full(tracks, SEGMENTS)
    return Side(files, files, counts, np.arange(tracks) % GENRES)


def in_one_file(folder: Path, side: Side) -> Side:
    """The same records in one file, as if they were one track's."""
    path = folder / "all.tfrecord"
    write_tfrecord(path, tf.data.TFRecordDataset(side.files).as_numpy_iterator())
    return Side(["all"], [str(path)], np.array([side.segments.sum()]), np.array([0]))


def small_net() -> tf.keras.Model:
    """Four convolutions over log-mel, 100,000 weights: as small as nets for this task get."""
    layers = tf.keras.layers
    blocks = [
        layer
        for filters in (16, 32, 64, 128)
        for layer in (
            layers.Conv2D(filters, 3, padding="same", activation="relu"),
            layers.MaxPool2D((4, 2)),
        )
    ]
    net = tf.keras.Sequential(
        [
            layers.Input((FRAMES, BANDS["log_mel"])),
            layers.Rescaling(1 / 40),
            layers.Reshape((FRAMES, BANDS["log_mel"], 1)),
            *blocks,
            layers.GlobalAveragePooling2D(),
            layers.Dense(GENRES, activation="softmax"),
        ]
    )
    net.compile("adam", "sparse_categorical_crossentropy")
    return net


def trained(net: tf.keras.Model, fed: Iterable) -> Iterable:
    """Train on batches, and hand them on."""
    for x, y in fed:
        net.train_on_batch(x, y)
        yield x, y


def rate(way: Callable[[], Iterable]) -> float:
    """Segments a second of a way to go through batches."""
    started, count = time.perf_counter(), 0
    for _, labels in way():
        count += len(labels)
    return count / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
