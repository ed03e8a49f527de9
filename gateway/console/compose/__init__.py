"""A push is written, looked at, counted and sent."""
