import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genre_assets.lake.schemas import AUDIO, REJECTED_ROWS, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.sources import folder
from genre_assets.sources.catalogue import SourceError
from genre_assets.sources.folder import read_catalogue
from genre_assets.sources.shards import folder_shard
from genre_assets.sources.sweeps import merge_sweep


class Library:
    """A library, the table that its sweeps fill, and the files that the last sweep read."""

    def __init__(self, root, monkeypatch):
        self.root = root
        self.known = TRACKS.empty()
        self.audio = None
        self.read = []
        self._clock = 1_700_000_000
        self._now = datetime(2024, 1, 1, tzinfo=UTC)
        real = folder._sha256

        def counted(path):
            self.read.append(os.path.relpath(path, root))
            return real(path)

        monkeypatch.setattr(folder, "_sha256", counted)

    def put(self, name, content):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self._clock += 1
        os.utime(path, ns=(self._clock * 10**9, self._clock * 10**9))

    def move(self, old, new):
        (self.root / new).parent.mkdir(parents=True, exist_ok=True)
        (self.root / old).rename(self.root / new)

    def sweep(self, **options):
        """Sweep, and return each listed file's id by its name."""
        self.read.clear()
        self.catalogue = read_catalogue(self.root, self.known, audio=self.audio, **options)
        self._now += timedelta(days=1)
        self.known = merge_sweep(
            self.known, self.catalogue.tracks, self._now, self.catalogue.still_there
        )
        return {
            os.path.relpath(row["path"], self.root): row["source_track_id"]
            for row in self.catalogue.tracks.to_pylist()
        }

    def gone(self):
        rows = self.known.to_pylist()
        return {row["source_track_id"] for row in rows if row["gone_at"] is not None}


@pytest.fixture
def library(tmp_path, monkeypatch):
    root = tmp_path / "music"
    root.mkdir()
    return Library(root, monkeypatch)


def test_real_clips_are_listed_with_their_sizes(real_data):
    clips = sorted((real_data / "fma" / "fma_medium" / "000").glob("*.mp3"))[:8]

    tracks = read_catalogue(real_data / "fma" / "fma_medium", TRACKS.empty()).tracks

    rows = {row["title"]: row for row in tracks.to_pylist()}
    for clip in clips:
        row = rows[clip.stem]
        assert row["file_bytes"] == clip.stat().st_size
        assert row["track_id"] == f"folder:{row['source_track_id']}"
        assert row["shard"] == folder_shard(row["source_track_id"])
    assert tracks.schema.equals(TRACKS.schema)


def test_damaged_files_are_tracks_too(real_data):
    catalogue = read_catalogue(real_data / "bad_audio", TRACKS.empty())

    assert catalogue.tracks.num_rows == 71
    rejected = catalogue.rejected.select(["place", "kind", "reason"]).to_pylist()
    assert rejected == [{"place": "*.csv", "kind": "other", "reason": "Not audio: 1 file."}]
    assert catalogue.skipped == ["Skipped 1 file of other kinds: 1 .csv."]
    assert not catalogue.notes


def test_an_unchanged_library_is_not_read_again(library):
    library.put("a.mp3", b"one")
    library.put("b/c.flac", b"two")
    first = library.sweep()
    assert sorted(library.read) == ["a.mp3", "b/c.flac"]

    assert library.sweep() == first
    assert library.read == []


def test_an_id_is_the_beginning_of_the_bytes_hash(library):
    library.put("a.mp3", b"abc")

    # The SHA-256 of "abc" is the example of FIPS 180-4.
    assert library.sweep() == {"a.mp3": "ba7816bf8f01cfea"}


def test_artist_and_album_are_read_from_a_layout_that_has_them(library):
    library.put("AWOL/AWOL - A Way Of Life/03 Food.mp3", b"one")
    library.put("Loose Song.mp3", b"two")
    library.put("AWOL/CDs/One/Deep.mp3", b"three")
    library.sweep()

    rows = library.catalogue.tracks.to_pylist()
    found = {row["title"]: (row["artist"], row["album"], row["genres"]) for row in rows}
    assert found == {
        "03 Food": ("AWOL", "AWOL - A Way Of Life", []),
        "Loose Song": (None, None, []),
        "Deep": (None, None, []),
    }


def test_a_renamed_file_and_a_moved_folder_keep_their_ids(library):
    library.put("a.mp3", b"one")
    library.put("Album/b.mp3", b"two")
    library.put("Album/c.mp3", b"three")
    first = library.sweep()
    library.move("a.mp3", "renamed.mp3")
    library.move("Album", "Artist/Album")

    assert library.sweep() == {
        "renamed.mp3": first["a.mp3"],
        "Artist/Album/b.mp3": first["Album/b.mp3"],
        "Artist/Album/c.mp3": first["Album/c.mp3"],
    }
    assert library.gone() == set()


