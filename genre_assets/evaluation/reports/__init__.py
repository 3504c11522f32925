"""Pages that people read: each is one HTML file that needs nothing beside it."""
