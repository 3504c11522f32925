from datetime import UTC, datetime

import pytest

from genre_assets.lake.schemas import CHAMPIONS
from genre_assets.models.registry import MODELS
from genre_assets_tests.models.corpus import a_task, echonest_of, labels_of, tables


@pytest.fixture(scope="session")
def now():
    return datetime(2024, 5, 6, 7, 8, tzinfo=UTC)


@pytest.fixture(scope="session")
def trained():
    """Members of four genres and what two models say of them."""
    import pyarrow as pa

    from genre_assets.models.training import train
    from genre_assets.tasks.members import build_task

    task = a_task()
    rows = labels_of({"Folk": 40, "Jazz": 24, "Pop": 16, "Rock": 60}, tracks_per_artist=4)
    members = build_task(task, *tables(rows)).members
    features = echonest_of(members)
    models = [train(MODELS[name], task, members, features) for name in ("majority", "svm")]
    return (
        task,
        members,
        pa.concat_tables([m.predictions for m in models]),
        pa.concat_tables([m.leaky_predictions for m in models]),
    )


@pytest.fixture(scope="session")
def scored(trained, now):
    from genre_assets.evaluation.champion import choose_champion
    from genre_assets.evaluation.scores import score

    _, members, predictions, leaky = trained
    scores = score(predictions, leaky, members, now)
    return scores, choose_champion(scores, CHAMPIONS.empty(), predictions, members, now)
