"""The models that can be trained, one module a family; each lists its own in ``MODELS``."""
