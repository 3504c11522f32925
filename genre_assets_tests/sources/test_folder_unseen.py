"""What a walk through a music library could not see is still there."""

import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genre_assets.lake.schemas import AUDIO, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.sources import folder
from genre_assets.sources.catalogue import SourceError
from genre_assets.sources.folder import read_catalogue
from genre_assets.sources.removals import refuse_doubtful
from genre_assets.sources.sweeps import merge_sweep, record_sweep

NAMES = ["a.mp3", "Rock/b.mp3", "Rock/Deep/c.mp3", "Rock/Deep/d.mp3", "NAS/e.mp3", "NAS/f.mp3"]


class Library:
    """A library with six songs, and the table that its sweeps fill."""

    def __init__(self, root):
        self.root = root
        self.known = TRACKS.empty()
        for name in NAMES:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(name.encode())

    def sweep(self, **options):
        """The names of what is gone after one more sweep."""
        self.catalogue = read_catalogue(self.root, self.known, **options)
        self.known = merge_sweep(
            self.known, self.catalogue.tracks, datetime.now(UTC), self.catalogue.still_there
        )
        return {
            os.path.relpath(row["path"], self.root)
            for row in self.known.to_pylist()
            if row["gone_at"]
        }


@pytest.fixture
def library(tmp_path):
    library = Library(tmp_path / "music")
    assert library.sweep() == set()
    return library


@pytest.fixture
def refused(monkeypatch):
    """Paths that cannot be opened or looked into, as for a user without permission."""
    paths = set()
    real_scan, real_sha256 = os.scandir, folder._sha256

    def scandir(path):
        if str(path) in paths:
            raise PermissionError(13, "Permission denied")
        return real_scan(path)

    def sha256(path):
        if any(path == one or path.startswith(f"{one}/") for one in paths):
            raise PermissionError(13, "Permission denied")
        return real_sha256(path)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(folder, "_sha256", sha256)
    return paths


PLACES = sorted({"Rock", "Rock/Deep", "NAS", *NAMES})


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    unreadable=st.sets(st.sampled_from(PLACES)),
    touched=st.sets(st.sampled_from(NAMES)),
    emptied=st.sets(st.sampled_from(["Rock/Deep", "NAS"])),
)
def test_any_subset_made_unreadable_marks_nothing_gone(
    library, refused, unreadable, touched, emptied
):
    refused.clear()
    shutil.rmtree(library.root)
    library = Library(library.root)
    assert library.sweep() == set()
    for name in touched:
        os.utime(library.root / name, ns=(1, 1))
    for name in emptied:
        shutil.rmtree(library.root / name)
        (library.root / name).mkdir()
    refused |= {str(library.root / name) for name in unreadable}

    assert library.sweep() == set()

    refused.clear()
    for name in NAMES:
        (library.root / name).parent.mkdir(exist_ok=True)
        (library.root / name).write_bytes(name.encode())
    before = set(library.known["track_id"].to_pylist())
    assert library.sweep() == set()
    assert set(library.known["track_id"].to_pylist()) == before


def test_what_cannot_be_read_is_counted_and_what_was_deleted_beside_it_is_gone(library, refused):
    refused.add(str(library.root / "Rock"))
    (library.root / "a.mp3").unlink()

    assert library.sweep() == {"a.mp3"}
    assert library.catalogue.notes == [
        "3 known tracks kept as still there, because the file or the folder cannot be read."
    ]
    (row,) = library.catalogue.rejected.to_pylist()
    assert (row["place"], row["kind"]) == ("Rock", "track")


def test_an_entry_that_cannot_even_be_examined_is_still_there(library, monkeypatch):
    def stale(found, real_root, entry):
        if entry.name == "NAS":
            raise OSError(116, "Stale file handle")
        return real(found, real_root, entry)

    real = folder.walk.__globals__["_consider"]
    monkeypatch.setitem(folder.walk.__globals__, "_consider", stale)

    assert library.sweep() == set()
    reasons = library.catalogue.rejected["reason"].to_pylist()
    assert reasons == ["It cannot be examined (Stale file handle)."]


def test_a_share_that_is_not_mounted_leaves_an_empty_folder_whose_tracks_are_kept(library):
    for name in ("e.mp3", "f.mp3"):
        (library.root / "NAS" / name).unlink()

    assert library.sweep() == set()
    (note,) = library.catalogue.notes
    assert note.startswith("2 known tracks kept as still there, though the folder is empty now")
    assert "is it mounted?" in note
    assert "GENRE_ASSETS_BELIEVE_REMOVALS=yes" in note
    assert library.sweep(believe_removals=True) == {"NAS/e.mp3", "NAS/f.mp3"}


def test_a_folder_that_was_deleted_or_still_holds_something_is_known_to_lack_the_rest(library):
    shutil.rmtree(library.root / "NAS")
    (library.root / "Rock" / "Deep" / "c.mp3").unlink()
    assert library.sweep() == {"NAS/e.mp3", "NAS/f.mp3", "Rock/Deep/c.mp3"}


def test_a_song_that_became_a_link_out_of_the_library_is_still_there(library, tmp_path):
    path = library.root / "a.mp3"
    path.rename(tmp_path / "elsewhere.mp3")
    path.symlink_to(tmp_path / "elsewhere.mp3")
    assert library.sweep() == set()
    (tmp_path / "elsewhere.mp3").unlink()
    assert library.sweep() == set()


