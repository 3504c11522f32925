import dataclasses
import json
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event

import numpy as np
import pyarrow.parquet as pq
import pytest
import skops.io
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import VotingClassifier

from genre_assets.lake.schemas import ECHONEST_FEATURES, TAKEDOWNS, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.models.card import SyntheticMusicWarning
from genre_assets.models.combining import combine
from genre_assets.models.registry import MODELS
from genre_assets.models.storage import (
    ModelError,
    load_model,
    model_folder,
    read_stored,
    save_model,
)
from genre_assets.models.training import train
from genre_assets.models.up_to_date import gather_predictions, load_components, trained_before
from genre_assets.tasks.fingerprint import fingerprint
from genre_assets.tasks.members import build_task
from genre_assets.tasks.task import TaskError
from genre_assets_tests.models.corpus import FAST, a_task, echonest_of, labels_of, tables

TASK = a_task(split="official")


@pytest.fixture(scope="module")
def members():
    return official_members({"Folk": 16, "Jazz": 16, "Rock": 20})


def official_members(genres):
    rows = labels_of(genres)
    parts = ["training", "training", "training", "training", "training", "validation", "test"]
    tracks = {row["track_id"]: {"official_split": parts[i % 7]} for i, row in enumerate(rows)}
    return build_task(TASK, *tables(rows, tracks)).members


@pytest.fixture(scope="module")
def trained(members):
    features = echonest_of(members)
    fitted = {name: train(FAST[name], TASK, members, features) for name in FAST}
    components = {name: fitted[name] for name in MODELS["vote"].components}
    return fitted | {"vote": combine(MODELS["vote"], components)}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_back_as_it_was(tmp_path, trained, name):
    folder = save_model(Lake(tmp_path), trained[name])
    assert folder == tmp_path / "models" / "task=test_task" / name
    model, facts = load_model(folder)
    x = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    np.testing.assert_array_equal(model.predict_proba(x), trained[name].model.predict_proba(x))
    assert facts["genres"] == ["Folk", "Jazz", "Rock"] and len(facts["columns"]) == 8
    stored = read_stored(folder)
    assert stored.predictions.equals(trained[name].predictions)
    assert stored.leaky_predictions.equals(trained[name].leaky_predictions)


def test_a_new_model_replaces_the_old_and_leaves_nothing_behind(tmp_path, trained):
    lake = Lake(tmp_path)
    first = read_stored(save_model(lake, trained["majority"]))
    leftover = model_folder(lake, "test_task", ".majority.dead.new")
    leftover.mkdir()
    second = read_stored(save_model(lake, trained["majority"]))
    assert first.facts["id"] != second.facts["id"]
    assert [path.name for path in first.path.parent.iterdir()] == ["majority"]


def test_two_runs_that_store_a_model_at_a_time_leave_one_whole(tmp_path, trained, monkeypatch):
    """The second waits: it finds no unfinished folder of the first to delete, nor half a swap."""
    lake = Lake(tmp_path)
    writing, go_on = Event(), Event()
    dump = skops.io.dump

    def slow_dump(*args, **options):
        dump(*args, **options)
        writing.set()
        assert go_on.wait(60)

    with ThreadPoolExecutor(2) as pool:
        monkeypatch.setattr(skops.io, "dump", slow_dump)
        first = pool.submit(save_model, lake, trained["majority"])
        assert writing.wait(60)
        monkeypatch.setattr(skops.io, "dump", dump)
        second = pool.submit(save_model, lake, trained["majority"])
        assert not second.done()
        assert [p.name for p in (tmp_path / "models" / "task=test_task").glob(".majority.*.new")]
        go_on.set()
        assert first.result(60) == second.result(60)
    assert [path.name for path in first.result().parent.iterdir()] == ["majority"]
    assert load_model(first.result())


def taken_down(lake, **subject):
    row = {"reason": "requested", "taken_down_at": datetime(2026, 5, 6, tzinfo=UTC)}
    lake.write(TAKEDOWNS, TAKEDOWNS.of_rows([row | {"track_ids": [], "contents": []} | subject]))


