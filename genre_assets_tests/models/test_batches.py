import numpy as np
import pyarrow as pa
import pytest

from genre_assets.features.spectrogram_files import relative_path, write_segments
from genre_assets.features.spectrograms import BANDS, Segment, segments_of
from genre_assets.lake.schemas import SPECTROGRAMS
from genre_assets.lake.tables import Lake
from genre_assets.models.batches import batches, more_of_rare_genres, side_of
from genre_assets_tests.features.signals import noise, tone

GENRES = ["House", "Techno"]
FRAMES = {"of 44.1 kHz": 861, "of 22 kHz": 430, "of 48 kHz": 937}
TRACKS = {
    f"{place:02d}": (genre, segments)
    for place, (genre, segments) in enumerate([("Techno", 3)] * 9 + [("House", 3)] * 3)
} | {"of 22 kHz": ("House", 1), "of 48 kHz": ("House", 2)}


def sha256(track_id):
    return track_id.encode().hex().rjust(64, "0")


def mark(track_id, number):
    """What the spectrograms of a segment are full of, exact in half precision."""
    return list(TRACKS).index(track_id) + number / 8


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = Lake(tmp_path_factory.mktemp("lake"))
    rows = []
    for track_id, (_, segments) in TRACKS.items():
        frames = FRAMES.get(track_id, 861)
        spectrograms = [
            {name: np.full((frames, bands), mark(track_id, n), np.float16)
             for name, bands in BANDS.items()}
            for n in range(segments)
        ]  # fmt: skip
        write_segments(
            lake.places, sha256(track_id), [Segment(n, 0.0, s) for n, s in enumerate(spectrograms)]
        )
        rows += [
            {"track_id": track_id, "segment": n, "file": relative_path(sha256(track_id))}
            for n in range(segments)
        ]
    lake.write(SPECTROGRAMS, SPECTROGRAMS.of_rows(rows), "fma_000000")
    return lake


def members(*track_ids):
    return pa.table({"track_id": track_ids, "genre": [TRACKS[key][0] for key in track_ids]})


@pytest.fixture
def everyone(lake):
    return side_of(lake, members(*TRACKS), GENRES)


def heard(dataset):
    """The mark and the label of each segment, in the order in which a net is shown them."""
    return [
        (float(values.max()), int(label))
        for x, labels in dataset.as_numpy_iterator()
        for values, label in zip(x, labels, strict=True)
    ]


def expected(side):
    return [
        (mark(track_id, n), int(label))
        for track_id, segments, label in zip(
            side.track_ids, side.segments, side.labels, strict=True
        )
        for n in range(segments)
    ]


def test_a_side_holds_its_members_that_have_spectrograms(lake):
    known = members("03", "10")
    unknown = pa.table({"track_id": ["unknown"], "genre": ["House"]})
    side = side_of(lake, pa.concat_tables([known, unknown]), GENRES)
    assert side.track_ids == ["03", "10"]
    assert side.labels.tolist() == [1, 0]
    assert side.segments.tolist() == [3, 3]


def test_for_predictions_segments_come_in_order_with_their_own_labels(everyone):
    found = heard(batches(everyone, batch_size=4, frames=430))
    assert found == expected(everyone)
    assert len(found) == len(np.repeat(everyone.track_ids, everyone.segments))


def test_an_epoch_shows_each_segment_once_in_an_order_of_its_own(everyone):
    def epoch(number, seed=1):
        return heard(batches(everyone, 4, "mfcc", seed=seed, epoch=number))

    assert sorted(epoch(0)) == sorted(expected(everyone))
    assert epoch(0) == epoch(0)
    assert epoch(0) != epoch(1)
    assert epoch(0) != epoch(0, seed=2)


@pytest.mark.parametrize(("name", "bands"), BANDS.items())
def test_batches_have_one_shape_whatever_the_sample_rate(everyone, name, bands):
    shapes = {x.shape for x, _ in batches(everyone, 8, name, frames=480)}
    assert shapes == {(8, 480, bands), (len(expected(everyone)) % 8, 480, bands)}
    x, _ = next(iter(batches(everyone, 8, name)))
    assert x.dtype == "float32"


def test_frames_are_taken_evenly_from_the_segment(lake, tmp_path):
    ramp = np.arange(937, dtype=np.float16)[:, np.newaxis]
    spectrograms = {name: np.repeat(ramp, bands, axis=1) for name, bands in BANDS.items()}
    write_segments(Lake(tmp_path).places, sha256("ramp"), [Segment(0, 0.0, spectrograms)])
    other = Lake(tmp_path)
    row = {"track_id": "00", "segment": 0, "file": relative_path(sha256("ramp"))}
    other.write(SPECTROGRAMS, SPECTROGRAMS.of_rows([row]), "fma_000000")
    side = side_of(other, members("00"), GENRES)
    for frames in (937, 861, 100, 1_000):
        [(x, _)] = batches(side, 1, frames=frames)
        assert np.array_equal(x[0, :, 0], np.arange(frames) * 937 // frames)


def test_what_is_read_is_what_was_computed(tmp_path):
    segments = segments_of(noise(22_050, 20) + tone(22_050, 440, 20), 22_050)
    write_segments(Lake(tmp_path).places, sha256("real"), segments)
    lake = Lake(tmp_path)
    rows = [
        {"track_id": "00", "segment": segment.number, "file": relative_path(sha256("real"))}
        for segment in segments
    ]
    lake.write(SPECTROGRAMS, SPECTROGRAMS.of_rows(rows), "fma_000000")
    for name in BANDS:
        [(x, _)] = batches(side_of(lake, members("00"), GENRES), 2, name, frames=430)
        expected = np.stack([segment.spectrograms[name] for segment in segments])
        np.testing.assert_array_equal(x, expected)


def test_of_rare_genres_more_segments_are_taken(everyone):
    taken = dict(zip(everyone.track_ids, more_of_rare_genres(everyone), strict=True))
    assert {taken[key] for key in everyone.track_ids if TRACKS[key][0] == "Techno"} == {1}
    assert (taken["09"], taken["of 22 kHz"], taken["of 48 kHz"]) == (2, 1, 2)


def test_over_the_epochs_each_segment_is_taken_equally_often(everyone):
    taken = more_of_rare_genres(everyone)
    epochs = [heard(batches(everyone, 8, taken=taken, seed=0, epoch=n)) for n in range(3)]
    assert {len(epoch) for epoch in epochs} == {taken.sum()}
    assert {pair for epoch in epochs for pair in epoch} == set(expected(everyone))
    marks = [found for epoch in epochs for found, _ in epoch]
    of_the_first_track = [marks.count(mark("00", n)) for n in range(3)]
    of_a_rare_one = [marks.count(mark("09", n)) for n in range(3)]
    assert (of_the_first_track, of_a_rare_one) == ([1, 1, 1], [2, 2, 2])


def test_no_file_of_the_other_side_is_opened(lake):
    training, test = members("00", "01", "09"), members("02", "10")
    before = heard(batches(side_of(lake, training, GENRES), 8))
    for track_id in test["track_id"].to_pylist():
        path = lake.root / relative_path(sha256(track_id))
        kept = path.read_bytes()
        path.unlink()
        try:
            assert heard(batches(side_of(lake, training, GENRES), 8, seed=3)) != []
            assert heard(batches(side_of(lake, training, GENRES), 8)) == before
        finally:
            path.write_bytes(kept)
