"""Which models of the lake's tasks are up to date, and which a run would train, and why."""

from dataclasses import dataclass

import pyarrow as pa

from genre_assets.lake.schemas import TASK_MEMBERS, Table, feature_tables
from genre_assets.lake.staleness import Need
from genre_assets.lake.tables import Lake
from genre_assets.models.protocol import ModelSpec
from genre_assets.models.registry import BY_DEFAULT, MODELS, tables_of
from genre_assets.tasks.fingerprint import Fingerprint
from genre_assets.tasks.task import load_tasks

_COLUMNS_AT_A_TIME = 64


@dataclass(frozen=True)
class ModelState:
    """What a model of a task needs.

    Attributes:
        model: Name of the model.
        task: Name of the task.
        need: Why it has to be trained, or that it does not.
        seconds: How long its training took; None where it was never trained.
    """

    model: str
    task: str
    need: Need
    seconds: float | None = None


def model_states(lake: Lake) -> list[ModelState]:
    """The models of every task that was ever made: those it was trained with and the default ones.

    A task that was made and has no members now lost them, with its models, to a take-down.
    """
    made = [task for task in load_tasks() if lake.path(TASK_MEMBERS, task)]
    read = {task: lake.read(TASK_MEMBERS, [task]) for task in made}
    members = {task: rows for task, rows in read.items() if rows.num_rows}
    lost = [task for task in made if task not in members]
    states = [ModelState(name, task, Need.TAKEN_DOWN) for task in lost for name in BY_DEFAULT]
    return states + _states_of(lake, members) if members else states


def _states_of(lake: Lake, members: dict[str, pa.Table]) -> list[ModelState]:
    from genre_assets.models.storage import ModelError, read_facts, stored_models
    from genre_assets.models.up_to_date import model_needs

    stored = {
        task: [folder for folder in stored_models(lake, task) if folder.name in MODELS]
        for task in members
    }
    current = _fingerprints(
        lake,
        members,
        {
            (task, _tables(MODELS[folder.name], members[task]))
            for task, folders in stored.items()
            for folder in folders
        },
    )
    states = []
    for task, folders in stored.items():
        there = {folder.name for folder in folders}
        states += [ModelState(name, task, Need.NEW) for name in BY_DEFAULT if name not in there]
        for folder in folders:
            need, seconds = Need.FAILED, None
            try:
                facts = read_facts(folder)
                found = current[task, _tables(MODELS[folder.name], members[task])]
                need, seconds = model_needs(folder.name, facts, found), facts.get("seconds")
            except ModelError:
                pass
            states.append(ModelState(folder.name, task, need, seconds))
    return states


def _tables(spec: ModelSpec, members: pa.Table) -> tuple[Table, ...]:
    return tables_of(spec, feature_tables()[members["feature_table"][0].as_py()])


def _fingerprints(
    lake: Lake, members: dict[str, pa.Table], wanted: set[tuple[str, tuple[Table, ...]]]
) -> dict[tuple[str, tuple[Table, ...]], str]:
    """The fingerprint of a task and the tables read, with few columns in memory at a time."""
    found = {}
    for tables in {tables for _, tables in wanted}:
        marks = {task: Fingerprint(members[task]) for task, own in wanted if own == tables}
        for table in tables:
            track_ids = lake.read(table, columns=["track_id"])["track_id"]
            for mark in marks.values():
                mark.begin(track_ids)
            names = table.schema.names
            for start in range(0, len(names), _COLUMNS_AT_A_TIME):
                columns = lake.read(table, columns=names[start : start + _COLUMNS_AT_A_TIME])
                for mark in marks.values():
                    mark.add(columns)
        found |= {(task, tables): mark.hexdigest() for task, mark in marks.items()}
    return found
