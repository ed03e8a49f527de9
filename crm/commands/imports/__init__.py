"""People, devices and channels brought along from elsewhere: in bulk, and harmless to repeat.

One rule decides between a file and what is known here: the newer word wins, what it leaves empty
erases nothing, and what nobody has told yet is filled in. A word of no known moment is never newer.
"""

from crm.commands.imports.channels import store_channels
from crm.commands.imports.installs import store_installs
from crm.commands.imports.people import store_people
from crm.commands.imports.rows import ChannelRow, InstallRow, Row, SubscriptionRow, UserRow, Words
from crm.commands.imports.runs import begin_import, finish_import, rehearse_chunk, store_chunk
from crm.commands.imports.subscriptions import store_subscriptions
from crm.commands.imports.users import store_users

__all__ = [
    "ChannelRow",
    "InstallRow",
    "Row",
    "SubscriptionRow",
    "UserRow",
    "Words",
    "begin_import",
    "finish_import",
    "rehearse_chunk",
    "store_channels",
    "store_chunk",
    "store_installs",
    "store_people",
    "store_subscriptions",
    "store_users",
]
