"""The figures of a page, as SVG that follows its light or dark colours.

Names come from outside: figures draw text as text.

Import late: this module needs matplotlib.
"""

import io
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

# Stand-ins that become the page's own colours, so that figures follow its light or dark scheme.
_TEXT, _HONEST, _LEAKY, _LINE = "#010101", "#020202", "#030303", "#040404"
_COLOURS = {
    _TEXT: "currentColor",
    _HONEST: "var(--honest)",
    _LEAKY: "var(--leaky)",
    _LINE: "var(--line)",
}


def leak_figure(pairs: list[tuple[str, dict, dict]]) -> Markup:
    """The accuracy of each model with artists kept apart, with its interval, and across artists.

    Args:
        pairs: Each model's name, with its honest and its leaky row of ``scores``.
    """
    figure, axes = _plot(rows=len(pairs) + 0.6)
    for y, (_, honest, leaky) in enumerate(pairs):
        axes.plot([honest["low"], honest["high"]], [y, y], color=_HONEST, lw=2, alpha=0.5)
        axes.plot(
            [honest["value"], leaky["value"]], [y - 0.22, y - 0.22], color=_LINE, lw=2, zorder=0
        )
        axes.plot([honest["value"]] * 2, [y, y - 0.22], color=_LINE, lw=1, zorder=0)
        label = not y
        axes.plot(
            honest["value"], y, "o", color=_HONEST, ms=8, label="artists apart" if label else None
        )
        axes.plot(
            leaky["value"],
            y - 0.22,
            "D",
            mfc="none",
            mec=_LEAKY,
            mew=2,
            ms=7,
            label="across artists" if label else None,
        )
    _name_rows(axes, [name for name, _, _ in pairs])
    axes.set_xlabel("accuracy")
    legend = axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, frameon=False, borderaxespad=0
    )
    for text in legend.get_texts():
        text.set_color(_TEXT)
    return _svg(figure, "leak")


def recall_figure(recalls: list[tuple[str, dict]]) -> Markup:
    """The recall of each genre, with its interval.

    Args:
        recalls: Each genre, with its row of ``scores``.
    """
    figure, axes = _plot(rows=len(recalls))
    for y, (_, recall) in enumerate(recalls):
        axes.plot([recall["low"], recall["high"]], [y, y], color=_HONEST, lw=3, alpha=0.4)
        axes.plot(recall["value"], y, "o", color=_HONEST, ms=7)
    _name_rows(axes, [f"{genre} ({recall['n']})" for genre, recall in recalls])
    axes.set_xlabel("recall (tracks in brackets)")
    return _svg(figure, "recall")


def _plot(rows: float) -> tuple[Figure, Any]:
    # 5 inches are about the width of a phone's page, so that text keeps its size there.
    figure = Figure(figsize=(5, 0.7 + 0.34 * max(rows, 1)), layout="constrained")
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    figure.patch.set_alpha(0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_LINE)
    axes.tick_params(colors=_TEXT, length=0)
    axes.xaxis.label.set_color(_TEXT)
    axes.grid(axis="x", color=_LINE, lw=0.6)
    axes.set_axisbelow(True)
    axes.set_xlim(-0.02, 1.02)
    return figure, axes


def _name_rows(axes: Any, names: list[str]) -> None:
    # A dollar sign in a genre's name is no formula.
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.6)


def _svg(figure: Figure, salt: str) -> Markup:
    buffer = io.StringIO()
    style: Any = {"svg.fonttype": "none", "svg.hashsalt": salt, "font.family": "sans-serif"}
    with matplotlib.rc_context(style):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    for stand_in, colour in _COLOURS.items():
        svg = svg.replace(stand_in, colour)
    # Safe: matplotlib wrote it, and it escapes the text that it is given.
    return Markup(svg)  # noqa: S704
