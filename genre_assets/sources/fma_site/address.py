"""Which addresses belong to the site, how they are kept, and where requests for them go.

The catalogue keeps URLs under the site's own names, whoever served them: the site itself, or a
replica of it on this machine. A URL of any other host is never requested, whatever a page says.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from genre_assets.sources.catalogue import SourceError

SITE_HOST = "freemusicarchive.org"
FILE_HOST = "files.freemusicarchive.org"
DEMO_SITE_HOST = "freemusicarchive.test"
DEMO_FILE_HOST = f"files.{DEMO_SITE_HOST}"
"""Names of the demo's site: ``.test`` can never be anybody's (RFC 2606)."""

_LIVE_HOSTS = frozenset({SITE_HOST, f"www.{SITE_HOST}", FILE_HOST})
_HOSTS = _LIVE_HOSTS | {DEMO_SITE_HOST, DEMO_FILE_HOST}
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class ForeignAddress(SourceError):  # noqa: N818
    """A page named an address that is not the site's."""


def genre_in_words(slug: str) -> str:
    """The name of a genre by the last word of its page, such as ``Drum & Bass``."""
    return slug.replace("_amp_", " & ").replace("_", " ")


@dataclass(frozen=True)
class Site:
    """The site as it is reached: at its own address, or at that of a replica.

    Attributes:
        base: ``https://freemusicarchive.org``, or where a replica listens, such as
            ``http://127.0.0.1:8765``. Without a slash at the end.
    """

    base: str

    def __post_init__(self):
        try:
            parts = urlsplit(self.base)
            _ = parts.port  # raises where it is none
        except ValueError:
            parts = urlsplit("")
        known = parts.hostname in LOOPBACK or parts.netloc in (SITE_HOST, f"www.{SITE_HOST}")
        if not known or parts.scheme not in ("http", "https") or parts.path.strip("/"):
            raise SourceError(
                f"{self.base!r} is not the address of the site or of a replica on this machine: "
                f"use https://{SITE_HOST} or one such as http://127.0.0.1:8765."
            )
        live = parts.hostname not in LOOPBACK
        base = f"https://{SITE_HOST}" if live else f"{parts.scheme}://{parts.netloc}"
        object.__setattr__(self, "base", base)

    @property
    def is_live(self) -> bool:
        """Whether it is any host but this machine."""
        return urlsplit(self.base).hostname not in LOOPBACK

    def url(self, path: str) -> str:
        """The URL of a path of the site, such as ``/genre/Techno``, where it is requested."""
        return f"{self.base}{path}"

    def request_url(self, url: str) -> str:
        """Where a URL that a page named is requested.

        Raises:
            ForeignAddress: If it is no http(s) URL of the site.
        """
        try:
            parts = urlsplit(url)
            has_port = parts.port is not None
        except ValueError:
            raise ForeignAddress(f"{url!r} is not a URL.") from None
        if _CONTROLS.search(url):
            raise ForeignAddress(f"{url!r} is not a URL: it holds control characters.")
        own = urlsplit(self.base)
        if parts.scheme in ("http", "https") and not parts.username and not parts.password:
            if parts.netloc == own.netloc:
                return urlunsplit((own.scheme, own.netloc, parts.path, parts.query, ""))
            if parts.hostname in _LIVE_HOSTS and self.is_live and not has_port:
                return urlunsplit(("https", parts.netloc, parts.path, parts.query, ""))
            if parts.hostname in _HOSTS and not self.is_live:
                return urlunsplit((own.scheme, own.netloc, parts.path, parts.query, ""))
        raise ForeignAddress(f"{url!r} is no address of the site at {self.base}.")
