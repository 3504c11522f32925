"""The settings of the platform, read from the environment and checked before anything starts."""

import logging
import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from genre_assets.errors import UserError
from genre_assets.lake.vocabulary import FMA_SUBSETS
from genre_assets.sources.fma_site.address import Site

SITE_GENRES = ("Techno", "House", "Indie-Rock", "Garage", "Dubstep", "Drum_amp_Bass")
"""Slugs of the genres that are scraped unless others are named."""

EXCLUDABLE_LICENCES = ("nd", "nc")

_PREFIX = "GENRE_ASSETS_"
_OF_TESTS = frozenset({"GENRE_ASSETS_REAL_DATA", "GENRE_ASSETS_LONG_TESTS"})
_ALMOST_THE_SAME = 0.85
"""Likeness, from 0 to 1, from which a name counts as a misspelt setting."""
_SIMILAR = 0.6
"""Likeness from which a setting is worth naming as the one that may have been meant."""
_MOST_WORKERS = 1000
_LONGEST_SHOWN = 60
_LONGEST_PATH_BYTES = 3_800
"""Linux takes paths of 4,095 bytes, and the names below a lake take up to 250."""

_logger = logging.getLogger(__name__)
_warned: set[str] = set()


class SettingError(UserError):
    """A setting holds a value that cannot be used; the message says which and what to do."""


@dataclass(frozen=True)
class Settings:
    """What the environment says.

    Attributes:
        data: The lake, ``GENRE_ASSETS_DATA``.
        fma_dataset: Folder of the FMA dataset or its zips, ``GENRE_ASSETS_FMA_DATASET``, or None.
        fma_subset: ``GENRE_ASSETS_FMA_SUBSET``, or None to take what lies there.
        folder: A music library, ``GENRE_ASSETS_FOLDER``, or None.
        folder_genres: Whether folders of the library that are named like genres say the genre of
            what lies in them, ``GENRE_ASSETS_FOLDER_GENRES``.
        believe_removals: Whether all that a source no longer lists is really gone, however much
            it is, ``GENRE_ASSETS_BELIEVE_REMOVALS``.
        fma_site: The site to scrape, ``GENRE_ASSETS_FMA_SITE``, or None.
        fma_site_genres: Slugs of the genres to scrape, ``GENRE_ASSETS_FMA_SITE_GENRES``.
        fma_site_live: Whether the real site may be scraped, ``GENRE_ASSETS_FMA_SITE_LIVE``.
        fma_site_contact: How the site can reach who scrapes it, ``GENRE_ASSETS_FMA_SITE_CONTACT``,
            or None.
        fma_site_interval_s: Seconds between two requests, ``GENRE_ASSETS_FMA_SITE_INTERVAL``, or
            None for what is polite.
        chromium: The browser, ``GENRE_ASSETS_CHROMIUM``, or None to look for it.
        chromedriver: Its driver, ``GENRE_ASSETS_CHROMEDRIVER``, or None to look for it.
        chromium_no_sandbox: Whether the browser may run without its sandbox, also on a live site,
            ``GENRE_ASSETS_CHROMIUM_NO_SANDBOX``.
        excluded_licences: ``nd`` and ``nc`` where licences that forbid derivatives or commercial
            use are not wanted, ``GENRE_ASSETS_EXCLUDED_LICENCES``.
        workers: Worker processes, ``GENRE_ASSETS_WORKERS``.
    """

    data: Path
    fma_dataset: Path | None
    fma_subset: str | None
    folder: Path | None
    folder_genres: bool
    believe_removals: bool
    fma_site: str | None
    fma_site_genres: tuple[str, ...]
    fma_site_live: bool
    fma_site_contact: str | None
    fma_site_interval_s: float | None
    chromium: Path | None
    chromedriver: Path | None
    chromium_no_sandbox: bool
    excluded_licences: frozenset[str]
    workers: int


