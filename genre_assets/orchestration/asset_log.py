"""What assets and their checks write to Dagster's log, whatever shows it.

Titles, tags, paths and the answers of servers are strangers' text. Our own console writes out what
would steer a terminal; Dagster's command line and ``dagster dev`` print lines as they are. So each
line is made safe before Dagster gets it.
"""

import dagster as dg

from genre_assets.progress import Log
from genre_assets.visible import in_one_line

Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext


def log_of(context: Context, partition: str | None = None) -> Log:
    """Where an asset says what it does.

    Args:
        context: Of its step.
        partition: What the lines are about, where the step makes several partitions: they begin
            with which one of how many it is.
    """
    beginning = _which_of_several(context, partition) if partition else ""
    return lambda line: context.log.info(in_one_line(beginning + line))


def warnings_of(context: Context) -> Log:
    """Where an asset or a check says what somebody should look at."""
    return lambda line: context.log.warning(in_one_line(line))


def warn_anywhere(line: str) -> None:
    """Warn where there is no context at hand, such as from a resource."""
    dg.get_dagster_logger().warning(in_one_line(line))


def _which_of_several(context: Context, partition: str) -> str:
    keys = list(context.partition_keys)
    if len(keys) == 1:
        return ""
    return f"part {keys.index(partition) + 1} of {len(keys)} ({partition}): "
