"""Values of text columns that several rooms have to know."""

FMA_SUBSETS = ("small", "medium", "large", "full")
"""Values of ``tracks.subset``, each of which contains those before it."""

SEVERAL_TOP_GENRES = "several top genres"
"""How ``labels.excluded`` begins where a track has more than one top genre."""

_SOURCES = {
    "fma_dataset": "the FMA dataset",
    "fma_site": "the site",
    "folder": "your music library",
}


def source_in_words(source: str) -> str:
    """What a reader calls a source, such as ``your music library`` for ``folder``."""
    return _SOURCES.get(source, source)
