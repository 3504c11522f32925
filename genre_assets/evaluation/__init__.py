"""Evaluation: scores with intervals, the report, and the champion."""
