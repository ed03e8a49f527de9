"""How callers' own ids are matched in a path."""

from django.urls import register_converter


class AnythingConverter:
    """Matches a caller's own id: it may hold `/`, spaces and line breaks once decoded."""

    regex = r"[\s\S]+"

    def to_python(self, value: str) -> str:
        """Give it as it is."""
        return value

    def to_url(self, value: str) -> str:
        """Give it as it is; Django percent-encodes."""
        return value


register_converter(AnythingConverter, "anything")
