import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from genre_assets.cli.interruptible import ended_by_ctrl_c
from genre_assets.lake.schemas import TRACKS
from genre_assets.lake.tables import Lake


def test_other_signals_and_threads_are_left_alone():
    heard = []
    before = signal.signal(signal.SIGUSR1, lambda *_: heard.append(1))
    try:
        with ended_by_ctrl_c():
            os.kill(os.getpid(), signal.SIGUSR1)
        assert heard == [1]
        assert signal.set_wakeup_fd(-1) == -1
        with ThreadPoolExecutor(1) as pool, ended_by_ctrl_c():
            assert pool.submit(lambda: [ended_by_ctrl_c().__enter__()]).result() == [None]
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("after_s", [0.5, 2.0])
def test_ctrl_c_ends_a_query_at_once_whatever_it_is_at(tmp_path, after_s):
    lake = Lake(tmp_path)
    lake.write(TRACKS, TRACKS.of_rows([{"track_id": "folder:1"}]), "folder_00")
    sql = "SELECT count(*) FROM range(100000000000) a, range(1000) b"
    started = subprocess.Popen(
        [sys.executable, "-c", "from genre_assets.cli import main; raise SystemExit(main())",
         "query", sql],
        env=os.environ | {"GENRE_ASSETS_DATA": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    # Once DuckDB is loaded the query begins.
    maps = Path(f"/proc/{started.pid}/maps")
    while "duckdb" not in maps.read_text():
        assert started.poll() is None
        time.sleep(0.05)
    time.sleep(after_s)
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=20)
    assert started.returncode == 130
    assert "interrupted" in said and "Traceback" not in said
