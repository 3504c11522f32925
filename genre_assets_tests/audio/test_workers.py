import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from genre_assets.audio.status import AudioError, Status
from genre_assets.audio.workers import WorkerPool


def act(what):
    match what:
        case "refuse":
            raise AudioError(Status.NOT_AUDIO, "No audio here.")
        case "raise":
            raise KeyError("nobody foresaw\nthis")
        case "hang":
            time.sleep(600)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "exit":
            os._exit(3)
        case "print":
            os.write(2, b"a decoder complains\n")
            os.write(1, b"a decoder chats\n")
        case "unpicklable":
            return threading.Lock()
        case "threads":
            return os.environ["NUMBA_NUM_THREADS"], os.environ["OMP_NUM_THREADS"]
        case "pid":
            time.sleep(0.2)
            return os.getpid()
    return what


class TwoArgumentError(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


def raise_what_does_not_unpickle(item):
    raise TwoArgumentError(item, "times")


def hang_once(marker):
    if not marker.exists():
        marker.touch()
        time.sleep(600)
    return "done"


def run_in_workers(function, items, workers, limit_s, **options):
    with WorkerPool(workers) as pool:
        yield from pool.run(function, items, limit_s, **options)


def is_alive(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def test_every_item_ends_in_its_own_outcome_and_the_others_go_on():
    items = ["refuse", "raise", "kill", "segfault", "exit", "hang", "unpicklable", *"abcdefghij"]
    results = dict(run_in_workers(act, items, workers=2, limit_s=2))
    assert set(results) == set(items)
    assert {results[c] for c in "abcdefghij"} == set("abcdefghij")
    statuses = {key: value.status for key, value in results.items() if len(key) > 1}
    assert statuses == {
        "refuse": Status.NOT_AUDIO,
        "raise": Status.FAILED,
        "kill": Status.WORKER_DIED,
        "segfault": Status.WORKER_DIED,
        "exit": Status.WORKER_DIED,
        "hang": Status.TIMED_OUT,
        "unpicklable": Status.FAILED,
    }
    assert results["refuse"].reason == "No audio here."
    assert results["raise"].reason == "raise: KeyError: 'nobody foresaw\\nthis'"
    assert "SIGKILL" in results["kill"].reason
    assert "exit code 3" in results["exit"].reason
    assert results["hang"].reason == "hang was not done after 2 s and was given up."


def test_an_item_that_kills_the_only_worker_leaves_the_next_ones_unharmed():
    items = ["exit", "a", "exit", "b", "exit", "c"]
    results = list(run_in_workers(act, items, workers=1, limit_s=60))
    assert sorted(i for i, _ in results) == sorted(items)
    for item, result in results:
        if item == "exit":
            assert result.status is Status.WORKER_DIED
        else:
            assert result == item


def test_what_took_too_long_has_another_try_for_the_computer_may_have_slept(tmp_path):
    marker = tmp_path / "marker"
    assert list(run_in_workers(hang_once, [marker], 1, limit_s=2)) == [(marker, "done")]


def test_each_item_may_have_a_limit_of_its_own():
    limits = {"hang": 1.0, "a": 600.0}
    results = dict(run_in_workers(act, limits, workers=1, limit_s=limits.__getitem__))
    assert results["a"] == "a"
    assert results["hang"].reason == "hang was not done after 1 s and was given up."


def test_an_error_that_does_not_unpickle_is_that_items_failure():
    [(_, error)] = run_in_workers(
        raise_what_does_not_unpickle, [3], 1, 60, name=lambda i: f"no {i}"
    )
    assert error.status is Status.FAILED
    assert error.reason == "no 3: TwoArgumentError: 3 times"


def test_workers_are_single_threaded_and_the_parent_keeps_its_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    assert list(run_in_workers(act, ["threads"], 1, 60)) == [("threads", ("1", "1"))]
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "NUMBA_NUM_THREADS" not in os.environ


def test_no_items_start_no_process(monkeypatch):
    monkeypatch.setattr("genre_assets.audio.workers.ProcessPool", None)
    assert list(run_in_workers(act, [], 2, 60)) == []


def test_items_are_taken_only_as_they_are_needed():
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield taken[-1]

    with closing(run_in_workers(act, endless(), 2, 60)) as results:
        for _ in range(20):
            next(results)
    assert 20 <= len(taken) <= 40


def test_workers_are_kept_from_one_run_to_the_next_until_the_pool_is_closed():
    with WorkerPool(1) as pool:
        pids = {dict(pool.run(act, ["pid"], 60))["pid"] for _ in range(2)}
        (pid,) = pids
        assert is_alive(pid)
    assert not is_alive(pid)


def test_a_pool_works_on_after_a_run_that_was_left_early():
    with WorkerPool(1) as pool:
        with closing(pool.run(act, ["a", "hang"], 60)) as results:
            next(results)
        assert list(pool.run(act, ["b"], 60)) == [("b", "b")]


def test_closing_early_ends_the_workers():
    with closing(run_in_workers(act, ["pid", *["hang"] * 5], 2, 60)) as results:
        _, pid = next(results)
        assert is_alive(pid)
    assert not is_alive(pid)


SCRIPT = """
from genre_assets_tests.audio.test_workers import act, run_in_workers
if __name__ == "__main__":
    for item, result in run_in_workers(act, ["print", "pid", "hang", "hang"], 2, 60):
        if item == "pid":
            print(result, flush=True)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_its_parent_and_none_writes_to_its_terminal(how, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    ) as parent:
        pid = parent.stdout.readline().strip()
        assert is_alive(pid)
        parent.send_signal(how)
        rest, complaints = parent.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(pid)
    assert "a decoder" not in pid + rest + complaints


EARLY = """
import operator
from genre_assets.audio.workers import WorkerPool
if __name__ == "__main__":
    for _ in range(3):
        with WorkerPool(6) as pool:
            assert list(pool.run(operator.neg, [1], 60)) == [(1, -1)]
"""


def test_a_pool_that_ends_before_all_its_workers_began_says_nothing_about_it(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(EARLY)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


def test_it_says_how_much_was_done_in_how_long_since_it_was_last_asked():
    with WorkerPool(2) as pool:
        assert pool.work_done() == (0, 0.0)
        started = time.monotonic()
        assert len(list(pool.run(act, ["refuse", "a", "b"], 30))) == 3
        items, seconds = pool.work_done()
        assert items == 3 and 0 < seconds <= time.monotonic() - started
        assert pool.work_done() == (0, 0.0)
