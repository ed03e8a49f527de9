"""`k.stats.installTracked` → TrackInstall: numbers become names (contracts/kumulos §2.1)."""

import re
import zoneinfo
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from crm.commands.installs import TrackInstall
from gateway.kumulos.devices.values import code, members, text

OS_NAMES = {1: "iOS", 2: "macOS", 3: "Android", 4: "Windows Phone", 5: "Windows"}
SDK_NAMES = {
    1: "Objective-C",
    2: "Android/Java",
    3: "C#",
    4: "Swift",
    6: "Cordova",
    7: "Xamarin",
    9: "React Native",
    10: "Web",
    11: "Flutter",
    101: "Optimove iOS",
    102: "Optimove Android",
    104: "Optimove Web",
}
RUNTIME_NAMES = {
    1: "native",
    2: "Xamarin",
    3: "Cordova",
    4: "JVM",
    7: "React Native",
    8: "browser",
    9: "Flutter",
}
# in this order: a Windows Phone also says Android and Windows, an iPhone Mac OS X
USER_AGENTS = {
    "Windows Phone": "Windows Phone",
    "Android": "Android",
    "iPhone": "iOS",
    "iPad": "iOS",
    "iPod": "iOS",
    "Windows": "Windows",
    "Macintosh": "macOS",
    "Mac OS": "macOS",
}

# language, script and region as in BCP 47, and in Java's spelling `zh_TW_#Hant`
LOCALE = re.compile(
    r"[a-z]{2,3}(?:[-_][a-z]{3}){0,3}(?:[-_][a-z]{4})?[-_](?P<region>[a-z]{2})(?![a-z0-9])",
    re.IGNORECASE,
)


def read_install(data: Mapping[str, Any]) -> TrackInstall:
    """Give what runs where; what is missing or unknown is ''."""
    os, sdk, device = members(data, "os"), members(data, "sdk"), members(data, "device")
    zone, locale = _zone(device.get("tz")), text(device.get("locale"), at_most=64)
    return TrackInstall(
        os=_os(os.get("id"), device.get("name")),
        os_version=text(os.get("version"), at_most=64),
        sdk_type=SDK_NAMES.get(code(sdk.get("id")) or 0, ""),
        sdk_version=text(sdk.get("version"), at_most=64),
        app_version=text(members(data, "app").get("version"), at_most=64),
        device_model=text(device.get("name"), at_most=255),
        timezone=zone,
        locale=locale,
        country=_country(zone, locale),
        details=_details(data),
    )


def _os(number: Any, device_name: Any) -> str:
    if (known := OS_NAMES.get(code(number) or 0)) is not None:
        return known
    # browsers send 0 and their user agent as the device's name
    agent = device_name if isinstance(device_name, str) else ""
    return next((name for mark, name in USER_AGENTS.items() if mark in agent), "")


def _zone(name: Any) -> str:
    return name if isinstance(name, str) and name in _zones() else ""


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _country(zone: str, locale: str) -> str:
    """Give where the device is by its clock, or else where its owner's language is from."""
    if (known := _countries().get(zone)) is not None:
        return known
    said = LOCALE.match(locale)
    region = said["region"].upper() if said else ""
    return region if region in _countries().values() else ""


@cache
def _countries() -> Mapping[str, str]:
    """Give the country of each zone that lies in one; old names of zones are not among them."""
    table = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    return {zone: country for country, _, zone, *_ in rows}


def _details(data: Mapping[str, Any]) -> dict[str, Any]:
    runtime = RUNTIME_NAMES.get(code(members(data, "runtime").get("id")) or 0, "")
    return {**data, "runtimeName": runtime} if runtime else dict(data)
