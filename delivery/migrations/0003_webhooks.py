"""Webhooks: the outbox nobody wrote to yet makes room for the one that is read in order."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    reviewed = {
        "DeleteModel delivery.webhookevent": "no release wrote to it or read it",
        "RemoveField delivery.webhook.sealed_secret": "no release wrote a webhook",
    }

    dependencies = [
        ('crm', '0001_initial'),
        ('delivery', '0002_ledger'),
    ]

    operations = [
        migrations.DeleteModel(
            name='WebhookEvent',
        ),
        migrations.RemoveField(
            model_name='webhook',
            name='sealed_secret',
        ),
        migrations.CreateModel(
            name='WebhookStream',
            fields=[
                ('app', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='crm.app')),
                ('last_seq', models.BigIntegerField(db_default=0, default=0)),
            ],
        ),
        migrations.AddField(
            model_name='webhook',
            name='last_ok_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='webhook',
            name='most_events',
            field=models.PositiveSmallIntegerField(db_default=250, default=250),
        ),
        migrations.AddField(
            model_name='webhook',
            name='stopped_because',
            field=models.TextField(blank=True, db_default='', default=''),
        ),
        migrations.CreateModel(
            name='WebhookDelivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('message_id', models.CharField(max_length=64)),
                ('state', models.CharField(choices=[('sending', 'Sending'), ('waiting', 'waiting to be tried again'), ('delivered', 'Delivered'), ('divided', 'divided into smaller ones'), ('given_up', 'given up')], max_length=16)),
                ('replay', models.BooleanField(db_default=False, default=False)),
                ('lane', models.SmallIntegerField()),
                ('subject', models.BigIntegerField(null=True)),
                ('events', models.IntegerField()),
                ('after_seq', models.BigIntegerField()),
                ('after_part', models.BigIntegerField()),
                ('until_seq', models.BigIntegerField()),
                ('until_part', models.BigIntegerField()),
                ('attempts', models.SmallIntegerField(db_default=0, default=0)),
                ('status', models.SmallIntegerField(null=True)),
                ('answer', models.TextField(db_default='', default='')),
                ('milliseconds', models.IntegerField(null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('tried_at', models.DateTimeField(null=True)),
                ('webhook', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='delivery.webhook')),
            ],
            options={
                'verbose_name_plural': 'webhook deliveries',
            },
        ),
        migrations.CreateModel(
            name='WebhookEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('seq', models.BigIntegerField(null=True)),
                ('lane', models.SmallIntegerField()),
                ('topic', models.CharField(choices=[('push.outcome', 'push.outcome: what became of a push to one device'), ('push.opened', 'push.opened: someone tapped, for the first time'), ('token.retired', 'token.retired: a provider called a device token dead'), ('token.quarantined', 'token.quarantined: one that may be dead, and is left alone'), ('notification.finished', 'notification.finished: a send and all its counts')], max_length=32)),
                ('install_id', models.BigIntegerField(null=True)),
                ('occurrence_id', models.BigIntegerField(null=True)),
                ('day', models.DateField(null=True)),
                ('token_ids', django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), null=True, size=None)),
                ('body', models.JSONField(null=True)),
                ('at', models.DateTimeField()),
                ('app', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='crm.app')),
            ],
        ),
        migrations.CreateModel(
            name='WebhookReader',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('lane', 'Lane'), ('hold', 'Hold'), ('replay', 'Replay')], max_length=8)),
                ('lane', models.SmallIntegerField()),
                ('subject', models.BigIntegerField(null=True)),
                ('seq', models.BigIntegerField()),
                ('part', models.BigIntegerField(db_default=0, default=0)),
                ('until_seq', models.BigIntegerField(null=True)),
                ('until_part', models.BigIntegerField(null=True)),
                ('attempts', models.SmallIntegerField(db_default=0, default=0)),
                ('width', models.SmallIntegerField(null=True)),
                ('narrowed_at', models.DateTimeField(null=True)),
                ('next_attempt_at', models.DateTimeField(null=True)),
                ('lease_until', models.DateTimeField(null=True)),
                ('claims', models.IntegerField(db_default=0, default=0)),
                ('delivery', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='delivery.webhookdelivery')),
                ('webhook', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='readers', to='delivery.webhook')),
            ],
        ),
        migrations.CreateModel(
            name='WebhookSecret',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sealed', models.BinaryField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('expires_at', models.DateTimeField(null=True)),
                ('webhook', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='secrets', to='delivery.webhook')),
            ],
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(fields=['webhook', 'id'], name='webhook_delivery_of_webhook'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(condition=models.Q(('state', 'delivered'), _negated=True), fields=['webhook', 'state', 'id'], name='webhook_delivery_unsettled'),
        ),
        migrations.AddIndex(
            model_name='webhookevent',
            index=models.Index(condition=models.Q(('seq__isnull', True)), fields=['app', 'id'], name='webhook_event_unnumbered'),
        ),
        migrations.AddIndex(
            model_name='webhookevent',
            index=models.Index(condition=models.Q(('seq__isnull', False)), fields=['app', 'lane', 'seq'], name='webhook_event_in_order'),
        ),
        migrations.AddIndex(
            model_name='webhookreader',
            index=models.Index(fields=['webhook'], name='webhook_reader_of_webhook'),
        ),
        migrations.AddIndex(
            model_name='webhookreader',
            index=models.Index(condition=models.Q(('next_attempt_at__isnull', False)), fields=['next_attempt_at', 'id'], name='webhook_reader_due'),
        ),
        migrations.AddConstraint(
            model_name='webhookreader',
            constraint=models.UniqueConstraint(condition=models.Q(('kind', 'lane')), fields=('webhook', 'lane'), name='webhook_reader_one_a_lane'),
        ),
        migrations.AddConstraint(
            model_name='webhookreader',
            constraint=models.UniqueConstraint(condition=models.Q(('kind', 'hold')), fields=('webhook', 'subject'), name='webhook_reader_one_an_install'),
        ),
    ]

