"""The mark that tells the synthetic demo corpus from real music; light."""

SYNTHETIC_ENCODER = "genre_assets demo corpus"
"""The encoder (ID3 frame TSSE) that stands in the tags of every synthetic track."""
