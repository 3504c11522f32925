"""Which models are stale, and what it takes to know."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from genre_assets.lake.schemas import ECHONEST_FEATURES, TASK_MEMBERS
from genre_assets.lake.staleness import Need
from genre_assets.lake.tables import Lake
from genre_assets.models.registry import MODELS, version_of
from genre_assets.models.storage import save_model
from genre_assets.models.training import train
from genre_assets.refresh.model_states import model_states
from genre_assets.tasks.members import build_task
from genre_assets_tests.models.corpus import a_task, echonest_of, labels_of, tables


@pytest.fixture
def lake(tmp_path):
    """A task whose models look as if all of them were trained by this version."""
    lake, task = Lake(tmp_path), a_task(name="available")
    members = build_task(task, *tables(labels_of({"Folk": 8, "Rock": 8}))).members
    features = echonest_of(members)
    lake.write(TASK_MEMBERS, members, "available")
    lake.write(ECHONEST_FEATURES, features, "fma_000000")
    folder = save_model(lake, train(MODELS["majority"], task, members, features))
    facts = json.loads((folder / "training.json").read_text())
    for name, spec in MODELS.items():
        if name != "majority":
            shutil.copytree(folder, folder.with_name(name))
        own = facts | {"model": name, "version": version_of(spec)}
        (folder.with_name(name) / "training.json").write_text(json.dumps(own))
    return lake


def stale(lake) -> dict[str, Need]:
    return {s.model: s.need for s in model_states(lake) if s.need != Need.NOTHING}


def test_a_new_version_of_svm_makes_vote_stale_and_nothing_else(lake, monkeypatch):
    assert stale(lake) == {}
    monkeypatch.setitem(MODELS, "svm", replace(MODELS["svm"], version="9"))
    assert stale(lake) == {"svm": Need.VERSION, "vote": Need.VERSION}


def test_a_plan_of_models_imports_no_library_that_trains_them(lake):
    code = (
        "import sys, genre_assets.refresh.plan\n"
        "from genre_assets.lake.tables import Lake\n"
        "from genre_assets.refresh.model_states import model_states\n"
        f"print({{state.need.value for state in model_states(Lake({str(lake.root)!r}))}})\n"
        # Pandas is not among them: pyarrow imports it by itself wherever it makes an array.
        "print([m for m in ('sklearn', 'scipy', 'skops') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["{'nothing'}", "[]"]
