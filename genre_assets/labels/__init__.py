"""Labels: one taxonomy, canonical artists, and the evidence behind each label."""
