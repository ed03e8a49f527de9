"""What an operator fills in → message, audience and schedule of ours, or why not, by field."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from crm.errors import Invalid
from crm.models import App, Channel, Segment
from delivery.audience import Audience
from delivery.errors import NobodyNamed
from delivery.message import SILENT, Badge, BadgeChange, Button, Message
from delivery.models.notification import ASKED, Lane
from delivery.schedule import NOW, Past, Schedule
from gateway.rest.storable import objection

INT4 = 2**31 - 1
LONGEST_TTL = 28 * 24  # hours; FCM's own limit
MOST_NAMED = 100_000
MOST_BUTTONS = 3
LAST_YEAR = 2100
UNITS = {"minutes": 60, "hours": 3600, "days": 86_400, "weeks": 604_800}


def text(label: str, **said: Any) -> forms.CharField:
    """Build a line of text."""
    return forms.CharField(label=label, widget=UnfoldAdminTextInputWidget, **said)


def lines(label: str, *, rows: int = 3, **said: Any) -> forms.CharField:
    """Build a box of text."""
    widget = UnfoldAdminTextareaWidget(attrs={"rows": rows})
    return forms.CharField(label=label, widget=widget, required=False, **said)


def whole(label: str, **said: Any) -> forms.IntegerField:
    """Build a whole number that need not be given."""
    widget = UnfoldAdminIntegerFieldWidget
    return forms.IntegerField(label=label, widget=widget, required=False, **said)


def flag(label: str, **said: Any) -> forms.BooleanField:
    """Build a switch."""
    return forms.BooleanField(label=label, widget=UnfoldBooleanSwitchWidget, required=False, **said)


def choice(label: str, choices: Any, **said: Any) -> forms.ChoiceField:
    """Build one of several."""
    return forms.ChoiceField(label=label, choices=choices, widget=UnfoldAdminSelectWidget, **said)


def moment(label: str, **said: Any) -> forms.DateTimeField:
    """Build a moment to the minute."""
    widget = UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"})
    return forms.DateTimeField(label=label, widget=widget, required=False, **said)


class MessageForm(forms.Form):
    """What the push says."""

    title = text("Title", max_length=1000)
    body = forms.CharField(
        label="Body", max_length=4000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )
    image = forms.URLField(
        label="Image",
        required=False,
        max_length=2048,
        assume_scheme="https",
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "https://…"}),
        help_text="An https address the device fetches the picture from.",
    )
    url = text(
        "Opens",
        required=False,
        max_length=2048,
        help_text="A deep link or web address; empty opens the app.",
    )
    buttons = lines(
        "Buttons",
        rows=2,
        help_text=f"Up to {MOST_BUTTONS}, one a line: id = Text. The app is told the id.",
    )
    custom = lines("Data", help_text="A JSON object, handed to the app untouched.")
    badge = choice(
        "Badge",
        [("", "leave as it is"), ("set", "set to"), ("increment", "add")],
        required=False,
    )
    badge_count = whole("Count", min_value=-INT4, max_value=INT4)
    sound = text(
        "Sound",
        required=False,
        max_length=255,
        help_text=f"A file of the app, “{SILENT}” for silence; empty is the device's own.",
    )
    background = flag("Also wake the app")
    high_priority = flag("High priority", help_text="Android wakes for it; takes the urgent lane.")
    collapse_id = text(
        "Collapse id", required=False, help_text="Replaces an earlier push that had the same one."
    )

    def clean_image(self) -> str | None:
        """Refuse what phones do not load."""
        image: str = self.cleaned_data["image"]
        if image and not image.startswith("https://"):
            raise forms.ValidationError("Phones load pictures over https only.")
        return image or None

    def clean_buttons(self) -> tuple[Button, ...]:
        """Read a button from each line."""
        said = [line for line in self.cleaned_data["buttons"].splitlines() if line.strip()]
        if len(said) > MOST_BUTTONS:
            raise forms.ValidationError(f"At most {MOST_BUTTONS} buttons are shown.")
        pairs = [[part.strip() for part in line.partition("=")[::2]] for line in said]
        if not all(id_ and text for id_, text in pairs):
            raise forms.ValidationError("Write each as id = Text.")
        if len({id_ for id_, _ in pairs}) < len(pairs):
            raise forms.ValidationError("Two buttons have the same id.")
        return tuple(Button(id=id_, text=text) for id_, text in pairs)

    def clean_custom(self) -> dict[str, Any] | None:
        """Read a JSON object the database can keep."""
        said = self.cleaned_data["custom"].strip()
        if not said:
            return None
        try:
            data = json.loads(said, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(f"Is no JSON: {error}") from error
        if not isinstance(data, dict):
            raise forms.ValidationError("Must be a JSON object, in {…}.")
        if (reason := objection(data)) is not None:
            raise forms.ValidationError(reason)
        return data

    def clean_collapse_id(self) -> str | None:
        """Refuse what Apple would."""
        said: str = self.cleaned_data["collapse_id"]
        if len(said.encode()) > 64:
            raise forms.ValidationError("Is longer than 64 bytes in UTF-8.")
        return said or None

    def clean(self) -> dict[str, Any]:
        """Require a count for the badge that was announced."""
        said = super().clean() or {}
        if said.get("badge") and said.get("badge_count") is None and "badge_count" in said:
            self.add_error("badge_count", "How many?")
        return said

    @property
    def message(self) -> Message:
        """The message as we keep it."""
        said = self.cleaned_data
        badge = None
        if said["badge"]:
            change, count = BadgeChange(said["badge"]), said["badge_count"]
            floor = max(count, 0) if change is BadgeChange.SET else count
            badge = Badge(change=change, count=floor)
        return Message(
            title=said["title"],
            body=said["body"],
            url=said["url"] or None,
            image=said["image"],
            buttons=said["buttons"],
            data=said["custom"],
            badge=badge,
            sound=said["sound"] or None,
            background=said["background"],
            high_priority=said["high_priority"],
            collapse_id=said["collapse_id"],
        )


def _no_number(said: str) -> None:
    raise ValueError(f"{said} is no number of JSON")


class AudienceForm(forms.Form):
    """Whom it is for; segments and channels are looked up in the one app."""

    everyone = flag("Everyone", help_text="All of the app, whatever else is named.")
    segments: Any = forms.ModelMultipleChoiceField(Segment.objects.none(), required=False)
    channels: Any = forms.ModelMultipleChoiceField(Channel.objects.none(), required=False)
    users = lines("Users", help_text="Your own ids, one a line.")
    installs = lines("Installs", help_text="Install ids, one a line.")
    any_tags = text("With any of the tags", required=False, help_text="Separated by commas.")
    all_tags = text("With all of the tags", required=False)
    except_installs = lines(
        "Without installs", rows=2, help_text="Taken out of segments and channels."
    )
    except_tags = text(
        "Without who has a tag", required=False, help_text="Taken out of everything."
    )

    def __init__(self, app: App, *args: Any, **said: Any) -> None:
        super().__init__(*args, **said)
        fields: dict[str, Any] = self.fields
        fields["segments"].queryset = Segment.objects.filter(app=app)
        fields["channels"].queryset = Channel.objects.filter(app=app)

    def _listed(self, name: str, separator: str | None = None) -> tuple[str, ...]:
        said: str = self.cleaned_data[name]
        parts = said.split(separator) if separator else said.splitlines()
        found = dict.fromkeys(part.strip() for part in parts)
        found.pop("", None)
        if len(found) > MOST_NAMED:
            raise forms.ValidationError(f"At most {MOST_NAMED:,} can be named; use a segment.")
        return tuple(found)

    def clean_users(self) -> tuple[str, ...]:
        """Read one id from each line."""
        return self._listed("users")

    def clean_installs(self) -> tuple[str, ...]:
        """Read one id from each line."""
        return self._listed("installs")

    def clean_except_installs(self) -> tuple[str, ...]:
        """Read one id from each line."""
        return self._listed("except_installs")

    def clean_any_tags(self) -> tuple[str, ...]:
        """Read tags between commas."""
        return self._listed("any_tags", ",")

    def clean_all_tags(self) -> tuple[str, ...]:
        """Read tags between commas."""
        return self._listed("all_tags", ",")

    def clean_except_tags(self) -> tuple[str, ...]:
        """Read tags between commas."""
        return self._listed("except_tags", ",")

    def clean(self) -> dict[str, Any]:
        """Refuse to send to nobody; who meant everyone has to say so."""
        said = super().clean() or {}
        if self.errors:
            return said
        names = ("segments", "channels", "users", "installs", "any_tags", "all_tags")
        if not said["everyone"] and not any(said[name] for name in names):
            raise forms.ValidationError("Name somebody, or everyone.")
        try:
            said["audience"] = self._audience(said)
        except NobodyNamed as error:
            raise forms.ValidationError("Name somebody, or everyone.") from error
        return said

    @staticmethod
    def _audience(said: dict[str, Any]) -> Audience:
        return Audience(
            everyone=said["everyone"],
            segment_ids=tuple(sorted(one.pk for one in said["segments"])),
            channel_ids=tuple(sorted(one.pk for one in said["channels"])),
            user_uids=said["users"],
            install_uids=said["installs"],
            any_tags=said["any_tags"],
            all_tags=said["all_tags"],
            except_install_uids=said["except_installs"],
            except_tags=said["except_tags"],
        )

    @property
    def audience(self) -> Audience:
        """The audience as we keep it."""
        audience: Audience = self.cleaned_data["audience"]
        return audience


class ScheduleForm(forms.Form):
    """When it goes out, how fast it is wanted, and how long it is worth trying."""

    when = choice(
        "When",
        [
            ("now", "now"),
            ("at", "at a moment (UTC)"),
            ("local", "at a time of day where each device is"),
            ("every", "again and again (UTC)"),
        ],
        initial="now",
    )
    at = moment("Moment")
    past = choice(
        "Where that time is past",
        [(Past.IGNORE.value, "leave them out"), (Past.NEXT_DAY.value, "the same time next day")],
        required=False,
    )
    every = whole("Every", min_value=1, max_value=10_000)
    unit = choice("Unit", [(name, name) for name in UNITS], required=False, initial="days")
    until = moment("Until (UTC)", help_text="Empty is for ever.")
    skip_after = whole(
        "Skip if late by minutes",
        min_value=0,
        max_value=40_320,
        help_text="Rather not at all than later than that.",
    )
    lane = choice("Lane", [("", "as it suits the audience"), *ASKED], required=False)
    ttl_hours = whole(
        "Worth trying for hours",
        min_value=0,
        max_value=LONGEST_TTL,
        help_text="Empty is the gateway's own setting; 0 is now or never.",
    )
    name = text("Name or campaign", required=False, max_length=255)

    def clean(self) -> dict[str, Any]:
        """Read the schedule, where the fields it needs are there."""
        said = super().clean() or {}
        if not self.errors:
            said["schedule"] = self._schedule(said)
        return said

    def _schedule(self, said: dict[str, Any]) -> Schedule:
        when, at = said["when"], said["at"]
        late = said["skip_after"]
        skip_after = None if late is None else timedelta(minutes=late)
        if when == "now":
            return NOW if skip_after is None else Schedule(skip_after=skip_after)
        if at is None:
            raise forms.ValidationError({"at": "When?"})
        if not 1970 < at.year < LAST_YEAR:
            raise forms.ValidationError({"at": "Is too far away."})
        if when == "local":
            past = Past(said["past"] or Past.IGNORE)
            wall_clock = at.astimezone(UTC).replace(tzinfo=None)
            return Schedule(wall_clock=wall_clock, past=past, skip_after=skip_after)
        if at < timezone.now() - timedelta(minutes=1):
            raise forms.ValidationError({"at": "Is past."})
        if when == "at":
            return Schedule(at=at, skip_after=skip_after)
        return self._series(said, at, skip_after)

    @staticmethod
    def _series(said: dict[str, Any], at: datetime, skip_after: timedelta | None) -> Schedule:
        if not said["every"]:
            raise forms.ValidationError({"every": "How often?"})
        every = timedelta(seconds=said["every"] * UNITS[said["unit"] or "days"])
        try:
            return Schedule(at=at, every=every, until=said["until"], skip_after=skip_after)
        except Invalid as error:
            raise forms.ValidationError({k: list(v) for k, v in error.reasons.items()}) from error

    @property
    def schedule(self) -> Schedule:
        """The schedule as we keep it."""
        schedule: Schedule = self.cleaned_data["schedule"]
        return schedule

    @property
    def asked_lane(self) -> Lane | None:
        """The lane, where one was asked for."""
        said = self.cleaned_data["lane"]
        return Lane(said) if said else None

    @property
    def time_to_live(self) -> timedelta | None:
        """How long a push is tried; now or never takes a moment, too."""
        hours = self.cleaned_data["ttl_hours"]
        if hours is None:
            return None
        return timedelta(hours=hours) if hours else timedelta(seconds=1)
