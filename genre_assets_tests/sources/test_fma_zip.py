import contextlib
import hashlib
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_assets.errors import DiskFullError
from genre_assets.sources import fma_zip
from genre_assets.sources.catalogue import SourceError
from genre_assets.sources.fma_zip import PUBLISHED_SHA1, check_sha1, dataset_folder, unpack

CLIPS = {f"fma_small/000/00000{n}.mp3": bytes([n]) * 1000 for n in range(1, 6)}


def write_zip(path, members, method=zipfile.ZIP_BZIP2):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def sha1(path):
    return hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()


def files_below(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def archive(tmp_path):
    return write_zip(tmp_path / "fma_small.zip", CLIPS)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "lake" / "fma_dataset"


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_zip_is_unpacked_whatever_it_is_compressed_with(tmp_path, target, method):
    archive = write_zip(tmp_path / "fma_small.zip", CLIPS, method)

    unpack(archive, target)

    assert files_below(target) == CLIPS


def test_a_published_zip_has_a_checksum_of_its_own():
    assert len(set(PUBLISHED_SHA1.values())) == 5
    assert all(len(digest) == 40 for digest in PUBLISHED_SHA1.values())


def test_a_folder_that_lies_there_is_used_and_its_zip_is_not(tmp_path, archive, target):
    (tmp_path / "fma_small").mkdir()

    found = dataset_folder(tmp_path, "fma_small", target)

    assert found.folder == tmp_path / "fma_small"
    assert not target.exists()


def test_a_zip_with_the_published_checksum_is_unpacked(tmp_path, archive, target):
    found = dataset_folder(tmp_path, "fma_small", target, {archive.name: sha1(archive)})

    assert (found.folder, found.notes) == (target / "fma_small", [])


def test_a_zip_with_another_checksum_is_not_touched(tmp_path, archive, target):
    with pytest.raises(SourceError, match=r"not the published ade154f.*download it again"):
        dataset_folder(tmp_path, "fma_small", target)

    assert not target.exists()


def test_what_is_not_there_is_none(tmp_path, target):
    assert dataset_folder(tmp_path, "fma_large", target) is None


def test_a_zip_is_not_unpacked_without_a_place_for_it(tmp_path, archive):
    with pytest.raises(SourceError, match="is not unpacked"):
        dataset_folder(tmp_path, "fma_small", None)


def test_a_zip_of_something_else_says_so(tmp_path, target):
    write_zip(tmp_path / "fma_small.zip", {"holiday.txt": b"x"})

    with pytest.raises(SourceError, match="holds no folder fma_small"):
        dataset_folder(tmp_path, "fma_small", target, {})


def test_a_verified_zip_is_hashed_once_until_it_changes(archive, target, monkeypatch):
    hashed = []
    real = fma_zip._sha1
    monkeypatch.setattr(fma_zip, "_sha1", lambda *args: hashed.append(1) or real(*args))
    expected = sha1(archive)

    check_sha1(archive, expected, target)
    check_sha1(archive, expected, target)
    assert len(hashed) == 1

    os.utime(archive, ns=(1, 1))
    check_sha1(archive, expected, target)
    assert len(hashed) == 2


def test_a_damaged_note_of_a_checksum_only_costs_another_hash(archive, target):
    check_sha1(archive, sha1(archive), target)
    (target / ".fma_small.zip.verified.json").write_text("{")

    check_sha1(archive, sha1(archive), target)


def test_a_killed_unpack_goes_on_with_what_is_missing(archive, target, monkeypatch):
    real_open = zipfile.ZipFile.open
    opened = []

    def dying_open(self, member, *args):
        if len(opened) == 3:
            raise KeyboardInterrupt
        opened.append(member.filename)
        return real_open(self, member, *args)

    monkeypatch.setattr(zipfile.ZipFile, "open", dying_open)
    with pytest.raises(KeyboardInterrupt):
        unpack(archive, target)
    assert len(files_below(target)) == 3
    monkeypatch.undo()

    (target / "fma_small" / "000" / "000001.mp3").write_bytes(b"short")
    times = {path: path.stat().st_mtime_ns for path in target.rglob("00000[23].mp3")}
    unpack(archive, target)

    assert files_below(target) == CLIPS
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_a_damaged_zip_is_one_clear_error(tmp_path, target):
    archive = write_zip(tmp_path / "fma_small.zip", CLIPS, zipfile.ZIP_STORED)
    archive.write_bytes(archive.read_bytes().replace(bytes([3]) * 1000, b"x" * 1000))

    with pytest.raises(SourceError, match=r"CRC.*000003\.mp3.*download it again"):
        unpack(archive, target)

    assert CLIPS.items() >= files_below(target).items()


def test_progress_is_told(archive, target):
    lines = []

    unpack(archive, target, log=lines.append)

    assert "5 of 5 members of fma_small.zip unpacked" in lines[-1]


@pytest.mark.parametrize("name", ["/etc/escape", "../escape", "fma_small/../../escape"])
def test_a_zip_with_a_member_that_would_leave_the_folder_is_refused(tmp_path, target, name):
    archive = write_zip(tmp_path / "x.zip", {"fma_small/good": b"good", name: b"bad"})

    with pytest.raises(SourceError, match=f"{name}' leads out of"):
        unpack(archive, target)

    assert files_below(tmp_path) == {"x.zip": archive.read_bytes()}


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from(["..", ".", "a", "b", "", "C:", "~", "\\", "ü"]), min_size=1).map(
        "/".join
    )
)
def test_no_name_leads_out_of_the_folder(tmp_path_factory, name):
    base = tmp_path_factory.mktemp("zip")
    archive = write_zip(base / "x.zip", {name or "a": b"x"}, zipfile.ZIP_STORED)

    with contextlib.suppress(SourceError):
        unpack(archive, base / "inner" / "target")

    outside = [path for path in files_below(base) if not path.startswith("inner/target/")]
    assert outside == ["x.zip"]


