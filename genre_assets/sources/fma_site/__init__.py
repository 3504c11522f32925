"""The source ``fma_site``: the Free Music Archive's site, read considerately."""

from genre_assets.sources.fma_site.pages import LayoutChanged, parse_listing, parse_track

__all__ = ["LayoutChanged", "parse_listing", "parse_track"]
