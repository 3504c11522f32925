"""The marks that tell the synthetic demo corpus from real music; light."""

from urllib.parse import urlsplit

from genre_assets.sources.fma_site.address import DEMO_SITE_HOST

SYNTHETIC_ENCODER = "genre_assets demo corpus"
"""The encoder (ID3 frame TSSE) that stands in the tags of every synthetic track."""


def is_synthetic(encoder: str | None, page_url: str | None) -> bool:
    """Whether a track is of the demo, by the encoder in its tags or the site of its page."""
    return encoder == SYNTHETIC_ENCODER or is_demo_page(page_url)


def is_demo_page(page_url: str | None) -> bool:
    """Whether a page is one of the demo's site."""
    # Most pages do not even hold the name, and are not worth parsing.
    if page_url is None or DEMO_SITE_HOST not in page_url.lower():
        return False
    return urlsplit(page_url).hostname == DEMO_SITE_HOST