@pytest.mark.parametrize("kind", ["track", "artist"])
def test_a_model_is_not_stored_once_a_track_of_it_is_taken_down(tmp_path, trained, members, kind):
    lake = Lake(tmp_path)
    tracks = [
        {"track_id": track_id, "artist": f"The Maker of {track_id}", "shard": "folder_00"}
        for track_id in members["track_id"].to_pylist()
    ]
    lake.write(TRACKS, TRACKS.of_rows(tracks), "folder_00")
    before = save_model(lake, trained["majority"], members)
    assert tracks[3]["track_id"] in (before / "attribution.csv").read_text()
    subject = tracks[3]["track_id" if kind == "track" else "artist"]
    taken_down(lake, kind=kind, subject=subject)
    with pytest.raises(TaskError, match="was taken down while the model was trained on it"):
        save_model(lake, trained["svm"], members)
    assert [path.name for path in before.parent.iterdir()] == ["majority"]
    taken_down(lake, kind="track", subject="folder:of another task")
    assert save_model(lake, trained["svm"], members).is_dir()


def test_a_task_that_is_taken_down_while_its_model_is_written_is_one_sentence(
    tmp_path, trained, monkeypatch
):
    lake = Lake(tmp_path)
    taken_down(lake, kind="track", subject="folder:1")

    def dump(*args, **options):
        (tmp_path / "models" / "task=test_task").rename(tmp_path / ".taken_down.1")

    monkeypatch.setattr(skops.io, "dump", dump)
    with pytest.raises(TaskError, match="was removed by a take-down"):
        save_model(lake, trained["majority"])


def test_a_model_of_synthetic_music_says_so_wherever_it_is_used(tmp_path, members):
    lake, features = Lake(tmp_path), echonest_of(members)
    for synthetic in (True, False):
        trained = train(MODELS["majority"], TASK, members, features, synthetic=synthetic)
        folder = save_model(lake, trained)
        with warnings.catch_warnings(record=True) as given:
            warnings.simplefilter("always")
            _, facts = load_model(folder)
        assert facts["trained_on_synthetic"] is synthetic
        assert [issubclass(w.category, SyntheticMusicWarning) for w in given] == [True] * synthetic
        assert ("synthetic" in (folder / "README.md").read_text()) is synthetic
        honest, leaky, _ = gather_predictions(lake, "test_task", members, features)
        told = {*honest["trained_on_synthetic"].to_pylist()}
        assert told == {*leaky["trained_on_synthetic"].to_pylist()} == {synthetic}


@pytest.mark.parametrize("name", MODELS)
def test_the_card_says_what_the_model_is(tmp_path, trained, name):
    folder = save_model(Lake(tmp_path), trained[name])
    card = (folder / "README.md").read_text()
    for expected in (
        f"# {name} for the task test_task",
        "Folk, Jazz, Rock",
        "45 of the 52 tracks of the task, which are by 26 artists.",
        "8 features from the table `echonest_features`",
        "on the published test tracks",
        "SELECT * FROM leaderboard WHERE task = 'test_task'",
    ):
        assert expected in card, card
    assert ("Chosen on inner folds" in card) is (name != "majority")


def test_what_an_older_version_stored_is_read_and_trained_again(tmp_path, trained, members):
    lake, features = Lake(tmp_path), echonest_of(members)
    folder = save_model(lake, trained["majority"])
    for path in folder.glob("*.parquet"):
        pq.write_table(pq.read_table(path).drop_columns("trained_on_synthetic"), path)
    facts = json.loads((folder / "training.json").read_text())
    new = ("trained_on_synthetic", "chosen", "figures", "n_artists")
    old = {key: value for key, value in facts.items() if key not in new} | {"version": "1"}
    (folder / "training.json").write_text(json.dumps(old))
    assert load_model(folder)[1] == old
    assert set(read_stored(folder).predictions["trained_on_synthetic"].to_pylist()) == {None}
    assert trained_before(lake, "test_task", "majority", members, features) is None
    _, _, (note,) = gather_predictions(lake, "test_task", members, features)
    assert "older code" in note


