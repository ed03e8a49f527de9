"""Which time zones an app's devices live in."""

from django.db import connection

UNKNOWN = "UTC"
"""The zone of devices that never told theirs (contracts/kumulos §6.15)."""

# a walk from one zone to the next along the index: a million installs live in a few dozen
ZONES = """
WITH RECURSIVE zones AS (
    (SELECT timezone FROM crm_install WHERE app_id = %(app)s ORDER BY timezone LIMIT 1)
    UNION ALL
    SELECT (SELECT i.timezone FROM crm_install i
             WHERE i.app_id = %(app)s AND i.timezone > z.timezone ORDER BY i.timezone LIMIT 1)
      FROM zones z WHERE z.timezone IS NOT NULL
)
SELECT timezone FROM zones WHERE timezone <> ''
"""


def zones_of(app_id: int) -> set[str]:
    """Give every zone some install of the app is in, and that of installs which never said."""
    with connection.cursor() as cursor:
        cursor.execute(ZONES, {"app": app_id})
        return {UNKNOWN, *(zone for (zone,) in cursor.fetchall())}
