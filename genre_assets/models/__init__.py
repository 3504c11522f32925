"""Models: tasks, splits, training and trained models on disk."""
