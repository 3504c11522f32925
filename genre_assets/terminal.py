"""The way to the terminal: whatever the command line prints for a person goes through here."""

import os
import sys
from textwrap import wrap
from typing import Any

from rich.console import Console
from rich.text import Text

from genre_assets.visible import visible

WIDTH_IN_A_PIPE = 160
"""Characters a line where nobody looks on and ``COLUMNS`` is not set."""


class PlainConsole(Console):
    """Prints text as it is: no markup, no emoji codes, and nothing that steers the terminal."""

    def __init__(self, **options: Any):
        super().__init__(markup=False, emoji=False, highlight=False, **options)
        if not self.is_terminal and "COLUMNS" not in os.environ and "width" not in options:
            self.width = WIDTH_IN_A_PIPE

    def render_str(self, text: str, **options: Any) -> Text:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Every text that is printed, the cells of tables too, comes by here."""
        return super().render_str(visible(text), **options)

    def paragraph(self, text: str) -> None:
        """Print a text wrapped to the width of the terminal, or in one line where it is none."""
        for line in visible(text).split("\n"):
            fits = len(line) <= self.width or (not self.is_terminal and "COLUMNS" not in os.environ)
            for part in [line] if fits else wrap(line, self.width):
                say(part)


def say(line: str) -> None:
    """Print a line."""
    print(visible(line), flush=True)


def complain(line: str) -> None:
    """Print a line to standard error."""
    print(visible(line), file=sys.stderr, flush=True)


def never_fail_to_print() -> None:
    """Write out characters that the encoding of the terminal lacks, instead of failing on them."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # pyright: ignore[reportAttributeAccessIssue]
