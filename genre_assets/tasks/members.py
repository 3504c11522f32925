"""The members of a task: which tracks take part, in which genre, and on which side of the split.

What must not lie on both sides of a split: an artist, an exact duplicate, an album. Joining by
album as well as by artist adds no giant component on the FMA (its albums have one artist each),
but a compilation would chain all its artists and their other albums together; so an album of
:data:`COMPILATION_ARTISTS` known artists or more joins nothing, and a note says how many there are.

Beside the honest split every member gets a leaky one, of the same sizes in every genre but at
random across artists: the difference between the two figures is what artist overlap is worth
(Flexer and Schnitzer, *Effects of Album and Artist Filters in Audio Similarity Computed for Very
Large Music Databases*, CMJ 2010).

Import late: this module needs pandas, scipy and scikit-learn.
"""

# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false
# pyright: reportOperatorIssue=false, reportReturnType=false, reportGeneralTypeIssues=false
# (The annotations of pandas cannot tell a column from a table.)

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from genre_assets.lake.schemas import TASK_MEMBERS
from genre_assets.lake.vocabulary import SEVERAL_TOP_GENRES
from genre_assets.progress import counted
from genre_assets.tasks.splits import grouped_folds, shuffled_within_genres
from genre_assets.tasks.task import Task, TaskError, load_tasks

COMPILATION_ARTISTS = 4
OFFICIAL_SPLITS = ("training", "validation", "test")
CHANGES_THAT_COUNT = 0.05
"""Share of new or otherwise labelled members from which models of a task are trained anew."""
CHANGES_WAIT_AT_MOST = timedelta(days=6)
"""After which any change counts: a little less than the week between two looks at it."""
_MATTERS = ("genre", "artist_key", "feature_table", "split")
"""Columns of a member that a model depends on; folds and groups are drawn and numbered anew."""
_TRAINING = "training"


@dataclass(frozen=True)
class TaskDataset:
    """The members of a task and how many tracks are not among them.

    Attributes:
        members: Rows of ``task_members``, sorted by track id.
        feature_table: The table that the members' features are read from.
        notes: What a reader of the figures should know.
        warnings: What an operator may want to mend.
        left_out: Tracks that take no part, counted by reason.
    """

    members: pa.Table
    feature_table: str
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)


def build_task(
    task: Task,
    labels: pa.Table,
    tracks: pa.Table,
    feature_keys: dict[str, list[str]],
    seed: int = 0,
) -> TaskDataset:
    """Choose the members of a task and split them.

    The result depends on the rows and the seed, not on the order of the rows.

    Args:
        task: The task.
        labels: Rows of ``labels``.
        tracks: Rows of ``tracks``; ``track_id``, ``official_split`` and ``subset`` are read.
        feature_keys: For each feature table the ids of the tracks that it has features of.
        seed: Seed of the folds and of the leaky split.

    Returns:
        The members, every track that a label exists for being either among them or counted
        among those left out.

    Raises:
        TaskError: If fewer than two genres have enough tracks and artists, or a part of the
            official split is empty.
    """
    candidates = _candidates(labels, tracks)
    choices = {}
    for table in task.features:
        choices[table] = _Choice(task, candidates, table, feature_keys)
        if len(choices[table].genres) >= 2:
            break
    table, chosen = max(choices.items(), key=lambda choice: choice[1].merit())
    if len(chosen.genres) < 2:
        raise TaskError(_nothing_to_tell_apart(task, chosen, feature_keys))

    frame = chosen.frame
    if unknown := int((~frame["artist_known"]).sum()):
        chosen.notes.append(
            f"The artist of {counted(unknown, 'track')} is not known: each counts as its own "
            "artist, so some may share one across the split."
        )
    if task.split == "official":
        _require_every_part(task, frame)
        frame["split"], frame["fold"] = frame["official_split"], pd.NA
        chosen.notes += _artists_on_both_sides(frame)
    else:
        folds, warnings = grouped_folds(frame["genre"].to_numpy(), frame["group"].to_numpy(), seed)
        frame["split"], frame["fold"] = "cv", folds
        chosen.warnings += warnings
    shuffled = shuffled_within_genres(frame["genre"].to_numpy(), seed)
    frame["leaky_split"] = frame["split"].to_numpy()[shuffled]
    frame["leaky_fold"] = frame["fold"].to_numpy()[shuffled]
    frame["task"], frame["feature_table"] = task.name, table
    members = pa.Table.from_pylist(
        frame[TASK_MEMBERS.schema.names]
        .astype(object)
        .where(lambda f: f.notna(), None)
        .to_dict("records"),
        schema=TASK_MEMBERS.schema,
    )
    return TaskDataset(members, table, chosen.notes, chosen.warnings, dict(chosen.left_out))


