"""Someone tapped a notification."""

from datetime import datetime

from django.db import connection

from crm.models import Install
from delivery.models import Notification


def record_open(
    *, notification: Notification, install: Install, user_uid: str, opened_at: datetime
) -> None:
    """Record a tap; of several by one user on one install the earliest counts."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO delivery_open (notification_id, install_id, user_uid, opened_at)
            VALUES (%s, %s, %s, %s)
            ON CONFLICT (notification_id, install_id, user_uid)
            DO UPDATE SET opened_at = least(delivery_open.opened_at, excluded.opened_at)
            """,
            [notification.pk, install.pk, user_uid, opened_at],
        )
