"""The plan of work, for the terminal and for programs."""

import json
from collections import Counter
from dataclasses import asdict
from itertools import groupby
from textwrap import wrap

from genre_assets.audio.status import Status
from genre_assets.lake.schemas import AUDIO, FETCHES, ID3_TAGS, SPECTROGRAMS, SUMMARY_FEATURES
from genre_assets.lake.staleness import Need
from genre_assets.progress import duration
from genre_assets.refresh.plan import Plan, Work
from genre_assets.terminal import PlainConsole, say

_SHOWN = 5
"""Partitions of an asset that are shown unless the asset was named."""

_WORK = {
    FETCHES.name: ("file to download", "files to download"),
    AUDIO.name: ("file to read", "files to read"),
    ID3_TAGS.name: ("file whose tags are to be read", "files whose tags are to be read"),
    SUMMARY_FEATURES.name: ("track to analyse", "tracks to analyse"),
    SPECTROGRAMS.name: ("track to analyse", "tracks to analyse"),
    "models": ("model to train", "models to train"),
}
_WHY = {
    str(Need.LOST): "lost since",
    str(Need.VERSION): "made by another version of the code",
    str(Need.REQUESTED): "marked with retry",
    str(Need.NO_FILE): "without audio here",
    str(Status.MISSING): "without audio here",
}

NOT_COUNTED = (
    "Not counted are labels, tasks, predictions, scores and reports, which every run makes anew in "
    "moments, and the models of a task that has no tracks yet."
)


def print_plan(plan: Plan, in_full: bool) -> None:
    """Print what would be done, why and how long it takes.

    Args:
        plan: The plan.
        in_full: Whether all partitions are shown, or those of each asset that have most to do.
    """
    console = PlainConsole()
    assets = [(name, list(of)) for name, of in groupby(plan.work, key=_asset)]
    todo = [row for asset, works in assets for row in _rows_of_work(asset, works, in_full)]
    left = [row for asset, works in assets for row in _rows_left(asset, works, in_full)]
    paragraphs = [_opening_lines(plan), []]
    paragraphs[1] = _beside_their_names(todo, console.width)
    if left:
        paragraphs.append(
            [
                "Not worked on:",
                *_beside_their_names(left, console.width),
                "What failed is tried again once the file changes, or after genre-assets retry.",
            ]
        )
    paragraphs.append(_closing_lines(plan))
    for number, lines in enumerate(filter(None, paragraphs)):
        if number:
            say("")
        for line in lines:
            console.paragraph(line)


def as_json(plan: Plan) -> str:
    """The plan as JSON: the fields of :class:`Plan`, and whether it is empty."""
    said = asdict(plan) | {
        "listed_at": {source: moment.isoformat() for source, moment in plan.listed_at.items()},
        "is_empty": plan.is_empty,
    }
    return json.dumps(said, indent=2)


def _asset(work: Work) -> str:
    return work.asset.partition("/")[0]


def _beside_their_names(rows: list[tuple[str, str]], width: int) -> list[str]:
    """Names on the left and texts on the right, wrapped there."""
    column = max((len(name) for name, _ in rows), default=0) + 2
    lines = []
    for name, text in rows:
        first, *others = wrap(text, max(width - column, 20))
        lines.append(f"{name:<{column}}{first}")
        lines += [" " * column + other for other in others]
    return lines


def _rows_of_work(asset: str, works: list[Work], in_full: bool) -> list[tuple[str, str]]:
    busy = [work for work in works if not work.is_idle]
    if not busy:
        return []
    if asset == "models" and not in_full:
        parts = _parts(_by_task(busy), in_full)
    else:
        parts = _parts(busy, in_full)
    return [
        (asset, _sentence(asset, busy)),
        *((f"  {name}", _work_in(of_part)) for name, of_part in parts),
    ]


def _rows_left(asset: str, works: list[Work], in_full: bool) -> list[tuple[str, str]]:
    left = [work for work in works if work.left]
    if not left:
        return []
    rows = [(asset, _summed([work.left for work in left]))]
    if in_full and len(left) > 1:
        rows += [(f"  {name}", _summed([w.left for w in of])) for name, of in _parts(left, True)]
    return rows