def members_stand(standing: pa.Table, found: pa.Table, age: timedelta) -> bool:
    """Whether the members of a task may stay as they are, though others would be chosen today.

    A few newcomers and corrected labels are no reason to train models anew, unless they have
    waited for a week. Two things do not wait: that a member has to leave, and that members on two
    sides of the split turn out to belong together.

    Args:
        standing: Rows of ``task_members`` of the task that models were trained on.
        found: Its rows as they would be today.
        age: How long the standing rows have stood.
    """
    before, today = (
        {row["track_id"]: row for row in members.to_pylist()} for members in (standing, found)
    )
    if not before.keys() <= today.keys() or _joined_across_the_split(before, today):
        return False
    changed = sum(
        track_id not in before or any(before[track_id][name] != row[name] for name in _MATTERS)
        for track_id, row in today.items()
    )
    if age >= CHANGES_WAIT_AT_MOST:
        return changed == 0
    return changed < CHANGES_THAT_COUNT * len(before)


def _joined_across_the_split(before: dict[str, dict], today: dict[str, dict]) -> bool:
    sides = {
        (today[track_id]["group"], row["split"], row["fold"]) for track_id, row in before.items()
    }
    return len(sides) > len({group for group, *_ in sides})


def artist_groups(
    artist_keys: np.ndarray, duplicate_keys: np.ndarray, album_keys: np.ndarray
) -> np.ndarray:
    """Number the groups of tracks that share an artist, the same bytes or an album.

    Args:
        artist_keys: One key a track, or a list of the keys of all its artists.
        duplicate_keys: One key a track, shared by exact duplicates.
        album_keys: One key a track, None where the album should join nothing.

    Returns:
        The group of each track, integers of shape (n,).
    """
    n = len(artist_keys)
    sources, targets, nodes = [], [], n
    for keys in (artist_keys, duplicate_keys, album_keys):
        each = pd.Series(keys, dtype=object).explode()
        codes, distinct = pd.factorize(each)
        known = codes >= 0
        sources.append(each.index.to_numpy()[known])
        targets.append(nodes + codes[known])
        nodes += len(distinct)
    rows, columns = np.concatenate(sources), np.concatenate(targets)
    edges = coo_matrix((np.ones(len(rows), dtype=bool), (rows, columns)), shape=(nodes, nodes))
    return connected_components(edges, directed=False)[1][:n]


def most_frequent(genres: list[str]) -> tuple[list[str], float]:
    """The most frequent of the genres of tracks, or all that tie by name, and the share of one."""
    counts = Counter(genres)
    most = max(counts.values())
    return sorted(genre for genre in counts if counts[genre] == most), most / len(genres)