def read_settings(environment: dict[str, str] | None = None) -> Settings:
    """Read and check the settings.

    Raises:
        SettingError: If one of them cannot be used.
    """
    env = _Looked(os.environ if environment is None else environment)
    _check_dagster_home(env.get("DAGSTER_HOME") or None)
    site = _site(env.get("GENRE_ASSETS_FMA_SITE") or None)
    live = _yes_or_no(env, "GENRE_ASSETS_FMA_SITE_LIVE")
    contact = env.get("GENRE_ASSETS_FMA_SITE_CONTACT") or None
    if site:
        require_opt_in(site, live, contact)
    settings = Settings(
        data=_lake_folder(env.get("GENRE_ASSETS_DATA") or "data"),
        fma_dataset=_folder(env, "GENRE_ASSETS_FMA_DATASET"),
        fma_subset=_fma_subset(env.get("GENRE_ASSETS_FMA_SUBSET") or None),
        folder=_folder(env, "GENRE_ASSETS_FOLDER"),
        folder_genres=_yes_or_no(env, "GENRE_ASSETS_FOLDER_GENRES"),
        believe_removals=_yes_or_no(env, "GENRE_ASSETS_BELIEVE_REMOVALS"),
        fma_site=site.base if site else None,
        fma_site_genres=_genres(env.get("GENRE_ASSETS_FMA_SITE_GENRES") or None),
        fma_site_live=live,
        fma_site_contact=contact,
        fma_site_interval_s=_interval(env.get("GENRE_ASSETS_FMA_SITE_INTERVAL") or None),
        chromium=_program(env, "GENRE_ASSETS_CHROMIUM"),
        chromedriver=_program(env, "GENRE_ASSETS_CHROMEDRIVER"),
        chromium_no_sandbox=_yes_or_no(env, "GENRE_ASSETS_CHROMIUM_NO_SANDBOX"),
        excluded_licences=_excluded_licences(env.get("GENRE_ASSETS_EXCLUDED_LICENCES") or ""),
        workers=_workers(env.get("GENRE_ASSETS_WORKERS") or None),
    )
    _mind_unknown(env)
    return settings


def require_opt_in(site: Site, live: bool, contact: str | None) -> None:
    """Refuse a site that is not on this machine unless it is meant.

    Raises:
        SettingError: If the site is live and the opt-in or the contact is missing.
    """
    if not site.is_live:
        return
    if not live:
        raise SettingError(
            f"{site.base} is not on this machine and is not scraped without your permission: "
            "read its terms and "
            "robots.txt, then allow it with GENRE_ASSETS_FMA_SITE_LIVE=yes."
        )
    if not contact:
        raise SettingError(
            f"Whoever scrapes {site.base} has to say who they are: let "
            "GENRE_ASSETS_FMA_SITE_CONTACT name a mail address or a page."
        )
    if not contact.isprintable() or not contact.isascii():
        raise SettingError(
            f"GENRE_ASSETS_FMA_SITE_CONTACT is {contact!r}: use a mail address or a page's URL."
        )


class _Looked(dict[str, str]):
    """An environment that remembers which of its names were looked up: those are the settings."""

    def __init__(self, environment: Mapping[str, str]):
        super().__init__(environment)
        self.known: set[str] = set()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.known.add(name)
        return super().get(name, default)


def _mind_unknown(env: _Looked) -> None:
    """Refuse a name that is almost that of a setting, and warn of others that look like one.

    Raises:
        SettingError: If a name is misspelt: whoever set it means it, and would get something else.
    """
    known = sorted(name for name in env.known if name.startswith(_PREFIX))
    for name in sorted({*env} - env.known - _OF_TESTS):
        if not name.upper().startswith(_PREFIX):
            continue
        nearest = max(known, key=lambda other: _likeness(name, other))
        alike = _likeness(name, nearest)
        if alike >= _ALMOST_THE_SAME:
            raise SettingError(f"{name} is not a setting: did you mean {nearest}?")
        if name not in _warned:
            _warned.add(name)
            _logger.warning(
                f"{name} is not a setting and has no effect"
                + (f"; the nearest one is {nearest}." if alike >= _SIMILAR else ".")
            )


def _likeness(name: str, other: str) -> float:
    first, second = (text.upper().removeprefix(_PREFIX) for text in (name, other))
    return SequenceMatcher(None, first, second).ratio()


def _absolute(name: str, value: str) -> Path:
    _require_usable_text(name, value)
    try:
        # Not resolve(): a link that names a library is what its owner wants to read in messages.
        path = Path(os.path.normpath(Path(value).expanduser().absolute()))
        path.exists()
    except RuntimeError as error:
        raise SettingError(f"{name} is {value!r}: there is no such user.") from error
    except PermissionError as error:
        raise SettingError(
            f"{name} is {value!r}, and a folder on the way there may not be entered by this user: "
            "change its permissions or name another folder."
        ) from error
    except OSError as error:
        shown = value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}…"
        raise SettingError(
            f"{name} is {shown!r}, which no file system can hold ({error.strerror}): name another "
            "folder."
        ) from error
    return path


def _require_usable_text(name: str, value: str) -> None:
    if not value.strip():
        raise SettingError(f"{name} is {value!r}, which holds nothing but spaces: name a path.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise SettingError(
            f"{name} is {value!r}, which is not valid UTF-8: give the folder another name."
        ) from error
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise SettingError(
            f"{name} is {value!r}, which holds a line break or another control character: give "
            "the folder another name."
        )


