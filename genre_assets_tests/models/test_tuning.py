import numpy as np
import pytest

from genre_assets.models.protocol import Choice, ModelSpec
from genre_assets.models.registry import MODELS
from genre_assets.models.tuning import build, choose
from genre_assets.tasks.splits import inner_folds

LOGISTIC = MODELS["logistic_regression"]
WEIGHT = "logisticregression__class_weight"


def rows(sizes, distance, artists_of=4, seed=0):
    """Features of genres that lie so far apart, each genre of artists with so many tracks each."""
    generator = np.random.default_rng(seed)
    genre = np.repeat(list(sizes), list(sizes.values()))
    group = np.array([f"{g} {i // artists_of}" for g in sizes for i in range(sizes[g])])
    centres = {g: generator.normal(size=6) * distance for g in sizes}
    x = np.array([centres[g] for g in genre]) + generator.normal(size=(len(genre), 6))
    return x.astype(np.float32), genre, group


def fitted(spec, choice, x, genre, group):
    folds = inner_folds(genre, group, 3, 0)
    return build(spec, choice, 0, folds).fit(x, genre)


def test_rare_genres_get_weights_where_models_are_compared_by_balanced_accuracy():
    x, genre, group = rows({"Folk": 60, "Jazz": 20, "Rock": 20}, distance=0.8)
    balanced = choose(LOGISTIC, x, genre, group, 0, balanced=True)
    assert balanced.settings[WEIGHT] == "balanced"
    plain = choose(LOGISTIC, x, genre, group, 0, balanced=False)
    assert plain.settings[WEIGHT] is None
    recall = [
        np.mean(fitted(LOGISTIC, choice, x, genre, group).predict(x)[genre == "Jazz"] == "Jazz")
        for choice in (balanced, plain)
    ]
    assert recall[0] > recall[1]


def test_the_strength_follows_the_data():
    strong, weak = (
        choose(LOGISTIC, *rows({"Folk": 60, "Jazz": 60}, distance), 0, balanced=False).settings[
            "logisticregression__C"
        ]
        for distance in (3.0, 0.02)
    )
    assert strong > weak


def test_a_model_that_knows_nothing_is_mixed_with_the_frequencies_of_the_genres():
    # A tree that remembers every track is sure of what it only guesses.
    def overfitted(seed, folds):
        from sklearn.tree import DecisionTreeClassifier

        return DecisionTreeClassifier(random_state=seed)

    spec = ModelSpec("tree", "One tree.", overfitted, candidates=({"max_depth": None},))
    x, genre, group = rows({"Folk": 60, "Jazz": 20, "Rock": 20}, distance=0.0)
    choice = choose(spec, x, genre, group, 0, balanced=True)
    assert choice.frequencies > 0
    model = fitted(spec, choice, x, genre, group)
    told = model.predict_proba(np.zeros((1, 6), np.float32))[0]
    assert told.sum() == pytest.approx(1)
    assert told.min() >= 0.2 * choice.frequencies - 1e-9
    assert choice.as_facts() == {"max_depth": None, "genre_frequencies": choice.frequencies}


def test_there_is_nothing_to_choose_for_the_baseline():
    x, genre, group = rows({"Folk": 8, "Jazz": 8}, distance=1.0)
    assert choose(MODELS["majority"], x, genre, group, 0, balanced=True) == Choice()
