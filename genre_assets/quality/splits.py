"""Whether what must not lie on both sides of a split does not: artists, groups and same bytes."""

from collections import defaultdict

from genre_assets.lake.schemas import AUDIO, TASK_MEMBERS
from genre_assets.lake.tables import Lake
from genre_assets.progress import counted
from genre_assets.quality.verdict import Verdict, listed, some

CROSS_VALIDATED = "cv"


def sides_disjoint(lake: Lake, task: str) -> Verdict:
    """Check that no artist, group or exact duplicate of a task is on two sides of its split.

    The bytes are compared here anew, by the content addresses of the files. With folds of our own
    an overlap is an error; with a published split it is the dataset's, and is reported.

    Args:
        lake: The lake.
        task: Name of the task.
    """
    members = lake.read(
        TASK_MEMBERS, [task], ["track_id", "split", "fold", "artist_key", "group"]
    ).to_pylist()
    contents = _contents(lake, {row["track_id"] for row in members})
    shared = []
    for what in ("artist", "group", "exact duplicate"):
        sides, tracks = defaultdict(set), defaultdict(list)
        for row in members:
            named = {"artist": row["artist_key"], "group": row["group"]}
            key = named[what] if what in named else contents.get(row["track_id"])
            if key is not None:
                sides[key].add(_side(row))
                tracks[key].append(row["track_id"])
        shared += [
            {
                "what": what,
                "key": key,
                "sides": listed(sorted(found)),
                "tracks": listed(tracks[key]),
            }
            for key, found in sorted(sides.items())
            if len(found) > 1
        ]
    counts = {what: sum(row["what"] == what for row in shared) for what in
              ("artist", "group", "exact duplicate")}  # fmt: skip
    published = any(row["split"] != CROSS_VALIDATED for row in members)
    described = [counted(number, what) for what, number in counts.items() if number]
    split = "published split" if published else "folds"
    return Verdict(
        passed=not shared,
        sentence=f"{counted(len(members), 'member')} of {task}: "
        + (
            f"{listed(described)} on several sides of the {split}, such as "
            f"{shared[0]['key']} in {shared[0]['sides']}."
            if shared
            else f"no artist, group or exact duplicate is on two sides of the {split}."
        ),
        counts={"members": len(members), **counts},
        examples=some(shared),
        warning=published,
    )


def _side(row: dict) -> str:
    return f"fold {row['fold']}" if row["split"] == CROSS_VALIDATED else str(row["split"])


def _contents(lake: Lake, track_ids: set[str]) -> dict[str, str]:
    files = lake.read(AUDIO, columns=["track_id", "sha256"])
    pairs = zip(files["track_id"].to_pylist(), files["sha256"].to_pylist(), strict=True)
    return {track_id: sha256 for track_id, sha256 in pairs if track_id in track_ids}
