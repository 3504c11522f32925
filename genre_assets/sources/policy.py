"""Which licences are not wanted, whatever else they allow."""

from collections.abc import Mapping
from typing import Any

LICENCE_COLUMNS = ("license_url", "allows_derivatives", "allows_commercial_use")
"""Columns of ``tracks`` that the policy reads."""

_PERMISSIONS = (
    ("nd", "allows_derivatives", "derivatives"),
    ("nc", "allows_commercial_use", "commercial use"),
)


def excluded_by_policy(track: Mapping[str, Any], excluded: frozenset[str]) -> str | None:
    """Say why the settings exclude a track for its licence.

    Args:
        track: A row of ``tracks``; its licence and its two permissions are read.
        excluded: ``nd`` where licences that forbid derivatives are not wanted, ``nc`` where those
            that forbid commercial use are not. A licence that is not known to allow it counts as
            one that forbids it.

    Returns:
        The reason in one sentence, or None when nothing excludes it.
    """
    licence = f"licence {track['license_url']}" if track["license_url"] else "unknown licence"
    for part, permission, what in _PERMISSIONS:
        if part in excluded and track[permission] is not True:
            verb = "does not allow" if track[permission] is False else "is not known to allow"
            return f"The settings exclude it: its {licence} {verb} {what}."
    return None
