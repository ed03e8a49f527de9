"""Every setting of the gateway; all values come from the environment (README, "Configuration")."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from gateway import env
from gateway.console.theme import THEME

# -- the process
DEBUG = env.flag("GATEWAY_DEBUG", default=False)
SECRET_KEY = env.text("SECRET_KEY", "")  # Django stops with one line where it is empty
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")  # sign-ins made under these live on
SEALING_KEYS = env.words("GATEWAY_SEALING_KEYS") or [SECRET_KEY]
ALLOWED_HOSTS = env.words("GATEWAY_ALLOWED_HOSTS", "*")
CSRF_TRUSTED_ORIGINS = env.words("GATEWAY_TRUSTED_ORIGINS")
ROOT_URLCONF = "gateway.urls"
WSGI_APPLICATION = "gateway.wsgi.application"
APPEND_SLASH = False  # a redirected POST becomes a GET in many clients
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
LANGUAGE_CODE = "en-us"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATA_UPLOAD_MAX_MEMORY_SIZE = env.number("GATEWAY_MAX_BODY_BYTES", 8 << 20, at_least=1 << 16)
MAX_BODY_VALUES = env.number("GATEWAY_MAX_BODY_VALUES", 1_000_000, at_least=1_000)

INSTALLED_APPS = [
    "unfold",  # before the admin, whose templates and site it replaces
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "gateway.console",  # before those whose templates and commands it has its own of
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "gateway.console.account_app.OperatorAccountsConfig",
    "allauth.mfa",
    "allauth.usersessions",
    "rest_framework",
    "drf_spectacular",
    "crm",
    "templates_app",
    "delivery",
    "gateway",  # last: its admin has the last word on what those before have registered
]

MIDDLEWARE = [
    "gateway.telemetry.RequestTelemetry",
    # Django's own, which the requests of APIs pass by
    "gateway.pages.Policy",
    "gateway.pages.Security",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "gateway.pages.Sessions",
    "gateway.pages.Forms",
    "gateway.pages.SignedIn",
    "gateway.pages.Messages",
    "gateway.pages.Frames",
    "gateway.console.middleware.SignedInFor",
    "gateway.console.middleware.SecondFactor",
    "gateway.console.middleware.Accounts",
    "gateway.console.middleware.Deeds",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "console" / "overrides"],  # before the theme's own
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "gateway.console.context.account_pages",
            ],
        },
    },
]

UNFOLD = THEME

# -- where things are kept
DATABASES = {"default": {**env.database(), "ENGINE": "gateway.database"}}
# a pooler that lends connections by the transaction loses what was prepared on them
PREPARED_STATEMENTS = env.flag("GATEWAY_PREPARED_STATEMENTS", default=True)
DATABASE_PATIENCE = env.seconds("GATEWAY_DATABASE_PATIENCE", 15)  # of a web process
REDIS_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/0")

CACHES = {
    "default": {
        "BACKEND": "gateway.cache.SteadyCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "gateway",
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }
}

STATIC_URL = "/static/"
STATIC_ROOT = env.text("GATEWAY_STATIC_ROOT", "") or None  # where collectstatic puts them
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

# -- web
# the first makes new ones: memory-hard, and cheaper here than Django's own first choice
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
# how long an answer is kept for whoever asks again under the same idempotency key
IDEMPOTENCY_RETENTION = env.seconds("GATEWAY_IDEMPOTENCY_RETENTION", 86400, at_least=60)
# requests a second of one app through each door; an app may have a rate of its own; 0 is no limit
RATES = {
    "server": env.number("GATEWAY_SERVER_RATE", 2_000),
    "device": env.number("GATEWAY_DEVICE_RATE", 20_000),
    "session": env.number("GATEWAY_SESSION_RATE", 20_000),
}
WRONG_KEYS = env.number("GATEWAY_WRONG_KEYS", 100)  # a minute from one address, to each process
PROXY_HOPS = env.number("GATEWAY_PROXY_HOPS", 0, at_most=10)  # that append to X-Forwarded-For
KEY_CACHE = env.seconds("GATEWAY_KEY_CACHE", 5, at_least=0)  # a revoked key works so long
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Push gateway",
    "DESCRIPTION": "The Kumulos and ConnectyCube push APIs, self-hosted.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "PREPROCESSING_HOOKS": ["gateway.docs.schema.without_twins"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "gateway.docs.schema.with_examples",
        "gateway.docs.schema.with_limits",
    ],
    "PATH_CONVERTER_OVERRIDES": {"number": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}},
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "applicationKey": {"type": "apiKey", "in": "header", "name": "CB-AuthKey"}
        }
    },
}
PAGE_PATIENCE = env.seconds("GATEWAY_PAGE_PATIENCE", 5, at_least=1)  # of a query of the admin

# -- browsers; only pages pass this middleware (gateway.pages): no API call is ever redirected
BEHIND_TLS_PROXY = env.flag("GATEWAY_BEHIND_TLS_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS_PROXY else None
SECURE_SSL_REDIRECT = BEHIND_TLS_PROXY
SECURE_HSTS_SECONDS = env.number("GATEWAY_HSTS_SECONDS", 31_536_000) if BEHIND_TLS_PROXY else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS_PROXY
SILENCED_SYSTEM_CHECKS = [
    # Django's middleware is there, under our names, for pages alone
    "security.W001",  # gateway.pages.Security
    "security.W002",  # gateway.pages.Frames
    "security.W003",  # gateway.pages.Forms
    # what other hosts of the domain do, and whether browsers ship it, is for its owner to say
    "security.W005",  # SECURE_HSTS_INCLUDE_SUBDOMAINS
    "security.W021",  # SECURE_HSTS_PRELOAD
]

# -- operators: docs/access.md
REQUIRE_SECOND_FACTOR = env.flag("GATEWAY_REQUIRE_SECOND_FACTOR", default=True)
SESSION_IDLE = env.seconds("GATEWAY_SESSION_IDLE", 3600, at_least=60)
SESSION_LIFETIME = env.seconds("GATEWAY_SESSION_LIFETIME", 12 * 3600, at_least=60)
SESSION_COOKIE_AGE = int(SESSION_LIFETIME.total_seconds())
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
LOGIN_URL, LOGIN_REDIRECT_URL = "account_login", "admin:index"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
ACCOUNT_ADAPTER = "gateway.console.accounts.Accounts"
ACCOUNT_FORMS = {"login": "gateway.console.accounts.SignIn"}
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]  # nobody signs up; the form asks for these
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True  # as long as SESSION_LIFETIME, and nobody is asked
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_RATE_LIMITS = {"login_failed": "20/m/ip,5/5m/key"}  # a key is a name and an address
MFA_ADAPTER = "gateway.console.accounts.SecondFactors"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Push gateway"
MFA_TOTP_TOLERANCE = 1  # a phone's clock may be half a minute off
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
USERSESSIONS_TRACK_ACTIVITY = False

# -- Celery: the doorbell (docs/adr/0002). Its settings are explained in notes kept beside each.
CELERY_BROKER_URL = env.broker()
CELERY_TASK_IGNORE_RESULT = True  # the rows are the result
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_RETRY_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 60
CELERY_TASK_SOFT_TIME_LIMIT = 45
CELERY_TASK_DEFAULT_QUEUE = "bulk"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1  # a prefetched bulk ring would delay an urgent one
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # a ring lost with its worker costs a tick: keeping it until it is answered costs four commands
    "ack_emulation": False,
    "queue_order_strategy": "priority",  # always look in `urgent` first
    "socket_connect_timeout": 1,  # whoever rings has `delivery.doorbell.PATIENCE`
    "socket_timeout": 3,
    # a broker behind a network that swallows what is said is found out within twice that
    "health_check_interval": 10,
}
CELERY_TASK_PUBLISH_RETRY = False  # tick finds what no message woke
CELERY_DB_REUSE_MAX = 10**9  # keep the connection; `task_prerun` checks its health

# -- delivery
BATCH_SIZE = env.number("GATEWAY_BATCH_SIZE", 1000, at_least=1, at_most=10_000)
PLAN_PAGE = env.number("GATEWAY_PLAN_PAGE", 50_000, at_least=1_000)
BATCH_LEASE = env.seconds("GATEWAY_BATCH_LEASE", 20, at_least=2)
DEFAULT_TIME_TO_LIVE = env.seconds("GATEWAY_DEFAULT_TIME_TO_LIVE", 24 * 3600)
REQUEST_TIMEOUT = env.seconds("GATEWAY_REQUEST_TIMEOUT", 10)  # Google asks for ten at least
SEND_TIMEOUT = timedelta(seconds=15)  # what could not even be written by then waits for a retry
BATCH_DEADLINE = timedelta(seconds=40)  # of one try at a batch; below Celery's soft limit
LOCAL_SKIP_AFTER = env.seconds("GATEWAY_LOCAL_SKIP_AFTER", 3600)  # the longest a zone is late
# ConnectyCube refuses an event nobody can receive at the moment
ACCEPT_UNREACHABLE = env.flag("GATEWAY_ACCEPT_UNREACHABLE", default=False)
URGENT_AUDIENCE = env.number("GATEWAY_URGENT_AUDIENCE", 100)
# -- how long things are kept (docs/deploying.md, "What is kept for how long")
LEDGER_RETENTION = env.seconds("GATEWAY_LEDGER_RETENTION", 90 * 86400, at_least=86400)
TOKEN_RETENTION = env.seconds("GATEWAY_TOKEN_RETENTION", 30 * 86400, at_least=86400)
EVENT_RETENTION = env.seconds("GATEWAY_EVENT_RETENTION", 90 * 86400, at_least=7 * 86400)
NOTIFICATION_RETENTION = env.seconds(
    "GATEWAY_NOTIFICATION_RETENTION",
    max(365 * 86400, LEDGER_RETENTION // timedelta(seconds=1)),
    at_least=LEDGER_RETENTION // timedelta(seconds=1),  # an outcome has its notification
)

PROVIDER_TRANSPORT = env.choice("GATEWAY_PROVIDER_TRANSPORT", "wire", ["wire", "library"])
# where a test app's pushes go, and the only place they may go to beside loopback (docs/adr/0022)
SIMULATORS = {
    "apns": env.text("GATEWAY_SIMULATOR_APNS", ""),
    "fcm": env.text("GATEWAY_SIMULATOR_FCM", ""),
}
SIMULATOR_CA_FILE = env.text("GATEWAY_SIMULATOR_CA_FILE", "")
# networks webhooks may lead to besides the public internet, in the clear too
WEBHOOK_ALLOW = env.networks("GATEWAY_WEBHOOK_ALLOW")
WEBHOOK_RETENTION = env.seconds("GATEWAY_WEBHOOK_RETENTION", 30 * 86400, at_least=3600)

# -- what operators watch
METRICS_ADDRESS = env.text("GATEWAY_METRICS_ADDRESS", "127.0.0.1")
METRICS_PORT = env.number("GATEWAY_METRICS_PORT", 0, at_most=65_535)  # of a worker or tick; 0: none
METRICS_DIR = env.text("GATEWAY_METRICS_DIR", "") or env.private_folder("push-gateway-metrics")
OTLP_ENDPOINT = env.url("GATEWAY_OTLP_ENDPOINT")  # traces go there, where it is set

# -- logs
LOGGING_CONFIG = "gateway.telemetry.configure_logging"
LOG_FORMAT = env.choice("GATEWAY_LOG_FORMAT", "text", ["text", "json"])
LOG_LEVEL = env.choice("GATEWAY_LOG_LEVEL", "INFO", ["DEBUG", "INFO", "WARNING", "ERROR"])
LOGGING = {"format": LOG_FORMAT, "level": LOG_LEVEL}
