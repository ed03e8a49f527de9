"""What people do to sends, credentials and breakers is written down; docs/adr/0023.

What the engine does is not, and neither is an API's send: its notification row tells all of it.
"""

from django.db import migrations

from crm.audited import BY_SOMEBODY, audited

ARGUMENTS = "'delivery.notification', 'app_id', 'name', 'user_meta', 'updated_at,filters'"

SENDS = f"""
SET LOCAL lock_timeout = '5s';
CREATE TRIGGER audited AFTER INSERT ON delivery_notification
    FOR EACH ROW WHEN (NEW.source = 'console') EXECUTE FUNCTION crm_audit({ARGUMENTS});
-- of no column the engine writes
CREATE TRIGGER audited_amended AFTER UPDATE OF
    app_id, name, message, audience, schedule, lane, time_to_live, resend_uncertain, user_meta,
    reporting_meta, cancelled_at, deleted_at
    ON delivery_notification FOR EACH ROW EXECUTE FUNCTION crm_audit({ARGUMENTS});
CREATE TRIGGER audited_deleted AFTER DELETE ON delivery_notification
    FOR EACH ROW EXECUTE FUNCTION crm_audit({ARGUMENTS});
CREATE TRIGGER audited_emptied BEFORE TRUNCATE ON delivery_notification
    FOR EACH STATEMENT EXECUTE FUNCTION crm_audit({ARGUMENTS});
CREATE TRIGGER audited AFTER UPDATE OF held_at, called_off_at ON delivery_occurrence
    FOR EACH ROW
    WHEN ((OLD.held_at, OLD.called_off_at) IS DISTINCT FROM (NEW.held_at, NEW.called_off_at))
    EXECUTE FUNCTION crm_audit('delivery.occurrence',
        'notification_id>delivery_notification.app_id', 'zone', '', 'lease_until,held_for');
"""

UNDO = """
DROP TRIGGER audited ON delivery_occurrence;
DROP TRIGGER audited ON delivery_notification;
DROP TRIGGER audited_amended ON delivery_notification;
DROP TRIGGER audited_deleted ON delivery_notification;
DROP TRIGGER audited_emptied ON delivery_notification;
"""


class Migration(migrations.Migration):
    reviewed = {"RunSQL delivery": "functions and triggers: a table is held for a moment, no row is read"}

    dependencies = [("delivery", "0007_three_indexes_fewer"), ("crm", "0006_audit")]

    operations = [
        migrations.RunSQL(SENDS, UNDO),
        audited(
            "delivery_providercredential",
            kind="delivery.providercredential",
            name="provider",
            hidden=["sealed"],
            ignored=["updated_at"],
        ),
        audited(
            "delivery_webhook", kind="delivery.webhook", name="url", ignored=["last_ok_at"]
        ),
        audited(
            "delivery_webhooksecret",
            kind="delivery.webhooksecret",
            app="webhook_id>delivery_webhook.app_id",
            name="webhook_id>delivery_webhook.url",
            hidden=["sealed"],
        ),
        audited(
            "delivery_breaker",
            kind="delivery.breaker",
            app="credential_id>delivery_providercredential.app_id",
            name="topic",
            hidden=["doubted"],
            ignored=["worked_at"],
            only=BY_SOMEBODY,
        ),
    ]
