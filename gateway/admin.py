"""What of other apps' rows the admin shows, and who may see it."""

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group, User

from crm.models import AuditEntry, Membership
from gateway.console.audit_desk import AuditDesk
from gateway.console.operators import MembershipDesk, OperatorDesk

# roles are memberships, and an operator looks after their own factors and sessions
for model in (Group, User, EmailAddress, Authenticator, UserSession):
    admin.site.unregister(model)

admin.site.register(User, OperatorDesk)
admin.site.register(Membership, MembershipDesk)
admin.site.register(AuditEntry, AuditDesk)
