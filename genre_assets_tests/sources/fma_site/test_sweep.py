import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_assets.sources.catalogue import SourceError
from genre_assets.sources.fma_site.archive import KeptPage
from genre_assets.sources.fma_site.pages import LayoutChanged
from genre_assets.sources.fma_site.sweep import NEWEST_FIRST, listing_path, sweep_genre

from .site_html import COOKIE_WALL, LOGIN, SITE, Clock, SmallSite, listing, real_row, row


def sweep(site, mode="full", known=(), genre="Techno"):
    return sweep_genre(genre, site.read, set(known), mode, now=site.clock)


def newest_first(count):
    return list(range(count, 0, -1))


def shift_once(site, change):
    """Let the listing change after its first page was shown."""

    def before_answer(url):
        if "page=2" in url:
            site.before_answer = None
            change(site.genres["Techno"])

    site.before_answer = before_answer


def test_a_full_sweep_reads_every_page_once():
    site = SmallSite({"Techno": newest_first(588)})

    swept = sweep(site)

    assert set(swept.rows) == set(range(1, 589))
    assert (swept.pages, swept.orders, swept.claimed) == (3, ("date",), 588)
    assert (swept.listed, swept.duplicates) == (588, 0)
    assert (swept.complete, swept.reason) == (True, None)
    assert swept.started_at < swept.finished_at
    assert site.requested_retries("listing") == [
        f"{SITE}/genre/Techno?sort=date&d=0&pageSize=200&page={page}" for page in (1, 2, 3)
    ]


def test_a_genre_of_exactly_one_page_and_an_empty_one_are_one_page():
    site = SmallSite({"Techno": newest_first(200), "House": []})

    assert (sweep(site).pages, sweep(site).complete) == (1, True)
    empty = sweep(site, genre="House")
    assert (empty.pages, empty.rows, empty.claimed, empty.complete) == (1, {}, 0, True)


def test_a_track_missed_at_a_boundary_is_found_in_another_order():
    missed = 300
    shown = [number for number in newest_first(400) if number != missed]
    shown.insert(200, shown[199])
    site = SmallSite({"Techno": shown})
    by_title = list(range(1, 401))
    read = site.read

    def read_by_title_whole(address, kind):
        site.genres["Techno"] = by_title if "sort=track" in address else shown
        return read(address, kind)

    swept = sweep_genre("Techno", read_by_title_whole, set(), "full", now=site.clock)

    assert set(swept.rows) == set(by_title)
    assert (swept.orders, swept.pages) == (("date", "track"), 4)
    assert (swept.listed, swept.duplicates) == (400, 1)
    assert (swept.complete, swept.reason) == (True, None)


def test_a_listing_that_claims_more_than_any_order_shows_is_complete_and_says_so():
    numbers = newest_first(587)
    numbers.insert(200, numbers[199])
    site = SmallSite({"Techno": numbers}, claimed={"Techno": 588})

    swept = sweep(site)

    # The other order shows 587 rows of 588, and nothing that the first one did not.
    assert (len(swept.rows), swept.duplicates, swept.orders) == (587, 1, ("date", "track"))
    assert swept.complete
    assert swept.reason == (
        "The listing of Techno claims 588 tracks, but 587 were found, sorted by date and by track."
    )


def test_orders_that_go_on_showing_new_tracks_are_no_complete_sweep():
    shown = {"date": [1, 2], "track": [2, 3], "artist": [3, 4]}

    def two_of_five(address, kind):
        (order,) = parse_qs(urlsplit(address).query)["sort"]
        html = listing([row(number) for number in shown[order]], claimed=5)
        return KeptPage(address, address, 200, html, Clock()())

    swept = sweep_genre("Techno", two_of_five, set(), "full")

    assert set(swept.rows) == {1, 2, 3, 4}
    assert swept.orders == ("date", "track", "artist")
    assert not swept.complete


def test_a_track_that_appears_while_the_listing_is_read_is_found():
    site = SmallSite({"Techno": newest_first(500)})
    shift_once(site, lambda numbers: numbers.insert(0, 501))

    swept = sweep(site)

    assert set(swept.rows) == set(range(1, 502))
    assert (swept.orders, swept.duplicates, swept.complete) == (("date", "track"), 1, True)


def test_a_track_that_a_removal_moves_over_the_boundary_is_found():
    site = SmallSite({"Techno": newest_first(500)})
    shift_once(site, lambda numbers: numbers.remove(450))

    swept = sweep(site)

    assert set(swept.rows) == set(range(1, 501))
    assert swept.orders == ("date", "track")


def test_a_listing_that_grows_faster_than_it_is_read_ends():
    site = SmallSite({"Techno": newest_first(400)})

    def grow(url):
        numbers = site.genres["Techno"]
        numbers[:0] = range(len(numbers) + 200, len(numbers), -1)

    site.before_answer = grow

    swept = sweep(site)

    assert not swept.complete
    assert swept.reason is not None
    assert "grew faster than it could be read" in swept.reason
    assert swept.pages == 6


def test_an_incremental_sweep_ends_after_the_page_with_a_run_of_known_tracks():
    site = SmallSite({"Techno": newest_first(1000)})

    swept = sweep(site, "incremental", known=range(1, 791))

    assert set(swept.rows) == set(range(601, 1001))
    assert (swept.pages, swept.orders, swept.complete) == (2, ("date",), False)
    assert swept.reason == "Techno was read up to 190 known tracks in a row."


