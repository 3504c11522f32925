import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_assets.lake.tfrecords import example, write_tfrecord

NAMES = st.text(min_size=1, max_size=20)
VALUES = st.binary(max_size=300) | st.integers(0, 2**63 - 1)


@pytest.fixture(scope="module")
def tf():
    import tensorflow

    return tensorflow


def test_the_bytes_are_those_of_every_version_before(tmp_path):
    path = tmp_path / "some.tfrecord"
    write_tfrecord(path, [example({"mel": bytes(range(16)), "segment": 300}), b""])
    assert path.read_bytes().hex() == (
        "3200000000000000241956ec"
        "0a300a1b0a036d656c12140a120a10000102030405060708090a0b0c0d0e0f"
        "0a110a077365676d656e7412061a040a02ac02a33facbf"
        "000000000000000029039807d8ea82a2"
    )


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
