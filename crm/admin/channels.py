"""Channels, and how many are in them."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db import connection
from django.http import HttpRequest

from crm.commands.channels import NAMELESS
from crm.desk import Desk
from crm.models import Channel, ChannelSubscription
from crm.models.membership import Role
from crm.panels import Panel, link, panel

MOST = 10_000
SHOWN = 50

# a stretch of one index for each; nobody waits for the rest of a channel of millions
COUNT = """
SELECT channel.id, (SELECT count(*) FROM (SELECT FROM crm_channelsubscription s
                     WHERE s.channel_id = channel.id LIMIT %s) joined)
  FROM unnest(%s::int[]) AS channel (id)
"""


def count_subscribers(ids: Sequence[int]) -> dict[int, int]:
    """Give how many are in each channel, at most one more than `MOST`, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [MOST + 1, list(ids)])
        return dict(cursor.fetchall())


class ChannelForm(forms.ModelForm):
    """A channel under the rule the API has, too."""

    def clean(self) -> dict[str, Any]:
        """Require a name where it would be shown."""
        asked = super().clean() or {}
        if asked.get("show_in_portal") and not asked.get("name"):
            self.add_error("name", NAMELESS)
        return asked


@admin.register(Channel)
class ChannelAdmin(Desk):
    needs = {**Desk.needs, "add": Role.SENDER, "change": Role.SENDER}
    form = ChannelForm
    list_display = ["uuid", "name", "app", "subscribers", "show_in_portal", "created_at"]
    search_fields = ["uuid", "name"]
    search_help_text = "the whole uuid or name"
    readonly_fields = ["created_at", "updated_at"]
    list_select_related = ["app"]

    def prepare(self, request: HttpRequest, rows: Sequence[Channel]) -> None:
        """Count the subscribers of all rows at once."""
        del request
        counts = count_subscribers([row.pk for row in rows])
        for row in rows:
            setattr(row, "found", counts.get(row.pk, 0))  # noqa: B010 - no column of it

    @admin.display(description="subscribers")
    def subscribers(self, channel: Channel) -> str:
        found: int = getattr(channel, "found", 0)
        return f"over {MOST:,}" if found > MOST else f"{found:,}"

    def panels(self, request: HttpRequest, row: Channel) -> Sequence[Panel]:
        """Give some of those in it, and how many there are."""
        del request
        joined = ChannelSubscription.objects.filter(channel=row).select_related("install", "user")
        shown = joined[:SHOWN]  # in no order: it would have to sort millions
        found = count_subscribers([row.pk]).get(row.pk, 0)
        many = f"over {MOST:,}" if found > MOST else f"{found:,}"
        return [
            panel(
                "Subscribers",
                "install, user, since",
                [[link(s.install), link(s.user), s.created_at] for s in shown],
                note=f"{many} in all; {SHOWN} of them are shown.",
            )
        ]
