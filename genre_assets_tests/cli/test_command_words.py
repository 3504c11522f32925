"""What ``genre-assets`` makes of what is typed, and its help."""

import contextlib

import pytest

from genre_assets.cli import commands as cli
from genre_assets.cli.command_line import command_line
from genre_assets.errors import UserError
from genre_assets.suggestions import did_you_mean, unknown

COMMANDS = ("run", "plan", "query", "retry", "attribution", "take-down", "demo-site", "dev")


def ended(words, capsys):
    with pytest.raises(SystemExit) as error:
        command_line().parse_args(words)
    printed = capsys.readouterr()
    return error.value.code, printed.out, printed.err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["plann"], "Did you mean plan?"),
        (["takedown", "artist", "x"], "Did you mean take-down?"),
        (["run", "--sorce", "demo"], "Did you mean --source?"),
        (["run", "--source", "fma_site"], "Did you mean fma-site?"),
        (["retry", "--table", "id3tags"], "Did you mean id3_tags?"),
        (["query", "--jsn", "x"], "Did you mean --json?"),
    ],
)
def test_a_typing_mistake_is_answered_with_the_nearest_word(words, meant, capsys):
    status, _, said = ended(words, capsys)
    assert status == 2
    assert meant in said
    assert "Traceback" not in said and len(said.splitlines()) == 2


def test_what_is_like_nothing_is_answered_with_the_list(capsys):
    status, _, said = ended(["xyzzy"], capsys)
    assert status == 2 and "Did you mean" not in said and "take-down" in said
    assert did_you_mean("xyzzy", ["run", "plan"]) == ""
    with pytest.raises(UserError, match=r"no task 'Fma-smal': use one of .*mean fma_small\?"):
        raise unknown("task", "Fma-smal", ["six_styles", "fma_small"])


def test_the_version_is_said(capsys):
    status, said, _ = ended(["--version"], capsys)
    assert status == 0
    assert said.startswith("genre-assets 0.") or said.startswith("genre-assets (")


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_has_examples_and_the_exit_status_and_fits(command, width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    status, said, _ = ended([*([command] if command else []), "--help"], capsys)
    assert status == 0
    assert "examples:\n  genre-assets " in said
    assert "exit status: 0 if" in said
    prose = [line for line in said.splitlines() if "genre-assets " not in line]
    assert max(map(len, prose)) <= width


def test_without_a_command_it_shows_its_help(capsys):
    assert cli.main([]) == 2
    assert "commands:" in capsys.readouterr().out


def test_every_command_of_the_help_is_there():
    assert set(cli._COMMANDS) == set(COMMANDS)


@pytest.mark.parametrize(("status", "ended"), [(0, "Done in"), (1, "Failed after")])
def test_the_time_of_a_run_counts_from_the_synthesis_of_the_demo(
    tmp_path, monkeypatch, capsys, status, ended
):
    clock = [1000.0]

    @contextlib.contextmanager
    def slow_site(*_):
        clock[0] += 120
        yield "http://127.0.0.1:9"

    def slow_pipeline(*_, **__):
        clock[0] += 5
        return status

    monkeypatch.setenv("GENRE_ASSETS_DATA", str(tmp_path))
    monkeypatch.setenv("GENRE_ASSETS_FMA_SITE", "http://127.0.0.1:9")
    monkeypatch.setattr(cli.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(cli, "_demo_site", slow_site)
    monkeypatch.setattr("genre_assets.orchestration.main_job.run_pipeline", slow_pipeline)
    assert cli.main(["run", "--source", "demo"]) == status
    assert capsys.readouterr().out.splitlines()[-1] == f"{ended} 2 min 5 s."
