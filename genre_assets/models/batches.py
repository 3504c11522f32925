"""Spectrograms of the tracks of one side of a split, in batches that feed a neural net.

Sides never mix: a side is given as its rows of ``task_members``, each track has a file of its own,
and no other file is opened. What is cut from a track was cut before there was any split.

Light but for :func:`batches`, which imports TensorFlow.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.features.spectrograms import BANDS
from genre_assets.lake.schemas import SPECTROGRAMS
from genre_assets.lake.tables import Lake

if TYPE_CHECKING:
    import tensorflow as tf

# pyarrow.compute makes its functions when it is imported, which pyright cannot see.
# pyright: reportAttributeAccessIssue=false

SHUFFLED_SEGMENTS = 256
"""Segments that are shuffled among each other, after the tracks were: 56 MB of log-mel."""


@dataclass(frozen=True)
class Side:
    """The tracks of one side of a split that have spectrograms, in the order of their ids.

    Attributes:
        track_ids: The tracks.
        files: Path of the TFRecord file of each.
        segments: How many segments each has, integers of shape (tracks,).
        labels: Place of each one's genre among the genres of the task, integers of shape (tracks,).
    """

    track_ids: list[str]
    files: list[str]
    segments: np.ndarray
    labels: np.ndarray


def side_of(lake: Lake, members: pa.Table, genres: list[str]) -> Side:
    """Look up the spectrograms of tracks.

    Args:
        lake: The lake.
        members: Rows of ``task_members`` of the side; ``track_id`` and ``genre`` are read. Tracks
            without spectrograms (see ``spectrogram_failures``) are left out.
        genres: The genres of the task, in the order of the net's outputs.

    Raises:
        ValueError: If a member has a genre that is not among them.
    """
    unknown = sorted(set(members["genre"].to_pylist()) - set(genres))
    if unknown:
        raise ValueError(f"Members have genres that were not named: {', '.join(unknown)}.")
    genre_of = dict(zip(members["track_id"].to_pylist(), members["genre"].to_pylist(), strict=True))
    rows = lake.read(SPECTROGRAMS, columns=["track_id", "file", "segment"])
    ours = rows.filter(pc.is_in(rows["track_id"], value_set=pa.array(list(genre_of), pa.string())))
    tracks = (
        ours.group_by(["track_id", "file"]).aggregate([("segment", "count")]).sort_by("track_id")
    )
    track_ids = tracks["track_id"].to_pylist()
    return Side(
        track_ids,
        [str(lake.places.at(name)) for name in tracks["file"].to_pylist()],
        np.array(tracks["segment_count"].to_pylist(), np.int64),
        np.array([genres.index(genre_of[track_id]) for track_id in track_ids], np.int64),
    )


def more_of_rare_genres(side: Side) -> np.ndarray:
    """How many segments of each track to train on in an epoch, so that genres weigh more alike.

    One of each track of the largest genre; of a track of a smaller one as many as bring the genre
    to the same number, as far as it has them.

    Returns:
        Integers of shape (tracks,), from 1 to the segments of the track.
    """
    tracks_of_genre = np.bincount(side.labels)
    wanted = np.rint(tracks_of_genre.max(initial=0) / tracks_of_genre[side.labels]).astype(np.int64)
    return np.minimum(wanted, side.segments)


def batches(
    side: Side,
    batch_size: int,
    spectrogram: str = "log_mel",
    frames: int = 861,
    taken: np.ndarray | None = None,
    seed: int | None = None,
    epoch: int = 0,
) -> "tf.data.Dataset":
    """One epoch of a side, read from disk ahead of the net.

    Args:
        side: The tracks.
        batch_size: Segments of a batch; the last one may have fewer.
        spectrogram: Which one, a name in :data:`genre_assets.features.spectrograms.BANDS`.
        frames: Frames of a segment, which is brought to them by taking the nearest ones: it has
            861 at 44.1 kHz and others at other rates.
        taken: How many segments of each track are taken, others in each epoch; all by default.
        seed: Seed of the order; by default the tracks come in theirs, each with its segments in a
            row, for predictions: ``np.repeat(side.track_ids, side.segments)`` says whose they are.
        epoch: Number of the epoch: another order, and other segments where not all are taken.

    Returns:
        A dataset of pairs: float32 of shape (batch, frames, bands), decibels or coefficients as
        :mod:`genre_assets.features.spectrograms` has them, and labels of shape (batch,). The same
        arguments give the same batches.

    Raises:
        ValueError: If there is no such spectrogram.
    """
    import tensorflow as tf

    if spectrogram not in BANDS:
        raise ValueError(f"There is no spectrogram {spectrogram!r}: use one of {', '.join(BANDS)}.")
    bands = BANDS[spectrogram]
    described = {spectrogram: tf.io.FixedLenFeature([], tf.string)}
    order = np.arange(len(side.files))
    if seed is not None:
        np.random.default_rng((seed, epoch)).shuffle(order)
    segments = side.segments[order]
    wanted = segments if taken is None else taken[order]
    # Of each record of the files in turn: which segment of how many, and how many are wanted.
    number = np.arange(segments.sum()) - np.repeat(segments.cumsum() - segments, segments)
    wanted, of_track = np.repeat(wanted, segments), np.repeat(segments, segments)
    # Spread over the track, and each segment equally often over the epochs.
    is_taken = (number + epoch) * wanted % of_track < wanted
    labels = np.repeat(side.labels[order], segments)

    def values(record, label):
        found = tf.io.parse_single_example(record, described)
        values = tf.reshape(tf.io.decode_raw(found[spectrogram], tf.float16), (-1, bands))
        return tf.gather(values, tf.range(frames) * tf.shape(values)[0] // frames), label

    records = tf.data.TFRecordDataset([side.files[track] for track in order])
    if not is_taken.all():
        pairs = tf.data.Dataset.zip(records, tf.data.Dataset.from_tensor_slices(is_taken))
        records = pairs.filter(lambda *pair: pair[1]).map(lambda *pair: pair[0])
    examples = tf.data.Dataset.zip(
        records, tf.data.Dataset.from_tensor_slices(labels[is_taken])
    ).map(values, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    if seed is not None:
        examples = examples.shuffle(SHUFFLED_SEGMENTS, seed=seed + epoch)
    return (
        examples.batch(batch_size)
        .map(lambda values, labels: (tf.cast(values, tf.float32), labels))
        .prefetch(tf.data.AUTOTUNE)
    )
