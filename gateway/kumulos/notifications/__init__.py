"""Send, read back, install-opens, user-opens."""
