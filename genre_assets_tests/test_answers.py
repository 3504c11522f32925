from genre_assets.answers import MOST_ROWS_SHOWN, WIDTH_IN_A_PIPE, print_rows


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
