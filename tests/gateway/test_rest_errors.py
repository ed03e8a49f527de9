"""One handler for every refusal of a dialect."""

import json
from types import SimpleNamespace

import pytest
from django.http import Http404
from rest_framework.exceptions import MethodNotAllowed, NotAuthenticated, ParseError

from crm.errors import Conflict, Invalid, NotFound
from gateway.rest.errors import refusals

refuse = refusals(
    status={Invalid: 422, NotFound: 404},
    wire_names={"send_at": "sendAt"},
    body=lambda reasons: {key: list(why) for key, why in reasons.items()},
)
ANY_VIEW = {"view": SimpleNamespace()}


def read(answer):
    return json.loads(answer.content)


def test_a_domain_refusal_speaks_the_wires_names():
    answer = refuse(Invalid("is in the past", field="send_at"), ANY_VIEW)
    assert (answer.status_code, read(answer)) == (422, {"sendAt": ["is in the past"]})


def test_a_kind_of_refusal_has_its_status_and_an_unlisted_one_is_422():
    assert refuse(NotFound("no such thing", field="id"), ANY_VIEW).status_code == 404
    assert refuse(Conflict("is taken", field="uid"), ANY_VIEW).status_code == 422


def test_a_narrower_kind_has_the_status_of_its_own_kind():
    class NoSuchUser(NotFound):
        pass

    assert refuse(NoSuchUser("x"), ANY_VIEW).status_code == 404


def test_a_view_may_disagree():
    view = {"view": SimpleNamespace(status_for={NotFound: 400})}
    assert refuse(NotFound("no such user"), view).status_code == 400
    assert refuse(Invalid("x"), view).status_code == 422


def test_reasons_about_the_whole_have_no_key():
    answer = refuse(ParseError("not JSON"), ANY_VIEW)
    assert (answer.status_code, read(answer)) == (422, {"": ["not JSON"]})


@pytest.mark.parametrize("error", [Http404(), MethodNotAllowed("GET"), NotAuthenticated()])
def test_the_frameworks_refusals_take_the_dialects_shape(error):
    answer = refuse(error, ANY_VIEW)
    assert list(read(answer)) == [""]
    assert answer.status_code in {404, 405, 401}


def test_a_challenge_is_passed_on():
    error = NotAuthenticated()
    error.auth_header = "Basic"
    assert refuse(error, ANY_VIEW).headers["WWW-Authenticate"] == "Basic"


def test_what_is_no_refusal_is_not_ours_to_answer():
    assert refuse(RuntimeError("x"), ANY_VIEW) is None
