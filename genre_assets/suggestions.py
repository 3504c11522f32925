"""Names that may have been meant where one is not known."""

from collections.abc import Iterable
from difflib import get_close_matches

from genre_assets.errors import UserError


def did_you_mean(name: str, names: Iterable[str], most: int = 1) -> str:
    """A question such as ``Did you mean audio?``, or nothing when no name is near."""
    by_spelling = {_plain(known): known for known in names}
    near = get_close_matches(_plain(name), by_spelling, n=most, cutoff=0.6)
    return f"Did you mean {' or '.join(by_spelling[key] for key in near)}?" if near else ""


def unknown(kind: str, name: str, names: Iterable[str]) -> UserError:
    """The error that a name is not known: the nearest known one, and all of them."""
    known = list(names)
    hint = did_you_mean(name, known)
    return UserError(
        f"There is no {kind} {name!r}: use one of {', '.join(known)}.{' ' + hint if hint else ''}"
    )


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_").replace(" ", "_")
