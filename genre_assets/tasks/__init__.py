"""Tasks: named sets of genres, their members and the splits of these."""
