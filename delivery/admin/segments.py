"""Segments, and how many are in one: counted when asked."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import mark_safe

from crm.admin import SegmentAdmin
from crm.models import Segment
from crm.panels import Panel, panel
from crm.segments.rules import parse
from delivery.targeting.segments import count

ASK = mark_safe('<a class="text-primary-600 dark:text-primary-500" href="?count=now">Count now</a>')


@admin.register(Segment)
class CountedSegmentAdmin(SegmentAdmin):
    def panels(self, request: HttpRequest, row: Any) -> Sequence[Panel]:
        """Give how many are in it, where somebody asks."""
        if "count" not in request.GET:
            return [panel("How many now", "", [], more=ASK)]
        found = count(parse(row.rule), app_id=row.app_id, now=timezone.now())
        rows = [[what, f"{number:,}"] for what, number in found._asdict().items()]
        return [panel("How many now", "what, how many", rows, more=ASK)]
