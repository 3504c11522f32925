from itertools import chain

import pytest

from genre_assets.demo.site.listing import listing_page
from genre_assets.demo.site.misbehaviour import Misbehaviour
from genre_assets.demo.site.tracks import new_track


def all_of(pages):
    return list(chain(*pages))


def tracks(count):
    return [
        new_track(number, f"Title {number * 7 % count:03d}", "An Artist", ["Techno"])
        for number in range(count, 0, -1)
    ]


def pages(rows, wrong=None, sort="date", d=0, size=15):
    """All pages of a listing as ids, and what the pager says on each."""
    wrong = wrong or Misbehaviour()
    ids, pager = [], []
    number = 1
    while True:
        query = {"sort": sort, "d": str(d), "pageSize": str(size), "page": str(number)}
        page = listing_page(rows, query, wrong)
        ids.append([track.id for track in page.rows])
        pager.append((page.first, page.last, page.claimed))
        number += 1
        if number > page.pages:
            return ids, pager


def test_the_default_is_newest_first_by_twenty():
    page = listing_page(tracks(30), {}, Misbehaviour())
    assert [track.id for track in page.rows] == list(range(30, 10, -1))
    assert (page.first, page.last, page.claimed, page.pages) == (1, 20, 30, 2)


@pytest.mark.parametrize(
    ("asked", "given"), [("15", 15), ("200", 200), ("201", 20), ("1000", 20), ("x", 20), ("-1", 20)]
)
def test_page_sizes_that_the_site_does_not_offer_fall_back_to_twenty(asked, given):
    assert listing_page(tracks(250), {"pageSize": asked}, Misbehaviour()).size == given


@pytest.mark.parametrize("asked", ["0", "-3", "two", "", "9" * 30])
def test_a_page_number_that_makes_no_sense_is_the_first(asked):
    assert listing_page(tracks(3), {"page": asked}, Misbehaviour()).number == 1


def test_a_page_behind_the_end_is_empty():
    page = listing_page(tracks(3), {"page": "2"}, Misbehaviour())
    assert (page.rows, page.first, page.last, page.claimed) == ([], None, None, 3)


@pytest.mark.parametrize("sort", ["date", "interest", "artist", "track", "album"])
def test_every_order_shows_every_track_once_and_turns_round(sort):
    rows = tracks(40)
    down, up = (all_of(pages(rows, sort=sort, d=d)[0]) for d in (0, 1))
    assert sorted(down) == sorted(up) == list(range(1, 41))
    assert sort in ("artist", "album") or down == up[::-1]


def test_orders_compare_what_they_say():
    rows = {track.id: track for track in tracks(40)}
    titles = [rows[i].info["title"] for i in all_of(pages([*rows.values()], sort="track", d=1)[0])]
    plays = [rows[i].plays for i in all_of(pages([*rows.values()], sort="interest")[0])]
    assert titles == sorted(titles)
    assert plays == sorted(plays, reverse=True)


def test_a_track_can_be_repeated_at_the_border_and_is_counted_twice():
    shown, pager = pages(tracks(40), Misbehaviour(repeated_at_border=True))
    assert shown[0][-1] == shown[1][0]
    assert len(set(all_of(shown))) == 40
    assert pager == [(1, 15, 41), (16, 30, 41), (31, 41, 41)]


def test_a_track_can_be_missed_at_the_border_and_is_shown_in_other_orders():
    wrong = Misbehaviour(missed_at_border=True)
    shown, pager = pages(tracks(40), wrong)
    assert set(range(1, 41)) - set(all_of(shown)) == {25}
    assert pager == [(1, 15, 40), (16, 30, 40), (31, 40, 40)]
    assert 25 in all_of(pages(tracks(40), wrong, sort="track", d=1)[0])


def test_a_track_can_be_hidden_and_is_counted():
    wrong = Misbehaviour(hidden={7})
    shown, pager = pages(tracks(40), wrong)
    assert set(range(1, 41)) - set(all_of(shown)) == {7}
    assert pager[-1] == (31, 39, 40)
    assert 7 in all_of(pages(tracks(40), wrong, sort="artist", d=1)[0])


def test_a_track_that_stands_twice_is_listed_twice_by_date_only():
    rows = tracks(4)
    rows.insert(2, rows[1])
    assert pages(rows)[0] == [[4, 3, 3, 2, 1]]
    assert pages(rows, d=1)[0] == [[1, 2, 3, 4]]
    assert sorted(pages(rows, sort="track")[0][0]) == [1, 2, 3, 4]


def test_the_page_size_can_be_forced():
    assert listing_page(tracks(9), {"pageSize": "200"}, Misbehaviour(page_size=4)).pages == 3
