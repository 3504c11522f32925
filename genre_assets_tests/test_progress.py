import re
import threading

from genre_assets.progress import Progress, duration


def test_progress_says_counts_failures_rate_and_time_left():
    lines = []
    progress = Progress("clips analysed", 7, lines.append, every_s=0)
    progress.count(failed=True)
    assert "left" not in lines[-1]
    for _ in range(4):
        progress.count()
    assert re.fullmatch(
        r"5 of 7 clips analysed, 1 failed, [\d.]+/s, (\d+ h )?(\d+ min )?(\d+ s )?left",
        lines[-1],
    )


def test_the_last_one_is_always_said_and_has_no_time_left():
    lines = []
    progress = Progress("clips analysed", 2, lines.append, every_s=3600)
    progress.count()
    assert lines == []
    progress.count()
    assert len(lines) == 1
    assert "left" not in lines[0]


def test_the_rate_counts_from_the_first_one_which_pays_for_the_start_of_the_workers(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("genre_assets.progress.time.monotonic", lambda: clock[0])
    lines = []
    progress = Progress("clips analysed", 6, lines.append, every_s=0)
    for moment in (60.0, 62.0, 64.0, 66.0, 68.0):
        clock[0] = moment
        progress.count()
    assert lines[0] == "1 of 6 clips analysed"
    assert lines[1] == "2 of 6 clips analysed, 2.0 s each"
    assert lines[4] == "5 of 6 clips analysed, 2.0 s each, 2 s left"


def test_while_nothing_gets_done_it_is_said_that_the_work_goes_on():
    said = threading.Event()
    lines = []

    def log(line):
        lines.append(line)
        said.set()

    before = threading.active_count()
    with Progress("clips analysed", 104, log).kept_alive(every_s=0.01):
        assert said.wait(10)
    assert re.fullmatch(r"0 of 104 clips analysed, [\d]+ s so far", lines[0])
    assert threading.active_count() == before


def test_durations_are_said_in_words():
    assert [duration(s) for s in (1, 59.6, 125, 3600)] == [
        "1 s", "1 min", "2 min 5 s", "1 h 0 min",
    ]  # fmt: skip
