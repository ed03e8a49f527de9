"""Django's own list for production, and what it cannot know: no API call is redirected."""

import os
import secrets
import subprocess
import sys

import pytest
from django.conf import settings as configured
from django.test import Client

from devstack.place import ROOT

PRODUCTION = {
    "GATEWAY_BEHIND_TLS_PROXY": "1",
    "GATEWAY_ALLOWED_HOSTS": "push.example.com",
    "GATEWAY_TRUSTED_ORIGINS": "https://push.example.com",
    "GATEWAY_REQUIRE_SECOND_FACTOR": "1",  # tests are run with 0
}
API = ["/notifications", "/v1/app-installs/i/events", "/session.json", "/nothing-here"]


def checked(**said):
    environ = {**os.environ, **PRODUCTION, "SECRET_KEY": secrets.token_urlsafe(64), **said}
    words = ["manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )


def test_production_settings_pass_djangos_checks():
    done = checked()
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("said", "warning"),
    [
        ({"GATEWAY_BEHIND_TLS_PROXY": "0"}, "security.W010"),
        ({"SECRET_KEY": "short"}, "security.W009"),
        ({"GATEWAY_DEBUG": "1"}, "security.W018"),
        ({"GATEWAY_REQUIRE_SECOND_FACTOR": "0"}, "console.W001"),
    ],
)
def test_what_is_not_for_production_does_not_pass(said, warning):
    done = checked(**said)
    assert done.returncode == 1
    assert warning in done.stderr


UNDER_DJANGOS_NAMES = """
import django
from django.conf import settings
from django.core.checks import run_checks
django.setup()
settings.MIDDLEWARE += [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
]
print(sorted(found.id for found in run_checks(include_deployment_checks=True)))
"""


def test_the_settings_of_middleware_under_our_names_pass_too():
    """Django looks at them only where it finds its own names."""
    environ = {**os.environ, **PRODUCTION, "SECRET_KEY": secrets.token_urlsafe(64)}
    environ["DJANGO_SETTINGS_MODULE"] = "gateway.settings"
    done = subprocess.run(
        [sys.executable, "-c", UNDER_DJANGOS_NAMES],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    # subdomains and the list browsers ship are for the domain's owner to say
    assert done.stdout == "['security.W005', 'security.W021']\n"


def test_what_is_silenced_is_there_under_our_names():
    for name in ("Security", "Frames", "Forms"):
        assert f"gateway.pages.{name}" in configured.MIDDLEWARE


@pytest.fixture
def production(settings, db):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 31_536_000
    return Client()  # whose middleware is built with these


def test_a_page_is_led_to_tls_and_says_so_for_a_year(production):
    answer = production.get("/admin/login/")
    assert (answer.status_code, answer.url) == (301, "https://testserver/admin/login/")

    answer = production.get("/admin/login/", headers={"X-Forwarded-Proto": "https"})
    assert answer.status_code == 200
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize("path", API)
@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
def test_an_api_call_is_never_redirected(production, path, method):
    assert getattr(production, method)(path).status_code not in range(300, 400)


@pytest.mark.parametrize("path", ["/healthz", "/readyz?only=database"])
def test_a_probe_needs_neither_tls_nor_a_known_host(production, settings, path):
    settings.ALLOWED_HOSTS = ["push.example.com"]
    assert production.get(path, headers={"Host": "10.0.0.7:8000"}).status_code == 200
