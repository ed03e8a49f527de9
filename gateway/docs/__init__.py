"""The documentation as a running gateway serves it: the pages of `docs/`, and the OpenAPI."""
