"""The settings of the platform, read from the environment and checked before anything starts.

Each field of :class:`Settings` is one setting. A validator that refuses a value raises the sentence
that the user reads, so pydantic's own messages are never shown.
"""

import logging
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from genre_assets.errors import UserError
from genre_assets.lake.vocabulary import FMA_SUBSETS
from genre_assets.sources.fma_site.address import Site
from genre_assets.sources.registry import Source

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


def variable(field: str) -> str:
    """The environment variable of a setting: ``GENRE_ASSETS_FOLDER`` for ``folder``."""
    # A field's name ends in its unit, a variable's does not.
    return _PREFIX + field.removesuffix("_s").upper()


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
        raise SettingError(f"{name} is {value!r}, which is blank: name a path.")
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
    if not value:
        return
    path = _absolute("DAGSTER_HOME", value)
    if not Path(value).expanduser().is_absolute():
        raise SettingError(f"DAGSTER_HOME is {value!r}, and Dagster needs a full path: use {path}.")
    _require_place_for_databases("DAGSTER_HOME", path)


def _lake_folder(value: str, info: ValidationInfo) -> Path:
    name = _name(info)
    path = _absolute(name, value)
    _require_place_for_databases(name, path)
    if path.exists() and not path.is_dir():
        raise SettingError(f"{name} is {path}, which is a file: name a folder.")
    return path


def _existing_folder(value: str, info: ValidationInfo) -> Path:
    path = _absolute(_name(info), value)
    if not path.is_dir():
        raise SettingError(
            f"{_name(info)} is {path}, which is {'a file' if path.exists() else 'not there'}: name "
            "an existing folder, or mount it."
        )
    return path


def _program(value: str, info: ValidationInfo) -> Path:
    path = _absolute(_name(info), value)
    if not os.access(path, os.X_OK) or path.is_dir():
        raise SettingError(
            f"{_name(info)} is {path}, which is not an executable file: name the program."
        )
    return path


def _site(value: str) -> str:
    try:
        return Site(value).base
    except UserError as error:
        raise SettingError(f"{variable('fma_site')}: {error}") from error


def _yes_or_no(value: str, info: ValidationInfo) -> bool:
    if value not in ("yes", "no"):
        raise SettingError(f"{_name(info)} is {value!r}: use yes or no.")
    return value == "yes"


def _genres(value: str, info: ValidationInfo) -> tuple[str, ...]:
    slugs = tuple(slug.strip() for slug in value.split(","))
    for slug in slugs:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", slug):
            raise SettingError(
                f"{_name(info)} holds {slug!r}: use the last word of the site's genre pages, "
                "joined by commas, such as Techno,Drum_amp_Bass."
            )
    return tuple(dict.fromkeys(slugs))


def _interval(value: str, info: ValidationInfo) -> float:
    if not re.fullmatch(r"\d{1,4}(\.\d+)?", value):
        raise SettingError(f"{_name(info)} is {value!r}: use a number of seconds, such as 2.")
    return float(value)


def _licences(value: str, info: ValidationInfo) -> frozenset[str]:
    named = {part.strip().lower() for part in value.split(",") if part.strip()}
    if unknown := named - set(EXCLUDABLE_LICENCES):
        raise SettingError(
            f"{_name(info)} holds {min(unknown)!r}: use nd (no derivatives), nc (no commercial "
            "use) or both, joined by a comma."
        )
    return frozenset(named)


def _subset(value: str, info: ValidationInfo) -> str:
    if value not in FMA_SUBSETS:
        raise SettingError(f"{_name(info)} is {value!r}: use one of {', '.join(FMA_SUBSETS)}.")
    return value


def _worker_count(value: str, info: ValidationInfo) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < 1:
        raise SettingError(f"{_name(info)} is {value!r}: use a whole number of 1 or more.")
    if int(value) > _MOST_WORKERS:
        raise SettingError(
            f"{_name(info)} is {value}, and all of them start at once: use at most "
            f"{_MOST_WORKERS:,}."
        )
    return int(value)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _name(info: ValidationInfo) -> str:
    return variable(info.field_name or "")


