"""Licences by the titles and the URLs that the Free Music Archive gives them, and what they allow.

Titles mix two generations of Creative Commons spelling, such as ``Attribution-NonCommercial-
ShareAlike 3.0 International`` and ``Attribution-Noncommercial-Share Alike 3.0 United States``.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

CREATIVE_COMMONS = "https://creativecommons.org"
VERSIONS = ("1.0", "2.0", "2.1", "2.5", "3.0", "4.0")

_GENERIC_VERSIONS = ("1.0", "2.0", "2.5", "3.0", "4.0")
_WORLDWIDE = ("", "international", "unported", "generic", "universal")
_COUNTRIES = {
    "argentina": "ar",
    "australia": "au",
    "austria": "at",
    "belgium": "be",
    "brazil": "br",
    "canada": "ca",
    "chile": "cl",
    "croatia": "hr",
    "czech republic": "cz",
    "denmark": "dk",
    "ecuador": "ec",
    "finland": "fi",
    "france": "fr",
    "germany": "de",
    "greece": "gr",
    "hungary": "hu",
    "ireland": "ie",
    "israel": "il",
    "italy": "it",
    "japan": "jp",
    "mexico": "mx",
    "netherlands": "nl",
    "new zealand": "nz",
    "norway": "no",
    "poland": "pl",
    "portugal": "pt",
    "south africa": "za",
    "spain": "es",
    "sweden": "se",
    "switzerland": "ch",
    "uk: england": "uk",
    "uk: england & wales": "uk",
    "uk: scotland": "scotland",
    "united states": "us",
}
_PORTS_WITH_SPDX = {
    "CC-BY-2.5-AU",
    "CC-BY-3.0-AT",
    "CC-BY-3.0-AU",
    "CC-BY-3.0-DE",
    "CC-BY-3.0-NL",
    "CC-BY-3.0-US",
    "CC-BY-NC-3.0-DE",
    "CC-BY-NC-ND-3.0-DE",
    "CC-BY-NC-SA-2.0-DE",
    "CC-BY-NC-SA-2.0-FR",
    "CC-BY-NC-SA-2.0-UK",
    "CC-BY-NC-SA-3.0-DE",
    "CC-BY-ND-3.0-DE",
    "CC-BY-SA-2.0-UK",
    "CC-BY-SA-2.1-JP",
    "CC-BY-SA-3.0-AT",
    "CC-BY-SA-3.0-DE",
}
_HOST = r"https?://(?:www\.)?creativecommons\.org/"
_TEXT = r"(?:/(?:deed|legalcode)(?:\.[a-z_-]+)?)?/?(?:[?#].*)?"
_LICENCE = (
    rf"{_HOST}licenses/(?P<elements>[a-z-]+)/(?P<version>\d\.\d)"
    rf"(?:/(?!deed|legalcode)(?P<port>[a-z]+))?{_TEXT}"
)
_PUBLIC_DOMAIN = rf"{_HOST}publicdomain/(?P<which>zero|mark)/1\.0{_TEXT}"
_ELEMENTS = {
    "by": "by",
    "by-sa": "by-sa",
    "by-nd": "by-nd",
    "by-nc": "by-nc",
    "by-nc-sa": "by-nc-sa",
    "by-nc-nd": "by-nc-nd",
    "by-nd-nc": "by-nc-nd",
}
"""Elements of the six licences; the last one is how version 1.0 spelled the one before it."""


@dataclass(frozen=True)
class Licence:
    """A licence as far as its title or its URL tells.

    Attributes:
        url: Its page, or None when it is not known which text is meant.
        spdx: Its SPDX identifier, or None when it has none.
    """

    url: str | None = None
    spdx: str | None = None


UNKNOWN = Licence()
_CC0 = Licence(f"{CREATIVE_COMMONS}/publicdomain/zero/1.0/", "CC0-1.0")
_PUBLIC_DOMAIN_MARK = Licence(f"{CREATIVE_COMMONS}/publicdomain/mark/1.0/", "CC-PDM-1.0")


@lru_cache(maxsize=1024)
def licence_of_title(title: str) -> Licence:
    """The licence that a title names.

    A national port without an SPDX identifier of its own, such as the United States' BY-NC-SA
    3.0, is a text of its own: it keeps its URL and gets no identifier.

    Args:
        title: A title such as ``Attribution 3.0 International``.
    """
    words = re.sub(r"\s+", " ", re.sub(r"\(.*?\)", " ", title)).strip().lower()
    version = next((v for v in VERSIONS if re.search(rf"(?<![\d.]){v}(?![\d.])", words)), None)
    if version is None:
        return UNKNOWN
    name, _, port = (part.strip(" -") for part in words.partition(version))
    if re.match(r"(creative commons )?(cc0|public domain dedication)", name) and version == "1.0":
        return _CC0
    if "public domain mark" in name and version == "1.0":
        return _PUBLIC_DOMAIN_MARK
    if "attribution" not in name or "sampling" in name:
        return UNKNOWN
    return _attribution_licence(name, version, port)


def _attribution_licence(name: str, version: str, port: str) -> Licence:
    elements = "by"
    elements += "-nc" * bool(re.search(r"non-? ?commercial", name))
    elements += "-nd" * bool(re.search(r"no-? ?deriv", name))
    elements += "-sa" * bool(re.search(r"share-? ?alike", name))
    port = re.sub(r" licen[sc]e$", "", port)
    if port in _WORLDWIDE and version in _GENERIC_VERSIONS:
        return _generic(elements, version)
    country = _COUNTRIES.get(port)
    return UNKNOWN if country is None or version == "4.0" else _ported(elements, version, country)


def _generic(elements: str, version: str) -> Licence:
    return Licence(
        f"{CREATIVE_COMMONS}/licenses/{elements}/{version}/", f"CC-{elements.upper()}-{version}"
    )


def _ported(elements: str, version: str, country: str) -> Licence:
    identifier = f"CC-{elements.upper()}-{version}-{country.upper()}"
    return Licence(
        f"{CREATIVE_COMMONS}/licenses/{elements}/{version}/{country}/",
        identifier if identifier in _PORTS_WITH_SPDX else None,
    )


@lru_cache(maxsize=1024)
def licence_of_url(url: str) -> Licence:
    """The licence whose page, deed or legal code a URL leads to.

    Args:
        url: A URL such as ``http://creativecommons.org/licenses/by/4.0``.

    Returns:
        A Creative Commons licence with its page, with a slash at the end, and its SPDX
        identifier. Any other web address is kept as it is and has no identifier; what is no web
        address names no licence.
    """
    url = url.strip()
    if public := re.fullmatch(_PUBLIC_DOMAIN, url, re.IGNORECASE):
        return _CC0 if public["which"].lower() == "zero" else _PUBLIC_DOMAIN_MARK
    if parts := _parts(url):
        elements, version, port = parts
        return _ported(elements, version, port) if port else _generic(elements, version)
    return Licence(url) if re.match(r"https?://[^\s/]", url, re.IGNORECASE) else UNKNOWN


def permissions(licence: Licence) -> tuple[bool | None, bool | None]:
    """Whether a licence allows derivatives, and whether it allows commercial use.

    Returns:
        The two answers, both None for a licence that is not one of Creative Commons.
    """
    if licence in (_CC0, _PUBLIC_DOMAIN_MARK):
        return True, True
    parts = _parts(licence.url or "")
    if parts is None:
        return None, None
    return "-nd" not in parts[0], "-nc" not in parts[0]


def _parts(url: str) -> tuple[str, str, str] | None:
    """Elements, version and port (or "") of a Creative Commons licence that there is."""
    named = re.fullmatch(_LICENCE, url, re.IGNORECASE)
    if named is None:
        return None
    elements = _ELEMENTS.get(named["elements"].lower())
    version, port = named["version"], (named["port"] or "").lower()
    versions = set(VERSIONS) - {"4.0"} if port else _GENERIC_VERSIONS
    return (elements, version, port) if elements and version in versions else None
