"""What users do with in-app messages."""

from datetime import datetime


def note_inbox(*, app_id: int, user_uid: str, message_id: int, kind: str, at: datetime) -> None:
    """Note that a user opened, read or deleted an in-app message; the first moment counts."""
    raise NotImplementedError
