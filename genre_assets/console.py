"""The console logger: one short line for each thing worth saying, instead of every event."""

import logging
import sys
import time

import dagster as dg


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", {})
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        step = (meta.get("step_key") or "").replace("__", "/")
        level = "" if record.levelno <= logging.INFO else f"{record.levelname}: "
        message = meta.get("orig_message") or record.getMessage()
        return f"{clock}  {step:<28} {level}{message}"


def _is_said_by_an_asset(record: logging.LogRecord) -> bool:
    # Dagster's own events (step started, output handled, tracebacks) stay in its event log.
    return getattr(record, "dagster_meta", {}).get("dagster_event") is None


def _console(_context: dg.InitLoggerContext) -> logging.Logger:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine())
    handler.addFilter(_is_said_by_an_asset)
    logger = logging.Logger("genre_assets.console", level=logging.INFO)
    logger.addHandler(handler)
    return logger


one_line_console = dg.LoggerDefinition(_console, description="What assets say, a line each.")
"""What assets say, a line each, on standard error."""