_Folder = Annotated[Path | None, BeforeValidator(_existing_folder)]
_Program = Annotated[Path | None, BeforeValidator(_program)]
_YesOrNo = Annotated[bool, BeforeValidator(_yes_or_no)]


class Settings(BaseModel):
    """What the environment says; an empty variable counts as one that is not set."""

    model_config = ConfigDict(frozen=True, alias_generator=variable, extra="ignore")

    data: Annotated[Path, BeforeValidator(_lake_folder)] = Field(
        "data", validate_default=True, description="Folder of the lake"
    )  # pyright: ignore[reportAssignmentType]
    fma_dataset: _Folder = Field(
        None, description="Folder of fma_metadata/ and fma_<subset>/, or of their zips"
    )
    fma_subset: Annotated[str | None, BeforeValidator(_subset)] = Field(
        None, description="small, medium, large or full; empty takes what lies there"
    )
    folder: _Folder = Field(None, description="A music library")
    folder_genres: _YesOrNo = Field(
        False,
        description="Whether folders that are named after genres give the genre of the files in "
        "them whose tags have none",
    )
    believe_removals: _YesOrNo = Field(
        False,
        description="Whether all that the source no longer lists is really gone, even more than "
        "half of it",
    )
    fma_site: Annotated[str | None, BeforeValidator(_site)] = Field(
        None, description="https://freemusicarchive.org or the address of a replica"
    )
    fma_site_genres: Annotated[tuple[str, ...], BeforeValidator(_genres)] = Field(
        SITE_GENRES, description="Slugs of the genres to scrape"
    )
    fma_site_live: _YesOrNo = Field(
        False, description="Whether a site that is not on this machine may be scraped"
    )
    fma_site_contact: str | None = Field(
        None, description="Mail address or page by which the site can reach you"
    )
    fma_site_interval_s: Annotated[float | None, BeforeValidator(_interval)] = Field(
        None, description="Seconds between two requests; empty takes what is polite"
    )
    chromium: _Program = Field(None, description="The browser; empty looks for it")
    chromedriver: _Program = Field(None, description="Its driver; empty looks for it")
    chromium_no_sandbox: _YesOrNo = Field(
        False, description="Whether the browser may run without its sandbox, also on a live site"
    )
    excluded_licences: Annotated[frozenset[str], BeforeValidator(_licences)] = Field(
        frozenset(),
        description="nd: licences that forbid derivatives; nc: those that forbid commercial use; "
        "with either, unknown ones too",
    )
    workers: Annotated[int, BeforeValidator(_worker_count)] = Field(
        default_factory=_cores, description="Worker processes"
    )

    def place_of(self, source: Source) -> str | None:
        """Where a source is, as its setting says; None where it is not set."""
        place = getattr(self, source.name)
        return str(place) if place else None


def described(field: str) -> str:
    """What a setting is and which variable sets it, in one sentence."""
    return f"{Settings.model_fields[field].description} ({variable(field)})."


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings.

    Args:
        environment: Variables by name; None takes those of the process.

    Raises:
        SettingError: If one of them cannot be used.
    """
    env = os.environ if environment is None else environment
    _check_dagster_home(env.get("DAGSTER_HOME"))
    settings = Settings.model_validate({name: value for name, value in env.items() if value})
    if settings.fma_site:
        require_opt_in(Site(settings.fma_site), settings.fma_site_live, settings.fma_site_contact)
    _check_names(env)
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


def _check_names(names: Iterable[str]) -> None:
    """Refuse a name that is almost that of a setting, and warn of others that look like one.

    Raises:
        SettingError: If a name is misspelt: whoever set it means it, and would get something else.
    """
    known = sorted(map(variable, Settings.model_fields))
    for name in sorted({*names} - {*known} - _OF_TESTS):
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