class _Choice:
    """The tracks that can take part when their features come from one table."""

    def __init__(
        self,
        task: Task,
        candidates: pd.DataFrame,
        table: str,
        feature_keys: dict[str, list[str]],
    ):
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.left_out: Counter[str] = Counter()
        self.frame = candidates.copy()
        has_features = self.frame["track_id"].isin(set(feature_keys.get(table, ())))
        any_features = {key for name in task.features for key in feature_keys.get(name, ())}
        real = ~self.frame["synthetic"] & self.frame["excluded"].isna()
        if (real & self.frame["track_id"].isin(any_features)).any():
            self._leave_out(self.frame["synthetic"], "from the synthetic demo")
            if count := self.left_out["from the synthetic demo"]:
                self.notes.append(
                    f"{counted(count, 'synthetic demo track')} left out: the lake holds real ones."
                )
        # First, so that the reasons below count what somebody could have expected in the task.
        self._leave_out(~has_features, f"with no row in {table}")
        for reason in sorted(self.frame["excluded"].dropna().unique()):
            if task.level == "subgenre" and reason.startswith(SEVERAL_TOP_GENRES):
                continue
            self._leave_out(self.frame["excluded"] == reason, f"excluded: {reason}")
        if task.subsets is not None:
            outside = ~self.frame["subset"].isin(task.subsets)
            self._leave_out(outside, f"not in the subset {task.subset}")
        if task.split == "official":
            outside = ~self.frame["official_split"].isin(OFFICIAL_SPLITS)
            self._leave_out(outside, "not in the official split")
        named = [
            _genres(task, top, styles)
            for top, styles in zip(self.frame["genre_top"], self.frame["subgenres"], strict=True)
        ]
        self.frame["genre"] = [genres[0] if genres else None for genres in named]
        ambiguous = pd.Series([len(genres) > 1 for genres in named], self.frame.index)
        if task.genres is not None:
            self._leave_out(ambiguous, "with several genres of this task")
        self._leave_out(self.frame["genre"].isna(), "with no genre of this task")
        self._group()
        self.genres, self.too_small = self._count_genres(task)
        self.left_out_as_too_few = int(self.frame["genre"].isin(list(self.too_small)).sum())
        for genre, counts in self.too_small.items():
            self._leave_out(self.frame["genre"] == genre, _too_few(genre))
            self.warnings.append(f"{genre} is left out of {task.name}: {counts}.")

    def merit(self) -> tuple[int, int]:
        """Genres that have enough, then tracks in genres that have not: the more the better."""
        return len(self.genres), self.left_out_as_too_few

    def _leave_out(self, which: pd.Series, reason: str) -> None:
        which = which.reindex(self.frame.index)
        if which.any():
            self.left_out[reason] += int(which.sum())
            self.frame = self.frame[~which].copy()

    def _group(self) -> None:
        frame = self.frame
        artists_of_album = frame[frame["artist_known"]].groupby("album_key")["artist_key"].nunique()
        compilations = artists_of_album.index[artists_of_album >= COMPILATION_ARTISTS]
        if len(compilations):
            self.notes.append(
                f"{counted(len(compilations), 'album')} of {COMPILATION_ARTISTS} artists or more: "
                "a compilation's tracks are kept together by artist, not by album."
            )
        albums = frame["album_key"].where(~frame["album_key"].isin(compilations), None)
        numbers = artist_groups(
            frame["artist_keys"].to_numpy(),
            frame["duplicate_of"].fillna(frame["track_id"]).to_numpy(),
            albums.to_numpy(),
        )
        frame["group"] = frame["artist_key"].groupby(numbers).transform("first")

    def _count_genres(self, task: Task) -> tuple[list[str], dict[str, str]]:
        """The genres that have enough, and what the others have."""
        learnable = self.frame
        if task.split == "official":
            learnable = learnable[learnable["official_split"] == _TRAINING]
        noun = "training track" if task.split == "official" else "track"
        enough, too_small = [], {}
        for genre in task.genres or sorted(self.frame["genre"].unique()):
            rows = learnable[learnable["genre"] == genre]
            artists, groups = rows["artist_key"].nunique(), rows["group"].nunique()
            counts = (
                f"{counted(len(rows), noun)} by {counted(artists, 'artist')}, "
                f"needs {task.min_tracks} by {task.min_artists}"
            )
            if len(rows) < task.min_tracks or artists < task.min_artists:
                too_small[genre] = counts
            elif task.split == "grouped" and groups < 2:
                too_small[genre] = f"all its {len(rows)} tracks share artists, albums or bytes"
            else:
                enough.append(genre)
        return enough, too_small


