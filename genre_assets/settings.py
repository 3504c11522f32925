"""The settings of the platform, read from the environment and checked before anything starts."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from genre_assets.errors import UserError
from genre_assets.sources.fma_dataset import FMA_SUBSETS
from genre_assets.sources.fma_site.address import Site

SITE_GENRES = ("Techno", "House", "Indie-Rock", "Garage", "Dubstep", "Drum_amp_Bass")
"""Slugs of the genres that are scraped unless others are named."""

EXCLUDABLE_LICENCES = ("nd", "nc")


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
        fma_site: The site to scrape, ``GENRE_ASSETS_FMA_SITE``, or None.
        fma_site_genres: Slugs of the genres to scrape, ``GENRE_ASSETS_FMA_SITE_GENRES``.
        fma_site_live: Whether the real site may be asked, ``GENRE_ASSETS_FMA_SITE_LIVE``.
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
    env = dict(os.environ) if environment is None else environment
    site = _site(env.get("GENRE_ASSETS_FMA_SITE") or None)
    live = _yes_or_no(env, "GENRE_ASSETS_FMA_SITE_LIVE")
    contact = env.get("GENRE_ASSETS_FMA_SITE_CONTACT") or None
    if site:
        require_opt_in(site, live, contact)
    return Settings(
        data=_lake_folder(env.get("GENRE_ASSETS_DATA") or "data"),
        fma_dataset=_folder(env, "GENRE_ASSETS_FMA_DATASET"),
        fma_subset=_fma_subset(env.get("GENRE_ASSETS_FMA_SUBSET") or None),
        folder=_folder(env, "GENRE_ASSETS_FOLDER"),
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


def require_opt_in(site: Site, live: bool, contact: str | None) -> None:
    """Refuse a site that is not on this machine unless it is meant.

    Raises:
        SettingError: If the site is live and the opt-in or the contact is missing.
    """
    if not site.is_live:
        return
    if not live:
        raise SettingError(
            f"{site.base} is not on this machine and is not scraped unasked: read its terms and "
            "robots.txt, then allow it with GENRE_ASSETS_FMA_SITE_LIVE=yes."
        )
    if not contact:
        raise SettingError(
            f"Whoever scrapes {site.base} says who they are: let GENRE_ASSETS_FMA_SITE_CONTACT "
            "name a mail address or a page."
        )
    if not contact.isprintable() or not contact.isascii():
        raise SettingError(
            f"GENRE_ASSETS_FMA_SITE_CONTACT is {contact!r}: use a mail address or a page's URL."
        )


def _absolute(value: str) -> Path:
    # Not resolve(): a link that names a library is what its owner wants to read in messages.
    return Path(os.path.normpath(Path(value).expanduser().absolute()))


def _lake_folder(value: str) -> Path:
    path = _absolute(value)
    if path.exists() and not path.is_dir():
        raise SettingError(f"GENRE_ASSETS_DATA is {path}, which is a file: name a folder.")
    return path


def _folder(env: dict[str, str], name: str) -> Path | None:
    value = env.get(name)
    if not value:
        return None
    path = _absolute(value)
    if not path.is_dir():
        raise SettingError(f"{name} is {path}, where no folder is: name an existing folder.")
    return path


def _site(value: str | None) -> Site | None:
    try:
        return Site(value) if value else None
    except UserError as error:
        raise SettingError(f"GENRE_ASSETS_FMA_SITE: {error}") from error


def _yes_or_no(env: dict[str, str], name: str) -> bool:
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


def _program(env: dict[str, str], name: str) -> Path | None:
    value = env.get(name)
    if not value:
        return None
    path = _absolute(value)
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
    if not value.isdigit() or int(value) < 1:
        raise SettingError(f"GENRE_ASSETS_WORKERS is {value!r}: use a whole number from 1 on.")
    return int(value)
