"""Nothing that a stranger wrote steers the terminal, whichever way it gets there."""

import io
import logging
import sys
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.table import Table as Grid

from genre_assets.cli.command_line import command_line
from genre_assets.cli.query_output import print_csv, print_json, print_rows
from genre_assets.lake.schemas import AUDIO, REJECTED_ROWS, TRACKS
from genre_assets.lake.tables import Lake
from genre_assets.orchestration.console import _OneLine
from genre_assets.orchestration.run_summary import Outcome, print_summary
from genre_assets.quality.failed_tracks import failed_tracks, left_out
from genre_assets.refresh.plan import Plan, Work
from genre_assets.refresh.plan_view import print_plan
from genre_assets.takedowns.preview import Preview
from genre_assets.terminal import PlainConsole, complain, say
from genre_assets.visible import in_one_line, visible

NASTY = "\x1b]0;title\x07 \x9b31m \u202eevil\u202c \u2066x\u2069 \r\x08 \x00 \u2028 \ufeff \udc9b é"
TEXTS = st.text(st.characters() | st.sampled_from(NASTY), min_size=1, max_size=20)
A_FEW = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def steers(text):
    """The characters of a text that a terminal obeys, or that hide."""
    kinds = {c: unicodedata.category(c) for c in set(text) - set("\n\u200c\u200d")}
    return {c for c, kind in kinds.items() if kind in ("Cc", "Cf", "Cs", "Zl", "Zp")}


@pytest.fixture
def printed(monkeypatch):
    """Calls a function and returns what it printed on a terminal that knows no styles."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "100")

    def call(function, *arguments):
        screen = Terminal()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", screen)
            patch.setattr(sys, "stderr", screen)
            function(*arguments)
        return screen.getvalue()

    return call


@given(TEXTS)
def test_what_is_visible_steers_nothing_and_can_be_encoded(text):
    shown = visible(text)
    assert not steers(shown)
    shown.encode()
    assert "\n" not in in_one_line(text)


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs", "Mn"])))
def test_ordinary_text_is_shown_as_it_is(text):
    assert visible(text) == text


def test_characters_are_written_as_python_writes_them():
    assert visible("a\x9bb\u202ec\x1b") == r"a\x9bb\u202ec\x1b"
    persian = "\u0645\u06cc\u200c\u062e\u0648 \U0001f469\u200d\U0001f3a4 \u3000"
    assert visible(persian) == persian
    assert visible("two\nlines") == "two\nlines"
    assert in_one_line("two\nlines") == r"two\nlines"


@A_FEW
@given(text=TEXTS)
def test_no_way_to_the_terminal_lets_it_through(printed, text):
    def grid():
        table = Grid(text, title=text)
        table.add_row(text)
        PlainConsole().print(table)

    def logged():
        record = logging.LogRecord("x", logging.INFO, "", 0, text, None, None)
        print(_OneLine().format(record))

    plan = Plan([Work("audio", "folder_00", {text: 1}, 0, {text: 2})], {})
    ways = [
        lambda: say(text),
        lambda: complain(text),
        lambda: PlainConsole().print(text),
        lambda: PlainConsole().paragraph(text),
        grid,
        logged,
        lambda: print_rows([text, "b"], [(text, [text, {text: text}])]),
        lambda: print_rows([text] * 30, [[text] * 30]),
        lambda: print_json(["a"], [({text: text},)]) if not surrogates(text) else None,
        lambda: print_csv([text], [(text,)]),
        lambda: print_plan(plan, True),
        lambda: say(str(Preview("artist", text, [{"track_id": text, "title": text,
                                                  "artist": text}]))),
    ]  # fmt: skip
    for way in ways:
        assert not steers(printed(way))


def surrogates(text):
    return any(unicodedata.category(c) == "Cs" for c in text)


@pytest.mark.parametrize("words", [["p\x9blan\u202e"], ["plan", "--\x9b"], ["run", "--task\x9b=x"]])
def test_what_was_typed_is_written_out_in_the_sentence_that_refuses_it(printed, words):
    def refused():
        with pytest.raises(SystemExit):
            command_line().parse_args(words)

    assert not steers(printed(refused))


def test_titles_reasons_and_paths_of_a_lake_are_written_out_in_the_summary(printed, tmp_path):
    nasty = NASTY.replace("\udc9b", "") + "\nFAILED: forged"
    lake = Lake(tmp_path)
    track = {"track_id": "folder:a", "source": "folder", "shard": "folder_00", "title": nasty,
             "artist": nasty}  # fmt: skip
    lake.write(TRACKS, TRACKS.of_rows([track]), "folder_00")
    broken = {"track_id": "folder:a", "status": "truncated", "path": f"/{nasty}", "reason": nasty}
    lake.write(AUDIO, AUDIO.of_rows([broken]), "folder_00")
    row = {"source": "folder", "origin": "/music", "place": nasty, "reason": nasty}
    lake.write(REJECTED_ROWS, REJECTED_ROWS.of_rows([row]), "folder")
    said = printed(print_summary, lake, "available", Outcome(failures=[nasty]))
    assert not steers(said)
    assert r"\x9b31m \u202eevil" in said
    assert [line for line in said.splitlines() if line.startswith("FAILED: forged")] == []
    assert len(failed_tracks(lake)) == len(left_out(lake)) == 1


def test_csv_for_a_file_is_exact(capsys):
    print_csv(["a"], [("\x9b\u202e",)])
    assert capsys.readouterr().out == "a\n\x9b\u202e\n"
