"""Licences by the titles that the Free Music Archive gives them.

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


@dataclass(frozen=True)
class Licence:
    """A licence as far as its title tells.

    Attributes:
        url: Its page, or None when the title does not tell which text is meant.
        spdx: Its SPDX identifier, or None when it has none.
    """

    url: str | None = None
    spdx: str | None = None


UNKNOWN = Licence()


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
        return Licence(f"{CREATIVE_COMMONS}/publicdomain/zero/1.0/", "CC0-1.0")
    if "public domain mark" in name and version == "1.0":
        return Licence(f"{CREATIVE_COMMONS}/publicdomain/mark/1.0/", "CC-PDM-1.0")
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
        return Licence(
            f"{CREATIVE_COMMONS}/licenses/{elements}/{version}/",
            f"CC-{elements.upper()}-{version}",
        )
    country = _COUNTRIES.get(port)
    if country is None or version == "4.0":
        return UNKNOWN
    identifier = f"CC-{elements.upper()}-{version}-{country.upper()}"
    return Licence(
        f"{CREATIVE_COMMONS}/licenses/{elements}/{version}/{country}/",
        identifier if identifier in _PORTS_WITH_SPDX else None,
    )
