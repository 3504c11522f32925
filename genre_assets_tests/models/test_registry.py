import dataclasses

from genre_assets.lake.schemas import ECHONEST_FEATURES, SPECTROGRAMS
from genre_assets.models import registry
from genre_assets.models.protocol import Features, Predictions, Spectrograms
from genre_assets.models.registry import (
    BY_DEFAULT,
    FAMILIES,
    MODELS,
    chosen_by,
    kinds_of,
    tables_of,
    version_of,
    with_components,
)


def test_a_new_version_of_a_component_is_a_new_version_of_what_contains_it(monkeypatch):
    before = {name: version_of(spec) for name, spec in MODELS.items()}
    monkeypatch.setitem(MODELS, "svm", dataclasses.replace(MODELS["svm"], version="9"))
    after = {name: version_of(spec) for name, spec in MODELS.items()}
    assert {name for name in MODELS if before[name] != after[name]} == {"svm", "vote"}
    assert after["vote"] == "2, svm 9, random_forest 2, boosting 3"


def test_a_new_version_of_the_trainer_is_a_new_version_of_every_model(monkeypatch):
    before = {name: version_of(spec) for name, spec in MODELS.items()}
    monkeypatch.setattr(registry, "TRAINER_VERSION", "2")
    assert all(version_of(spec) != before[name] for name, spec in MODELS.items())


def test_what_a_model_reads_follows_from_its_inputs_and_those_of_its_components(monkeypatch):
    net = dataclasses.replace(
        MODELS["majority"], name="net", inputs=(Spectrograms("mel"), Features())
    )
    monkeypatch.setitem(MODELS, "net", net)
    both = dataclasses.replace(MODELS["vote"], inputs=(Predictions(("svm", "net")),))
    assert tables_of(MODELS["svm"], ECHONEST_FEATURES) == (ECHONEST_FEATURES,)
    assert tables_of(MODELS["vote"], ECHONEST_FEATURES) == (ECHONEST_FEATURES,)
    assert tables_of(net, ECHONEST_FEATURES) == (SPECTROGRAMS, ECHONEST_FEATURES)
    assert set(tables_of(both, ECHONEST_FEATURES)) == {SPECTROGRAMS, ECHONEST_FEATURES}
    assert kinds_of(MODELS["svm"]) == {"scikitlearn"} and "tfrecord" in kinds_of(net)


def test_components_come_before_what_is_made_of_them():
    assert list(MODELS) == with_components(MODELS)
    assert with_components(["vote", "svm"]) == ["svm", "random_forest", "boosting", "vote"]


def test_models_are_named_one_by_one_by_family_or_all():
    assert chosen_by("svm") == ["svm"]
    assert {"random_forest", "extra_trees", "adaboost"} <= {*chosen_by("trees")}
    assert chosen_by("all") == list(MODELS)
    assert chosen_by("nothing") == []
    assert {name for family in FAMILIES for name in chosen_by(family)} == {*MODELS}
    # Or a word would name a model and a family of others.
    assert {*FAMILIES}.isdisjoint({*MODELS, "all"})
    assert {"majority", "vote", *MODELS["vote"].components} <= {*BY_DEFAULT} < {*MODELS}
