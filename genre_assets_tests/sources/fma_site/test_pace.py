import multiprocessing
import os
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st

from genre_assets.sources.catalogue import SourceError
from genre_assets.sources.fma_site.pace import (
    LONGEST_WAIT_S,
    ComeBackLater,
    Pace,
    polite_retries,
    retry_after_seconds,
)
from genre_assets_tests.sources.fma_site.conftest import is_one_sentence

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """A clock that sleeping moves on."""

    def __init__(self, now=1000.0):
        self.now = now
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def pace_of(clock, interval_s=2.0, lock_path=None):
    return Pace(interval_s, lock_path, clock=clock, wall=clock, sleep=clock.sleep)


@dataclass
class Said:
    status: int
    retry_after: str | None = None
    url: str = "https://freemusicarchive.test/genre/Techno"


@pytest.fixture
def no_backoff():
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


def test_the_first_turn_waits_for_nothing():
    clock = Clock()
    with pace_of(clock).turn():
        pass
    assert clock.slept == []


def test_the_interval_counts_from_the_end_of_one_request_to_the_start_of_the_next():
    clock = Clock()
    pace = pace_of(clock)
    with pace.turn():
        clock.now += 30.0
    clock.now += 0.5
    with pace.turn():
        assert clock.slept == [1.5]


def test_a_request_that_failed_counts_as_one():
    clock = Clock()
    pace = pace_of(clock)
    with pytest.raises(KeyError), pace.turn():
        raise KeyError
    with pace.turn():
        assert clock.slept == [2.0]


def test_a_hold_off_makes_the_next_turn_wait():
    clock = Clock()
    pace = pace_of(clock)
    pace.hold_off(90.0)
    with pace.turn():
        assert clock.slept == [90.0]


def test_a_hold_off_is_bounded_and_never_shortens_another():
    clock = Clock()
    pace = pace_of(clock)
    pace.hold_off(LONGEST_WAIT_S)
    pace.hold_off(1.0)
    with pace.turn():
        assert clock.slept == [LONGEST_WAIT_S]


def test_a_site_that_wants_an_hour_is_not_asked_before_by_any_run(tmp_path):
    clock = Clock()
    pace_of(clock, 0.0, tmp_path / "lock").hold_off(3600.0)
    another = pace_of(clock, 0.0, tmp_path / "lock")
    with pytest.raises(ComeBackLater, match="another 3,600 s"), another.turn():
        pass
    clock.sleep(3001.0)
    with another.turn():
        assert clock.slept[-1] == pytest.approx(599.0)


def test_a_hold_off_while_another_waits_makes_it_wait_longer():
    clock = Clock()
    naps = []

    def nap(seconds):
        if not naps:
            pace.hold_off(60.0)
        naps.append(seconds)
        clock.now += seconds

    pace = Pace(2.0, clock=clock, wall=clock, sleep=nap)
    pace.hold_off(1.0)
    with pace.turn():
        assert naps == [1.0, 59.0]


def test_threads_ask_one_after_the_other():
    pace, inside, most = Pace(0.0), [], []

    def ask():
        for _ in range(20):
            with pace.turn():
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.pop()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 80


def test_a_turn_within_a_turn_is_an_error_and_not_a_deadlock():
    pace = Pace(0.0)
    with pytest.raises(RuntimeError, match="turn within a turn"), pace.turn(), pace.turn():
        pass
    with pace.turn():
        pass


def test_another_run_on_this_machine_waits_for_the_interval_too(tmp_path):
    clock = Clock()
    lock = tmp_path / "new" / "fma_site.lock"
    with pace_of(clock, 5.0, lock).turn():
        pass
    clock.now += 1.0
    with pace_of(clock, 5.0, lock).turn():
        assert clock.slept == [pytest.approx(4.0)]


def test_another_run_keeps_to_a_hold_off_that_this_one_was_asked_for(tmp_path):
    clock = Clock()
    lock = tmp_path / "fma_site.lock"
    one, other = pace_of(clock, 1.0, lock), pace_of(clock, 1.0, lock)
    one.hold_off(300.0)
    with other.turn():
        assert clock.slept == [pytest.approx(300.0)]


@pytest.mark.parametrize("kept", ["", "soon", "9e99", "nan"])
def test_a_broken_or_absurd_note_of_another_run_holds_nobody_up_for_long(tmp_path, kept):
    clock = Clock()
    (tmp_path / "lock.not_before").write_text(kept)
    with pace_of(clock, 1.0, tmp_path / "lock").turn():
        assert sum(clock.slept) <= LONGEST_WAIT_S


