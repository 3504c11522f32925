import csv
import io
import json
from datetime import UTC, datetime

import pytest

from genre_assets.cli import commands as cli
from genre_assets.cli.query_output import MOST_ROWS_SHOWN, WIDTH_IN_A_PIPE, print_rows, readable


def test_a_long_text_is_wrapped_and_never_cut(capsys):
    reason = " ".join(f"word{n}" for n in range(60))
    print_rows(["status", "reason"], [("missing", reason)])
    shown = capsys.readouterr().out
    assert all(f"word{n}" in shown for n in range(60))
    assert max(map(len, shown.splitlines())) <= WIDTH_IN_A_PIPE


def test_many_columns_are_shown_one_value_a_line(capsys):
    columns = [f"column_{n}" for n in range(40)]
    print_rows(columns, [range(40)])
    assert capsys.readouterr().out.splitlines()[:2] == ["column_0: 0", "column_1: 1"]


def test_markup_in_a_value_is_shown_as_it_is(capsys):
    print_rows(["title"], [("[bold]x[/bold] :smile:",), (None,)])
    assert "[bold]x[/bold] :smile:" in capsys.readouterr().out


def test_more_rows_than_are_shown_are_announced(capsys):
    print_rows(["n"], [(n,) for n in range(MOST_ROWS_SHOWN + 1)])
    shown = capsys.readouterr().out
    assert "The first 1,000 rows" in shown
    assert "│ 999 │" in shown


@pytest.fixture
def ask(tmp_path, monkeypatch, capsys):
    """Types ``genre-assets query`` and returns the exit status and what was printed."""
    monkeypatch.setenv("GENRE_ASSETS_DATA", str(tmp_path))

    def asked(*words):
        status = cli.main(["query", *words])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return asked


VALUES = """
SELECT 'nan'::DOUBLE AS "nan", 1e308::DOUBLE * 10 AS inf, [1.5, NULL] AS list,
    MAP {'Folk': 0.1::FLOAT} AS map, TIMESTAMP '2026-11-20 03:17:05.25' AS moment,
    DATE '2026-11-20' AS day, '\\xAA\\x00'::BLOB AS bytes, 12.50::DECIMAL(6, 2) AS money,
    sum(3) AS whole, NULL AS nothing, true AS yes, 'a "b", c' AS text,
    {'x': 'nan'::DOUBLE} AS struct, 1 AS id, 2 AS id
"""


def test_every_kind_of_value_has_a_form_in_json(ask):
    status, out, _ = ask("--json", VALUES)
    [row] = json.loads(out, parse_constant=pytest.fail)
    assert status == 0
    assert row == {
        "nan": None, "inf": None, "list": [1.5, None], "map": {"Folk": 0.10000000149011612},
        "moment": "2026-11-20T03:17:05.250000", "day": "2026-11-20", "bytes": "aa00",
        "money": 12.5, "whole": 3, "nothing": None, "yes": True, "text": 'a "b", c',
        "struct": {"x": None}, "id": 1, "id_2": 2,
    }  # fmt: skip


def test_every_kind_of_value_has_a_form_in_csv(ask):
    status, out, _ = ask("--csv", VALUES)
    header, values = csv.reader(io.StringIO(out))
    assert status == 0
    assert dict(zip(header[:-2], values[:-2], strict=True)) == {
        "nan": "nan", "inf": "inf", "list": "[1.5, null]", "map": '{"Folk": 0.10000000149011612}',
        "moment": "2026-11-20T03:17:05.250000", "day": "2026-11-20", "bytes": "aa00",
        "money": "12.5", "whole": "3", "nothing": "", "yes": "true", "text": 'a "b", c',
        "struct": '{"x": null}',
    }  # fmt: skip


def test_no_rows_and_many_rows_are_valid_json_and_csv(ask):
    assert json.loads(ask("--json", "SELECT 1 AS n WHERE false")[1]) == []
    assert ask("--csv", "SELECT 1 AS n WHERE false")[1] == "n\n"
    many = f"SELECT range AS n FROM range({MOST_ROWS_SHOWN + 5})"
    assert len(json.loads(ask("--json", many)[1])) == MOST_ROWS_SHOWN + 5
    assert len(ask("--csv", many)[1].splitlines()) == MOST_ROWS_SHOWN + 6
    assert ask("SELECT 1 AS n WHERE false")[1] == "No rows. Columns: n.\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.6124031007751938, "0.612403"),
        (0.20000000298023224, "0.2"),
        (1234567.891, "1234567.9"),
        (2.1e14, "210000000000000.0"),
        (1e-9, "1e-09"),
        (0.0, "0.0"),
        (-30.0, "-30.0"),
        (float("nan"), "nan"),
        ([0.1 + 0.2, None], "[0.3, NULL]"),
        ({"Folk": 1 / 3}, "{Folk: 0.333333}"),
        (b"\x00\xff", "00ff"),
        (datetime(2026, 11, 20, 3, 17, 5, 250, UTC), "2026-11-20 03:17:05+00:00"),
        (7, "7"),
    ],
)
def test_a_table_shows_as_many_digits_as_can_be_read(value, shown):
    assert readable(value) == shown


@pytest.mark.parametrize("query", ["", "   ", "-- nothing", ";"])
@pytest.mark.parametrize("form", [(), ("--csv",), ("--json",)])
def test_an_empty_query_is_refused_in_a_sentence(ask, query, form):
    status, out, err = ask(*form, query)
    assert (status, out) == (2, "")
    assert err == 'genre-assets: The query is empty: ask one such as "SHOW TABLES".\n'


def test_a_query_of_two_statements_is_refused(ask):
    status, out, err = ask("SELECT 1; COPY (SELECT 1) TO 'x.csv'")
    assert (status, out) == (2, "")
    assert err == "genre-assets: A query is one statement, and this has 2.\n"


def test_columns_of_short_values_are_a_table_where_they_fit(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    print_rows(list("abcdefg"), [[0.123456789] * 7])
    assert "0.123457 │ 0.123457" in capsys.readouterr().out
    print_rows(list("abcdefg"), [["a long text"] * 7])
    assert "a: a long text\n" in capsys.readouterr().out
