import re
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

import genre_assets
from genre_assets.errors import UserError
from genre_assets.orchestration.asset_log import log_of, warn_anywhere, warnings_of
from genre_assets.orchestration.assets.materialization import in_one_sentence

HOSTILE = "a\x9b2J\u202eb\nc"
HARMLESS = r"a\x9b2J\u202eb\nc"


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(dg, "get_dagster_logger", lambda: SimpleNamespace(warning=lines.append))
    return lines


def context_of(said, *partitions):
    log = SimpleNamespace(info=said.append, warning=said.append)
    return SimpleNamespace(log=log, partition_keys=partitions)


def test_whatever_reaches_the_log_of_dagster_steers_no_terminal(said):
    context = context_of(said, "folder_03")
    for log in (log_of(context), log_of(context, "folder_03"), warnings_of(context), warn_anywhere):
        log(HOSTILE)
    assert said == [HARMLESS] * 4
    with pytest.raises(dg.Failure) as failed, in_one_sentence():
        raise UserError(HOSTILE)
    assert failed.value.description == HARMLESS


def test_a_line_about_one_of_several_partitions_says_which_of_how_many(said):
    log_of(context_of(said, "folder_00", "folder_01"), "folder_01")("3 of 3 files probed")
    assert said == ["part 2 of 2 (folder_01): 3 of 3 files probed"]


def test_nothing_else_writes_to_the_log_of_dagster():
    package = Path(genre_assets.__file__).parent
    direct = {
        path.name
        for path in package.rglob("*.py")
        if re.search(r"context\.log\.|get_dagster_logger", path.read_text(encoding="utf-8"))
    }
    assert direct == {"asset_log.py"}
