"""Audio files: decoding, probing, and the worker processes that untrusted bytes are read in."""
