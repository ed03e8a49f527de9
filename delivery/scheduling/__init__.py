"""When work is due, and whose it is."""
