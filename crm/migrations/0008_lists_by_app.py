"""What the admin's lists walk along: the rows of an app, newest first.

Built beside the work of others: none of these tables may be locked for long.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('crm', '0007_test_apps'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='channel',
            index=models.Index(fields=['app', 'id'], name='channel_of_app'),
        ),
        AddIndexConcurrently(
            model_name='channel',
            index=models.Index(fields=['app', 'name'], name='channel_name'),
        ),
        AddIndexConcurrently(
            model_name='devicetoken',
            index=models.Index(fields=['app', 'id'], name='device_token_of_app'),
        ),
        AddIndexConcurrently(
            model_name='devicetoken',
            index=models.Index(condition=models.Q(('state', 'alive'), _negated=True), fields=['app', 'id'], name='device_token_of_app_not_alive'),
        ),
        AddIndexConcurrently(
            model_name='event',
            index=models.Index(fields=['app', 'id'], name='event_of_app'),
        ),
        AddIndexConcurrently(
            model_name='install',
            index=models.Index(fields=['app', 'id'], name='install_of_app'),
        ),
        AddIndexConcurrently(
            model_name='user',
            index=models.Index(fields=['app', 'id'], name='user_of_app'),
        ),
    ]
