"""Music genre recognition as Dagster data assets."""
