"""How fast the work of each asset went in earlier runs, kept in the lake's table ``rates``.

A rate is that of the last thousand items or so: the few of a small run, which pay for the start of
the workers, hardly change it, and another machine is soon believed.
"""

from collections import Counter
from datetime import UTC, datetime

from genre_assets.lake.schemas import RATES
from genre_assets.lake.tables import Lake

REMEMBERED_ITEMS = 1_000
"""Items that all earlier measurements count as, at most, beside a new one."""

_WORKED_ON: Counter[str] = Counter()


def worked_on() -> Counter[str]:
    """Items that were worked on in this process so far, by asset."""
    return Counter(_WORKED_ON)


def record_rate(lake: Lake, asset: str, items: int, seconds: float) -> None:
    """Take a measurement in; nothing is written where nothing was worked on.

    Args:
        lake: The lake.
        asset: Name of the asset.
        items: Items that were worked on, not those that were taken over.
        seconds: Seconds that they took.
    """
    if not items:
        return
    _WORKED_ON[asset] += items
    with lake.lock(RATES):
        rows = {row["asset"]: row for row in lake.read(RATES).to_pylist()}
        before = rows.get(asset, {"items": 0.0, "seconds": 0.0})
        counts = min(1.0, REMEMBERED_ITEMS / max(before["items"], 1.0))
        rows[asset] = {
            "asset": asset,
            "items": before["items"] * counts + items,
            "seconds": before["seconds"] * counts + seconds,
            "measured_at": datetime.now(UTC),
        }
        lake.write(RATES, RATES.of_rows([rows[name] for name in sorted(rows)]))


def seconds_an_item(lake: Lake) -> dict[str, float]:
    """Seconds that an item of each asset takes, of the assets that were ever measured."""
    return {row["asset"]: row["seconds"] / row["items"] for row in lake.read(RATES).to_pylist()}
