"""What two spellings of one name have in common: letters and digits without case and accents."""

import html
import unicodedata

# Letters that Unicode does not decompose into a base letter and an accent.
_STROKED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "þ": "th"})


def fold(text: str) -> str:
    """Text without case, HTML entities, compatibility forms and the accents of Latin letters.

    Marks of other scripts stay, because there they make other letters: ば is not は.

    Args:
        text: Any text.

    Returns:
        The folded text; its punctuation and white space are those of the text.
    """
    folded = unicodedata.normalize("NFKD", html.unescape(text)).casefold()
    folded = unicodedata.normalize("NFKD", folded)
    folded = "".join(c for c in folded if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", folded.translate(_STROKED))


def words(folded: str) -> list[str]:
    """The runs of letters, digits and marks in a folded text, in order.

    Invisible characters, such as marks of the direction of text, part no word.
    """
    return "".join(map(_kept, folded)).split()


def _kept(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":
        return ""
    return character if category[0] in "LNM" else " "
