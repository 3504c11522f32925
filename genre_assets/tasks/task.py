"""The tasks: named sets of genres that models learn to tell apart, read from tasks.yaml.

Light: the tasks are the partitions of the models, so definitions import this module.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from genre_assets.documents import parse_yaml
from genre_assets.errors import UserError
from genre_assets.lake.schemas import SUMMARY_FEATURES, feature_tables
from genre_assets.lake.vocabulary import FMA_SUBSETS
from genre_assets.reference import reference_path


class TaskError(UserError):
    """A task cannot be read or built; the message says which, why and what to do."""


class Task(BaseModel):
    """A named set of genres and how its tracks are split.

    Attributes:
        name: The name, also the key of the partition.
        description: One sentence.
        genres: The genres to tell apart, or None for every one that has enough ("any").
        level: Whether the genres are ``"top"`` genres or of the level ``"subgenre"``.
        split: ``"official"`` (training, validation, test as published) or ``"grouped"``
            (folds that keep an artist together, every track tested once).
        features: Names of the tables that features come from, in order of preference.
        columns: Prefix of the feature columns to use; empty takes all.
        subset: Take only tracks of this published FMA subset, or None.
        min_tracks: Tracks that a genre needs.
        min_artists: Artists that a genre needs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9_]+$")
    description: str = Field(min_length=1)
    genres: Annotated[tuple[str, ...], Field(min_length=2)] | None
    level: Literal["top", "subgenre"] = "top"
    split: Literal["official", "grouped"]
    features: Annotated[tuple[str, ...], Field(min_length=1)] = (SUMMARY_FEATURES.name,)
    columns: str = ""
    subset: Literal["small", "medium", "large", "full"] | None = None
    min_tracks: PositiveInt = 8
    min_artists: PositiveInt = 2

    @model_validator(mode="after")
    def _features_exist(self) -> Self:
        for table in self.features:
            if table not in feature_tables():
                raise ValueError(
                    f"no feature table {table!r}; there are {', '.join(feature_tables())}"
                )
            if not self.feature_columns(table):
                raise ValueError(f"no column of {table} begins with {self.columns!r}")
        if self.genres is not None and len(set(self.genres)) < len(self.genres):
            raise ValueError("genres names one genre twice")
        return self

    @property
    def subsets(self) -> tuple[str, ...] | None:
        """The values of ``tracks.subset`` that belong to the subset: it holds the smaller ones."""
        if self.subset is None:
            return None
        return FMA_SUBSETS[: FMA_SUBSETS.index(self.subset) + 1]

    def feature_columns(self, table: str) -> list[str]:
        """Names of the feature columns that the task uses of a feature table."""
        not_a_feature = {"track_id", "sha256", "extractor_version", "feature_source"}
        return [
            name
            for name in feature_tables()[table].schema.names
            if name not in not_a_feature and name.startswith(self.columns)
        ]


@cache
def load_tasks(path: Path | None = None) -> dict[str, Task]:
    """Read the tasks, in the order of the file.

    Args:
        path: The file; None reads the one that comes with the package.

    Returns:
        The tasks by their names.

    Raises:
        TaskError: If the file is no mapping of tasks, or a task holds an unknown or unusable
            entry.
    """
    path = path or reference_path("tasks.yaml")
    try:
        entries = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise TaskError(f"{path} cannot be read as YAML: {reason}") from error
    if not isinstance(entries, dict) or not entries:
        raise TaskError(f"{path} holds no tasks: write one entry a task, named by its key.")
    return {str(name): _task(str(name), entry, path) for name, entry in entries.items()}


def _task(name: str, entry: object, path: Path) -> Task:
    if not isinstance(entry, dict):
        raise TaskError(f"Task {name} in {path}: write its entries below its name, not {entry!r}.")
    if entry.get("genres") == "any":
        entry = entry | {"genres": None}
    try:
        return Task.model_validate(entry | {"name": name})
    except ValidationError as error:
        said = "; ".join(
            ": ".join(filter(None, [".".join(map(str, e["loc"])), e["msg"]]))
            for e in error.errors()
        )
        raise TaskError(f"Task {name} in {path}: {said}.") from error
