"""What the tables of the lake have to be, and what is said of one that is not. Plain Python."""
