"""Features: numbers computed from audio, or published beside it."""
