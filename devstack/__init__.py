"""The two commands, `make run` and `make test`; nothing shipped imports this package."""