def test_a_vote_that_an_older_version_fitted_is_loaded(tmp_path, trained):
    """It was one estimator of scikit-learn, and its facts named no adapter."""
    folder = save_model(Lake(tmp_path), trained["majority"])
    x = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    genre = np.array(["Folk", "Jazz"] * 10)
    old = VotingClassifier([("majority", DummyClassifier(strategy="prior"))], voting="soft")
    skops.io.dump(old.fit(x, genre), folder / "model.skops")
    facts = json.loads((folder / "training.json").read_text())
    new = ("adapter", "abstained")
    (folder / "training.json").write_text(
        json.dumps({key: value for key, value in facts.items() if key not in new})
    )
    model, _ = load_model(folder)
    assert model.predict_proba(x)[0].tolist() == [0.5, 0.5]
    assert model.predict(x)[0] == "Folk" and list(model.classes_) == ["Folk", "Jazz"]


def test_components_are_loaded_where_all_are_up_to_date(tmp_path, trained, members):
    lake, features = Lake(tmp_path), echonest_of(members)
    vote = MODELS["vote"]
    for name in vote.components:
        with pytest.raises(TaskError, match=rf"{name} is not trained .* materialise models/{name}"):
            load_components(lake, "test_task", vote, members, features)
        save_model(lake, trained[name])
    components = load_components(lake, "test_task", vote, members, features)
    assert combine(vote, components).predictions.equals(trained["vote"].predictions)


def test_a_mean_that_lacks_a_component_is_one_clear_sentence(tmp_path, trained):
    folder = save_model(Lake(tmp_path), trained["vote"])
    (folder / "components" / "svm" / "model.skops").unlink()
    with pytest.raises(ModelError, match=r"svm.*cannot be loaded"):
        load_model(folder)
    (folder / "components.json").write_text("[]")
    with pytest.raises(ModelError, match="it names no components"):
        load_model(folder)
    facts = json.loads((folder / "training.json").read_text())
    (folder / "training.json").write_text(json.dumps(facts | {"adapter": "os.system"}))
    with pytest.raises(ModelError, match=r"has no adapter 'os\.system'"):
        load_model(folder)


def test_a_failed_save_keeps_the_old_model(tmp_path, trained):
    lake = Lake(tmp_path)
    before = read_stored(save_model(lake, trained["majority"]))
    broken = dataclasses.replace(trained["majority"], predictions="not a table")
    with pytest.raises(AttributeError):
        save_model(lake, broken)
    assert read_stored(before.path).facts == before.facts
    assert [path.name for path in before.path.parent.iterdir()] == ["majority"]


def test_a_file_of_other_types_is_not_loaded(tmp_path, trained):
    folder = save_model(Lake(tmp_path), trained["majority"])
    skops.io.dump({"estimator": subprocess_opener}, folder / "model.skops")
    with pytest.raises(ModelError, match="types that no model of this package has"):
        load_model(folder)


def subprocess_opener():
    raise AssertionError("a stored model ran code")


@pytest.mark.parametrize("content", [b"", b"PK no zip", b"\x80\x04N."])
def test_a_damaged_model_is_one_clear_sentence(tmp_path, trained, content):
    folder = save_model(Lake(tmp_path), trained["majority"])
    (folder / "model.skops").write_bytes(content)
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def test_the_model_file_is_compressed(tmp_path, trained):
    folder = save_model(Lake(tmp_path), trained["random_forest"])
    with zipfile.ZipFile(folder / "model.skops") as file:
        assert {info.compress_type for info in file.infolist()} == {zipfile.ZIP_DEFLATED}


def test_predictions_of_present_members_are_gathered(tmp_path, trained, members):
    lake = Lake(tmp_path)
    for model in trained.values():
        save_model(lake, model)
    honest, leaky, notes = gather_predictions(lake, "test_task", members, echonest_of(members))
    assert notes == []
    parts = members["split"].to_pylist()
    assert honest.num_rows == len(MODELS) * (len(parts) - parts.count("training"))
    assert leaky.num_rows == len(MODELS) * parts.count("test")
    other = official_members({"Folk": 16, "Jazz": 16, "Rock": 18})
    honest, leaky, notes = gather_predictions(lake, "test_task", other, echonest_of(other))
    assert honest.num_rows == leaky.num_rows == 0
    assert len(notes) == len(MODELS)
    assert "majority is left out: it was trained on other tracks or features" in " ".join(notes)