def test_a_retagged_file_keeps_its_id(library):
    library.put("a.mp3", b"old tags, song")
    first = library.sweep()
    library.put("a.mp3", b"new tags, song")

    assert library.sweep() == first
    row = library.known.to_pylist()[0]
    assert row["file_bytes"] == 14
    assert library.sweep() == first
    assert library.read == []


def test_a_retagged_file_that_moves_later_is_known_by_the_bytes_it_was_probed_with(library):
    library.put("a.mp3", b"old tags, song")
    first = library.sweep()
    library.put("a.mp3", b"new tags, song")
    library.sweep()
    library.audio = AUDIO.of_rows(
        [
            {
                "track_id": f"folder:{first['a.mp3']}",
                "sha256": folder._sha256(library.root / "a.mp3"),
            }
        ]
    )
    library.move("a.mp3", "b.mp3")

    assert library.sweep() == {"b.mp3": first["a.mp3"]}


def test_a_file_replaced_by_a_new_song_while_the_old_one_moves_on(library):
    library.put("01.mp3", b"one")
    first = library.sweep()
    library.move("01.mp3", "old/01.mp3")
    library.put("01.mp3", b"another")

    second = library.sweep()

    assert second["old/01.mp3"] == first["01.mp3"]
    assert second["01.mp3"] != first["01.mp3"]


def test_a_file_replaced_by_a_copy_of_a_known_song_is_that_song_again(library):
    library.put("a.mp3", b"one")
    library.put("b.mp3", b"two")
    first = library.sweep()
    library.put("a.mp3", b"two")

    second = library.sweep()

    assert second == {"b.mp3": first["b.mp3"], "a.mp3": f"{first['b.mp3']}-2"}
    assert library.gone() == {first["a.mp3"]}


def test_two_swapped_files_swap_their_ids(library):
    library.put("a.mp3", b"one")
    library.put("b.mp3", b"two")
    first = library.sweep()
    library.move("a.mp3", "c.tmp")
    library.move("b.mp3", "a.mp3")
    library.move("c.tmp", "b.mp3")

    assert library.sweep() == {"a.mp3": first["b.mp3"], "b.mp3": first["a.mp3"]}


def test_copies_of_the_same_bytes_have_ids_of_their_own_and_keep_them(library):
    library.put("a.mp3", b"same")
    library.put("b.mp3", b"same")
    library.put("c.mp3", b"same")
    first = library.sweep()
    base = first["a.mp3"]
    assert first == {"a.mp3": base, "b.mp3": f"{base}-2", "c.mp3": f"{base}-3"}

    (library.root / "a.mp3").unlink()
    assert library.sweep() == {"b.mp3": f"{base}-2", "c.mp3": f"{base}-3"}
    library.put("b.mp3", b"same")
    assert library.sweep() == {"b.mp3": f"{base}-2", "c.mp3": f"{base}-3"}


def test_a_deleted_and_returned_file_is_the_track_it_was(library):
    library.put("a.mp3", b"one")
    library.put("b.mp3", b"two")
    first = library.sweep()
    (library.root / "a.mp3").unlink()
    library.sweep()
    assert library.gone() == {first["a.mp3"]}
    library.put("elsewhere/a.mp3", b"one")

    assert library.sweep()["elsewhere/a.mp3"] == first["a.mp3"]
    assert library.gone() == set()


def test_another_song_at_the_path_of_a_gone_track_is_a_new_track(library):
    library.put("01.mp3", b"one")
    first = library.sweep()
    (library.root / "01.mp3").unlink()
    library.sweep()
    library.put("01.mp3", b"another")

    assert library.sweep()["01.mp3"] != first["01.mp3"]
    assert library.gone() == {first["01.mp3"]}


def test_a_touched_library_keeps_its_ids(library):
    for name in ("a.mp3", "b.mp3"):
        library.put(name, name.encode())
    first = library.sweep()
    for name in first:
        os.utime(library.root / name, ns=(1, 1))

    assert library.sweep() == first


def test_other_and_hidden_files_are_counted_and_are_no_tracks(library):
    library.put("song.MP3", b"one")
    library.put("cover.jpg", b"x")
    library.put("README", b"x")
    library.put("._song.mp3", b"x")
    library.put(".trash/old.mp3", b"x")

    assert list(library.sweep()) == ["song.MP3"]
    assert library.catalogue.skipped == [
        "Skipped 2 files of other kinds: 1 .jpg, 1 without extension.",
        "Skipped 2 hidden items.",
    ]
    assert not library.catalogue.notes, "which are logged as warnings"


