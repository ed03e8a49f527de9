"""People of an app and their devices: one by name, or all of them page by page."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q

from crm.errors import NotFound
from crm.models import App, DeviceToken, Install, User


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """An install, and whether a push can reach it."""

    install: Install
    reachable: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """A user, and the installs whose current user they are."""

    user: User
    devices: Sequence[Device]


@dataclass(frozen=True, kw_only=True, slots=True)
class People:
    """One page of an app's people, and how many there are on all pages."""

    page: Sequence[Person]
    total: int


def find_user(*, app: App, uid: str) -> User:
    """Give the user known under `uid`; raises `NotFound`."""
    # the database cannot even look for NUL
    user = None if "\0" in uid else User.objects.filter(app=app, uid=uid).first()
    if user is None:
        raise NotFound("No such user.")
    return user


def find_person(*, app: App, uid: str) -> Person:
    """Give one user with their devices, listed or not; raises `NotFound`."""
    [person] = _with_devices([find_user(app=app, uid=uid)])
    return person


def list_people(*, app: App, offset: int, size: int) -> People:
    """Give a page of those who have a name or a device, by when they became known.

    An anonymous user whose install is somebody's by now is nobody (contracts/kumulos §5.4). The
    page's keys are found first, along the index of that order; only they are then loaded.
    """
    users = User.objects.filter(app=app)
    current = Exists(Install.objects.filter(user=OuterRef("pk")))
    # counted apart: of the two together the database would look for each user's install by itself
    named = users.filter(anonymous=False).count()
    total = named + users.filter(current, anonymous=True).count()
    if offset >= total:
        return People(page=[], total=total)
    in_order = users.filter(Q(anonymous=False) | current).order_by("created_at", "id")
    ids = list(in_order.values_list("id", flat=True)[offset : offset + size])
    shown = User.objects.filter(id__in=ids).order_by("created_at", "id")
    return People(page=_with_devices(shown), total=total)


def _with_devices(users: Iterable[User]) -> list[Person]:
    known = list(users)
    tokens = DeviceToken.objects.reachable().filter(install=OuterRef("pk"))
    installs = Install.objects.filter(user__in=known).order_by("id").defer("details")
    devices = defaultdict(list)
    for install in installs.annotate(reachable=Exists(tokens)):
        devices[install.user_id].append(Device(install=install, reachable=install.reachable))
    return [Person(user=user, devices=devices[user.pk]) for user in known]
