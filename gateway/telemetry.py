"""Log shape, metric names, request ids."""

import json
import logging
import logging.config
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponseBase
from prometheus_client import Counter, Histogram

from delivery import context, tracing
from delivery.context import request_id
from gateway.redaction import redact

REQUESTS = Counter(
    "gateway_http_requests", "Requests answered.", ["dialect", "method", "route", "status"]
)
LATENCY = Histogram(
    "gateway_http_request_seconds",
    "Time to answer a request.",
    ["dialect", "method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
SAFE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

logger = logging.getLogger("gateway.request")


CLEAN = {"clean": True}


def is_clean(record: logging.LogRecord) -> bool:
    """Say whether a record was made of our own words only: looking for secrets costs 50 µs."""
    return getattr(record, "clean", False)


class TextLines(logging.Formatter):
    """One readable line a record, without secrets; line breaks inside a message are escaped."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s%(about)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Give the line, and a traceback under it where there is one."""
        told = request_id.get()
        record.about = f" [{told}]" if told else ""
        line = super().format(record)
        return line if is_clean(record) else redact(line)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Keep a message on its line, so that no caller can write lines of their own."""
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return super().formatMessage(record)


class JsonLines(logging.Formatter):
    """One JSON object a record, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the object on one line."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage() if is_clean(record) else redact(record.getMessage()),
        }
        if known := request_id.get():
            told["request_id"] = known
        told.update(context.subject())
        if record.exc_info:
            told["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(told, ensure_ascii=False)


def configure_logging(config: dict[str, Any]) -> None:
    """Set up logging for every process; Django calls it with `settings.LOGGING`."""
    shape = JsonLines if config["format"] == "json" else TextLines
    # no line of ours names these, and each is asked of the system anew
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": shape}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": config["level"]},
            "loggers": {
                # each 4xx already has its request line; a 500 comes here with its traceback
                "django.request": {"level": "ERROR"},
                "httpx": {"level": "WARNING"},
                # two lines for every tick would bury the rest
                "celery.app.trace": {"level": "WARNING"},
                "celery.worker.strategy": {"level": "WARNING"},
                "celery.beat": {"level": "WARNING"},
            },
        }
    )


class RequestTelemetry:
    """Gives each request an id, a log line and its place in the metrics.

    The caller's own `X-Request-Id` is kept where it is safe to write down. Lines and metrics name
    the route, not the path: paths hold people's ids.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request, and tell of it."""
        sent = request.META.get("HTTP_X_REQUEST_ID", "")
        own = sent if sent and is_safe(sent) else context.fresh_id()
        request.request_id = own  # type: ignore[attr-defined] # for whoever may not know of us
        with context.about(own):
            if request.path_info in PROBES:
                return self._answer(request, own)
            started = time.perf_counter()
            parent = request.META.get("HTTP_TRACEPARENT")
            with tracing.span("request", parent=parent, kind="server") as told:
                response = self._answer(request, own)
                tell(request, response, took=time.perf_counter() - started)
                trace(told, request, response, own)
            return response

    def _answer(self, request: HttpRequest, own: str) -> HttpResponseBase:
        response = self.get_response(request)
        response["X-Request-Id"] = own
        return response


def is_safe(sent: str) -> bool:
    """Say whether a caller's own id may be written down: a word, and not a device's token."""
    return SAFE_REQUEST_ID.fullmatch(sent) is not None and redact(sent) == sent


def tell(request: HttpRequest, response: HttpResponseBase, *, took: float) -> None:
    """Write the one line and move the metrics of an answered request."""
    method = request.method if request.method in METHODS else "other"
    route = route_of(request)
    dialect = dialect_of(request)
    answered, latency = _counts_of(dialect, method, route, response.status_code)
    answered.inc()
    latency.observe(took)
    routed = route != UNROUTED
    shown = route if routed else f"{UNROUTED} {quote(request.path_info)[:200]}"
    ours = CLEAN if routed else None
    logger.info("%s %s %d %.1f ms", method, shown, response.status_code, took * 1000, extra=ours)


@lru_cache(maxsize=4096)  # routes and methods are ours, and there are only so many statuses
def _counts_of(dialect: str, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    where = (dialect, method, route)
    return REQUESTS.labels(*where, status), LATENCY.labels(*where)


UNROUTED = "unrouted"


def route_of(request: HttpRequest) -> str:
    """Give the pattern a request was routed by: few of them exist, whatever callers ask for."""
    match = request.resolver_match
    return f"/{match.route}" if match and match.route else UNROUTED


def trace(told: tracing.Span, request: HttpRequest, response: HttpResponseBase, own: str) -> None:
    """Say what a request's span was about; a 500 of ours has gone wrong, a 4xx has not."""
    route, method = route_of(request), request.method if request.method in METHODS else "other"
    told.rename(f"{method} {route}")
    told.note(
        http__request__method=method,
        http__route=route,
        http__response__status_code=response.status_code,
        request__id=own,
        dialect=dialect_of(request),
        **{f"{name}__id": value for name, value in context.subject().items()},
    )
    if response.status_code >= 500:
        told.fail(f"HTTP {response.status_code}")


def dialect_of(request: HttpRequest) -> str:
    """Give whose words a request was in: a vendor's, or `none` for pages and what is unrouted."""
    match = request.resolver_match
    if match is None:
        return "none"
    # a view of a class is named by the class, which `as_view` wraps
    return _dialect(getattr(match.func, "cls", match.func).__module__)


@lru_cache(maxsize=1024)
def _dialect(module: str) -> str:
    package, _, rest = module.partition(".")
    name = rest.partition(".")[0]
    return name if package == "gateway" and name in {"kumulos", "connectycube"} else "none"
