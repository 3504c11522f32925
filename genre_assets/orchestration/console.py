"""The console logger: one short line for each thing worth saying, instead of every event."""

import logging
import sys
import time

import dagster as dg

from genre_assets.sources.registry import SOURCES
from genre_assets.visible import in_one_line

_NOT_EXECUTED = "Dependencies for step "
"""How the message begins that Dagster logs for a step, such as a check, whose asset failed."""

_STAGES = {
    "reading what the source lists": (
        *(asset for source in SOURCES.values() for asset in source.ingest),
    ),
    "downloads": ("fetches",),
    "audio files": ("audio",),
    "features": ("extraction",),
    "tags": ("id3_tags",),
    "labels and the task": ("labels", "task_dataset"),
    "models": ("models",),
    "evaluation": ("predictions", "scores", "champion", "evaluation_report"),
}
"""What the main job goes through, in this order, and the steps of each stage."""


def stage_of(step: str) -> str | None:
    """The stage that a step belongs to, such as ``Stage 3 of 8: audio files``; None for others."""
    name = step.partition("__")[0]
    for number, (stage, steps) in enumerate(_STAGES.items(), start=1):
        if name in steps:
            return f"Stage {number} of {len(_STAGES)}: {stage}"
    return None


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", {})
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        if stage := getattr(record, "stage", None):
            return f"{clock}  {stage}"
        step = (meta.get("step_key") or "").replace("__", "/")
        level = "" if record.levelno <= logging.INFO else f"{record.levelname}: "
        message = meta.get("orig_message") or record.getMessage()
        return f"{clock}  {step:<28} {level}{in_one_line(message)}"


class _Filter(logging.Filter):
    """Lets through what assets say, and the beginning of each stage.

    The phases of a run log through handlers of their own, and share the filter: a stage that two
    of them make up begins once.
    """

    def __init__(self):
        super().__init__()
        self._stage: str | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        meta = getattr(record, "dagster_meta", {})
        if meta.get("dagster_event") is None:
            is_dagsters = str(meta.get("orig_message")).startswith(_NOT_EXECUTED)
            return record.levelno >= logging.INFO and not is_dagsters
        # Dagster's own events (step started, output handled, tracebacks) stay in its event log.
        event = meta["dagster_event"]
        if event.event_type_value != dg.DagsterEventType.STEP_START.value:
            return False
        stage = stage_of(meta.get("step_key") or "")
        is_new = stage not in (None, self._stage)
        if is_new:
            self._stage = record.stage = stage
        return is_new


_filter = _Filter()


def _console(_context: dg.InitLoggerContext) -> logging.Logger:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine())
    handler.addFilter(_filter)
    # Dagster logs the start of a step at this level.
    logger = logging.Logger("genre_assets.orchestration.console", level=logging.DEBUG)
    logger.addHandler(handler)
    return logger


one_line_console = dg.LoggerDefinition(_console, description="What assets say, a line each.")
"""What assets say, a line each, on standard error."""
