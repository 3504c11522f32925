"""Dagster's own records: where they lie, how Dagster is configured, and what is stale in them."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
from dagster._core.instance.ref import InstanceRef

from genre_assets.errors import UserError
from genre_assets.lake.places import Places
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.automation import register_partitions

_CONFIGURATION = Path(__file__).with_name("dagster.yaml")
_SLACK_S = 5.0
"""How much later than an event its process may seem to have started: clocks are coarse."""

_OUTPUT_IS_NOT_COPIED = {
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
}

_UNDER_WAY = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def prepare_home(lake: Path) -> Path:
    """Make the folder of Dagster's records, ``DAGSTER_HOME`` or one in the lake.

    The environment names it from then on, and it holds the configuration of Dagster unless it has
    one of its own.

    Raises:
        UserError: If the folder cannot be made or written.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or Places(lake).dagster).expanduser()
    try:
        home.mkdir(parents=True, exist_ok=True)
        _configure(home / _CONFIGURATION.name)
    except OSError as error:
        setting = "DAGSTER_HOME" if os.environ.get("DAGSTER_HOME") else "GENRE_ASSETS_DATA"
        raise UserError(
            f"{error.filename} cannot be made ({error.strerror}): set {setting} to a folder that "
            "can be written."
        ) from error
    os.environ["DAGSTER_HOME"] = str(home)
    return home


@contextlib.contextmanager
def instance_of(lake: Lake) -> Iterator[tuple[dg.DagsterInstance, list[str]]]:
    """Dagster's records of a lake, brought up to date, and a sentence for each run that died.

    What a run of this process prints goes straight to the terminal. Dagster would pass it on
    through processes of its own, which print a traceback each on Ctrl-C.
    """
    home = prepare_home(lake.root)
    reference = InstanceRef.from_dir(str(home), overrides=_OUTPUT_IS_NOT_COPIED)
    with dg.DagsterInstance.from_ref(reference) as instance:
        died = close_dead_runs(instance)
        register_partitions(instance, lake)
        yield instance, died


def close_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """End the runs in Dagster's records whose processes are gone, such as after a kill.

    They would count as under way for ever, and no other would be launched.

    Returns:
        One sentence for each run that was ended.
    """
    sentences = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY)):
        processes = _processes_of(instance, run)
        if not processes or any(_is_alive(pid, seen_at) for pid, seen_at in processes):
            continue
        sentence = (
            f"Run {run.run_id[:8]} was recorded as under way, but its process is gone: it was "
            "killed, or the machine was restarted. What it had finished is kept."
        )
        if run.status == dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, sentence)
        else:
            instance.report_run_failed(run, sentence)
        sentences.append(sentence)
    return sentences


def _configure(path: Path) -> None:
    if path.exists() and not path.is_symlink():
        return
    if path.is_symlink():
        if path.exists() and path.samefile(_CONFIGURATION):
            return
        path.unlink()
    try:
        path.symlink_to(_CONFIGURATION)
    except OSError:
        # Not every file system has links.
        shutil.copyfile(_CONFIGURATION, path)


def _processes_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[tuple[int, float]]:
    """The processes that wrote events of a run, with when they did.

    Those that executed it, where it came so far; otherwise the one that was about to launch it.
    """
    executing, others = [], []
    for entry in instance.all_logs(run.run_id):
        event = entry.dagster_event
        if event and event.pid:
            executes = event.is_step_event or event.event_type == dg.DagsterEventType.RUN_START
            (executing if executes else others).append((event.pid, entry.timestamp))
    return executing or others


def _is_alive(pid: int, seen_at: float) -> bool:
    try:
        process = psutil.Process(pid)
        # Numbers are used again: a process that is younger than the event did not write it.
        return (
            process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= seen_at + _SLACK_S
        )
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