def test_links_that_leave_the_library_are_not_followed(library, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.mp3").write_bytes(b"outside")
    library.put("a.mp3", b"one")
    (library.root / "away").symlink_to(outside)
    (library.root / "away.mp3").symlink_to(outside / "x.mp3")
    (library.root / "broken.mp3").symlink_to(outside / "none.mp3")
    (library.root / "again.mp3").symlink_to(library.root / "a.mp3")
    (library.root / "loop").symlink_to(library.root)

    assert list(library.sweep()) == ["a.mp3"]
    reasons = {row["place"]: row["reason"] for row in library.catalogue.rejected.to_pylist()}
    assert reasons.keys() == {"away", "away.mp3", "broken.mp3"}
    assert "points outside the library" in reasons["away"]
    assert "leads nowhere" in reasons["broken.mp3"]
    assert "2 symbolic links" in library.catalogue.skipped[0]


def test_odd_names_survive_and_unwritable_ones_are_rejected(library):
    library.put("line\nbreak ♫.mp3", b"one")
    bad = os.fsencode(library.root) + b"/bad\xff.mp3"
    Path(os.fsdecode(bad)).write_bytes(b"two")

    assert list(library.sweep()) == ["line\nbreak ♫.mp3"]
    (row,) = library.catalogue.rejected.to_pylist()
    assert row["place"] == "bad\\xff.mp3"
    assert "UTF-8" in row["reason"]


def test_rejections_can_be_written_even_where_their_names_look_the_same(library, tmp_path):
    outside = tmp_path / "nowhere.mp3"
    (library.root / "bad\\xff.mp3").symlink_to(outside)
    Path(os.fsdecode(os.fsencode(library.root) + b"/bad\xff.mp3")).write_bytes(b"two")
    library.sweep()

    Lake(tmp_path / "lake").write(REJECTED_ROWS, library.catalogue.rejected, "folder")

    assert library.catalogue.rejected.num_rows == 2


def test_a_pipe_is_rejected_and_not_waited_for(library):
    os.mkfifo(library.root / "pipe.mp3")

    assert library.sweep() == {}
    assert "regular file" in library.catalogue.rejected.to_pylist()[0]["reason"]


def test_what_cannot_be_read_is_rejected_with_its_reason(library, monkeypatch):
    library.put("good.mp3", b"one")
    library.put("locked.mp3", b"two")
    library.put("private/song.mp3", b"three")
    real_scan, real_sha256 = os.scandir, folder._sha256

    def scandir(path):
        if str(path).endswith("private"):
            raise PermissionError(13, "Permission denied")
        return real_scan(path)

    def sha256(path):
        if path.endswith("locked.mp3"):
            raise PermissionError(13, "Permission denied")
        return real_sha256(path)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(folder, "_sha256", sha256)

    assert list(library.sweep()) == ["good.mp3"]
    rejected = {row["place"]: row["reason"] for row in library.catalogue.rejected.to_pylist()}
    assert rejected == {
        "private": "The folder cannot be read (Permission denied).",
        "locked.mp3": "The file cannot be read (Permission denied).",
    }


def test_a_library_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(SourceError, match="none cannot be read"):
        read_catalogue(tmp_path / "none", TRACKS.empty())


def test_hashing_says_how_far_it_is(library):
    lines = []
    library.put("a.mp3", b"one")

    read_catalogue(library.root, library.known, log=lines.append)

    assert "1 of 1 new or changed files hashed" in lines[0]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abcd"), st.sampled_from("wxyz")),
        st.tuples(st.just("move"), st.sampled_from("abcd"), st.sampled_from("abcd")),
        st.tuples(st.just("delete"), st.sampled_from("abcd"), st.just("")),
        st.tuples(st.just("sweep"), st.just(""), st.just("")),
    ),
    max_size=25,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps)
def test_after_anything_every_file_is_one_track_and_no_two_share_one(library, steps):
    shutil.rmtree(library.root)
    library.root.mkdir()
    library.known = TRACKS.empty()
    for action, name, other in steps:
        path = library.root / f"{name}.mp3"
        if action == "put":
            library.put(path.name, other.encode())
        elif action == "move" and path.exists():
            library.move(path.name, f"{other}.mp3")
        elif action == "delete":
            path.unlink(missing_ok=True)
        elif action == "sweep":
            library.sweep()

    ids = library.sweep()

    assert ids.keys() == {path.name for path in library.root.iterdir()}
    assert len(set(ids.values())) == len(ids)
    assert library.sweep() == ids
    assert library.read == []


def test_another_library_leaves_the_tracks_of_the_first_alone_while_their_files_are_there(
    library, tmp_path
):
    library.put("a.mp3", b"a")
    library.put("b.mp3", b"b")
    first = library.sweep()
    (library.root / "b.mp3").unlink()
    library.root = tmp_path / "other music"
    library.put("c.mp3", b"c")
    library.sweep()
    assert library.gone() == {first["b.mp3"]}
