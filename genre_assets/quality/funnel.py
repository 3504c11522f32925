"""How many tracks get how far, from the list of a source to a task, and why not more."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from genre_assets.audio.status import Status
from genre_assets.lake.schemas import (
    AUDIO,
    FEATURE_FAILURES,
    FETCHES,
    LABELS,
    SUMMARY_FEATURES,
    TASK_MEMBERS,
    TASK_NOTES,
    TRACKS,
    feature_tables,
)
from genre_assets.lake.tables import Lake
from genre_assets.progress import counted

NO_AUDIO = "no audio here"
_IN_WORDS = {
    Status.TRUNCATED: "cut off or damaged",
    Status.NO_AUDIO: "with no audio in it",
    "no_licence": "without a licence",
    "licence_excluded": "under an excluded licence",
    "no_file": "without a file at the source",
    "disallowed": "not allowed by robots.txt",
}
"""Names of what became of a track that a reader would not understand as they are."""


_COUNTED_BEFORE = ("excluded: ", "with no row in ", "no row in ")
"""How notes of a task begin that say what an earlier step or the labels have said already."""


@dataclass(frozen=True)
class Step:
    """What is left of the tracks after one step.

    Attributes:
        name: What they are, such as ``with usable audio``.
        tracks: How many they are.
        dropped: Why others of the step before are not among them, in words, and how many.
        is_aside: Whether the dropped ones still count in the steps after this one.
    """

    name: str
    tracks: int
    dropped: dict[str, int] = field(default_factory=dict)
    is_aside: bool = False

    def __str__(self) -> str:
        """The step in words, such as ``131 with usable audio (2 are without a licence)``."""
        said = f"{self.tracks:,} {self.name}"
        if not self.dropped:
            return said
        why = ", ".join(f"{number:,} {reason}" for reason, number in self.dropped.items())
        return f"{said} (left out: {why})"


def funnel(lake: Lake, task: str | None = None) -> list[Step]:
    """Count the tracks that their sources list now, and what is left of them step by step.

    Args:
        lake: The lake.
        task: The task that they go into; None ends with the features.
    """
    tracks = {
        row["track_id"]: row
        for row in lake.read(TRACKS, columns=["track_id", "source", "gone_at"]).to_pylist()
        if row["gone_at"] is None
    }
    listed = set(tracks)
    members = lake.read(TASK_MEMBERS, [task]) if task else TASK_MEMBERS.empty()
    table = SUMMARY_FEATURES
    if members.num_rows:
        table = feature_tables()[members["feature_table"][0].as_py()]
    audio = _statuses(lake)
    usable = {key for key in listed if audio.get(key) == Status.OK}
    analysed = listed & set(lake.read(table, columns=["track_id"])["track_id"].to_pylist())
    steps = [Step("listed", len(listed))]
    why_no_audio = _why_no_audio(lake, audio)
    steps.append(
        Step("with usable audio", len(usable), _counted(listed - usable, why_no_audio, NO_AUDIO))
    )
    if table is SUMMARY_FEATURES:
        failed = _by_track(lake, FEATURE_FAILURES, "status")
        why = {key: in_words(kind) for key, kind in failed.items()}
        dropped = _counted(usable - analysed, why, "not analysed yet")
        steps.append(Step("with features", len(analysed), dropped))
    else:
        # Published with the dataset, whether its audio is here or not.
        without = {NO_AUDIO: len(listed - usable)} if listed - usable else {}
        steps[-1] = Step("with usable audio", len(usable), without, is_aside=True)
        dropped = {"without them": len(listed - analysed)} if listed - analysed else {}
        steps.append(Step(f"with published features ({table.name})", len(analysed), dropped))
    if task:
        taken = listed & set(members["track_id"].to_pylist())
        dropped = _why_not_in(lake, task, analysed - taken)
        steps.append(Step(f"in the task {task}", len(taken), dropped))
    return steps


def sentence(steps: list[Step]) -> str:
    """The steps in one sentence."""
    return ", ".join(map(str, steps)) + "."


def all_left_out(steps: list[Step]) -> dict[str, int]:
    """Why listed tracks did not get through all steps, in words, and how many."""
    every: Counter[str] = Counter()
    for step in steps:
        every.update({} if step.is_aside else step.dropped)
    return dict(every)


def without_audio(steps: list[Step]) -> str | None:
    """One sentence where tracks have no audio on this machine, which is no failure."""
    number = sum(step.dropped.get(NO_AUDIO, 0) for step in steps)
    if not number:
        return None
    have = "has" if number == 1 else "have"
    return f"{counted(number, 'track')} {have} no audio here."


def in_words(kind: str) -> str:
    """What became of a track, as a reader would say it."""
    return _IN_WORDS.get(kind, kind.replace("_", " "))


def _statuses(lake: Lake) -> dict[str, str]:
    return _by_track(lake, AUDIO, "status")


def _by_track(lake: Lake, table, column: str) -> dict[str, str]:
    rows = lake.read(table, columns=["track_id", column])
    return dict(zip(rows["track_id"].to_pylist(), rows[column].to_pylist(), strict=True))


def _why_no_audio(lake: Lake, audio: dict[str, str]) -> dict[str, str]:
    """By track; those of which nothing but that is known are left out."""
    fetches = lake.read(FETCHES, columns=["track_id", "fetched_at", "outcome"]).to_pylist()
    last = {row["track_id"]: row["outcome"] for row in sorted(fetches, key=_when)}
    why = {key: in_words(kind) for key, kind in last.items() if kind != "ok"}
    return why | {
        key: in_words(status)
        for key, status in audio.items()
        if status not in (Status.OK, Status.MISSING)
    }


def _when(row: dict):
    return row["fetched_at"]


def _why_not_in(lake: Lake, task: str, track_ids: set[str]) -> dict[str, int]:
    """Why tracks take no part in a task: because no task takes them, or as its notes say."""
    reasons = _by_track(lake, LABELS, "excluded")
    excluded = {key: reason.partition(":")[0] for key, reason in reasons.items() if reason}
    known = _counted(track_ids & excluded.keys(), excluded, "")
    number = len(track_ids - excluded.keys())
    noted = _noted(lake, task)
    if number and sum(noted.values()) != number:
        # The notes are older than the tracks that are listed now.
        noted = {" or ".join(noted) or "not used by it": number}
    return known | (noted if number else {})


def _noted(lake: Lake, task: str) -> dict[str, int]:
    """Why tracks that a task might take are not in it, as its notes say."""
    notes = lake.read(TASK_NOTES, [task], ["kind", "text", "tracks"]).to_pylist()
    return {
        note["text"]: note["tracks"]
        for note in notes
        if note["kind"] == "left_out" and not note["text"].startswith(_COUNTED_BEFORE)
    }


def _counted(keys: Iterable[str], why: dict[str, str], otherwise: str) -> dict[str, int]:
    found = Counter(why.get(key, otherwise) for key in keys)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