def test_a_few_known_tracks_between_new_ones_do_not_end_an_incremental_sweep():
    site = SmallSite({"Techno": newest_first(600)})
    known = {number for number in range(1, 601) if number % 40}

    swept = sweep(site, "incremental", known)

    assert set(swept.rows) == set(range(1, 601))
    assert (swept.complete, swept.reason) == (True, None)


def test_a_run_of_known_tracks_may_go_over_a_boundary():
    site = SmallSite({"Techno": newest_first(600)})

    # 20 known rows end page 1 and 20 begin page 2.
    swept = sweep(site, "incremental", known=range(381, 421))

    assert (swept.pages, swept.reason) == (2, "Techno was read up to 40 known tracks in a row.")


def test_forty_known_in_a_row_end_an_incremental_sweep_however_short_the_pages_are():
    site = SmallSite({"Techno": newest_first(100)}, page_size=20)

    swept = sweep(site, "incremental", known=range(1, 101))

    assert (swept.pages, swept.complete) == (2, False)


def test_a_listing_that_shrinks_while_it_is_read_is_incomplete_and_no_failure():
    site = SmallSite({"Techno": newest_first(400)}, answers={SECOND: 404})

    swept = sweep(site)

    assert (len(swept.rows), swept.complete) == (200, False)
    assert "shrank" in swept.reason


def test_a_site_that_gives_smaller_pages_is_read_to_its_end():
    site = SmallSite({"Techno": newest_first(588)}, page_size=20)

    swept = sweep(site)

    assert (len(swept.rows), swept.pages, swept.complete) == (588, 30, True)


def test_broken_rows_are_rejected_with_the_page_they_stand_on():
    broken = {7: row(7, url=None)}
    site = SmallSite({"Techno": newest_first(10)}, rows=broken)

    swept = sweep(site)

    assert set(swept.rows) == set(range(1, 11)) - {7}
    assert swept.rejected[0].origin == site.requested_retries("listing")[0]
    assert (swept.rejected[0].place, swept.listed) == ("row 4", 10)
    assert swept.complete
    assert swept.reason is None
    assert swept.orders == ("date",)


FIRST = f"{SITE}{listing_path('Techno', NEWEST_FIRST, 1)}"
SECOND = f"{SITE}{listing_path('Techno', NEWEST_FIRST, 2)}"


@pytest.mark.parametrize("answer", [LOGIN, COOKIE_WALL, "", listing([row(1)], 1, 588)])
def test_a_page_that_is_no_listing_fails_the_sweep_with_its_number_and_its_genre(answer):
    site = SmallSite({"Techno": newest_first(400)}, answers={SECOND: answer})

    with pytest.raises(LayoutChanged, match=r"Page 2 of the genre Techno \(https://"):
        sweep(site)


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_listing_that_is_not_there_fails_the_sweep(status):
    site = SmallSite({"Techno": newest_first(400)}, answers={FIRST: status})

    with pytest.raises(SourceError, match=rf"Page 1 of the genre Techno .* status {status}"):
        sweep(site)


def test_a_page_that_was_cut_off_on_its_way_is_asked_for_once_more():
    site = SmallSite({"Techno": newest_first(400)}, answers={SECOND: "<html>"})

    def mend(url):
        if site.requested_retries("listing").count(SECOND) == 2:
            del site.answers[SECOND]
            site.before_answer = None

    site.before_answer = mend

    assert len(sweep(site).rows) == 400


def test_a_site_that_gives_page_one_for_every_page_fails_the_sweep():
    site = SmallSite({"Techno": newest_first(400)})
    page_one = listing([row(number) for number in newest_first(200)], 1, 400)
    site.answers[SECOND] = page_one

    with pytest.raises(LayoutChanged, match="the answer begins with row 1"):
        sweep(site)


def test_the_real_listing_has_587_tracks_and_one_of_them_twice(real_data):
    records = json.loads((real_data / "fma_site" / "listing_breakcore_hard.json").read_text())
    rows = {record["data_track_info"]["id"]: real_row(record) for record in records}
    numbers = [record["data_track_info"]["id"] for record in records]
    site = SmallSite({"Breakcore_-_Hard": numbers}, rows, claimed={"Breakcore_-_Hard": 588})

    swept = sweep(site, genre="Breakcore_-_Hard")

    assert (swept.claimed, swept.listed, len(swept.rows), swept.duplicates) == (588, 588, 587, 1)
    assert (swept.orders, swept.complete) == (("date", "track"), True)
    assert swept.reason is not None
    assert "claims 588 tracks, but 587 were found" in swept.reason


changes = st.lists(st.sampled_from(["add", "remove", ""]), max_size=12)


@given(st.integers(0, 60), changes)
def test_whatever_changes_while_it_is_read_no_complete_sweep_lacks_a_track_that_stayed(
    count, happenings
):
    site = SmallSite({"Techno": newest_first(count)}, page_size=15)
    stayed, added, happens = set(range(1, count + 1)), [count], iter(happenings)

    def change(url):
        numbers, what = site.genres["Techno"], next(happens, "")
        # The last track stays: when pages run out while they are read, the sweep fails loudly.
        if what == "remove" and len(numbers) % 15 not in (0, 1) and len(numbers) > 1:
            stayed.discard(numbers.pop(1))
        elif what == "add":
            added[0] += 1
            numbers.insert(0, added[0])

    site.before_answer = change

    swept = sweep(site)

    assert swept.pages <= 3 * (count // 15 + 5)
    if swept.complete and len(swept.orders) == 1:
        assert stayed <= set(swept.rows)
    assert len(swept.rows) <= added[0]
