import subprocess
import sys

import pytest

from genre_assets.tasks.task import TaskError, load_tasks

PROMISED = {
    "fma_small": ("official", 8),
    "fma_medium": ("official", 16),
    "fma_top12": ("official", 12),
    "six_styles": ("grouped", 6),
    "styles": ("grouped", None),
    "available": ("grouped", None),
    "fma_echonest12": ("official", 12),
    "fma_hiphop_rock": ("official", 2),
}


def test_the_promised_tasks_are_there():
    tasks = load_tasks()
    assert {
        name: (task.split, task.genres and len(task.genres)) for name, task in tasks.items()
    } == PROMISED
    assert all(task.min_tracks == 8 and task.min_artists == 2 for task in tasks.values())


def test_a_subset_holds_the_smaller_ones():
    assert load_tasks()["fma_medium"].subsets == ("small", "medium")
    assert load_tasks()["available"].subsets is None


def test_columns_are_those_of_the_prefix():
    tasks = load_tasks()
    assert len(tasks["fma_hiphop_rock"].feature_columns("fma_features")) == 140
    assert len(tasks["available"].feature_columns("summary_features")) == 518
    assert tasks["fma_echonest12"].feature_columns("echonest_features")[0] == "acousticness"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no tasks"),
        ("- a\n- b\n", "holds no tasks"),
        ("a: [", "cannot be read as YAML"),
        ("a: 3\n", "write its entries below its name"),
        ("a/b: {description: x, genres: any, split: grouped}\n", "name: String should match"),
        ("a: {description: x, genres: any}\n", "split: Field required"),
        ("a: {description: x, genres: any, split: random}\n", "'official' or 'grouped'"),
        ("a: {description: x, genres: any, split: grouped, zebra: 3}\n", "zebra: Extra inputs"),
        ("a: {description: x, genres: any, split: grouped, min_tracks: 0}\n", "greater than 0"),
        ("a: {description: x, genres: any, split: grouped, min_artists: x}\n", "valid integer"),
        ("a: {description: x, genres: Rock, split: grouped}\n", "genres: Input should be"),
        ("a: {description: x, genres: [Rock], split: grouped}\n", "at least 2 items"),
        ("a: {description: x, genres: [Rock, Rock], split: grouped}\n", "names one genre twice"),
        ("a: {description: x, genres: any, split: grouped, features: [x]}\n", "no feature table"),
        ("a: {description: x, genres: any, split: grouped, columns: x}\n", "begins with 'x'"),
        ("a: {description: x, genres: any, split: grouped, subset: tiny}\n", "'small', 'medium'"),
    ],
)
def test_an_unusable_file_is_one_clear_sentence(tmp_path, text, says):
    path = tmp_path / "tasks.yaml"
    path.write_text(text)
    with pytest.raises(TaskError, match=r"tasks\.yaml") as caught:
        load_tasks(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tasks_registry_and_champion_are_light():
    code = (
        "import sys, genre_assets.tasks.task, genre_assets.models.registry, "
        "genre_assets.evaluation.champion; "
        "print([m for m in ('sklearn', 'scipy', 'pandas', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
