import logging
from types import SimpleNamespace

import pytest

from genre_assets.orchestration.console import _Filter, _OneLine, stage_of
from genre_assets.orchestration.main_job import EVALUATION, PER_SHARD
from genre_assets.sources.registry import SOURCES


def record(message="", step=None, event=None, level=logging.INFO):
    made = logging.LogRecord("x", level, "", 0, message, None, None)
    happened = SimpleNamespace(event_type_value=event) if event else None
    made.dagster_meta = {
        "step_key": step, "dagster_event": happened, "orig_message": message
    }  # fmt: skip
    return made


def shown(records):
    filter_, formatter = _Filter(), _OneLine()
    return [formatter.format(r).split("  ", 1)[1] for r in records if filter_.filter(r)]


def test_a_stage_is_said_once_when_its_first_step_begins():
    begun = ["folder_catalogue", "audio", "audio_checks", "extraction", "labels", "task_dataset",
             "models__svm", "models__vote", "scores"]  # fmt: skip
    assert shown(record("started", step, "STEP_START", logging.DEBUG) for step in begun) == [
        "Stage 1 of 8: reading what the source lists",
        "Stage 3 of 8: audio files",
        "Stage 4 of 8: features",
        "Stage 6 of 8: labels and the task",
        "Stage 7 of 8: models",
        "Stage 8 of 8: evaluation",
    ]


def test_every_step_of_the_main_job_belongs_to_a_stage():
    assets = {*(a for source in SOURCES.values() for a in source.ingest), *PER_SHARD, *EVALUATION}
    assets |= {"extraction", "labels", "task_dataset", "models__svm"}
    for asset in assets - {"summary_features"}:  # extraction makes them
        assert stage_of(asset), asset


def test_events_of_dagster_and_debugging_are_left_out_and_a_message_is_one_line():
    records = [
        record("output", "audio", "STEP_OUTPUT"),
        record("noise", "audio", level=logging.DEBUG),
        record(
            "Dependencies for step audio_checks failed: ['audio']. Not executing.",
            "audio_checks",
            level=logging.ERROR,
        ),
        record("two\nlines \x9b", "models__svm", level=logging.WARNING),
    ]
    assert shown(records) == [rf"{'models/svm':<28} WARNING: two\nlines \x9b"]


@pytest.mark.parametrize("name", ["audio_checks", "", "anything"])
def test_other_steps_begin_no_stage(name):
    assert stage_of(name) is None