@pytest.mark.parametrize("planted", ["lock", "lock.not_before"])
@pytest.mark.parametrize("there", [True, False], ids=["to a file", "to nothing"])
def test_a_link_in_place_of_a_file_is_not_followed(tmp_path, planted, there):
    victim = tmp_path / "victim"
    if there:
        victim.write_text("4102444800.0")  # a time that would hold everybody up
    (tmp_path / planted).symlink_to(victim)
    pace = pace_of(Clock(), lock_path=tmp_path / "lock")
    with pytest.raises(SourceError, match="if it is a link") as caught, pace.turn():
        pass
    assert str(tmp_path / planted) in str(caught.value)
    assert (victim.read_text() == "4102444800.0") if there else not victim.exists()


def test_a_pipe_in_place_of_a_file_holds_nobody_up(tmp_path):
    os.mkfifo(tmp_path / "lock.not_before")
    with (
        pytest.raises(SourceError, match=r"lock\.not_before cannot be used"),
        pace_of(Clock(), lock_path=tmp_path / "lock").turn(),
    ):
        pass


def ask_in_another_process(lock, note, times):
    pace = Pace(0.0, lock)
    for _ in range(times):
        with pace.turn():
            had = note.read_text()
            time.sleep(0.001)
            note.write_text(had + "x")


def test_processes_ask_one_after_the_other(tmp_path):
    note = tmp_path / "note"
    note.write_text("")
    spawn = multiprocessing.get_context("spawn")
    processes = [
        spawn.Process(target=ask_in_another_process, args=(tmp_path / "lock", note, 15))
        for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert note.read_text() == "x" * 30


def test_retry_after_says_seconds_or_a_date():
    later = format_datetime(NOON + timedelta(seconds=90), usegmt=True)
    assert retry_after_seconds("120", NOON) == 120.0
    assert retry_after_seconds(" 0 ", NOON) == 0.0
    assert retry_after_seconds(later, NOON) == 90.0
    assert retry_after_seconds(later, NOON + timedelta(hours=1)) == 0.0


@pytest.mark.parametrize("header", [None, "", "soon", "-5", "1.5", "٣", "Thu, 99 Foo 2026"])
def test_a_retry_after_that_says_nothing_is_none(header):
    assert retry_after_seconds(header, NOON) is None


@given(st.text() | st.from_regex(r"\d{1,6000}") | st.from_regex(r"[A-Z][a-z]{2}, \d+ \w+ \d+ .*"))
def test_no_retry_after_breaks_anything(header):
    seconds = retry_after_seconds(header, NOON)
    assert seconds is None or seconds >= 0


def test_a_busy_site_is_asked_again_after_what_it_says():
    clock, said = Clock(), []
    answers = iter([Said(429, "7"), Said(503, "20"), Said(200)])
    pace = pace_of(clock)

    def ask():
        with pace.turn():
            return next(answers)

    assert polite_retries(ask, pace, log=said.append).status == 200
    assert clock.slept == [7.0, 20.0]
    assert [line.split(" answered ")[1] for line in said] == [
        "429; waiting 7 s.",
        "503; waiting 20 s.",
    ]


def test_a_retry_after_makes_others_wait_as_well():
    clock = Clock()
    pace = pace_of(clock)
    answers = iter([Said(503, "40"), Said(200)])
    polite_retries(lambda: next(answers), pace)
    with pace.turn():
        assert clock.slept == [40.0]


def test_a_busy_site_that_says_nothing_is_asked_a_few_times(no_backoff):
    asked = []

    def ask():
        asked.append(1)
        return Said(503)

    with pytest.raises(ComeBackLater, match="503 to the last of 4 requests") as caught:
        polite_retries(ask, pace_of(Clock()), attempts=4)
    assert len(asked) == 4
    assert is_one_sentence(caught.value)


def test_waits_grow_where_the_site_says_nothing(monkeypatch):
    clock, said = Clock(), []
    monkeypatch.setattr("tenacity.nap.time.sleep", clock.sleep)
    with pytest.raises(ComeBackLater):
        polite_retries(lambda: Said(500), pace_of(clock), attempts=4, log=said.append)
    assert [line.rpartition("waiting ")[2] for line in said] == ["5 s.", "10 s.", "20 s."]
    assert clock.slept == sorted(clock.slept) and len(clock.slept) == 3


def test_a_site_that_wants_to_be_left_alone_for_long_is_left_alone_at_once():
    clock, asked = Clock(), []

    def ask():
        asked.append(1)
        return Said(429, "86400")

    with pytest.raises(ComeBackLater, match="wait 86,400 s") as caught:
        polite_retries(ask, pace_of(clock))
    assert len(asked) == 1 and clock.slept == []
    assert is_one_sentence(caught.value)


def test_other_answers_and_errors_are_not_asked_for_again():
    assert polite_retries(lambda: Said(404, "7"), Pace(0.0)).status == 404
    asked = []

    def fail():
        asked.append(1)
        raise KeyError("unforeseen")

    with pytest.raises(KeyError):
        polite_retries(fail, Pace(0.0))
    assert len(asked) == 1
