"""Refusals only delivery can give."""

from crm.errors import Invalid


class NobodyNamed(Invalid):
    """The audience names nobody."""

    def __init__(self) -> None:
        super().__init__("name at least one target", field="audience")
