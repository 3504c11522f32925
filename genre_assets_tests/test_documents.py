import json

import pytest

from genre_assets.documents import DocumentError, parse_json, parse_yaml
from genre_assets.models.storage import ModelError, read_facts
from genre_assets.tasks.task import TaskError, load_tasks

DEEP = "[" * 10_000


@pytest.mark.parametrize("parse", [parse_json, parse_yaml])
@pytest.mark.parametrize("text", [DEEP, "{" * 10_000, DEEP + "]" * 10_000, '{"a": ' * 10_000])
def test_what_is_nested_too_deeply_is_an_error_like_any_other(parse, text):
    with pytest.raises(DocumentError):
        parse(text)


@pytest.mark.parametrize("text", ["", "{", "\x00", "nul", "[1,]"])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(DocumentError):
        parse_json(text)


@pytest.mark.parametrize(
    "text", ["{a: b: c}", "- 2024-02-40", "? [a]\n: b", "&a [*b]", "!!python/x 1"]
)
def test_what_is_no_yaml_is_refused(text):
    with pytest.raises(DocumentError):
        parse_yaml(text)


def test_what_is_right_is_read():
    assert parse_json(json.dumps({"a": [1, None]})) == {"a": [1, None]}
    assert parse_yaml("a: [1, null]") == {"a": [1, None]}


def test_facts_and_tasks_that_are_nested_too_deeply_are_one_sentence(tmp_path):
    (tmp_path / "training.json").write_text(DEEP)
    with pytest.raises(ModelError, match="train the model again"):
        read_facts(tmp_path)
    tasks = tmp_path / "tasks.yaml"
    tasks.write_text(DEEP)
    with pytest.raises(TaskError, match="nested too deeply") as refused:
        load_tasks(tasks)
    assert str(tasks) in str(refused.value)
