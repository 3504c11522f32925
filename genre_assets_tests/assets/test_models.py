"""Models as assets: two runs at a time, take-downs meanwhile, and a lake made before."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from threading import Event, Semaphore

import dagster as dg
import pyarrow.compute as pc
import pytest

from genre_assets.lake.schemas import ECHONEST_FEATURES, LABELS, SCORES, TASK_MEMBERS, TRACKS
from genre_assets.lake.store import Store
from genre_assets.lake.tables import Lake, write_parquet
from genre_assets.lake.views import connect
from genre_assets.models import training
from genre_assets.models.adapters.scikit_learn import ScikitLearnModel
from genre_assets.models.protocol import Predictions
from genre_assets.models.registry import MODELS, version_of
from genre_assets.models.storage import load_model, model_folder, read_facts
from genre_assets.orchestration.assets import evaluation, models
from genre_assets.orchestration.resources import LakeResource, Workers
from genre_assets.progress import silent
from genre_assets.takedowns.request import take_down
from genre_assets_tests.models.corpus import echonest_of, label

TASK = "available"
MODEL = "majority"
EVALUATION = [
    evaluation.predictions,
    evaluation.scores,
    evaluation.champion,
    evaluation.evaluation_report,
]
ASSETS = [models.task_dataset, *models.trained_models, *EVALUATION]
GONE = "fma_site:3"
NOW = datetime(2026, 5, 6, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path):
    """Two genres by four artists each, synthetic, with features that were published."""
    lake = Lake(tmp_path)
    labels = [
        label(f"fma_site:{i}", "Folk" if i % 2 else "Rock", f"maker {i % 8}", synthetic=True)
        for i in range(24)
    ]
    tracks = [
        {"track_id": row["track_id"], "source_track_id": row["track_id"].partition(":")[2]}
        | {"source": "fma_site", "artist": row["artist_key"], "shard": "fma_000000"}
        for row in labels
    ]
    lake.write(TRACKS, TRACKS.of_rows(tracks), "fma_000000")
    lake.write(LABELS, LABELS.of_rows(labels))
    members = TASK_MEMBERS.of_rows([{**row, "genre": row["genre_top"]} for row in labels])
    lake.write(ECHONEST_FEATURES, echonest_of(members), "fma_000000")
    return lake


def made(lake, *assets):
    result = dg.materialize(
        ASSETS,
        selection=[dg.AssetKey(name.split("/")) for name in assets],
        partition_key=TASK,
        resources={"lake": LakeResource(root=str(lake.root)), "workers": Workers()},
        raise_on_error=False,
    )
    failures = [
        event.step_failure_data.user_failure_data.description
        for event in result.get_step_failure_events()
        if event.step_failure_data.user_failure_data
    ]
    return result.success, failures


def test_two_runs_of_a_model_train_it_once(lake, monkeypatch):
    assert made(lake, "task_dataset")[0]
    train, turn = training.train, Lake.turn
    begun, go_on, arrivals = [], Event(), Semaphore(0)

    def watched_train(*args, **options):
        begun.append(1)
        assert go_on.wait(120)
        return train(*args, **options)

    def watched_turn(self, work, *args):
        if work.startswith("training."):
            arrivals.release()
        return turn(self, work, *args)

    monkeypatch.setattr(training, "train", watched_train)
    monkeypatch.setattr(Lake, "turn", watched_turn)
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(models.bring_up_to_date, Lake(lake.root), TASK, MODELS[MODEL], silent)
            for _ in range(2)
        ]
        arrived = [arrivals.acquire(timeout=60) for _ in runs]
        go_on.set()
        first, second = (run.result(60)[1] for run in runs)
    assert arrived == [True, True]
    assert begun == [1]
    assert first.facts == second.facts
    assert [path.name for path in first.path.parent.iterdir()] == [MODEL]


def test_vote_is_made_of_stored_components_and_names_the_one_that_is_missing(lake, monkeypatch):
    assert made(lake, "task_dataset")[0]
    succeeded, (sentence,) = made(lake, "models/vote")
    assert not succeeded
    assert sentence == (
        "vote is made of the predictions of svm, random_forest and boosting. For the task "
        "available, svm is not trained or not up to date: materialise models/svm first."
    )
    components = ("majority", "logistic_regression")
    vote = replace(MODELS["vote"], inputs=(Predictions(components),))
    monkeypatch.setitem(MODELS, "vote", vote)
    for name in components:
        models.bring_up_to_date(lake, TASK, MODELS[name], silent)
    monkeypatch.setattr(training, "train", None)
    _, stored = models.bring_up_to_date(lake, TASK, vote, silent)
    assert stored.facts["model"] == "vote" and stored.predictions.num_rows == 24
    assert load_model(stored.path)[0].predict_proba([[0.0] * 8]).shape == (1, 2)


def test_what_the_asset_of_a_model_depends_on_follows_from_its_inputs():
    (asset,) = (a for a in models.trained_models if a.key.path == ["models", "vote"])
    parents = {key.to_user_string() for key in asset.asset_deps[asset.key]}
    assert parents == {
        "task_dataset",
        "models/svm",
        "models/random_forest",
        "models/boosting",
    }
    assert asset.code_versions_by_key[asset.key] == version_of(MODELS["vote"])


def test_a_track_that_is_taken_down_during_training_is_never_credited(lake, monkeypatch):
    assert made(lake, "task_dataset", f"models/{MODEL}")[0]
    train = training.train
    folder = model_folder(lake, TASK, MODEL)
    assert GONE in (folder / "attribution.csv").read_text()

    def meanwhile(*args, **options):
        trained = train(*args, **options)
        now = datetime.now(UTC)
        take_down(lake, Store(lake.root), "track", GONE, "Its maker asked.", now)
        return trained

    monkeypatch.setattr(training, "train", meanwhile)
    succeeded, (sentence,) = made(lake, "models/logistic_regression")
    assert not succeeded
    assert f"{GONE} was taken down while the model was trained" in sentence
    assert "task_dataset" in sentence
    assert list(folder.parent.glob("*")) == []
    monkeypatch.undo()
    assert made(lake, "task_dataset", f"models/{MODEL}")[0]
    assert GONE not in (folder / "attribution.csv").read_text()


@pytest.fixture
def dies_once(lake, monkeypatch):
    """The training of the model dies in its third fit; the folder of those that it finished."""
    assert made(lake, "task_dataset")[0]
    fit = ScikitLearnModel.fit
    fits = count()

    def dies(*args, **options):
        if next(fits) == 2:
            raise KeyboardInterrupt
        return fit(*args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(ScikitLearnModel, "fit", dies)
        with pytest.raises(KeyboardInterrupt):
            models.bring_up_to_date(lake, TASK, MODELS[MODEL], silent)
    assert len(list(lake.places.fits_of(TASK).rglob("*.parquet"))) == 2
    return lake.places.fits_of(TASK)


def test_a_training_that_died_is_continued_and_then_leaves_nothing_behind(lake, dies_once):
    lines = []
    _, stored = models.bring_up_to_date(lake, TASK, MODELS[MODEL], lines.append)
    assert any("were fitted by a run that did not finish" in line for line in lines)
    assert stored.predictions.num_rows == 24
    assert not dies_once.exists()


def test_finished_fits_of_a_taken_down_track_are_deleted(lake, dies_once):
    """Also those of a task that has done without the track since."""
    members = lake.read(TASK_MEMBERS, [TASK])
    others = pc.invert(pc.equal(members["track_id"], GONE))
    lake.write(TASK_MEMBERS, members.filter(others), TASK)
    take_down(lake, Store(lake.root), "track", "fma_site:999", "In advance.", NOW, in_advance=True)
    assert dies_once.exists()
    take_down(lake, Store(lake.root), "track", GONE, "Its maker asked.", NOW)
    assert not dies_once.exists()


def test_members_chosen_before_a_take_down_do_not_outlive_it(lake, monkeypatch):
    write = Lake.write

    def meanwhile(self, table, rows, partition=None):
        if table is TASK_MEMBERS:
            monkeypatch.setattr(Lake, "write", write)
            now = datetime.now(UTC)
            take_down(lake, Store(lake.root), "track", GONE, "Its maker asked.", now)
        write(self, table, rows, partition)

    monkeypatch.setattr(Lake, "write", meanwhile)
    made(lake, "task_dataset")
    assert not lake.read(TASK_MEMBERS).num_rows


def test_a_lake_of_the_version_before_comes_up_to_date_with_a_run(lake):
    everything = ["predictions", "scores", "champion", "evaluation_report"]
    assert made(lake, "task_dataset", f"models/{MODEL}", *everything)[0]
    # What the version before wrote: no new column, no new fact, no card.
    new = ["most_frequent_genre", "most_frequent_share", "trained_on_synthetic"]
    path = lake.path(SCORES, TASK)
    write_parquet(lake.read(SCORES, [TASK]).drop_columns(new), path)
    folder = model_folder(lake, TASK, MODEL)
    kept = ("model", "task", "data", "made_at", "seconds")
    old = {key: value for key, value in read_facts(folder).items() if key in kept}
    (folder / "training.json").write_text(json.dumps(old | {"version": "1"}))
    (folder / "README.md").unlink()

    assert made(lake, f"models/{MODEL}", *everything)[0]
    assert read_facts(folder)["trained_on_synthetic"] is True
    assert "synthetic" in (folder / "README.md").read_text()
    with connect(lake) as connection:
        assert connection.execute(
            "SELECT model, most_frequent_share, is_champion, trained_on_synthetic FROM leaderboard"
        ).fetchall() == [(MODEL, 0.5, True, True)]
        for view in ("predictions", "champions"):
            assert connection.execute(
                f"SELECT DISTINCT trained_on_synthetic FROM {view}"
            ).fetchall() == [(True,)]
    report = (lake.root / "reports" / TASK / "index.html").read_text()
    assert "Synthetic music." in report
