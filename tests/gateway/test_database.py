"""A connection is known to be alive without a question, and a dead one is left."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

pytestmark = pytest.mark.django_db(transaction=True)


def backend_pid():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


@pytest.fixture
def next_request():
    """Give a function that does what Django does between two requests."""

    def begin():
        connection.health_check_enabled, connection.health_check_done = True, False
        connection.close_if_unusable_or_obsolete()

    yield begin
    connection.health_check_enabled = False
    connection.close()


def test_a_living_connection_is_kept_and_asked_nothing(next_request, monkeypatch):
    before = backend_pid()
    next_request()
    monkeypatch.setattr(connection.connection, "execute", None)
    with CaptureQueriesContext(connection) as asked:
        assert backend_pid() == before
    assert len(asked) == 1


def test_a_connection_the_server_ended_is_replaced_before_it_is_used(next_request):
    before = backend_pid()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [before])
    other.close()

    next_request()
    assert backend_pid() != before


def test_a_connection_the_server_spoke_to_is_asked_and_kept(next_request):
    with connection.cursor() as cursor:
        cursor.execute("LISTEN news")
    before = backend_pid()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("NOTIFY news")
    other.close()

    next_request()
    assert backend_pid() == before


def test_a_connection_that_was_closed_is_not_usable():
    connection.ensure_connection()
    connection.connection.close()
    assert not connection.is_usable()
    connection.close()


@pytest.mark.parametrize(("allowed", "threshold"), [(True, 0), (False, None)])
def test_statements_are_prepared_only_where_they_may_be(settings, allowed, threshold):
    settings.PREPARED_STATEMENTS = allowed
    assert connection.get_connection_params()["prepare_threshold"] == threshold
