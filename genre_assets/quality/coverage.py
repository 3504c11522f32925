"""Whether every track whose audio is ok was analysed, or is known not to be, and why."""

import pyarrow.compute as pc

from genre_assets.audio.status import Status
from genre_assets.lake.schemas import AUDIO, FEATURE_FAILURES, SUMMARY_FEATURES, Table
from genre_assets.lake.tables import Lake
from genre_assets.progress import counted
from genre_assets.quality.verdict import Verdict, listed, some


def every_track_analysed(
    lake: Lake, shard: str, features: Table = SUMMARY_FEATURES, failures: Table = FEATURE_FAILURES
) -> Verdict:
    """Check that the ok audio of a shard has features of its bytes, or a failure with a reason.

    Args:
        lake: The lake.
        shard: The shard.
        features: The table of what was computed, named as its asset.
        failures: The table of what could not be.
    """
    contents = ["track_id", "sha256"]
    files = lake.read(AUDIO, [shard], [*contents, "status"])
    sound = files.filter(pc.field("status") == Status.OK).select(contents).to_pylist()
    analysed = _by_track(lake.read(features, [shard], contents).to_pylist())
    failed = _by_track(lake.read(failures, [shard], [*contents, "status", "reason"]).to_pylist())
    why = {
        row["track_id"]: found
        for row in sound
        if (
            found := _what_is_wrong(row, analysed.get(row["track_id"]), failed.get(row["track_id"]))
        )
    }
    kinds = sorted(set(why.values()))
    return Verdict(
        passed=not why,
        sentence=f"{counted(len(sound), 'track')} with sound audio in {shard}: "
        + (
            f"{len(why):,} of them {listed(kinds)}, such as {min(why)}; materialise "
            f"{features.name} again."
            if why
            else "each has its features or a reason why not."
        ),
        counts={
            "ok_audio": len(sound),
            "analysed": len(analysed),
            "failed_with_reason": len(failed),
            **{kind: list(why.values()).count(kind) for kind in kinds},
        },
        examples=some({"track_id": key, "found": why[key]} for key in sorted(why)),
    )


def _what_is_wrong(file: dict, analysed: dict | None, failed: dict | None) -> str | None:
    if analysed and failed:
        return "have both features and a failure"
    if analysed:
        stale = analysed["sha256"] != file["sha256"]
        return "have features of other bytes" if stale else None
    if failed:
        explained = failed["status"] not in (None, "", Status.OK) and failed["reason"]
        return None if explained else "failed without a reason"
    return "have neither features nor a failure"


def _by_track(rows: list[dict]) -> dict[str, dict]:
    return {row["track_id"]: row for row in rows}
