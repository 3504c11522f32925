from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_assets.lake.schemas import SIGHTINGS, SWEEPS
from genre_assets.sources.catalogue import SourceError
from genre_assets.sources.fma_site.archive import KeptPage
from genre_assets.sources.fma_site.browser import BrowserFailed, NoResponse
from genre_assets.sources.fma_site.gone import find_gone
from genre_assets.sources.fma_site.pace import ComeBackLater
from genre_assets.sources.fma_site.robots import Disallowed

START = datetime(2026, 8, 3, tzinfo=UTC)
PAGE = "https://freemusicarchive.org/music/a/single/x/"


def week(number):
    return START + timedelta(weeks=number)


def track(**changes):
    return {"track_id": "fma_site:1", "page_url": PAGE, "gone_at": None} | changes


def sighting(genre, last_seen, track_id="fma_site:1"):
    return {
        "track_id": track_id,
        "genre": genre,
        "first_seen_at": week(0),
        "last_seen_at": week(last_seen),
    }


def sweep(genre, started, **changes):
    return {
        "sweep_id": f"s{started}",
        "genre": genre,
        "mode": "full",
        "started_at": week(started),
        "complete": True,
    } | changes


def gone_of(sightings, sweeps, status=404, tracks=None, sweep_id="s2"):
    asked = []

    def read(url, kind):
        asked.append((url, kind))
        if isinstance(status, Exception):
            raise status
        return KeptPage(url, url, status, "", START)

    gone = find_gone(
        lambda ids: {row["track_id"]: row for row in tracks or [track()] if row["track_id"] in ids},
        SIGHTINGS.of_rows(sightings),
        SWEEPS.of_rows(sweeps),
        sweep_id,
        read,
    )
    return set(gone.track_ids), gone.notes, asked


MISSED_TWICE = [sweep("Techno", 0), sweep("Techno", 1), sweep("Techno", 2)]


@pytest.mark.parametrize("status", [404, 410])
def test_a_track_that_two_complete_sweeps_missed_and_whose_page_is_missing_is_gone(status):
    gone, notes, asked = gone_of([sighting("Techno", 0)], MISSED_TWICE, status)

    assert (gone, notes, asked) == ({"fma_site:1"}, [], [(PAGE, "track")])


@pytest.mark.parametrize(
    ("sightings", "sweeps"),
    [
        # One sweep missed it.
        ([sighting("Techno", 1)], MISSED_TWICE),
        # This sweep saw it.
        ([sighting("Techno", 2)], MISSED_TWICE),
        # One of the two did not come to the end.
        (
            [sighting("Techno", 0)],
            [sweep("Techno", 0), sweep("Techno", 1, complete=False), sweep("Techno", 2)],
        ),
        # One of the two read only what is new.
        (
            [sighting("Techno", 0)],
            [sweep("Techno", 0), sweep("Techno", 1, mode="incremental"), sweep("Techno", 2)],
        ),
        # Another genre's listing still shows it.
        (
            [sighting("Techno", 0), sighting("House", 2)],
            [*MISSED_TWICE, sweep("House", 1), sweep("House", 2)],
        ),
        # No listing ever showed it.
        ([], MISSED_TWICE),
        # Two other genres missed it.
        ([sighting("Dubstep", 0)], MISSED_TWICE),
    ],
)
def test_a_track_stays_and_its_page_is_left_alone_while_a_listing_may_have_it(sightings, sweeps):
    assert gone_of(sightings, sweeps) == (set(), [], [])


def test_a_listing_that_is_no_longer_swept_keeps_no_track():
    sightings = [sighting("Techno", 0), sighting("House", 0)]
    assert gone_of(sightings, [*MISSED_TWICE, sweep("House", 0)])[0] == {"fma_site:1"}


def test_a_track_of_two_genres_is_gone_when_both_missed_it_twice():
    sightings = [sighting("Techno", 0), sighting("House", 1)]
    sweeps = [*MISSED_TWICE, sweep("Techno", 3), sweep("House", 2), sweep("House", 3)]

    assert gone_of(sightings, sweeps, sweep_id="s3")[0] == {"fma_site:1"}


def test_a_track_whose_page_is_there_is_not_gone_and_a_note_says_so():
    gone, notes, _ = gone_of([sighting("Techno", 0)], MISSED_TWICE, 200)

    assert gone == set()
    assert "fma_site:1 is no longer listed, but its page" in notes[0]
    assert "answers with status 200" in notes[0]


@pytest.mark.parametrize("trouble", [503, SourceError("Nobody answers.")])
def test_a_page_that_says_nothing_leaves_the_track_and_a_note(trouble):
    gone, notes, _ = gone_of([sighting("Techno", 0)], MISSED_TWICE, trouble)

    assert (gone, len(notes)) == (set(), 1)


@given(st.integers(100, 599) | st.sampled_from([0, 999]))
def test_no_answer_but_404_and_410_makes_a_track_gone(status):
    gone, notes, _ = gone_of([sighting("Techno", 0)], MISSED_TWICE, status)

    assert gone == ({"fma_site:1"} if status in (404, 410) else set())
    assert status in (404, 410) or f"answers with status {status}: it is not gone" in notes[0]


@given(st.sampled_from([SourceError, ComeBackLater, NoResponse, BrowserFailed, Disallowed]))
def test_no_failure_makes_a_track_gone(failure):
    gone, notes, _ = gone_of([sighting("Techno", 0)], MISSED_TWICE, failure("It failed."))

    assert gone == set() and notes[0].endswith("It failed.")


def test_a_sweep_from_the_future_does_not_stand_for_one_that_missed_a_track():
    sweeps = [sweep("Techno", 0), sweep("Techno", 1), sweep("Techno", 2), sweep("Techno", 60)]

    assert gone_of([sighting("Techno", 1)], sweeps) == (set(), [], [])


def test_pages_are_asked_for_only_by_a_sweep_that_read_such_a_listing_in_full():
    assert gone_of([sighting("Techno", 0)], MISSED_TWICE, sweep_id="s7") == (set(), [], [])


def test_a_track_that_is_gone_already_is_not_asked_for_again():
    known = [track(gone_at=week(1))]

    assert gone_of([sighting("Techno", 0)], MISSED_TWICE, tracks=known) == (set(), [], [])
