"""Typed readers of the environment: a value, a default, or one clear line."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured

from gateway import env

NAME = "GATEWAY_TEST_VALUE"


@pytest.fixture
def put(monkeypatch):
    monkeypatch.delenv(NAME, raising=False)
    return lambda value, name=NAME: monkeypatch.setenv(name, value)


def test_text_is_the_value_the_default_or_a_refusal_that_names_it(put):
    assert env.text(NAME, "default") == "default"
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.text(NAME)
    put("value")
    assert env.text(NAME, "default") == "value"


def test_a_secret_may_come_from_a_file(put, tmp_path):
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    put(str(path), f"{NAME}_FILE")
    put("ignored")
    assert env.text(NAME) == "s3cret"


def test_a_secret_file_that_cannot_be_read_stops_the_start(put, tmp_path):
    put(str(tmp_path / "nothing"), f"{NAME}_FILE")
    with pytest.raises(ImproperlyConfigured, match=f"{NAME}_FILE"):
        env.text(NAME)


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("1", True),
        ("TRUE", True),
        ("yes", True),
        ("On", True),
        ("0", False),
        ("False", False),
        ("no", False),
        ("off", False),
        ("", False),
    ],
)
def test_flags_are_spelled_in_many_ways(put, value, meaning):
    put(value)
    assert env.flag(NAME, default=not meaning) is meaning


@pytest.mark.parametrize("default", [True, False])
def test_a_flag_has_a_default(put, default):
    assert env.flag(NAME, default=default) is default


@pytest.mark.parametrize("value", ["2", "maybe", "tru", " "])
def test_what_is_no_flag_stops_the_start(put, value):
    put(value)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.flag(NAME, default=True)


def test_numbers_keep_to_their_bounds(put):
    assert env.number(NAME, 7) == 7
    put("3")
    assert env.number(NAME, 7, at_least=3, at_most=3) == 3
    for bounds in ({"at_least": 4}, {"at_most": 2}):
        with pytest.raises(ImproperlyConfigured, match=f"{NAME}.*not 3"):
            env.number(NAME, 7, **bounds)


@pytest.mark.parametrize("value", ["", "x", "1.5", "1e3", "0x10"])
def test_what_is_no_number_stops_the_start(put, value):
    put(value)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.number(NAME, 7)


def test_lengths_of_time_are_whole_seconds_and_never_none(put):
    assert env.seconds(NAME, 60) == timedelta(minutes=1)
    put("0")
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.seconds(NAME, 60)


def test_words_are_split_at_commas_and_trimmed(put):
    assert env.words(NAME) == []
    put(" a, b ,,c ")
    assert env.words(NAME) == ["a", "b", "c"]


def test_a_choice_is_one_of_its_words(put):
    assert env.choice(NAME, "a", ["a", "b"]) == "a"
    put("c")
    with pytest.raises(ImproperlyConfigured, match="a, b"):
        env.choice(NAME, "a", ["a", "b"])


def test_a_database_url_gives_every_part(put):
    put("postgresql://us%40er:p%3Ass@db.example:6543/na%2Fme?sslmode=require&connect_timeout=3")
    found = env.database(NAME)
    assert found["ENGINE"] == "django.db.backends.postgresql"
    assert (found["USER"], found["PASSWORD"]) == ("us@er", "p:ss")
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("db.example", 6543, "na/me")
    assert found["OPTIONS"] == {"sslmode": "require", "connect_timeout": "3"}


def test_a_database_socket_keeps_the_case_of_its_path(put):
    put("postgresql://postgres@%2FTmp%2FSock/postgres")
    found = env.database(NAME)
    assert (found["HOST"], found["PORT"]) == ("/Tmp/Sock", "")


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite:///x", "postgresql://h:port/x", "", "h/x"])
def test_another_database_stops_the_start(put, url):
    put(url)
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.database(NAME)


@pytest.mark.parametrize(
    ("url", "spelled"),
    [
        ("redis://h:6379/1", "redis://h:6379/1"),
        ("rediss://h", "rediss://h"),
        ("unix:///tmp/v.sock", "redis+socket:///tmp/v.sock?virtual_host=0"),
        ("unix:///tmp/v.sock?db=3", "redis+socket:///tmp/v.sock?virtual_host=3"),
    ],
)
def test_a_broker_is_given_in_celerys_spelling(put, url, spelled):
    put(url)
    assert env.broker(NAME) == spelled


def test_an_address_is_one_of_the_web_or_none(put):
    assert env.url(NAME) == ""
    put("http://collector:4318")
    assert env.url(NAME) == "http://collector:4318"
    for wrong in ("collector:4318", "grpc://collector:4317", "http://"):
        put(wrong)
        with pytest.raises(ImproperlyConfigured, match="http://"):
            env.url(NAME)


def test_another_broker_stops_the_start(put):
    put("amqp://x")
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.broker(NAME)


@pytest.mark.parametrize("module", ["gateway.wsgi", "gateway.celery"])
@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("DATABASE_URL", "mysql://x", "configuration: DATABASE_URL must start with postgresql://"),
        (
            "REDIS_URL",
            "x",
            "configuration: REDIS_URL must start with redis://, rediss:// or unix://",
        ),
        (
            "GATEWAY_BATCH_SIZE",
            "many",
            "configuration: GATEWAY_BATCH_SIZE must be a whole number, not 'many'",
        ),
        ("SECRET_KEY", "", "configuration: The SECRET_KEY setting must not be empty."),
    ],
)
def test_a_wrong_value_stops_the_start_with_one_clear_line(module, name, value, line):
    if (module, name) == ("gateway.celery", "SECRET_KEY"):
        pytest.skip("a worker asks for it when it starts, not when it is imported")
    started = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "gateway.settings", name: value},
        capture_output=True,
        text=True,
        check=False,
    )

    assert started.returncode == 1
    assert started.stderr.strip() == line


def test_the_databases_password_may_be_kept_apart(put):
    put("postgresql://gateway@db/gateway")
    put("p w", "DATABASE_PASSWORD")
    assert env.database(NAME)["PASSWORD"] == "p w"
    put("postgresql://gateway:own@db/gateway")
    assert env.database(NAME)["PASSWORD"] == "own"
