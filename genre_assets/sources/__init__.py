"""Sources: they list tracks and say where the audio lies."""
