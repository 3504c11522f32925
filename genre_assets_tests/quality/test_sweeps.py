from datetime import timedelta

from genre_assets.lake.schemas import SWEEPS
from genre_assets.quality.sweeps import scrape_fresh, sweeps_whole
from genre_assets_tests.quality.sound_lake import NOW, spoil, with_value

GENRES = ["Techno"]


def test_a_sweep_that_found_what_the_listing_claims_is_whole(lake):
    assert sweeps_whole(lake, GENRES).passed


def test_a_sweep_that_fell_short_warns_with_the_genre_and_by_how_much(lake):
    spoil(lake, SWEEPS, with_value(claimed=30, reason="6 tracks are shown nowhere."))
    verdict = sweeps_whole(lake, GENRES)
    assert not verdict.passed
    assert verdict.warning
    assert verdict.sentence == "The last full sweep of 1 of 1 genre fell short: Techno 24 of 30."
    assert verdict.examples[0]["reason"] == "6 tracks are shown nowhere."


def test_a_sweep_of_which_no_page_came_falls_short(lake):
    spoil(lake, SWEEPS, with_value(claimed=None, distinct=None, complete=False))
    assert "Techno 0 of unknown" in sweeps_whole(lake, GENRES).sentence


def test_an_incremental_sweep_is_not_measured_by_the_claim(lake):
    later = {"mode": "incremental", "distinct": 2, "sweep_id": "two", "started_at": NOW}
    spoil(lake, SWEEPS, lambda rows: [*rows, rows[0] | later])
    assert sweeps_whole(lake, GENRES).passed


def test_a_genre_that_is_no_longer_swept_is_not_asked_after(lake):
    spoil(lake, SWEEPS, with_value(claimed=30))
    assert sweeps_whole(lake, ["House"]).passed


def test_a_scrape_of_today_is_fresh(lake):
    verdict = scrape_fresh(lake, GENRES, NOW)
    assert verdict.passed
    assert f"{NOW:%Y-%m-%d %H:%M} UTC" in verdict.sentence


def test_a_scrape_of_last_week_is_not_and_says_since_when(lake):
    verdict = scrape_fresh(lake, GENRES, NOW + timedelta(days=7))
    assert not verdict.passed
    assert verdict.warning
    assert f"Techno since {NOW:%Y-%m-%d %H:%M} UTC" in verdict.sentence


def test_a_try_that_came_to_nothing_makes_nothing_fresh(lake):
    later = NOW + timedelta(days=3)
    tried = {"sweep_id": "two", "started_at": later, "complete": False, "reason": "It is down."}
    spoil(lake, SWEEPS, lambda rows: [*rows, rows[0] | tried])
    verdict = scrape_fresh(lake, GENRES, later)
    assert not verdict.passed
    assert verdict.examples[0]["last_try"] == f"{later:%Y-%m-%d %H:%M} UTC"
    assert verdict.examples[0]["reason"] == "It is down."


def test_a_genre_that_was_never_swept_is_late(lake):
    verdict = scrape_fresh(lake, ["Techno", "House"], NOW)
    assert verdict.sentence == "1 of 2 genres was not swept to the end for 48 hours: House never."


def test_a_site_that_was_never_swept_is_not_out_of_date(lake):
    spoil(lake, SWEEPS, lambda rows: [])
    assert scrape_fresh(lake, GENRES, NOW).passed
