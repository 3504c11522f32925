import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from genre_assets.sources.fma_site.browser_guardian import Guardian, processes_of
from genre_assets_tests.sources.fma_site.conftest import (
    WebAnswer,
    is_alive,
    is_clean,
    wait_until,
)

SLEEP = "import time; time.sleep(600)"


@pytest.fixture
def start():
    """Start processes of Python that are ended after the test."""
    started = []

    def start_one(code, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def reading(start, web, chromium):
    """A process of Python that has read one page and waits for the next, and its folder."""
    web.answers["/first"] = WebAnswer("<p>First.</p>")
    web.answers["/next"] = WebAnswer(held=web.hold())
    process = start(
        f"""
        from pathlib import Path
        from genre_assets.sources.fma_site.browser import Browser, Chromium

        chromium = Chromium(Path({str(chromium.binary)!r}), Path({str(chromium.driver)!r}))
        with Browser(chromium, "agent", [{web.host!r}]) as browser:
            browser.read("{web.base}/first")
            print(browser._running._guardian.folder, flush=True)
            browser.read("{web.base}/next")
        """
    )
    folder = Path(process.stdout.readline().strip())
    wait_until(lambda: "/next" in web.asked)
    assert folder.is_dir() and len(processes_of(folder)) > 3
    return process, folder


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers")
def test_no_zombie_of_a_browser_is_left_to_the_first_process_of_a_container(start, web, chromium):
    web.answers["/page"] = WebAnswer("<p>Page.</p>")
    process = start(
        f"""
        import ctypes, json, subprocess, sys
        from pathlib import Path

        import psutil
        from genre_assets.sources.fma_site.browser import Browser, Chromium

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # orphans come to this process, as to the first
        worker = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
        chromium = Chromium(Path({str(chromium.binary)!r}), Path({str(chromium.driver)!r}))
        with Browser(chromium, "agent", [{web.host!r}]) as browser:
            browser.read("{web.base}/page")
            browser._running._service.process.kill()
            browser.read("{web.base}/page")
        left = [child.name() for child in psutil.Process().children() if child.pid != worker.pid]
        print(json.dumps([left, worker.wait()]), flush=True)
        """
    )
    assert json.loads(process.stdout.readline()) == [[], 3]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_our_process_is_killed_in_the_middle_of_a_page(reading, how):
    process, folder = reading
    browsers = processes_of(folder)
    process.send_signal(how)
    wait_until(lambda: is_clean(folder))
    # One whose parent ended before the guardian looked ends by itself, a moment later.
    wait_until(lambda: not any(is_alive(browser) for browser in browsers))


def test_nothing_is_left_when_the_driver_and_then_our_process_are_killed(reading):
    process, folder = reading
    browsers = processes_of(folder)
    next(each for each in browsers if "--log-path" in " ".join(each.cmdline())).kill()
    process.kill()
    wait_until(lambda: is_clean(folder) and not any(is_alive(browser) for browser in browsers))


def test_ctrl_c_leaves_nothing_and_is_still_a_ctrl_c(reading):
    process, folder = reading
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == -signal.SIGINT
    assert is_clean(folder)


def test_guarded_processes_and_those_that_they_started_end_with_the_guardian(start):
    guardian = Guardian()
    guarded = start(
        """
        import subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(child.pid, flush=True)
        child.wait()
        """,
        f"--of={guardian.folder}/profile",
    )
    child = psutil.Process(int(guarded.stdout.readline()))
    stranger = start(SLEEP, str(guardian.folder))
    (guardian.folder / "profile").mkdir()
    (guardian.folder / "profile" / "Cookies").write_text("x")
    assert {process.pid for process in processes_of(guardian.folder)} == {guarded.pid, child.pid}
    guardian.close()
    assert is_clean(guardian.folder)
    assert guarded.wait() == -signal.SIGKILL and not is_alive(child)
    assert stranger.poll() is None


def test_closing_cleans_up_even_where_the_guardian_was_killed(start):
    guardian = Guardian()
    guarded = start(SLEEP, f"--of={guardian.folder}")
    wait_until(lambda: processes_of(guardian.folder))
    guardian._process.kill()
    guardian.close()
    assert is_clean(guardian.folder) and guarded.wait() == -signal.SIGKILL


def test_closing_twice_is_fine():
    guardian = Guardian()
    guardian.close()
    guardian.close()
    assert is_clean(guardian.folder)


def test_a_forked_process_that_holds_the_pipe_open_does_not_mislead_the_guardian(start):
    process = start(
        """
        import os, time
        from genre_assets.sources.fma_site.browser_guardian import Guardian

        guardian = Guardian()
        forked = os.fork()
        if forked:
            print(guardian.folder, forked, flush=True)
        time.sleep(600)
        """
    )
    folder, forked = process.stdout.readline().split()
    process.kill()
    wait_until(lambda: is_clean(Path(folder)))
    fork = psutil.Process(int(forked))
    assert is_alive(fork)
    fork.kill()


def test_a_process_that_is_killed_while_it_starts_a_browser_leaves_nothing(start):
    process = start(
        """
        import subprocess, sys
        from genre_assets.sources.fma_site.browser_guardian import Guardian

        guardian = Guardian()
        print(guardian.folder, flush=True)
        for _ in range(50):
            sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
            subprocess.Popen([*sleep, f"--of={guardian.folder}"], stdout=subprocess.DEVNULL)
        """
    )
    folder = Path(process.stdout.readline().strip())
    process.kill()
    wait_until(lambda: is_clean(folder))
