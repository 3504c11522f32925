"""A small lake in which every table is as it should be, for tests to spoil."""

import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from genre_assets.lake.feature_columns import (
    ECHONEST_COLUMNS,
    SERIES_SIZES,
    STATISTICS,
    column_name,
)
from genre_assets.lake.parquet import write_parquet
from genre_assets.lake.schemas import (
    AUDIO,
    CHAMPIONS,
    ECHONEST_FEATURES,
    FEATURE_FAILURES,
    FETCHES,
    FMA_FEATURES,
    ID3_TAGS,
    LABELS,
    LEAKY_PREDICTIONS,
    PAGES,
    PREDICTIONS,
    REJECTED_ROWS,
    REVOKED_TAKEDOWNS,
    SCORES,
    SIGHTINGS,
    SPECTROGRAM_FAILURES,
    SPECTROGRAMS,
    SUMMARY_FEATURES,
    SWEEPS,
    TAKEDOWNS,
    TASK_MEMBERS,
    TASK_NOTES,
    TRACKS,
    Table,
)
from genre_assets.lake.tables import Lake

NOW = datetime.now(UTC)
AN_HOUR_AGO = NOW - timedelta(hours=1)
SHARD = "fma_000000"
TASK = "six_styles"
TRACKS_IN_SHARD = 24
BROKEN = "fma_site:0"
"""The one track whose features could not be computed."""

PARTITION = {"shard": SHARD, "task": TASK, "source": "fma_site", "month": "2026-11", None: None}
"""The partition that the rows of a table lie in, by what it is partitioned by."""


def sound_lake_in(folder: Path) -> Lake:
    """A lake with one shard of the site, one of a folder, and one task."""
    shutil.copytree(_made_once().name, folder / "lake")
    return Lake(folder / "lake")


@cache
def _made_once() -> TemporaryDirectory:
    made = TemporaryDirectory()
    lake = Lake(Path(made.name))
    for table, rows in _sound_rows().items():
        lake.write(table, rows, PARTITION[table.partitioned_by])
    for row in lake.read(SPECTROGRAMS).to_pylist():
        path = lake.root / row["file"]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(row["bytes"]))
    folder = _row_of_tracks(0) | {"source": "folder", "track_id": "folder:0", "shard": "folder_00"}
    lake.write(TRACKS, TRACKS.of_rows([folder]), "folder_00")
    return made


def spoil(
    lake: Lake,
    table: Table,
    change: Callable[[list[dict]], object],
    schema: pa.Schema | None = None,
    partition: str | None = None,
) -> None:
    """Replace the rows of a table behind the lake's back, as no asset would write them."""
    partition = partition or PARTITION[table.partitioned_by]
    rows = lake.read(table, [partition]).to_pylist()
    changed = change(rows)
    path = lake.path(table, partition) or lake.places.partition(table, partition) / f"{0:020d}"
    rows = changed if isinstance(changed, list) else rows
    write_parquet(
        pa.Table.from_pylist(rows, schema=schema or table.schema),
        path.with_name(f"{int(path.stem) + 1:020d}.parquet"),
    )


def with_value(**values: object) -> Callable[[list[dict]], None]:
    """A change that sets columns of the last row."""
    return lambda rows: rows[-1].update(values)


def with_every(**values: object) -> Callable[[list[dict]], list[dict]]:
    """A change that sets columns of all rows."""
    return lambda rows: [row | values for row in rows]


def with_row_twice(rows: list[dict]) -> list[dict]:
    """A change that repeats the last row."""
    return [*rows, rows[-1]]


def summary_values(seed: int) -> dict[str, float]:
    """Summary features of some sound, made as they are: statistics over time of each series."""
    generator = np.random.default_rng(seed)
    reach = {"spectral_bandwidth": 5000, "spectral_centroid": 5000, "spectral_rolloff": 5000}
    values = {}
    for series, size in SERIES_SIZES.items():
        over_time = generator.uniform(0.01, 0.99, (size, 40)) * reach.get(series, 1)
        scaled = over_time - over_time.mean(axis=1, keepdims=True)
        spread = over_time.std(axis=1)
        found = {
            "kurtosis": (scaled**4).mean(axis=1) / spread**4 - 3,
            "max": over_time.max(axis=1),
            "mean": over_time.mean(axis=1),
            "median": np.median(over_time, axis=1),
            "min": over_time.min(axis=1),
            "skew": (scaled**3).mean(axis=1) / spread**3,
            "std": spread,
        }
        for statistic in STATISTICS:
            for number in range(size):
                values[column_name(series, statistic, number + 1)] = found[statistic][number]
    return values


def _sha256(number: int) -> str:
    return f"{number:064x}"


def _row_of_tracks(number: int) -> dict:
    return {
        "track_id": f"fma_site:{number}", "source": "fma_site", "source_track_id": str(number),
        "shard": SHARD, "title": f"Title {number}", "artist": f"Artist {number % 8}",
        "genres": ["Techno"], "duration_s": 30.0, "file_bytes": 1000,
        "first_seen_at": AN_HOUR_AGO, "last_seen_at": NOW,
    }  # fmt: skip