def test_another_library_that_is_not_mounted_keeps_its_tracks(library, tmp_path):
    first = library.root
    library.root = tmp_path / "other"
    library.root.mkdir()
    (library.root / "z.mp3").write_bytes(b"z")
    shutil.move(first, tmp_path / "unplugged")

    assert library.sweep() == set()
    assert any("the other library is not" in note for note in library.catalogue.notes)
    first.mkdir()
    assert library.sweep() == set()
    assert len(library.sweep(believe_removals=True)) == 6


def test_a_root_that_leads_nowhere_is_refused_in_a_sentence_that_asks_whether_it_is_mounted(
    tmp_path,
):
    (tmp_path / "music").symlink_to(tmp_path / "unplugged")
    with pytest.raises(SourceError, match=r"music cannot be read .*: is it mounted\?"):
        read_catalogue(tmp_path / "music", TRACKS.empty())


def test_an_empty_library_is_doubted_and_one_without_music_is_not(library):
    shutil.rmtree(library.root)
    library.root.mkdir()
    (library.root / ".Trash-1000").mkdir()
    (library.root / "lost+found").mkdir()
    # What a fresh disk has by itself is nothing.
    library.sweep()
    with pytest.raises(SourceError, match=r"music is empty: is it mounted\? .*REMOVALS=yes"):
        refuse_doubtful(library.catalogue)
    (library.root / "cover.jpg").touch()
    library.sweep()
    refuse_doubtful(library.catalogue)


def test_more_than_half_of_a_source_is_not_believed_gone_without_a_word(tmp_path):
    lake = Lake(tmp_path)
    rows = TRACKS.of_rows([row(n) for n in range(4)])
    now = datetime.now(UTC)
    record_sweep(lake, "folder", rows, now)
    before = lake.files(TRACKS)

    with pytest.raises(SourceError) as refused:
        record_sweep(lake, "folder", rows.slice(3), now)
    assert str(refused.value) == (
        "Your music library no longer has 3 of its 4 tracks: is everything mounted, and every file "
        "whole? Nothing was changed. If what is missing is really gone, run once with "
        "GENRE_ASSETS_BELIEVE_REMOVALS=yes."
    )
    assert lake.files(TRACKS) == before
    still_there = frozenset({"folder:0"})
    assert sum(record_sweep(lake, "folder", rows.slice(3), now, still_there).values()) == 2
    later = now + timedelta(days=1)
    believed = record_sweep(lake, "folder", rows.slice(0, 0), later, believe_removals=True)
    assert sum(believed.values()) == 2
    # Those that went before do not count: one of the one that is left is.
    record_sweep(lake, "folder", rows.slice(0, 1), now)
    with pytest.raises(SourceError, match="1 of its 1 track:"):
        record_sweep(lake, "folder", rows.slice(0, 0), now)


def test_tracks_that_a_sweep_of_the_site_found_gone_are_not_believed_either(tmp_path):
    lake = Lake(tmp_path)
    rows = TRACKS.of_rows([row(n, "fma_site") for n in range(4)])
    now = datetime.now(UTC)
    record_sweep(lake, "fma_site", rows, now)
    most = frozenset(f"fma_site:{n}" for n in range(3))
    with pytest.raises(SourceError, match="no longer has 3 of its 4 tracks"):
        record_sweep(lake, "fma_site", rows.slice(3), now, gone=most)
    record_sweep(lake, "fma_site", rows.slice(2), now, gone=frozenset(sorted(most)[:2]))


def test_audio_files_that_vanish_while_their_rows_stay_are_not_believed_gone(tmp_path):
    lake = Lake(tmp_path)
    rows = [row(n, "fma_dataset", file_bytes=5) for n in range(4)]
    now = datetime.now(UTC)
    record_sweep(lake, "fma_dataset", TRACKS.of_rows(rows), now)
    without = TRACKS.of_rows([one | {"file_bytes": None} for one in rows])
    with pytest.raises(SourceError, match="no longer has 4 of its 4 audio files"):
        record_sweep(lake, "fma_dataset", without, now)
    record_sweep(lake, "fma_dataset", without, now, believe_removals=True)
    record_sweep(lake, "fma_dataset", without, now)


def row(number, source="folder", **columns):
    return {
        "track_id": f"{source}:{number}",
        "source": source,
        "source_track_id": str(number),
        "shard": f"folder_0{number}",
    } | columns


@pytest.mark.parametrize("seconds", [-(10**9), -1, 0, 2**33, 15_032_385_535])
def test_a_file_of_any_time_is_taken_and_known_again(library, seconds, monkeypatch):
    os.utime(library.root / "a.mp3", (seconds, seconds))
    library.sweep()
    assert library.catalogue.tracks.num_rows == 6
    read = []
    monkeypatch.setattr(folder, "_sha256", read.append)
    library.sweep()
    assert read == []


def test_a_file_of_any_time_can_be_probed(library):
    from genre_assets.audio.probe import probe

    path = library.root / "a.mp3"
    os.utime(path, (15_032_385_535, 15_032_385_535))
    library.sweep()
    (listed,) = (row for row in library.known.to_pylist() if row["path"] == str(path))
    assert probe(path).mtime_ns == listed["file_mtime_ns"]
    assert AUDIO.of_rows([{"track_id": "x", "mtime_ns": probe(path).mtime_ns}]).num_rows == 1
