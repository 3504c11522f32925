"""The source ``fma_site``: the Free Music Archive's site, read as a considerate guest reads it."""
