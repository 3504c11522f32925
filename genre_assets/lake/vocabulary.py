"""Values of text columns that several rooms have to know."""

FMA_SUBSETS = ("small", "medium", "large", "full")
"""Values of ``tracks.subset``, each of which contains those before it."""

SEVERAL_TOP_GENRES = "several top genres"
"""How ``labels.excluded`` begins where a track has more than one top genre."""
