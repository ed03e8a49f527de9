"""Sessions: a token for an application, or for someone in it."""
