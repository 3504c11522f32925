"""Runs of shard assets in processes that a test can kill.

A :class:`Runs` keeps a process that has imported all it needs and forks one for each run, so that
a run begins in no time. Light, because the worker processes import it, too.
"""

import hashlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

CHECKOUT = Path(__file__).parent.parent.parent


class Runs:
    """Starts runs on one lake. A context manager, which ends them all.

    Args:
        lake: The lake.
        real: Whether clips are really analysed, or features made up of their names.
        clip_s: Seconds that it takes to make up those of a clip.
    """

    def __init__(self, lake, *, real=False, clip_s=0.0):
        self.lake = lake
        self._log = lake.root / "analysed.txt"
        self._log.touch()
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("GENRE_ASSETS_", "DAGSTER_", "PYTHONDONTWRITEBYTECODE"))
        } | {
            "ANALYSED": str(self._log),
            "REALLY": "yes" if real else "",
            "CLIP_S": str(clip_s),
            # Worker processes start in half the time, the second one and all that follow.
            "PYTHONPYCACHEPREFIX": str(lake.root.parent / "bytecode"),
        }
        self._server = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import serve; serve()"],
            env=environment,
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def start(self, assets, first, last, *, dies_at_moment=None, journal_every_s=0.25):
        """Begin to materialise assets for a range of shards; the id of the process."""
        return self._ask(
            {
                "root": str(self.lake.root),
                "assets": assets,
                "range": [first, last],
                "dies_at_moment": dies_at_moment,
                "journal_every_s": journal_every_s,
            }
        )

    def wait(self, run):
        """Wait until a run ends: 0 when it did all, else what it died of, negative for a signal."""
        return self._ask({"wait": run})

    def is_over(self, run):
        """Whether a run ended; it is still to be waited for."""
        return self._ask({"is_over": run})

    def analysed(self):
        """How often the analysis of each content was begun."""
        return Counter(self._log.read_text().splitlines())

    def _ask(self, request):
        print(json.dumps(request), file=self._server.stdin, flush=True)
        return json.loads(self._server.stdout.readline())


def analyse(clip):
    """What the workers do with a clip, noted before it is done."""
    with Path(os.environ["ANALYSED"]).open("a") as log:
        log.write(f"{clip.sha256}\n")
    if os.environ["REALLY"]:
        from genre_assets.features.summary import extract

        return extract(clip.path)
    time.sleep(float(os.environ["CLIP_S"]))
    return made_up(clip.sha256)


def made_up(sha256):
    """Features that tell which content they are of."""
    seed = int.from_bytes(hashlib.sha256(sha256.encode()).digest()[:8])
    return np.random.default_rng(seed).standard_normal(518).astype(np.float32)


def serve():
    """Answer requests from standard input, one a line."""
    sys.dont_write_bytecode = True
    _import_what_runs_need()
    running = []
    for line in sys.stdin:
        request = json.loads(line)
        if "is_over" in request:
            ended = os.waitid(os.P_PID, request["is_over"], os.WEXITED | os.WNOHANG | os.WNOWAIT)
            print(json.dumps(ended is not None), flush=True)
        elif "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            running.remove(request["wait"])
            print(os.waitstatus_to_exitcode(status), flush=True)
        else:
            running.append(_forked(request))
            print(running[-1], flush=True)
    for run in running:
        os.kill(run, signal.SIGKILL)


def _import_what_runs_need():
    import dagster as dg
    import pandas  # noqa: F401 (pyarrow imports it in time)
    import pebble  # noqa: F401

    from genre_assets.assets import features, metadata  # noqa: F401
    from genre_assets.lake import views  # noqa: F401

    dg.DagsterInstance.ephemeral().dispose()


def _forked(request):
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        # What a run prints is no answer.
        os.dup2(2, 1)
        code = 0 if _materialise(request) else 1
    finally:
        os._exit(code)


def _materialise(request):
    import dagster as dg

    from genre_assets.assets.features import summary_features
    from genre_assets.assets.metadata import audio, id3_tags
    from genre_assets.features import extraction
    from genre_assets.lake import tables
    from genre_assets.resources import resources_from
    from genre_assets.settings import read_settings

    extraction._extract = analyse
    tables.JOURNAL_EVERY_S = request["journal_every_s"]
    if not os.environ["REALLY"]:
        import genre_assets.assets.features as module

        module.warm_up = None
    if request["dies_at_moment"] is not None:
        _die_at_moment(tables, request["dies_at_moment"])
    known = {"audio": audio, "id3_tags": id3_tags, "summary_features": summary_features}
    settings = read_settings({"GENRE_ASSETS_DATA": request["root"], "GENRE_ASSETS_WORKERS": "1"})
    first, last = request["range"]
    result = dg.materialize(
        [known[name] for name in request["assets"]],
        resources=resources_from(settings),
        tags={
            "dagster/asset_partition_range_start": first,
            "dagster/asset_partition_range_end": last,
        },
        instance=dg.DagsterInstance.ephemeral(),
        raise_on_error=False,
    )
    return result.success


def _die_at_moment(tables, moment):
    """Let the process be killed right before or after one of its durable writes."""
    rename, moments = tables.rename_durably, itertools.count()

    def die_when_it_is_time():
        if next(moments) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def dying(temporary, path):
        die_when_it_is_time()
        rename(temporary, path)
        die_when_it_is_time()

    tables.rename_durably = dying