def test_a_link_in_the_target_is_not_written_through(tmp_path, target):
    outside = tmp_path / "outside"
    outside.mkdir()
    (target / "fma_small").mkdir(parents=True)
    (target / "fma_small" / "000").symlink_to(outside)

    with pytest.raises(SourceError, match="leads out of"):
        unpack(write_zip(tmp_path / "x.zip", CLIPS), target)

    assert list(outside.iterdir()) == []


def test_a_huge_member_is_refused_by_its_declared_size(tmp_path, target):
    archive = write_zip(tmp_path / "x.zip", {"bomb": b"\0" * 100_000, "good": b"x"})

    with pytest.raises(SourceError, match="'bomb' declares 100000 bytes"):
        unpack(archive, target, max_member_bytes=50_000)

    assert files_below(target) == {}


def test_a_zip_that_needs_more_than_the_disk_has_is_one_clear_error(archive, target, monkeypatch):
    monkeypatch.setattr(
        fma_zip.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10})()
    )

    with pytest.raises(SourceError, match="GiB to unpack"):
        unpack(archive, target)


def test_a_disk_that_fills_up_ends_the_run_with_one_clear_error(archive, target, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fma_zip.shutil, "copyfileobj", full)

    with pytest.raises(DiskFullError, match="disk is full"):
        unpack(archive, target)
    assert files_below(target) == {}


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06"])
def test_a_file_that_is_no_zip_is_one_clear_error(tmp_path, target, content):
    archive = tmp_path / "fma_small.zip"
    archive.write_bytes(content)

    with pytest.raises(SourceError, match="cannot be unpacked"):
        unpack(archive, target)


def test_nothing_but_members_is_left_in_the_target(archive, target):
    unpack(archive, target)

    assert not [path for path in Path(target).rglob(".*")]
