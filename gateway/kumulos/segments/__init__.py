"""Segments: rules with a name, an addition of this gateway."""
