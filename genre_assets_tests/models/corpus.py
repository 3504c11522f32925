"""Labels, tracks and features for tests: a small made-up lake, and the real published rows."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from genre_assets.lake.schemas import ECHONEST_FEATURES, FMA_FEATURES, LABELS, TRACKS
from genre_assets.models.protocol import ModelSpec
from genre_assets.models.registry import MODELS
from genre_assets.tasks.task import Task


def a_task(**changes) -> Task:
    values = {
        "name": "test_task",
        "description": "A task of the tests.",
        "genres": None,
        "level": "top",
        "split": "grouped",
        "features": ("echonest_features",),
        "columns": "",
        "subset": None,
        "min_tracks": 4,
        "min_artists": 2,
    }
    return Task(**(values | changes))


def label(track_id: str, genre: str | None, artist: str | None, **more) -> dict:
    return {
        "track_id": track_id,
        "genre_top": genre,
        "subgenres": [],
        "artist_key": artist,
        "synthetic": False,
    } | more


def labels_of(genres: dict[str, int], tracks_per_artist: int = 2) -> list[dict]:
    """So many tracks of each genre, by artists of so many tracks each."""
    return [
        label(f"folder:{genre}{i:03d}", genre, f"{genre} artist {i // tracks_per_artist}")
        for genre, count in genres.items()
        for i in range(count)
    ]


def tables(rows: list[dict], tracks: dict[str, dict] | None = None):
    """Labels, tracks and the keys of Echonest features for all of them."""
    tracks = tracks or {}
    keys = [row["track_id"] for row in rows]
    return (
        LABELS.of_rows(rows),
        TRACKS.of_rows([{"track_id": key} | tracks.get(key, {}) for key in keys]),
        {"echonest_features": keys},
    )


def echonest_of(members: pa.Table, seed: int = 0) -> pa.Table:
    """Features in which genre speaks a little and the artist a lot."""
    generator = np.random.default_rng(seed)
    centre: dict[str, np.ndarray] = {}
    rows = []
    names = ECHONEST_FEATURES.schema.names[2:]
    for row in members.to_pylist():
        for key, spread in ((row["genre"], 1.0), (row["artist_key"], 2.0)):
            if key not in centre:
                centre[key] = generator.normal(0, spread, len(names))
        values = centre[row["genre"]] + centre[row["artist_key"]]
        values = values + generator.normal(0, 0.2, len(names))
        rows.append(
            {"track_id": row["track_id"], "feature_source": "made up"}
            | dict(zip(names, values.tolist(), strict=True))
        )
    return ECHONEST_FEATURES.of_rows(rows)


def real_rows(real_data: Path) -> tuple[pa.Table, pa.Table, dict[str, pa.Table]]:
    """Labels, tracks and published features of the 25,000 real rows of fma_medium."""
    folder = real_data / "fma_metadata_only" / "fma_metadata"
    wanted = {
        ("track", "genre_top"),
        ("set", "split"),
        ("set", "subset"),
        ("artist", "id"),
        ("artist", "name"),
        ("track", "title"),
        ("album", "id"),
    }
    csv = pd.read_csv(folder / "tracks.csv", index_col=0, header=[0, 1], low_memory=False)
    csv = csv[[column for column in csv.columns if column in wanted]]
    csv.columns = ["_".join(column) for column in csv.columns]
    csv = csv.astype(object).where(csv.notna(), None)
    labels, tracks = [], []
    for number, row in zip(csv.index, csv.to_dict("records"), strict=True):
        key = f"fma_dataset:{number}"
        artist, album = row["artist_id"], row["album_id"]
        labels.append(
            label(
                key,
                row["track_genre_top"],
                None if artist is None else f"artist {artist:.0f}",
                album_key=None if album is None else f"album {album:.0f}",
            )
        )
        tracks.append(
            {
                "track_id": key,
                "title": row["track_title"],
                "artist": row["artist_name"],
                "official_split": row["set_split"],
                "subset": row["set_subset"],
            }
        )
    features = {}
    for table, file in ((FMA_FEATURES, "features.csv"), (ECHONEST_FEATURES, "echonest.csv")):
        values = pd.read_csv(folder / file, index_col=0, header=[0, 1, 2]).dropna(how="all")
        names = values.columns.map(lambda c: c[2] if c[0] == "echonest" else "_".join(c))
        values.columns = names
        features[table.name] = table.of_rows(
            [
                {"track_id": f"fma_dataset:{number}", "feature_source": "the author"} | row
                for number, row in zip(values.index, values.to_dict("records"), strict=True)
            ]
        )
    return LABELS.of_rows(labels), TRACKS.of_rows(tracks), features


def with_few_trees(spec: ModelSpec) -> ModelSpec:
    def build(seed, inner_folds):
        model = spec.untrained(seed, inner_folds)
        few = {"n_estimators": 20, "max_iter": 20}
        return model.set_params(
            **{
                key: few[end]
                for key in model.get_params()
                if spec.family == "trees" and (end := key.rpartition("__")[2]) in few
            }
        )

    fewer = {key: 5 for key in spec.while_choosing if key.endswith(("n_estimators", "max_iter"))}
    return dataclasses.replace(spec, build=build, while_choosing=spec.while_choosing | fewer)


FAST = {name: with_few_trees(spec) for name, spec in MODELS.items() if not spec.components}
"""The models that are fitted, those of many trees with few."""
