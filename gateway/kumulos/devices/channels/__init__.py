"""Channels as SDKs see them: by install and by user, with the same bodies."""
