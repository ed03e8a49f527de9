"""Segments over HTTP: an addition of this gateway (contracts/kumulos §6.33)."""

import re
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kumulos_calls import refused, sent

from crm.models import Segment

GOLD = {"field": "attribute", "name": "plan", "op": "equals", "value": "gold"}
RULE = {
    "version": 1,
    "where": {"all": [GOLD, {"not": {"field": "opened", "op": "in", "value": [1]}}]},
}
ZONED = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+0000")


@pytest.fixture
def segment(backend):
    """Give a stored segment as it was answered."""

    def stored(name="Gold", rule=RULE):
        answer = backend.ask("POST", "/v1/segments", {"name": name, "rule": rule})
        assert answer.status_code == 201, answer.content
        return answer.json()

    return stored


def test_a_segment_is_stored_and_explained(app, backend, segment):
    body = segment()
    assert list(body) == [
        "id",
        "uuid",
        "name",
        "rule",
        "explanation",
        "createdAt",
        "updatedAt",
        "appId",
    ]
    assert (body["name"], body["rule"], body["appId"]) == ("Gold", RULE, app.pk)
    assert body["explanation"] == "people whose plan is gold and who have not opened notification 1"
    assert ZONED.fullmatch(body["createdAt"])
    assert ZONED.fullmatch(body["updatedAt"])
    for key in (body["id"], body["uuid"], body["uuid"].upper()):
        answer = backend.ask("GET", f"/v1/segments/{key}")
        assert (answer.status_code, answer.json()) == (200, body)


def test_segments_are_listed_in_pages(backend, segment):
    bodies = [segment(name) for name in ("b", "a", "c")]
    listed = backend.ask("GET", "/v1/segments").json()
    assert listed == {"segments": bodies, "totalSegments": 3, "currentPage": 1}
    page = backend.ask("GET", "/v1/segments?currentPage=2&numberPerPage=2").json()
    assert page == {"segments": bodies[2:], "totalSegments": 3, "currentPage": 2}
    refused(
        backend.ask("GET", "/v1/segments?currentPage=0&numberPerPage=x"),
        "currentPage",
        "numberPerPage",
    )


def test_a_segment_is_replaced_whole(backend, segment):
    body = segment()
    rule = {"version": 1, "where": GOLD}
    answer = backend.ask("PUT", f"/v1/segments/{body['uuid']}", {"name": "Golden", "rule": rule})
    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["name"]) == (body["id"], "Golden")
    assert answer.json()["explanation"] == "people whose plan is gold"
    assert backend.ask("GET", f"/v1/segments/{body['id']}").json() == answer.json()
    refused(backend.ask("PUT", f"/v1/segments/{body['id']}", {}), "name", "rule")
    # its own name is not taken
    same = backend.ask("PUT", f"/v1/segments/{body['id']}", {"name": "Golden", "rule": RULE})
    assert same.status_code == 200


def test_a_deleted_segment_is_gone(backend, segment):
    key = segment()["id"]
    assert backend.ask("DELETE", f"/v1/segments/{key}").status_code == 204
    assert not Segment.objects.exists()
    for method in ("GET", "DELETE"):
        assert backend.ask(method, f"/v1/segments/{key}").status_code == 404


def test_a_name_is_taken_once_in_an_app(backend, other_backend, segment):
    segment("Gold")
    other = segment("Silver")
    ask = {"name": "Gold", "rule": RULE}
    for answer in (
        backend.ask("POST", "/v1/segments", ask),
        backend.ask("PUT", f"/v1/segments/{other['id']}", ask),
    ):
        refused(answer, "name")
    assert Segment.objects.count() == 2
    assert backend.ask("GET", f"/v1/segments/{other['id']}").json() == other
    assert other_backend.ask("POST", "/v1/segments", ask).status_code == 201


