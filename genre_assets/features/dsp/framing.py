"""How all features cut a clip into frames: as the FMA dataset's published script does.

Light: importing this module imports nothing.
"""

N_FFT = 2048
"""Samples of a frame."""

HOP_LENGTH = 512
"""Samples from one frame to the next."""
