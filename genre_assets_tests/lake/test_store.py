import hashlib
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_assets.lake.store import SUFFIXES, Store

CONTENT = b"all the bytes of a song"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "a lake's folder")


def finished(store, content=CONTENT, key="song"):
    part = store.partial(key)
    part.write_bytes(content)
    return part


def test_a_file_is_named_by_its_content_and_moved_there(store):
    part = finished(store)
    path = store.add(part, SHA256, ".mp3")
    assert path == store.root / "files" / SHA256[:2] / f"{SHA256}.mp3"
    assert path.read_bytes() == CONTENT
    assert not part.exists()
    assert store.has(SHA256)
    assert store.find(SHA256) == path


def test_a_content_that_is_there_is_not_replaced_whatever_its_suffix(store):
    first = store.add(finished(store), SHA256, ".mp3")
    before = first.stat()
    part = finished(store)
    assert store.add(part, SHA256, ".bin") == first
    assert not part.exists()
    assert (first.stat().st_ino, first.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [path for path in (store.root / "files").rglob("*") if path.is_file()] == [first]


def test_a_file_is_synced_before_it_has_its_name(store, monkeypatch):
    synced = []
    sync = os.fsync

    def watched(descriptor):
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            synced.append(store.has(SHA256))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    store.add(finished(store), SHA256, ".mp3")
    assert synced == [False]


def test_what_is_removed_is_gone_and_may_be_removed_again(store):
    path = store.add(finished(store), SHA256, ".flac")
    assert store.remove(SHA256)
    assert not path.exists()
    assert not store.has(SHA256)
    assert not store.remove(SHA256)


def test_a_partial_file_is_no_file_of_the_store(store):
    finished(store)
    assert not store.has(SHA256)
    assert not (store.root / "files").exists()


def test_a_forgotten_partial_leaves_nothing(store):
    part = finished(store)
    part.with_suffix(".json").write_text("{}")
    store.forget_partial("song")
    store.forget_partial("song")
    assert list(part.parent.iterdir()) == []


@given(st.text())
def test_no_key_leads_out_of_the_folder_of_partial_files(tmp_path_factory, key):
    store = Store(tmp_path_factory.getbasetemp() / "lake")
    part = store.partial(key)
    assert part.parent == store.root / ".internal" / "partial"
    assert part.resolve().parent == part.parent.resolve()
    assert len(part.name) == 64 + len(".part")


def test_partials_of_different_keys_are_different_files(store):
    assert store.partial("a") != store.partial("b")
    assert store.partial("a") == store.partial("a")


@pytest.mark.parametrize(
    "sha256", ["", "ab", SHA256.upper(), SHA256 + "0", SHA256 + "\n", "../" + SHA256[3:]]
)
def test_what_is_no_sha256_is_refused(store, sha256):
    for act in (store.has, store.remove, lambda s: store.path(s, ".mp3")):
        with pytest.raises(ValueError, match="is not a SHA-256"):
            act(sha256)


@pytest.mark.parametrize("suffix", ["", "mp3", ".MP3", ".html", ".mp3/../../x"])
def test_a_suffix_that_is_none_of_audio_is_refused(store, suffix):
    with pytest.raises(ValueError, match="none of the suffixes"):
        store.add(finished(store), SHA256, suffix)
    assert all(store.path(SHA256, known) for known in SUFFIXES)
