r"""Text as it may be shown: characters that steer a terminal, or hide, are written out.

Titles, tags, paths, reasons and the answers to queries are strangers' text. In a terminal some
characters do more than appear: U+009B begins a command to it, U+202E turns the rest of the line
around. Such characters are shown as Python writes them, ``\x9b`` and ``\u202e``.
"""

import unicodedata

_JOINERS = "\u200c\u200d"
"""Invisible, and needed to write Persian, Hindi and many emoji."""


def visible(text: str) -> str:
    r"""A text in which only line breaks are left of all control characters.

    Written out are control and format characters (bidirectional ones among them), unknown ones,
    and halves of surrogate pairs, by which Python names bytes of a path that are not UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(c if c == "\n" or _may_be_shown(c) else _written_out(c) for c in text)


def in_one_line(text: str) -> str:
    r"""The same with line breaks written out, too: a title cannot begin a line of its own."""
    return visible(text).replace("\n", r"\n")


def _may_be_shown(character: str) -> bool:
    # Python holds all spaces but one to be unprintable, such as the wide one of Japanese.
    return (
        character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"
    )


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
