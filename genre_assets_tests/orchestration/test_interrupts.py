"""Ctrl-C and SIGTERM at the moments at which Dagster forgets them."""

import os
import signal
import sys

import dagster as dg
import pytest
from dagster._utils.interrupts import capture_interrupts

from genre_assets.cli import commands as cli
from genre_assets.orchestration import main_job
from genre_assets.orchestration.interrupts import Interrupts
from genre_assets.orchestration.resources import LakeResource
from genre_assets.orchestration.settings import read_settings
from genre_assets.sources.registry import FOLDER

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_someone_else_caught_and_forgot_is_remembered_once(number):
    with Interrupts() as interrupts:
        interrupts.raise_if_any()
        with capture_interrupts():
            os.kill(os.getpid(), number)
        with pytest.raises(KeyboardInterrupt):
            interrupts.raise_if_any()
        interrupts.raise_if_any()


@pytest.mark.parametrize("number", SIGNALS)
def test_one_that_nobody_caught_interrupts_at_once(number):
    with Interrupts(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)


def test_afterwards_signals_are_handled_as_before():
    before = [signal.getsignal(number) for number in SIGNALS], signal.set_wakeup_fd(-1)
    with Interrupts():
        pass
    assert ([signal.getsignal(number) for number in SIGNALS], signal.set_wakeup_fd(-1)) == before


def test_what_runs_beside_the_demo_site_can_be_interrupted_where_ctrl_c_is_ignored():
    before = [signal.signal(number, signal.SIG_IGN) for number in SIGNALS]
    its_handler = "import signal, sys; sys.exit(signal.getsignal(2) == signal.SIG_IGN)"
    try:
        assert cli._run_beside(None, [sys.executable, "-c", its_handler]) == 0
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        for number, handler in zip(SIGNALS, before, strict=True):
            signal.signal(number, handler)


def test_other_signals_are_nobodys_wish_to_end(monkeypatch):
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGUSR1)
        interrupts.raise_if_any()
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def made(tmp_path, monkeypatch):
    """The assets that a main job of two phases has made so far."""
    made = []

    @dg.asset
    def folder_catalogue():
        made.append("folder_catalogue")

    @dg.asset
    def labels():
        made.append("labels")

    stand_ins = dg.Definitions(
        assets=[folder_catalogue, labels], resources={"lake": LakeResource(root=str(tmp_path))}
    )
    monkeypatch.setattr(main_job, "build_definitions", lambda _: stand_ins)
    monkeypatch.setattr(main_job, "_shards_with_tracks", lambda *_: ["folder_00"])
    monkeypatch.setattr(main_job, "PER_SHARD", ["labels"])
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    return made


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    ("moment", "status"),
    [
        (dg.DagsterEventType.STEP_START, dg.DagsterRunStatus.CANCELED),
        (dg.DagsterEventType.RUN_SUCCESS, dg.DagsterRunStatus.SUCCESS),
    ],
)
def test_a_signal_ends_the_main_job_and_a_run_that_it_interrupts_is_canceled(
    moment, status, number, made, tmp_path, monkeypatch
):
    handle = dg.DagsterInstance.handle_new_event

    def handle_and_signal(self, event, *arguments, **options):
        handle(self, event, *arguments, **options)
        if event.is_dagster_event and event.dagster_event_type == moment:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(dg.DagsterInstance, "handle_new_event", handle_and_signal)
    settings = read_settings({"GENRE_ASSETS_DATA": str(tmp_path)})
    with pytest.raises(KeyboardInterrupt):
        main_job.run_pipeline(settings, FOLDER, "available", None, "auto")
    assert "labels" not in made
    with dg.DagsterInstance.get() as instance:
        assert [run.status for run in instance.get_runs()] == [status]
