"""The tenant and the keys that open it."""

from datetime import timedelta

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now

from crm.sealing import fingerprint

MOST_PUSHES = 100
"""What a cap may allow: each of them is remembered with the install while the window lasts."""

SHORTEST_WINDOW, LONGEST_WINDOW = timedelta(minutes=1), timedelta(days=30)


class AppQuerySet(models.QuerySet["App"]):
    """Apps, by the keys that open them."""

    def opened_by(self, *, kind: "AppKey.Kind", api_key: str, secret: str) -> "App | None":
        """Give the app this pair opens for this kind of door; None where it opens nothing.

        The secret is looked up by its fingerprint, so no comparison can be timed.
        """
        if "\0" in api_key:
            return None
        keys = AppKey.objects.live().filter(kind=kind, fingerprint=fingerprint(secret))
        return self.filter(api_key=api_key, keys__in=keys).first()


class App(models.Model):
    """A tenant: every other row belongs to exactly one."""

    class Mode(models.TextChoices):
        """Whom an app's pushes may reach; fixed when it is made (docs/adr/0022)."""

        LIVE = "live", "live"
        TEST = "test", "test: its pushes reach the simulator only"

    class V2Status(models.IntegerChoices):
        """The status of a send accepted by the second API: each client knows one only."""

        OK = 200, "200 (the Apprise plugin)"
        ACCEPTED = 202, "202 (the Java client)"

    class EventAnswer(models.TextChoices):
        """How the creation of a ConnectyCube event is answered; SDKs disagree (contract §7.3)."""

        AUTO = "auto", "an object where the event names a push_type, else a list"
        ARRAY = "array", "always a list (iOS and Android SDK v2)"
        OBJECT = "object", "always one object, the first"

    class Environment(models.TextChoices):
        """What ConnectyCube calls Apple's two worlds."""

        DEVELOPMENT = "development", "development"
        PRODUCTION = "production", "production"

    class Resend(models.TextChoices):
        """Which pushes without an answer are sent once more, though they may have arrived."""

        NEVER = "never", "never: a push is lost rather than doubled"
        URGENT = "urgent", "urgent ones"
        ALWAYS = "always", "always: a push is doubled rather than lost"

    id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=255)
    api_key = models.CharField(max_length=36, unique=True)  # public: the Basic user name
    mode = models.CharField(
        max_length=4, choices=Mode.choices, default=Mode.LIVE, db_default="live", editable=False
    )
    # whose test twin it is
    live_app = models.OneToOneField(
        "self", models.CASCADE, null=True, related_name="test_twin", editable=False
    )
    resend_uncertain = models.CharField(
        max_length=8, choices=Resend.choices, default=Resend.NEVER, db_default="never"
    )
    # requests a second through each door; null is what the settings say, 0 no limit
    rate_limit = models.PositiveIntegerField(null=True, blank=True)
    # at most so many bulk pushes to one install within the window; null is no cap (docs/adr/0024)
    cap_pushes = models.PositiveSmallIntegerField(
        "pushes",
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_PUSHES)],
        help_text="At most so many bulk pushes to one device within the window below; empty: no"
        f" cap. A whole number from 1 to {MOST_PUSHES}.",
    )
    cap_window = models.DurationField(
        "within",
        default=timedelta(hours=24),
        db_default=timedelta(hours=24),
        validators=[MinValueValidator(SHORTEST_WINDOW), MaxValueValidator(LONGEST_WINDOW)],
        help_text="[days] hours:minutes:seconds, such as 24:00:00 or 7 00:00:00; from one minute to"
        " 30 days, counted back from each push.",
    )
    # what public clients of Kumulos' second send API disagree about (contracts/kumulos §7)
    kumulos_v2_status = models.PositiveSmallIntegerField(
        choices=V2Status.choices, default=V2Status.ACCEPTED, db_default=202
    )
    # what the web SDK asks for before it subscribes a browser; its key pair is made with the app
    web_push_public_key = models.CharField(max_length=100, default="", db_default="", blank=True)
    web_icon_url = models.URLField(max_length=2048, default="", db_default="", blank=True)
    web_prompts = models.JSONField(default=dict, db_default={}, blank=True)
    safari_push_id = models.CharField(max_length=255, default="", db_default="", blank=True)
    # ConnectyCube's own settings of an application (contracts/connectycube §4, §7)
    cube_signature_required = models.BooleanField(default=False, db_default=False)
    cube_creates_users = models.BooleanField(default=False, db_default=False)
    cube_default_environment = models.CharField(
        max_length=16, choices=Environment.choices, default="", db_default="", blank=True
    )
    cube_event_answer = models.CharField(
        max_length=8, choices=EventAnswer.choices, default=EventAnswer.AUTO, db_default="auto"
    )
    created_at = models.DateTimeField(db_default=Now())

    objects = AppQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(mode="live", live_app=None)
                | models.Q(mode="test", live_app__isnull=False),
                name="app_is_live_or_a_twin",
            ),
            models.CheckConstraint(
                condition=models.Q(cap_pushes=None)
                | models.Q(cap_pushes__gte=1, cap_pushes__lte=MOST_PUSHES),
                name="app_cap_is_bounded",
            ),
            models.CheckConstraint(
                condition=models.Q(cap_window__gte=SHORTEST_WINDOW, cap_window__lte=LONGEST_WINDOW),
                name="app_cap_window_is_bounded",
            ),
            # what a credential refers to: its mode is its app's
            models.UniqueConstraint(fields=["id", "mode"], name="app_with_its_mode"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"

    @property
    def is_test(self) -> bool:
        """Whether its pushes may reach the simulator only."""
        return self.mode == App.Mode.TEST


class AppKeyQuerySet(models.QuerySet["AppKey"]):
    """Keys, by what they still open."""

    def live(self) -> "AppKeyQuerySet":
        """Keys that open something now; a rotated one lives on until its time is over."""
        return self.filter(models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=Now()))


class AppKey(models.Model):
    """One secret of an app, recognised by its fingerprint.

    A key that must be read again (it signs) is also kept sealed. Several of a kind may live
    side by side while callers move from one to the next.
    """

    class Kind(models.TextChoices):
        """The doors a key opens; no key opens two."""

        DEVICE = "device", "device (Kumulos secret key)"
        SERVER = "server", "server (Kumulos server key)"
        AUTH = "auth", "ConnectyCube auth key"
        SIGNING = "signing", "ConnectyCube auth secret"
        VAPID = "vapid", "private half of the web push key"

    app = models.ForeignKey(App, models.CASCADE, related_name="keys")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    fingerprint = models.BinaryField(max_length=32)
    sealed = models.BinaryField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)

    objects = AppKeyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["fingerprint"], name="app_key_fingerprint_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} key of {self.app_id}"
