"""Writes a page from a template.

Titles, artists and genre names come from outside: a template escapes whatever it is given.

Import late: this module needs jinja2.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from genre_assets.lake.storage import written_whole

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=False,
)


def write_page(target: Path, template: str, facts: Mapping[str, Any]) -> Path:
    """Write a page, which appears whole or not at all.

    Args:
        target: The HTML file; its folder is made.
        template: Name of a file in ``templates``.
        facts: What the template needs.

    Returns:
        The target.
    """
    page = _TEMPLATES.get_template(template).render(facts)
    with written_whole(target) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return target
