"""Tags: what audio files say of themselves."""
