"""Which of an app's credentials reaches a device token."""

from delivery.models import Batch, ProviderCredential

FITTING = """
SELECT c.id FROM delivery_providercredential c
 WHERE c.app_id = {app}
   AND c.provider = CASE WHEN {transport} = 'fcm' THEN 'fcm' ELSE 'apns' END
   AND c.environment IN ('', {environment})
   AND (c.topic IN ('', {topic}) OR {topic} = '')
 ORDER BY c.topic DESC, c.environment DESC LIMIT 1
"""
"""The most particular one; to be filled in with columns or placeholders."""


def find_credential(batch: Batch, *, environment: str = "") -> ProviderCredential | None:
    """Give the credential a batch is to be sent with, None where the app has none that fits.

    With an environment, that with which it would be sent there.
    """
    needs = {
        "app": batch.occurrence.notification.app_id,
        "transport": batch.transport,
        "environment": environment or batch.environment,
        "topic": batch.topic,
    }
    sql = FITTING.format(**{name: f"%({name})s" for name in needs})
    whole = f"SELECT * FROM delivery_providercredential WHERE id = ({sql})"
    return next(iter(ProviderCredential.objects.raw(whole, needs)), None)
