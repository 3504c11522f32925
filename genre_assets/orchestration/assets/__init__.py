"""The Dagster layer: one module a stage, in the order of the graph."""
