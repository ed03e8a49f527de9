"""Which devices an audience means."""
