import gzip
import hashlib
from datetime import UTC, datetime, timedelta

from genre_assets.lake.schemas import PAGES
from genre_assets.lake.tables import Lake
from genre_assets.sources.fma_site.archive import Archive, KeptPage

URL = "https://freemusicarchive.org/music/a/single/b/"
NOON = datetime(2026, 8, 31, 12, tzinfo=UTC)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def page(html="<p>é</p>", status=200, at=NOON, url=URL):
    return KeptPage(url, url, status, html, at)


def rows(lake):
    return lake.read(PAGES).to_pylist()


def test_a_page_is_kept_compressed_under_its_hash_and_remembered(tmp_path):
    lake = Lake(tmp_path)
    with Archive(lake, "s1") as archive:
        archive.keep("track", page())

    (row,) = rows(lake)
    text = "<p>é</p>".encode()
    assert row["sha256"] == hashlib.sha256(text).hexdigest()
    assert row["path"] == f"pages/{row['sha256'][:2]}/{row['sha256']}.html.gz"
    assert gzip.decompress((tmp_path / row["path"]).read_bytes()) == text
    assert (row["sweep_id"], row["kind"], row["url"]) == ("s1", "track", URL)
    assert (row["status"], row["bytes"], row["fetched_at"]) == (200, len(text), NOON)
    assert lake.partitions(PAGES) == ["2026-08"]


def test_the_same_page_is_one_file_that_never_changes(tmp_path):
    lake = Lake(tmp_path)
    with Archive(lake, "s1") as archive:
        archive.keep("track", page())
        (path,) = tmp_path.glob("pages/*/*.gz")
        first = (path.read_bytes(), path.stat().st_mtime_ns)
        archive.keep("track", page(at=NOON + timedelta(seconds=1)))

    assert [(path.read_bytes(), path.stat().st_mtime_ns)] == [first]
    assert path.read_bytes() == gzip.compress("<p>é</p>".encode(), mtime=0)
    assert len(rows(lake)) == 2


def test_the_newest_answer_that_is_fresh_enough_is_found(tmp_path):
    archive = Archive(Lake(tmp_path), "s1")
    archive.keep("track", page("old"))
    archive.keep("track", page("new", at=NOON + timedelta(hours=1)))
    archive.keep("track", page("gone", status=404, at=NOON + timedelta(hours=2)))
    archive.keep("listing", page("listing", at=NOON + timedelta(hours=3)))

    found = archive.latest(URL, "track", NOON)

    assert found == page("new", at=NOON + timedelta(hours=1))
    assert archive.latest(URL, "track", NOON + timedelta(hours=2)) is None
    assert archive.latest(f"{URL}other/", "track", LONG_AGO) is None


def test_a_run_that_was_killed_leaves_its_pages_to_the_next_one(tmp_path):
    lake = Lake(tmp_path)
    Archive(lake, "killed").keep("track", page())
    assert rows(lake) == []

    with Archive(lake, "next") as archive:
        assert archive.latest(URL, "track", NOON) == page()
        archive.keep("track", page("later", at=NOON + timedelta(days=1)))

    assert [(row["sweep_id"], row["fetched_at"].month) for row in rows(lake)] == [
        ("killed", 8),
        ("next", 9),
    ]
    assert not list(tmp_path.glob(".internal/journal/pages/*/*.parquet"))


def test_a_run_killed_between_merging_and_clearing_leaves_no_row_twice(tmp_path, monkeypatch):
    lake = Lake(tmp_path)
    archive = Archive(lake, "s1")
    archive.keep("track", page())
    (journal,) = tmp_path.glob(".internal/journal/pages/*/*.parquet")
    copy = journal.read_bytes()
    archive.close()
    journal.write_bytes(copy)

    Archive(lake, "s2").close()

    assert len(rows(lake)) == 1


def test_a_kept_file_that_was_damaged_is_not_taken_and_is_mended(tmp_path):
    archive = Archive(Lake(tmp_path), "s1")
    archive.keep("track", page())
    (path,) = tmp_path.glob("pages/*/*.gz")
    path.write_bytes(path.read_bytes()[:10])

    assert archive.latest(URL, "track", NOON) is None
    archive.keep("track", page(at=NOON + timedelta(seconds=1)))
    assert archive.latest(URL, "track", NOON) is not None


def test_a_page_that_is_not_there_is_an_answer_and_a_busy_site_is_none(tmp_path):
    archive = Archive(Lake(tmp_path), "s1")
    archive.keep("track", page(status=503))
    assert not archive.has_answer(URL, "track")

    archive.keep("track", page(status=404))
    assert archive.has_answer(URL, "track")
    archive.close()
    assert Archive(Lake(tmp_path), "s2").has_answer(URL, "track")


def test_half_a_character_in_a_page_is_kept_all_the_same(tmp_path):
    archive = Archive(Lake(tmp_path), "s1")
    archive.keep("track", page("half \ud83c"))

    found = archive.latest(URL, "track", NOON)
    assert found is not None
    assert found.html == "half ?"


def test_a_long_sweep_merges_its_journal_on_the_way(tmp_path, monkeypatch):
    monkeypatch.setattr("genre_assets.sources.fma_site.archive._MERGE_EVERY", 3)
    lake = Lake(tmp_path)
    archive = Archive(lake, "s1")
    for second in range(4):
        archive.keep("track", page(at=NOON + timedelta(seconds=second)))

    assert len(rows(lake)) == 3
    assert len(list(tmp_path.glob(".internal/journal/pages/*/*.parquet"))) == 1


def test_months_that_are_too_old_to_matter_are_not_read(tmp_path):
    lake = Lake(tmp_path)
    with Archive(lake, "s1") as archive:
        archive.keep("track", page("old", at=NOON - timedelta(days=40)))
        archive.keep("track", page("new"))
    old = lake.path(PAGES, "2026-07")
    old.write_bytes(b"whoever reads this sets it aside")

    archive = Archive(lake, "s2")

    assert archive.latest(URL, "track", NOON) == page("new")
    assert old.exists()
    assert archive.has_answer(URL, "track")
    assert not old.exists()
