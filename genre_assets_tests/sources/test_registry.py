"""Whatever a source is read by has a place in the platform that follows from its name."""

import pytest

from genre_assets.cli.command_line import command_line
from genre_assets.orchestration.build import build_definitions
from genre_assets.orchestration.settings import Settings, read_settings, variable
from genre_assets.sources.registry import SOURCES, source_named

EVERY = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)


@EVERY
def test_a_source_has_a_setting_a_word_on_the_command_line_and_assets(source, tmp_path):
    assert source.setting == variable(source.name)
    assert source.name in Settings.model_fields
    options = command_line().parse_args(["run", "--source", source.option])
    assert options.source == source.option
    graph = build_definitions(read_settings({})).resolve_asset_graph()
    made = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert {*source.ingest} <= made


def test_published_features_are_kept_up_to_date_only_where_their_source_is_set(tmp_path):
    published = {name for source in SOURCES.values() for name in source.published_features}

    def automatic(environment):
        graph = build_definitions(read_settings(environment)).resolve_asset_graph()
        nodes = [node for node in graph.asset_nodes if node.key.to_user_string() in published]
        assert {node.key.to_user_string() for node in nodes} == published
        return {node.automation_condition is not None for node in nodes}

    assert automatic({}) == {False}
    assert automatic({"GENRE_ASSETS_FMA_DATASET": str(tmp_path)}) == {True}


def test_a_source_that_this_version_does_not_know_is_called_by_its_name():
    other = source_named("jamendo")
    assert (other.words, other.is_site, other.guesses_names) == ("jamendo", False, False)
    assert source_named(None).words == ""
