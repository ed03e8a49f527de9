"""Channels as backends manage them, and who is subscribed."""