def _require_place_for_databases(name: str, path: Path) -> None:
    """Refuse a path that SQLite or DuckDB would take for another one.

    Dagster hands its path to SQLite as a URL, in which ``?`` begins the options and ``%20`` is a
    space; DuckDB takes a backslash for a slash.
    """
    if found := re.search(r"[?\\]|%[0-9A-Fa-f]{2}", str(path)):
        raise SettingError(
            f"{name} is {path}, and databases cannot be kept below a path with {found[0]}: name a "
            "folder without it."
        )
    if len(os.fsencode(path)) > _LONGEST_PATH_BYTES:
        raise SettingError(
            f"{name} is a path of {len(os.fsencode(path)):,} bytes, which leaves no room for the "
            f"names of the files below it: use one of {_LONGEST_PATH_BYTES:,} at most."
        )


def _check_dagster_home(value: str | None) -> None:
    if value is None:
        return
    path = _absolute("DAGSTER_HOME", value)
    if not Path(value).expanduser().is_absolute():
        raise SettingError(f"DAGSTER_HOME is {value!r}, and Dagster needs a full path: use {path}.")
    _require_place_for_databases("DAGSTER_HOME", path)


def _lake_folder(value: str) -> Path:
    path = _absolute("GENRE_ASSETS_DATA", value)
    _require_place_for_databases("GENRE_ASSETS_DATA", path)
    if path.exists() and not path.is_dir():
        raise SettingError(f"GENRE_ASSETS_DATA is {path}, which is a file: name a folder.")
    return path


def _folder(env: _Looked, name: str) -> Path | None:
    value = env.get(name)
    if not value:
        return None
    path = _absolute(name, value)
    if not path.is_dir():
        raise SettingError(
            f"{name} is {path}, but there is no folder: name an existing folder, or mount it."
        )
    return path


def _site(value: str | None) -> Site | None:
    try:
        return Site(value) if value else None
    except UserError as error:
        raise SettingError(f"GENRE_ASSETS_FMA_SITE: {error}") from error


def _yes_or_no(env: _Looked, name: str) -> bool:
    value = env.get(name) or "no"
    if value not in ("yes", "no"):
        raise SettingError(f"{name} is {value!r}: use yes or no.")
    return value == "yes"


def _genres(value: str | None) -> tuple[str, ...]:
    slugs = tuple(slug.strip() for slug in value.split(",")) if value else SITE_GENRES
    for slug in slugs:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", slug):
            raise SettingError(
                f"GENRE_ASSETS_FMA_SITE_GENRES holds {slug!r}: use the last word of the site's "
                "genre pages, joined by commas, such as Techno,Drum_amp_Bass."
            )
    return tuple(dict.fromkeys(slugs))


def _interval(value: str | None) -> float | None:
    if value is None:
        return None
    if not re.fullmatch(r"\d{1,4}(\.\d+)?", value):
        raise SettingError(
            f"GENRE_ASSETS_FMA_SITE_INTERVAL is {value!r}: use a number of seconds, such as 2."
        )
    return float(value)


def _program(env: _Looked, name: str) -> Path | None:
    value = env.get(name)
    if not value:
        return None
    path = _absolute(name, value)
    if not os.access(path, os.X_OK) or path.is_dir():
        raise SettingError(f"{name} is {path}, which is no program: name the file to run.")
    return path


def _excluded_licences(value: str) -> frozenset[str]:
    named = {part.strip().lower() for part in value.split(",") if part.strip()}
    if unknown := named - set(EXCLUDABLE_LICENCES):
        raise SettingError(
            f"GENRE_ASSETS_EXCLUDED_LICENCES holds {min(unknown)!r}: use nd (no derivatives), nc "
            "(no commercial use) or both, joined by a comma."
        )
    return frozenset(named)


def _fma_subset(value: str | None) -> str | None:
    if value is not None and value not in FMA_SUBSETS:
        raise SettingError(
            f"GENRE_ASSETS_FMA_SUBSET is {value!r}: use one of {', '.join(FMA_SUBSETS)}."
        )
    return value


def _workers(value: str | None) -> int:
    if value is None:
        return (
            len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count() or 1
        )
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < 1:
        raise SettingError(f"GENRE_ASSETS_WORKERS is {value!r}: use a whole number of 1 or more.")
    if int(value) > _MOST_WORKERS:
        raise SettingError(
            f"GENRE_ASSETS_WORKERS is {value}, and all of them start at once: use at most "
            f"{_MOST_WORKERS:,}."
        )
    return int(value)