def _candidates(labels: pa.Table, tracks: pa.Table) -> pd.DataFrame:
    columns = [
        "track_id",
        "genre_top",
        "subgenres",
        "artist_key",
        "artist_keys",
        "album_key",
        "duplicate_of",
        "synthetic",
        "excluded",
    ]
    labelled = pd.DataFrame(labels.select(columns).to_pylist(), columns=columns)
    listed = tracks.select(["track_id", "official_split", "subset"]).to_pandas()
    frame = labelled.merge(listed, on="track_id", how="left", validate="1:1")
    frame = frame.sort_values("track_id", ignore_index=True)
    frame["synthetic"] = frame["synthetic"].fillna(False).astype(bool)
    frame["artist_known"] = frame["artist_key"].notna()
    # A track of an unknown artist is its own artist: nothing says whom it belongs with.
    frame["artist_key"] = frame["artist_key"].fillna("track " + frame["track_id"])
    # Labels made by an older version name one artist only.
    frame["artist_keys"] = [
        keys if isinstance(keys, list) else [key]
        for keys, key in zip(frame["artist_keys"], frame["artist_key"], strict=True)
    ]
    return frame


def _genres(task: Task, top: str | None, styles: list[str] | None) -> list[str]:
    """The genres of the task that a track has, the most specific first."""
    names = [top] if task.level == "top" else styles
    return [name for name in names or () if name and name in (task.genres or [name])]


def _require_every_part(task: Task, frame: pd.DataFrame) -> None:
    counts = frame["official_split"].value_counts()
    empty = [part for part in OFFICIAL_SPLITS if not counts.get(part)]
    if empty:
        have = ", ".join(f"{part} {counts.get(part, 0)}" for part in OFFICIAL_SPLITS)
        raise TaskError(
            f"Task {task.name} uses the published split, but this lake has no "
            f"{' and no '.join(empty)} tracks of it ({have}): add them, or use the task available."
        )


def _artists_on_both_sides(frame: pd.DataFrame) -> list[str]:
    sides = frame.groupby("group")["split"].transform("nunique")
    shared = frame[(sides > 1) & frame["split"].ne(_TRAINING)]
    if shared.empty:
        return []
    return [
        "Artists on several sides of the published split, directly or through albums or "
        f"duplicates: {shared['group'].nunique():,}, with "
        f"{counted(len(shared), 'validation or test track')}."
    ]


def _too_few(genre: str) -> str:
    return f"of {genre}, which has too few tracks"


def _nothing_to_tell_apart(task: Task, choice: _Choice, feature_keys: dict[str, list[str]]) -> str:
    enough = f"only {choice.genres[0]} has" if choice.genres else "no genre has"
    parts = [
        f"Task {task.name} needs two genres with at least {task.min_tracks} tracks by "
        f"{task.min_artists} artists each, and in this lake {enough} as many with features"
    ]
    if some := [
        f"{genre} has {counts.partition(', needs')[0]}"
        for genre, counts in choice.too_small.items()
        if not counts.startswith("0 ")
    ]:
        parts.append(", ".join(some))
    # The genres that have too few are named above.
    left_out = [
        f"{reason} ({n:,})"
        for reason, n in choice.left_out.most_common()
        if reason not in map(_too_few, choice.too_small)
    ]
    if left_out:
        parts.append(f"tracks left out: {', '.join(left_out[:6])}")
    for name, keys in feature_keys.items():
        if keys and name not in task.features:
            using = [t.name for t in load_tasks().values() if name in t.features]
            parts.append(f"{name} has {len(keys):,} rows: use the task {' or '.join(using)}")
    return (
        f"{'; '.join(parts)}. Add music, or lower min_tracks and min_artists of the task in "
        "data/reference/tasks.yaml."
    )
