"""Making a model of the stored predictions of others, without fitting anything.

A track that one of the components abstained from is abstained from as well.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from genre_assets.lake.schemas import LEAKY_PREDICTIONS, PREDICTIONS, Table
from genre_assets.models.adapters.mean import MeanModel
from genre_assets.models.outcome import TrainedModel, adapter_of, figures_of, prediction_row
from genre_assets.models.protocol import ModelSpec
from genre_assets.models.registry import version_of
from genre_assets.tasks.task import TaskError


def combine(spec: ModelSpec, components: Mapping[str, TrainedModel]) -> TrainedModel:
    """The mean of models of one task.

    Args:
        spec: The model.
        components: Its components, trained on the same members and inputs, by their names.

    Returns:
        The model, whose predictions are the means of the out-of-fold predictions of its
        components.

    Raises:
        TaskError: If there is no track that all components predicted.
    """
    started = time.monotonic()
    predictions, leaky = (
        _mean_of(spec.name, [getattr(c, table.name) for c in components.values()], table)
        for table in (PREDICTIONS, LEAKY_PREDICTIONS)
    )
    facts = {name: component.facts for name, component in components.items()}
    first = next(iter(facts.values()))
    if not predictions.num_rows:
        raise TaskError(
            f"Task {first['task']}: there is no track that {' and '.join(components)} all "
            f"predicted, so that {spec.name} has nothing to be made of."
        )
    model = MeanModel({n: (adapter_of(facts[n]), c.model) for n, c in components.items()})
    abstained: dict[str, list[str]] = {}
    for name, own in facts.items():
        if missing := [key for keys in own.get("abstained", {}).values() for key in keys]:
            abstained[f"{name} made no prediction"] = sorted(missing)
    return TrainedModel(
        model,
        predictions,
        leaky,
        first
        | {
            "model": spec.name,
            "description": spec.description,
            "version": version_of(spec),
            "adapter": spec.adapter,
            "chosen": {name: own.get("chosen", {}) for name, own in facts.items()},
            "figures": figures_of(predictions),
            "abstained": abstained,
            "seconds": round(time.monotonic() - started, 3),
            "made_at": datetime.now(UTC).isoformat(),
            "libraries": dict(
                item for own in facts.values() for item in own.get("libraries", {}).items()
            ),
        },
    )


def _mean_of(name: str, tables: list[pa.Table], schema: Table) -> pa.Table:
    by_track = [{row["track_id"]: row for row in table.to_pylist()} for table in tables]
    rows = []
    for track_id, row in by_track[0].items():
        if not all(track_id in others for others in by_track):
            continue
        each = [dict(others[track_id]["probabilities"]) for others in by_track]
        genres = sorted(each[0])
        mean = np.mean([[own[genre] for genre in genres] for own in each], axis=0)
        rows.append(prediction_row(row | {"model": name}, genres, mean))
    return schema.of_rows(rows).sort_by("track_id")
