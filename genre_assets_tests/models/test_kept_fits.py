"""A training that died is continued, and fits give the same wherever they run."""

from dataclasses import replace

import numpy as np
import pytest

from genre_assets.audio.workers import WorkerPool
from genre_assets.lake.tables import Lake
from genre_assets.models import fitting
from genre_assets.models.adapters.scikit_learn import ScikitLearnModel
from genre_assets.models.kept_fits import forget_fits
from genre_assets.models.registry import MODELS
from genre_assets.models.training import train
from genre_assets.tasks.members import build_task
from genre_assets.tasks.task import TaskError
from genre_assets_tests.models.corpus import FAST, a_task, echonest_of, labels_of, tables

PARTS = ["training", "training", "training", "training", "training", "validation", "test"]
FITS = {"grouped": 11, "official": 3}
SPEC = FAST["random_forest"]


def members_of(split):
    rows = labels_of({"Folk": 28, "Jazz": 21, "Rock": 28})
    tracks = {row["track_id"]: {"official_split": PARTS[i % 7]} for i, row in enumerate(rows)}
    return build_task(a_task(split=split), *tables(rows, tracks)).members


class Killed(BaseException):
    """Ends a process in the middle of its work."""


@pytest.fixture
def fitted(monkeypatch):
    """How many training tracks each fit had; fits from the number that is set on die."""
    fit = ScikitLearnModel.fit.__func__  # pyright: ignore[reportFunctionMemberAccess]

    class Fits(list):
        dies_at = 99

    done = Fits()

    def counted_fit(cls, spec, choice, examples, seed):
        if len(done) == done.dies_at:
            raise Killed
        done.append(len(examples.genre))
        return fit(cls, spec, choice, examples, seed)

    monkeypatch.setattr(ScikitLearnModel, "fit", classmethod(counted_fit))
    return done


def killed_at(fitted, number, lake, split="grouped", spec=SPEC):
    members = members_of(split)
    fitted.clear()
    fitted.dies_at = number
    with pytest.raises(Killed):
        train(spec, a_task(split=split), members, echonest_of(members), keep_in=lake.places)
    assert len(fitted) == number
    fitted.clear()
    fitted.dies_at = 99
    return members


def same(first, second):
    x = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    np.testing.assert_array_equal(first.model.predict_proba(x), second.model.predict_proba(x))
    assert first.facts["chosen"] == second.facts["chosen"]
    return first.predictions.equals(second.predictions) and first.leaky_predictions.equals(
        second.leaky_predictions
    )


@pytest.mark.parametrize(
    ("split", "dies_at"), [("grouped", 2), ("grouped", 10), ("official", 2), ("official", 1)]
)
def test_a_training_that_died_goes_on_with_the_fits_that_are_left(tmp_path, fitted, split, dies_at):
    lake = Lake(tmp_path)
    members = killed_at(fitted, dies_at, lake, split)
    task, features, lines = a_task(split=split), echonest_of(members), []
    continued = train(SPEC, task, members, features, log=lines.append, keep_in=lake.places)
    assert len(fitted) == FITS[split] - dies_at
    said = f"{dies_at} of {FITS[split]} models were fitted by a run that did not finish"
    assert said in lines
    # Of the leaky split and of the model for use, the settings were chosen by the run that died.
    chose = (split, dies_at) in (("grouped", 2), ("official", 1))
    assert any("choosing settings" in line for line in lines) == chose
    assert same(train(SPEC, task, members, features), continued)
    assert len(list(lake.places.fits.rglob("*.parquet"))) == FITS[split] - 1
    forget_fits(lake.places, task.name, SPEC.name)
    assert not lake.places.fits.exists()


@pytest.mark.parametrize("changed", ["seed", "version", "features", "members", "split"])
def test_a_fit_that_is_made_of_something_else_does_not_count(tmp_path, fitted, changed):
    lake = Lake(tmp_path)
    members = killed_at(fitted, 2, lake)
    spec = replace(SPEC, version="99") if changed == "version" else SPEC
    if changed == "members":
        members = members.slice(1)
    if changed == "split":
        place = members.schema.get_field_index("fold")
        folds = members["fold"].to_numpy()
        members = members.set_column(place, members.field(place), [folds[::-1].copy()])
    features = echonest_of(members, seed=int(changed == "features"))
    fitted.dies_at = 1
    with pytest.raises(Killed):
        seed = int(changed == "seed")
        train(spec, a_task(), members, features, seed=seed, keep_in=lake.places)
    assert len(list(lake.places.fits.rglob("*.parquet"))) == 1, "the others are deleted"


@pytest.mark.parametrize("damaged", ["0.parquet", "1.parquet", "model.skops"])
def test_a_damaged_fit_is_fitted_again(tmp_path, fitted, damaged):
    lake = Lake(tmp_path)
    members = killed_at(fitted, 2, lake, "official")
    (path,) = lake.places.fits.rglob(damaged)
    path.write_bytes(path.read_bytes()[:-9])
    task, features = a_task(split="official"), echonest_of(members)
    continued = train(SPEC, task, members, features, keep_in=lake.places)
    assert len(fitted) == 2
    assert same(train(SPEC, task, members, features), continued)


def test_fits_give_the_same_in_this_process_and_in_two_others(tmp_path, fitted, monkeypatch):
    monkeypatch.setattr(fitting, "POOL_PAYS_FROM_S", -1.0)
    task, members, lake = a_task(split="official"), members_of("official"), Lake(tmp_path)
    features = echonest_of(members)
    with WorkerPool(2) as pool:
        for name in ("svm", "random_forest"):
            spec = replace(MODELS[name], candidates=MODELS[name].candidates[:2])
            here = train(spec, task, members, features)
            fitted.clear()
            there = train(spec, task, members, features, keep_in=lake.places, pool=pool)
            assert not fitted
            assert same(here, there)
        broken = replace(MODELS["majority"], build=_broken)
        with pytest.raises(
            TaskError, match=r"^fit \d of majority: ModelError: This version has no"
        ):
            train(broken, task, members, features, pool=pool)


def _broken(seed, inner_folds):
    from genre_assets.models.adapters import model_class

    return model_class("of another world")


def test_few_tracks_start_no_worker_process():
    members = members_of("grouped")

    class NoPool(WorkerPool):
        def run(self, *_, **__):
            raise AssertionError("A worker process would take longer than these fits.")

    train(MODELS["majority"], a_task(), members, echonest_of(members), pool=NoPool(2))


def test_the_rest_goes_to_workers_once_fits_are_seen_to_take_long(monkeypatch):
    clock, ran = iter(range(0, 1000, 40)), []
    monkeypatch.setattr(fitting.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(fitting, "run", lambda job: ran.append(job.number))

    class Pool(WorkerPool):
        def run(self, function, items, limit_s, name=str):
            yield from ((item, "in a worker") for item in items)

    jobs = [
        fitting.Job(i, SPEC, None, None, None, (), 0, True, False)  # pyright: ignore
        for i in range(4)
    ]
    results = dict(fitting.run_all(iter(jobs), 4, 0.0, Pool(2)))
    assert ran == [0]
    assert results == {0: None} | dict.fromkeys((1, 2, 3), "in a worker")
