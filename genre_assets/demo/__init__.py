"""The demo: a synthetic corpus of real MP3 files."""
