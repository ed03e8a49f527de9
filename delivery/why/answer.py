"""Notification and person → why they did or did not get it, device by device, with the evidence."""

from collections.abc import Sequence
from datetime import datetime

from crm.errors import NotFound
from crm.models import App, Install, User
from delivery.audience import Audience
from delivery.models import Notification
from delivery.why.audience import judge_audience
from delivery.why.evidence import gather
from delivery.why.findings import Answer, Case, Device, Finding, Reason
from delivery.why.left_out import left_out
from delivery.why.sent import of_firing
from delivery.why.truth import Person

MOST_INSTALLS = 50
"""How many of one person's devices are looked at, the latest."""

NOBODY = Finding(
    reason=Reason.NO_INSTALL, said="No device is known on which this person is signed in."
)


def why_user(notification: Notification, *, app: App, user_uid: str, now: datetime) -> Answer:
    """Answer for a person on all their devices; raises `NotFound` for one the app does not know."""
    user = User.objects.filter(app=app, uid=user_uid).first()
    if user is None:
        raise NotFound("no such user", field="user")
    installs = Install.objects.filter(user=user).order_by("-last_active_at", "pk")
    return _answer(notification, user, list(installs[:MOST_INSTALLS]), now=now)


def why_install(notification: Notification, *, app: App, install_uid: str, now: datetime) -> Answer:
    """Answer for one install; raises `NotFound` for one the app does not know."""
    found = Install.objects.select_related("user").filter(app=app, uid=install_uid)
    install = found.first()
    if install is None:
        raise NotFound("no such install", field="install")
    return _answer(notification, install.user, [install], now=now)


def _answer(
    notification: Notification, user: User, installs: Sequence[Install], *, now: datetime
) -> Answer:
    evidence = gather(notification, installs)
    audience = Audience.from_json(notification.audience)
    devices = [
        _device(Case(notification, audience, evidence, user, install, now)) for install in installs
    ]
    found = [finding for device in devices for finding in device.findings]
    order = list(Reason)
    headline = min(found, key=lambda finding: order.index(finding.reason), default=NOBODY)
    return Answer(
        notification=notification, user=user, headline=headline, devices=devices, asked_at=now
    )


def _device(case: Case) -> Device:
    person = Person(user=case.user, install=case.install, now=case.now)
    judged = judge_audience(case.audience, person)
    findings = [finding for firing in case.evidence.firings for finding in of_firing(case, firing)]
    if not findings:
        findings = list(left_out(case, judged))
    return Device(install=case.install, findings=findings, audience=judged)
