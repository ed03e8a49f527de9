"""What an audience comes to, for every test of targeting."""

import pytest
from django.db import connection
from django.utils import timezone

from delivery.audience import Audience
from delivery.targeting.resolve import reachable


@pytest.fixture
def reached(app):
    def ids(**named):
        sql, params = reachable(Audience(**named), app_id=app.pk, now=timezone.now())
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            return [row[0] for row in cursor.fetchall()]

    return ids
