"""Telling callers' backends what happened: in order for each install, until they have heard it."""
