"""The verdict of a check: passed or not, in one sentence, with counts and offending rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

MOST_EXAMPLES = 10


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        passed: Whether all is as it should be.
        sentence: What was found, in one sentence.
        counts: How many were looked at, and how many offend in which way.
        examples: Some of what offends, :data:`MOST_EXAMPLES` at most; all have the same keys.
        warning: Whether a failure calls for a look only, and nothing has to stop.
    """

    passed: bool
    sentence: str
    counts: Mapping[str, int | float | str] = field(default_factory=dict)
    examples: list[dict] = field(default_factory=list)
    warning: bool = False


def some(rows: Iterable[dict]) -> list[dict]:
    """The first few rows, as examples."""
    return list(islice(rows, MOST_EXAMPLES))


def listed(names: Iterable[object], most: int = 5) -> str:
    """Names in a row, such as ``a, b, c and 4 more``."""
    every = [str(name) for name in names]
    if len(every) <= most + 1:
        return ", ".join(every)
    return f"{', '.join(every[:most])} and {len(every) - most} more"


def share(part: int, whole: int) -> str:
    """A share with its counts, such as ``3 of 40 (7.5 %)``."""
    return f"{part:,} of {whole:,} ({part / max(whole, 1):.1%})".replace("%)", " %)")
