"""Whether the sweeps of the site found what its listings claim, and not too long ago."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from genre_assets.lake.schemas import SWEEPS
from genre_assets.lake.tables import Lake
from genre_assets.progress import counted
from genre_assets.quality.verdict import Verdict, listed, some
from genre_assets.sources.fma_site.address import genre_in_words

FRESH_FOR = timedelta(days=2)
"""Since when a genre may not have been swept: one night may fail, two should not."""


def sweeps_whole(lake: Lake, genres: Sequence[str]) -> Verdict:
    """Check that the last full sweep of each genre found as many tracks as the listing claims.

    An incremental sweep stops at what is known, so that its counts say nothing.

    Args:
        lake: The lake.
        genres: Slugs of the genres that are swept.
    """
    full = {
        g: row for g, row in _last(lake, lambda row: row["mode"] == "full").items() if g in genres
    }
    short = {genre: row for genre, row in full.items() if _falls_short(row)}
    behind = [
        f"{genre_in_words(genre)} {row['distinct'] or 0:,} of {_claimed(row)}"
        for genre, row in sorted(short.items())
    ]
    genres_swept = counted(len(full), "genre")
    whole = f"The last full sweep of {genres_swept} found every track that the listings claim."
    lacking = f"The last full sweep of {len(short)} of {genres_swept} fell short: {listed(behind)}."
    return Verdict(
        passed=not short,
        sentence=lacking if short else whole,
        counts={
            "genres": len(full),
            "claimed": sum(row["claimed"] or 0 for row in full.values()),
            "distinct": sum(row["distinct"] or 0 for row in full.values()),
        },
        examples=some(
            {
                "genre": genre,
                "claimed": _claimed(row),
                "distinct": row["distinct"] or 0,
                "swept_at": _time(row["finished_at"] or row["started_at"]),
                "reason": row["reason"] or "",
            }
            for genre, row in sorted(short.items())
        ),
        warning=True,
    )


def scrape_fresh(lake: Lake, genres: Sequence[str], now: datetime | None = None) -> Verdict:
    """Check that every genre was swept lately, and say since when one was not.

    Args:
        lake: The lake.
        genres: Slugs of the genres that are swept.
        now: The present.
    """
    moment = now or datetime.now(UTC)
    swept = _last(lake, lambda row: row["complete"] and row["finished_at"])
    tried = _last(lake, lambda row: True)
    if not tried:
        return Verdict(True, "The site was never swept, so nothing of it can be out of date.")
    late = [g for g in genres if g not in swept or moment - swept[g]["finished_at"] > FRESH_FOR]
    all_genres = counted(len(genres), "genre")
    limit = f"{FRESH_FOR / timedelta(hours=1):g} hours"
    were = "was" if len(late or genres) == 1 else "were"
    if late:
        since = listed(
            f"{genre_in_words(genre)} since {_time(swept[genre]['finished_at'])}"
            if genre in swept
            else f"{genre_in_words(genre)} never"
            for genre in late
        )
        sentence = f"{len(late)} of {all_genres} {were} not swept to the end for {limit}: {since}."
    else:
        oldest = min(swept[genre]["finished_at"] for genre in genres)
        sentence = f"{all_genres} {were} swept in the last {limit}, the first at {_time(oldest)}."
    return Verdict(
        passed=not late,
        sentence=sentence,
        counts={"genres": len(genres), "late": len(late)},
        examples=some(
            {
                "genre": genre,
                "last_whole_sweep": _since(swept.get(genre)),
                "last_try": _since(tried.get(genre), "started_at"),
                "reason": (tried.get(genre) or {}).get("reason") or "",
            }
            for genre in late
        ),
        warning=True,
    )


def _last(lake: Lake, wanted) -> dict[str, dict]:
    rows = sorted(lake.read(SWEEPS).to_pylist(), key=lambda row: row["started_at"])
    return {row["genre"]: row for row in rows if wanted(row)}


def _falls_short(row: dict) -> bool:
    return row["claimed"] is None or not row["complete"] or (row["distinct"] or 0) < row["claimed"]


def _claimed(row: dict) -> str:
    return "unknown" if row["claimed"] is None else f"{row['claimed']:,}"


def _since(row: dict | None, column: str = "finished_at") -> str:
    return _time(row[column]) if row else "never"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
