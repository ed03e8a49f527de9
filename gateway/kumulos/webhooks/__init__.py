"""Webhooks: what happened, read and asked for again; an addition of this gateway."""
