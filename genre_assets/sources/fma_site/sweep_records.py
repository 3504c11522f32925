"""The records of sweeps: rows of ``lake.schemas.SWEEPS``, one for each genre of each sweep."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from genre_assets.lake.schemas import SWEEPS
from genre_assets.sources.catalogue import SourceError
from genre_assets.sources.fma_site.sweep import GenreSweep, Mode
from genre_assets.sources.registry import FMA_SITE

FULL_SWEEP_EVERY = timedelta(days=7)
"""Time after which a genre is swept in full again."""


class SweepError(SourceError):
    """A sweep of the site was given up, and the catalogue stays as it is.

    Attributes:
        sweeps: Rows of ``lake.schemas.SWEEPS``, this sweep's too, none of them complete.
    """

    def __init__(self, sentence: str, sweeps: pa.Table):
        super().__init__(sentence)
        self.sweeps = sweeps


def mode_of_sweep(
    genre: str, mode: Literal["auto"] | Mode, sweeps: pa.Table, now: datetime
) -> Mode:
    """How a genre is swept now: auto is full where no full sweep of the last days was complete."""
    if mode != "auto":
        return mode
    recent = sweeps.filter(
        (pc.field("genre") == genre)
        & (pc.field("mode") == "full")
        & pc.field("complete")
        & (pc.field("started_at") > pa.scalar(now - FULL_SWEEP_EVERY))
        # One from the future was made while the clock was wrong.
        & (pc.field("started_at") <= pa.scalar(now))
    )
    return "incremental" if recent.num_rows else "full"


def sweep_rows(sweep_id: str, swept: list[GenreSweep], known: Collection[str]) -> list[dict]:
    """The rows of a sweep.

    Args:
        sweep_id: Its id.
        swept: Its genres.
        known: Ids of the tracks that the lake knew before.
    """
    return [
        {
            "sweep_id": sweep_id,
            "genre": sweep.genre,
            "mode": sweep.mode,
            "started_at": sweep.started_at,
            "finished_at": sweep.finished_at,
            "pages": sweep.pages,
            "orders": list(sweep.orders),
            "claimed": sweep.claimed,
            "listed": sweep.listed,
            "distinct": len(sweep.rows),
            "duplicates": sweep.duplicates,
            "new": sum(FMA_SITE.track_id(id_) not in known for id_ in sweep.rows),
            "complete": sweep.complete,
            "reason": sweep.reason,
        }
        for sweep in swept
    ]


def failed_row(
    sweep_id: str, genre: str, mode: str, started_at: datetime, finished_at: datetime
) -> dict:
    """The row of a genre whose sweep did not come to its end."""
    return {
        "sweep_id": sweep_id,
        "genre": genre,
        "mode": mode,
        "started_at": started_at,
        "finished_at": finished_at,
    }


def sweep_that_never_began(
    sweep_id: str, genres: Collection[str], mode: str, sweeps: pa.Table, error: SourceError
) -> pa.Table:
    """Rows of ``lake.schemas.SWEEPS`` with those of a sweep that requested no listing."""
    now = datetime.now(UTC)
    rows = [failed_row(sweep_id, genre, mode, now, now) for genre in dict.fromkeys(genres)]
    return with_failed(sweeps, rows, error)


def given_up(sweeps: pa.Table, sweep_id: str, error: SourceError) -> pa.Table:
    """Rows of ``lake.schemas.SWEEPS`` in which a finished sweep counts as one that failed."""
    ours = pc.field("sweep_id") == sweep_id
    return with_failed(sweeps.filter(~ours), sweeps.filter(ours).to_pylist(), error)


def with_failed(sweeps: pa.Table, rows: list[dict], error: SourceError) -> pa.Table:
    """The records with those of a sweep that failed, and why."""
    failed = [row | {"complete": False, "reason": str(error)} for row in rows]
    return pa.concat_tables([sweeps, SWEEPS.of_rows(failed)])
