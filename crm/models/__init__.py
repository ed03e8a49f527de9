"""Who can be reached: apps, people, devices and how they are grouped."""

from crm.models.app import App, AppKey
from crm.models.channel import Channel, ChannelSubscription
from crm.models.device_token import DeviceToken
from crm.models.event import Event
from crm.models.import_run import ImportRun
from crm.models.install import Install
from crm.models.kept_answer import KeptAnswer
from crm.models.membership import Membership
from crm.models.segment import Segment
from crm.models.session import Session, UsedNonce
from crm.models.token_count import TokenCount
from crm.models.user import User

__all__ = [
    "App",
    "AppKey",
    "Channel",
    "ChannelSubscription",
    "DeviceToken",
    "Event",
    "ImportRun",
    "Install",
    "KeptAnswer",
    "Membership",
    "Segment",
    "Session",
    "TokenCount",
    "UsedNonce",
    "User",
]
