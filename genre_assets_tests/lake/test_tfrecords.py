import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_assets.features.dsp.compilation import compilation_lock
from genre_assets.lake import tfrecords
from genre_assets.lake.tfrecords import example, write_tfrecord

NAMES = st.text(min_size=1, max_size=20)
VALUES = st.binary(max_size=300) | st.integers(0, 2**63 - 1)


@pytest.fixture(scope="module", autouse=True)
def compiled():
    with compilation_lock():
        tfrecords.warm_up()


@pytest.fixture(scope="module")
def tf():
    import tensorflow

    return tensorflow


def test_the_checksum_is_castagnolis():
    """Of RFC 3720, section B.4."""
    for data, expected in (
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (bytes(range(32)), 0x46DD794E),
    ):
        assert tfrecords._crc32c(np.frombuffer(data, np.uint8), tfrecords._TABLES) == expected


@settings(max_examples=50, deadline=None)
@given(features=st.dictionaries(NAMES, VALUES, max_size=5))
def test_tensorflow_reads_each_feature_back(tf, features):
    found = tf.train.Example.FromString(example(features)).features.feature
    assert {
        name: feature.bytes_list.value[0]
        if feature.WhichOneof("kind") == "bytes_list"
        else feature.int64_list.value[0]
        for name, feature in found.items()
    } == features


@settings(max_examples=20, deadline=None)
@given(records=st.lists(st.binary(max_size=1_000), max_size=5))
def test_tensorflow_reads_each_record_back(tf, tmp_path_factory, records):
    path = tmp_path_factory.mktemp("records") / "some.tfrecord"
    write_tfrecord(path, records)
    assert list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()) == records
    assert list(path.parent.iterdir()) == [path]


def test_a_damaged_record_is_noticed(tf, tmp_path):
    path = tmp_path / "some.tfrecord"
    write_tfrecord(path, [bytes(100)])
    damaged = bytearray(path.read_bytes())
    damaged[50] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(tf.errors.DataLossError):
        list(tf.data.TFRecordDataset(str(path)))


def test_a_write_that_breaks_off_leaves_nothing(tmp_path):
    def records():
        yield b"one"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_tfrecord(tmp_path / "some.tfrecord", records())
    assert list(tmp_path.iterdir()) == []
