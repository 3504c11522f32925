"""Refresh: what is stale, why, and how another try is requested."""