def _parts(works: list[Work], in_full: bool) -> list[tuple[str, list[Work]]]:
    """The partitions that have most to do, by name, and all others together."""
    by_size = sorted(works, key=lambda work: (-work.items, -work.at_most_more))
    # A line for all others would not save one where there is only one more.
    shown = by_size if in_full or len(by_size) <= _SHOWN + 1 else by_size[:_SHOWN]
    parts = [(_name(work), [work]) for work in sorted(shown, key=works.index)]
    if rest := [work for work in works if work not in shown]:
        parts.append((f"{len(rest)} others", rest))
    return parts


def _by_task(works: list[Work]) -> list[Work]:
    """The models of a task as one."""
    tasks = dict.fromkeys(work.partition for work in works)
    return [
        Work("models", task, dict(_sums([w.pending for w in of])), sum(w.at_most_more for w in of))
        for task in tasks
        if (of := [work for work in works if work.partition == task])
    ]


def _name(work: Work) -> str:
    model = work.asset.partition("/")[2]
    return f"{model}, {work.partition}" if model else work.partition


def _sentence(asset: str, works: list[Work]) -> str:
    """Such as ``12 files to download (10 new, 2 failed before), about 3 min 10 s``."""
    pending, more = sum(work.items for work in works), sum(work.at_most_more for work in works)
    one, many = _WORK.get(asset, ("item", "items"))
    if not pending:
        said = f"up to {_number(more, one, many)} once the steps above are done"
    else:
        said = f"{_number(pending, one, many)} ({_summed([work.pending for work in works])})"
        if more:
            said += f", and up to {more:,} more once the steps above are done"
    return f"{said}, {_takes(works)}"


def _work_in(works: list[Work]) -> str:
    pending, more = sum(work.items for work in works), sum(work.at_most_more for work in works)
    said = [_summed([work.pending for work in works])] if pending else []
    return ", ".join([*said, *([f"up to {more:,}{' more' if pending else ''}"] if more else [])])


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _summed(counts: list[dict[str, int]]) -> str:
    return ", ".join(
        f"{number:,} {_WHY.get(reason, _in_words(reason))}"
        for reason, number in _sums(counts).items()
    )


def _in_words(reason: str) -> str:
    return reason.replace("_", " ").replace(" lately", " when last tried")


def _sums(counts: list[dict[str, int]]) -> Counter[str]:
    return sum(map(Counter, counts), Counter())


def _takes(works: list[Work]) -> str:
    if any(work.seconds is None and work.items for work in works):
        return "time not known yet"
    known = sum(work.seconds or 0.0 for work in works)
    more = sum(work.at_most_more_seconds or 0.0 for work in works)
    if known and more >= 1:
        return f"{_about(known)}, or up to {_words(known + more)}"
    if known:
        return _about(known)
    return f"up to {_words(more)}" if more else "time not known yet"


def _about(seconds: float) -> str:
    return f"about {duration(seconds)}" if seconds >= 1 else "under 1 s"


def _words(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else "1 s"


def _opening_lines(plan: Plan) -> list[str]:
    if not plan.listed_at:
        return ["The lake holds no tracks yet: genre-assets run adds them."]
    if plan.is_empty:
        return ["Nothing to do: everything in the last catalogue is up to date."]
    return [f"The next run would do this{_total_time(plan.work)}:"]


def _total_time(works: list[Work]) -> str:
    """Such as ``, in about 5 min at the speed of earlier runs, not counting what may follow``."""
    known = sum(work.seconds or 0.0 for work in works)
    if not known:
        return ""
    more = sum(work.at_most_more_seconds or 0.0 for work in works)
    all_known = all(work.seconds is not None for work in works if work.items)
    total = _about(known) if all_known else f"more than {_words(known)}"
    said = f", in {total} at the speed of earlier runs"
    if not any(work.at_most_more for work in works):
        return said
    if all(work.seconds is not None for work in works if not work.is_idle):
        return f"{said}, or up to {_words(known + more)} with all that may follow"
    return f"{said}, not counting what may follow"


def _closing_lines(plan: Plan) -> list[str]:
    unmeasured = {
        _asset(work): None for work in plan.work if not work.is_idle and work.seconds is None
    }
    lines = []
    if unmeasured:
        lines.append(f"No earlier run has measured how long this takes: {', '.join(unmeasured)}.")
    lines += [
        f"The source {source} was last read on {moment:%Y-%m-%d %H:%M} UTC; what was "
        "added there since then appears at the next run."
        for source, moment in sorted(plan.listed_at.items())
    ]
    return [*lines, NOT_COUNTED] if plan.listed_at else lines
