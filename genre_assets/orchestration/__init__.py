"""Orchestration: all that knows Dagster, from the assets to the main job."""
