"""Apps, people and their devices, for operators."""

from crm.admin import apps, channels
from crm.admin.people import DeviceTokenAdmin, EventAdmin, InstallAdmin, UserAdmin
from crm.admin.segments import SegmentAdmin

__all__ = [
    "DeviceTokenAdmin",
    "EventAdmin",
    "InstallAdmin",
    "SegmentAdmin",
    "UserAdmin",
    "apps",
    "channels",
]