@cache
def _sound_rows() -> dict[Table, pa.Table]:
    numbers = range(TRACKS_IN_SHARD)
    analysed = [n for n in numbers if f"fma_site:{n}" != BROKEN]
    keys = {n: {"track_id": f"fma_site:{n}"} for n in numbers}
    contents = {n: keys[n] | {"sha256": _sha256(n)} for n in numbers}
    prediction = {
        "task": TASK, "model": "svm", "split": "cv", "genre_true": "House", "genre_pred": "Techno",
        "probabilities": [("House", 0.25), ("Techno", 0.75)],
    }  # fmt: skip
    figure = {
        "task": TASK, "model": "svm", "split": "cv", "metric": "accuracy",
        "value": 0.6, "low": 0.5, "high": 0.7, "n": TRACKS_IN_SHARD,
    }  # fmt: skip

    def rows(table: Table, made: Iterable[dict]) -> tuple[Table, pa.Table]:
        return table, table.of_rows(list(made))

    return dict(
        [
            rows(TRACKS, (_row_of_tracks(n) for n in numbers)),
            rows(REJECTED_ROWS, []),
            rows(SIGHTINGS, (keys[n] | {"genre": "Techno", "first_seen_at": AN_HOUR_AGO,
                                        "last_seen_at": NOW} for n in numbers)),
            rows(SWEEPS, [{
                "sweep_id": "one", "genre": "Techno", "mode": "full", "started_at": AN_HOUR_AGO,
                "finished_at": NOW, "pages": 1, "orders": ["date"], "claimed": TRACKS_IN_SHARD,
                "listed": TRACKS_IN_SHARD, "distinct": TRACKS_IN_SHARD, "duplicates": 0,
                "new": TRACKS_IN_SHARD, "complete": True,
            }]),
            rows(PAGES, [{
                "sweep_id": "one", "kind": "listing", "url": "https://site.test/Techno",
                "fetched_at": NOW, "status": 200, "sha256": _sha256(99), "bytes": 5000,
            }]),
            rows(FETCHES, (contents[n] | {
                "url": f"https://site.test/{n}", "run_id": "r", "fetched_at": NOW, "status": 200,
                "bytes": 1000, "attempts": 1, "outcome": "ok",
            } for n in numbers)),
            rows(TAKEDOWNS, [{"kind": "track", "subject": "fma_site:999", "reason": "requested",
                              "taken_down_at": NOW, "track_ids": [], "contents": []}]),
            rows(REVOKED_TAKEDOWNS, [{
                "kind": "artist", "subject": "Nobody", "reason": "requested",
                "taken_down_at": AN_HOUR_AGO, "track_ids": [], "contents": [], "revoked_at": NOW,
            }]),
            rows(AUDIO, (contents[n] | {
                "path": f"/music/{n}.mp3", "bytes": 1000, "format": "MP3", "sample_rate": 44100,
                "channels": 2, "duration_s": 30.0, "status": "ok", "probe_version": 1,
            } for n in numbers)),
            rows(ID3_TAGS, (contents[n] | {"status": "ok", "bpm": 120.0, "year": 2020,
                                           "reader_version": 1} for n in numbers)),
            rows(LABELS, (keys[n] | {
                "genre_top": "Electronic", "artist_key": f"artist {n % 8}", "evidence": "fma_site",
                "agreement": "alone", "synthetic": False,
            } for n in numbers)),
            rows(SUMMARY_FEATURES, (contents[n] | {
                "extractor_version": 1, "feature_source": "genre_assets", **summary_values(n),
            } for n in analysed)),
            rows(FEATURE_FAILURES, [contents[0] | {
                "extractor_version": 1, "status": "too_short", "reason": "It is too short."}]),
            rows(SPECTROGRAMS, (contents[n] | {
                "extractor_version": 1, "segment": segment, "start_s": 10.0 * segment,
                "sample_rate": 44100, "frames": 861, "file": f"tfrecords/{n}", "bytes": 8,
            } for n in analysed for segment in range(3))),
            rows(SPECTROGRAM_FAILURES, [contents[0] | {
                "extractor_version": 1, "status": "too_short", "reason": "It is too short."}]),
            rows(FMA_FEATURES, (keys[n] | {"feature_source": "fma", **summary_values(n)}
                                for n in numbers)),
            rows(ECHONEST_FEATURES, (keys[n] | {
                "feature_source": "echonest", **dict.fromkeys(ECHONEST_COLUMNS, n / 100),
            } for n in numbers)),
            rows(TASK_MEMBERS, (keys[n] | {
                "task": TASK, "genre": ("House", "Techno")[n % 2],
                "split": "cv", "fold": n % 8 // 2,
                "artist_key": f"artist {n % 8}", "group": f"artist {n % 8}",
                "feature_table": "summary_features", "leaky_split": "cv", "leaky_fold": n % 5,
            } for n in analysed)),
            rows(TASK_NOTES, [{"task": TASK, "kind": "note", "text": "A note."}]),
            rows(PREDICTIONS, (keys[n] | prediction for n in analysed)),
            rows(LEAKY_PREDICTIONS, (keys[n] | prediction for n in analysed)),
            rows(SCORES, [figure | {"made_at": NOW}]),
            rows(CHAMPIONS, [figure | {"model_path": "models/svm", "chosen_at": NOW}]),
        ]
    )  # fmt: skip