def test_tracks_that_a_model_abstained_from_are_counted_and_no_others_may_be_missing(
    tmp_path, members
):
    lake, features = Lake(tmp_path), echonest_of(members)
    trained = train(MODELS["majority"], TASK, members, features.slice(7))
    facts = trained.facts | {"data": fingerprint(members, features)}
    save_model(lake, dataclasses.replace(trained, facts=facts))
    honest, _, (note,) = gather_predictions(lake, "test_task", members, features)
    assert honest.num_rows == trained.predictions.num_rows
    assert note == "majority made no prediction for 7 tracks: no row in echonest_features."
    save_model(lake, dataclasses.replace(trained, facts=facts | {"abstained": {}}))
    honest, _, (note,) = gather_predictions(lake, "test_task", members, features)
    assert honest.num_rows == 0 and "exactly one prediction for each track" in note


def test_no_models_are_no_predictions(tmp_path, members):
    honest, leaky, notes = gather_predictions(
        Lake(tmp_path), "test_task", members, echonest_of(members)
    )
    assert (honest.num_rows, leaky.num_rows, notes) == (0, 0, [])


def test_damaged_folders_are_left_out_with_a_note(tmp_path, trained, members):
    lake = Lake(tmp_path)
    folders = {name: save_model(lake, trained[name]) for name in MODELS}
    (folders["majority"] / "training.json").write_text("{")
    (folders["svm"] / "predictions.parquet").unlink()
    path = folders["random_forest"] / "leaky_predictions.parquet"
    pq.write_table(trained["random_forest"].leaky_predictions.slice(1), path)
    honest, _, notes = gather_predictions(lake, "test_task", members, echonest_of(members))
    assert set(honest["model"].to_pylist()) == {*MODELS} - {"majority", "random_forest", "svm"}
    assert [note.split(" ")[0] for note in notes] == ["majority", "random_forest", "svm"]


def test_probabilities_that_do_not_sum_to_one_are_refused(tmp_path, trained, members):
    lake = Lake(tmp_path)
    folder = save_model(lake, trained["majority"])
    rows = trained["majority"].predictions.to_pylist()
    rows[3]["probabilities"] = [("Folk", 0.9), ("Jazz", 0.3), ("Rock", 0.0)]
    told = trained["majority"].predictions.schema
    pq.write_table(
        trained["majority"].predictions.from_pylist(rows, schema=told),
        folder / "predictions.parquet",
    )
    _, _, (note,) = gather_predictions(lake, "test_task", members, echonest_of(members))
    assert "do not sum to one" in note


def test_the_facts_name_what_the_model_was_made_of(tmp_path, trained):
    folder = save_model(Lake(tmp_path), trained["svm"])
    facts = json.loads((folder / "training.json").read_text())
    assert facts["feature_table"] == "echonest_features"
    assert facts["learnt_from"] == "training and validation"
    assert facts["n_learnt"] == 45 and facts["n_members"] == 52
    assert set(facts["libraries"]) == {"scikit-learn", "numpy", "scipy", "skops"}


def test_models_of_other_features_or_of_older_code_are_left_out(tmp_path, trained, members):
    lake = Lake(tmp_path)
    folder = save_model(lake, trained["majority"])
    changed = echonest_of(members).to_pylist()
    changed[0]["tempo"] += 1
    features = ECHONEST_FEATURES.of_rows(changed)
    honest, _, (note,) = gather_predictions(lake, "test_task", members, features)
    assert honest.num_rows == 0 and "other tracks or features" in note
    facts = json.loads((folder / "training.json").read_text())
    (folder / "training.json").write_text(json.dumps(facts | {"version": "0"}))
    honest, _, (note,) = gather_predictions(lake, "test_task", members, echonest_of(members))
    assert honest.num_rows == 0 and "older code" in note