def test_every_bad_node_and_key_is_named_at_once(backend):
    where = {"all": [{**GOLD, "op": "like"}, {"not": {"field": "opened", "op": "equals"}}, 7]}
    answer = backend.ask(
        "POST", "/v1/segments", {"name": 7, "rule": {"version": 1, "where": where}}
    )
    body = refused(
        answer, "name", "rule.where.all[0].op", "rule.where.all[1].not.value", "rule.where.all[2]"
    )
    assert body["rule.where.all[2]"] == ["Must be an object."]
    assert not Segment.objects.exists()


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        ({}, ["name", "rule"]),
        ({"name": "", "rule": RULE}, ["name"]),
        ({"name": "\0", "rule": RULE}, ["name"]),
        ({"name": "x" * 256, "rule": RULE}, ["name"]),
        ({"name": None, "rule": None}, ["name", "rule"]),
        ({"name": "Gold", "rule": []}, ["rule"]),
        ({"name": "Gold", "rule": "all"}, ["rule"]),
        ({"name": "Gold", "rule": {}}, ["rule.version"]),
        ({"name": "Gold", "rule": {"version": 1}}, ["rule.where"]),
        ({"name": "Gold", "rule": {"version": 1, "where": GOLD, "x": 1}}, ["rule"]),
        ({"name": "Gold", "rule": {"version": 1, "where": {**GOLD, "value": "\0"}}}, ["rule"]),
    ],
)
def test_what_is_no_segment_is_refused_under_its_keys(backend, body, keys):
    refused(backend.ask("POST", "/v1/segments", body), *keys)
    assert not Segment.objects.exists()


def test_a_rule_is_previewed_and_a_segment_counted(app, backend, phones, segment):
    phones.ring("one", user="mark").install.user.__class__.objects.filter(uid="mark").update(
        attributes={"plan": "gold"}
    )
    phones.ring("two", user="anna")
    counts = {"users": 1, "installs": 1, "reachable": 1}
    answer = backend.ask("POST", "/v1/segments/preview", {"rule": RULE})
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "explanation": "people whose plan is gold and who have not opened notification 1",
            "counts": counts,
        },
    )
    assert not Segment.objects.exists()
    answer = backend.ask("GET", f"/v1/segments/{segment()['id']}/count")
    assert (answer.status_code, answer.json()) == (200, counts)
    refused(backend.ask("POST", "/v1/segments/preview", {"rule": {"version": 2}}), "rule.version")
    refused(backend.ask("POST", "/v1/segments/preview", {}), "rule")


KEYS = ["0", "999999999", "2147483648", "9" * 30, "-1", "x", "%00", "%D9%A1", str(uuid.UUID(int=7))]


@pytest.mark.parametrize("key", KEYS)
def test_an_unknown_segment_is_not_found_whatever_the_body(backend, segment, key):
    segment()
    for method, path in (
        ("GET", f"/v1/segments/{key}"),
        ("PUT", f"/v1/segments/{key}"),
        ("DELETE", f"/v1/segments/{key}"),
        ("GET", f"/v1/segments/{key}/count"),
    ):
        answer = backend.ask(method, path)
        assert answer.status_code == 404, answer.content
        assert isinstance(answer.json()["error"], str)


def test_another_apps_segment_is_not_found(other_backend, segment):
    body = segment()
    for key in (body["id"], body["uuid"]):
        for method in ("GET", "PUT", "DELETE"):
            answer = other_backend.ask(method, f"/v1/segments/{key}", {"name": "a", "rule": RULE})
            assert answer.status_code == 404
        assert other_backend.ask("GET", f"/v1/segments/{key}/count").status_code == 404
    assert other_backend.ask("GET", "/v1/segments").json()["segments"] == []
    assert Segment.objects.get().name == "Gold"


def test_the_device_key_opens_no_segment(device, segment):
    body = segment()
    for method, path in (
        ("GET", "/v1/segments"),
        ("POST", "/v1/segments"),
        ("POST", "/v1/segments/preview"),
        ("GET", f"/v1/segments/{body['id']}"),
        ("DELETE", f"/v1/segments/{body['id']}"),
    ):
        assert device.ask(method, path).status_code == 401


def test_a_push_goes_to_a_segment(backend, segment):
    body = segment()
    for named in ({"segmentId": body["id"]}, {"segmentUuid": body["uuid"]}):
        notification = sent(backend.send(**named))
        assert notification.audience == {"segment_ids": [body["id"]]}


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["version", "where", "all", "not", "field", "op", "value", "name"]),
            inner | st.sampled_from([1, GOLD, "tag", "equals", "attribute"]),
            max_size=4,
        )
    ),
    max_leaves=10,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rule=values | values.map(lambda where: {"version": 1, "where": where}))
def test_any_json_as_a_rule_is_counted_or_refused(backend, rule):
    answer = backend.ask("POST", "/v1/segments/preview", {"rule": rule})
    assert answer.status_code in {200, 422}, answer.content
    if answer.status_code == 422:
        assert all(key == "error" or key.split(".")[0] == "rule" for key in answer.json())
