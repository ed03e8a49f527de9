"""Subscriptions: the addresses at which a user's devices are reached."""
