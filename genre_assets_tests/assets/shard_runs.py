"""Runs of shard assets in processes that a test can kill.

A :class:`Server` is a process that has imported all that runs need and forks one for each, so that
it begins in no time. Light, because the worker processes import this module, too.
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

SEEDS = itertools.count()
CHECKOUT = Path(__file__).parent.parent.parent


class Server:
    """Starts runs. A context manager, which ends them all."""

    def __init__(self):
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("GENRE_ASSETS_", "DAGSTER_"))
        }
        self._process = subprocess.Popen(
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
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def ask(self, **request):
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


class Runs:
    """The runs on one lake.

    Args:
        server: Starts them.
        lake: The lake.
        real: Whether clips are really analysed, or features made up of their names.
    """

    def __init__(self, server, lake, *, real=False):
        self.lake = lake
        self._server = server
        self._real = real
        self._log = lake.root / "begun.txt"
        lake.root.mkdir(exist_ok=True)
        self._log.touch()

    def start(self, assets, first, last, *, clip_s=0.0, most=None, dies_at=None, every_s=0.25):
        """Begin to materialise assets for a range of shards.

        Args:
            assets: Names of the assets.
            first: The first shard.
            last: The last shard.
            clip_s: Seconds that it takes to make up the features of a clip.
            most: Files on which work is begun; the run then waits until it is killed.
            dies_at: The moment, before or after a durable write, at which the run kills itself.
            every_s: Seconds between two batches in a journal.

        Returns:
            The id of the process.
        """
        environment = {
            "BEGUN": str(self._log),
            "MOST_BEGUN": "" if most is None else str(self.begun().total() + most),
            "REALLY": "yes" if self._real else "",
            "CLIP_S": str(clip_s),
        }
        return self._server.ask(
            root=str(self.lake.root),
            environment=environment,
            assets=assets,
            range=[first, last],
            dies_at=dies_at,
            every_s=every_s,
        )

    def wait(self, run):
        """Wait until a run ends: 0 when it did all, else what it died of, negative for a signal."""
        return self._server.ask(wait=run)

    def is_over(self, run):
        """Whether a run ended; it is still to be waited for."""
        return self._server.ask(is_over=run)

    def begun(self):
        """How often work on each file was begun: its content when analysed, its path if probed."""
        return Counter(self._log.read_text().splitlines())


def probe(path):
    """What the workers do with a file, noted before it is done."""
    from genre_assets.audio.probe import probe

    _begin(path)
    return probe(path)


def analyse(due):
    """What the workers do with a clip, noted before it is done."""
    _begin(due.clip.sha256)
    if os.environ["REALLY"]:
        from genre_assets.features.extraction import analyse

        return analyse(due)
    time.sleep(float(os.environ["CLIP_S"]))
    return dict.fromkeys(due.compute, made_up(due.clip.sha256))


def _begin(item):
    log, most = Path(os.environ["BEGUN"]), os.environ["MOST_BEGUN"]
    while most and len(log.read_text().splitlines()) >= int(most):
        time.sleep(0.01)
    with log.open("a") as file:
        file.write(f"{item}\n")


def made_up(sha256):
    """Features that tell which content they are of."""
    seed = int.from_bytes(hashlib.sha256(sha256.encode()).digest()[:8])
    return np.random.default_rng(seed).standard_normal(518).astype(np.float32)


def write_noise(path, seed, seconds=1):
    """A clip of its own, as a WAV file."""
    import soundfile

    samples = 0.1 * np.random.default_rng(seed).standard_normal(22_050 * seconds)
    soundfile.write(path, samples, 22_050)
    return path


def write_noise_of_shard(path, shard, seconds=1):
    """A WAV file that lies in a shard of a music library: each shard makes a run longer."""
    from genre_assets.sources.folder import ID_DIGITS
    from genre_assets.sources.shards import folder_shard

    path.parent.mkdir(parents=True, exist_ok=True)
    for seed in SEEDS:
        content = write_noise(path, seed, seconds).read_bytes()
        if folder_shard(hashlib.sha256(content).hexdigest()[:ID_DIGITS]) == shard:
            return


def track(path, name, shard):
    """A row of ``tracks`` of a file as it lies there."""
    found = path.stat()
    return {
        "track_id": f"folder:{name}",
        "source": "folder",
        "source_track_id": str(name),
        "shard": shard,
        "path": str(path),
        "file_bytes": found.st_size,
        "file_mtime_ns": found.st_mtime_ns,
    }


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

    from genre_assets.lake import views  # noqa: F401
    from genre_assets.orchestration.assets import features, metadata  # noqa: F401

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
    os.environ |= request["environment"]

    import dagster as dg

    from genre_assets.features import extraction as features
    from genre_assets.lake import journal, storage
    from genre_assets.orchestration.assets.features import extraction
    from genre_assets.orchestration.assets.metadata import audio, id3_tags
    from genre_assets.orchestration.resources import resources_from
    from genre_assets.orchestration.settings import read_settings
    from genre_assets.tags import probing

    features.analyse = analyse
    probing.probe = probe
    journal.JOURNAL_EVERY_S = request["every_s"]
    if not os.environ["REALLY"]:
        from genre_assets.features import summary

        summary.warm_up = None
    if request["dies_at"] is not None:
        _die_at(storage, request["dies_at"])
    known = {"audio": audio, "id3_tags": id3_tags, "summary_features": extraction}
    settings = read_settings({"GENRE_ASSETS_DATA": request["root"], "GENRE_ASSETS_WORKERS": "1"})
    first, last = request["range"]
    result = dg.materialize(
        [known[name] for name in request["assets"]],
        selection=dg.AssetSelection.assets(*request["assets"]),
        resources=resources_from(settings),
        tags={
            "dagster/asset_partition_range_start": first,
            "dagster/asset_partition_range_end": last,
        },
        instance=dg.DagsterInstance.ephemeral(),
        raise_on_error=False,
    )
    return result.success


def _die_at(storage, moment):
    """Let the process be killed right before or after one of its durable writes."""
    rename, moments = storage.move_into_place, itertools.count()

    def die_when_it_is_time():
        if next(moments) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def dying(temporary, path):
        die_when_it_is_time()
        rename(temporary, path)
        die_when_it_is_time()

    storage.move_into_place = dying
