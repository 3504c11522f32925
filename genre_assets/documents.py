"""JSON and YAML from a file or a page, which may be wrong in any way."""

import json
from collections.abc import Callable
from typing import Any

import yaml

LONGEST_CHARACTERS = 64 * 1024 * 1024
"""Of text that is read at all; no file of the platform has a hundredth of it."""


class DocumentError(ValueError):
    """A text is not the JSON or YAML that it should be; the message says why in a few words."""


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        DocumentError: If it is not JSON, or is nested or as long as nothing sensible is.
    """
    return _parsed(text, json.loads)


def parse_yaml(text: str) -> Any:
    """The value of a YAML text, of plain types only.

    Raises:
        DocumentError: If it is not YAML, or is nested or as long as nothing sensible is.
    """
    return _parsed(text, yaml.safe_load)


def _parsed(text: str, parse: Callable[[str], Any]) -> Any:
    if len(text) > LONGEST_CHARACTERS:
        raise DocumentError(f"it has more than {LONGEST_CHARACTERS:,} characters")
    try:
        return parse(text)
    except RecursionError:
        raise DocumentError("it is nested too deeply") from None
    except (ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        # YAML raises all of these, for such as the 40th of May or a mapping with a list for a key.
        raise DocumentError(" ".join(str(error).split())) from error
