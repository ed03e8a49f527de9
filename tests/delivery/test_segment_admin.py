import json

import pytest

from crm.models import Segment

GOLD = {"field": "attribute", "name": "plan", "op": "equals", "value": "gold"}
LIST = "/admin/crm/segment/"


def rule_of(where):
    return {"version": 1, "where": where}


@pytest.fixture
def operator(client, django_user_model):
    client.force_login(django_user_model.objects.create_superuser("root", "", "root"))
    return client


def test_an_operator_writes_a_rule_and_sees_it_in_words_and_numbers(app, phones, operator):
    phones.ring("one", user="mark")
    form = {"app": app.pk, "name": "Not gold", "rule": json.dumps(rule_of({"not": GOLD}))}
    assert operator.get(f"{LIST}add/").status_code == 200
    assert operator.post(f"{LIST}add/", form).status_code == 302
    segment = Segment.objects.get()
    page = operator.get(f"{LIST}{segment.pk}/change/").content.decode()
    assert "people whose plan is not gold" in page
    assert "Count now" in page
    assert "reachable" not in page
    counted = operator.get(f"{LIST}{segment.pk}/change/?count=now").content.decode()
    assert "reachable" in counted


def test_a_rule_nobody_can_follow_is_refused_with_its_bad_nodes(app, operator):
    where = {"all": [{**GOLD, "op": "like"}, {"not": 7}]}
    form = {"app": app.pk, "name": "Broken", "rule": json.dumps(rule_of(where))}
    page = operator.post(f"{LIST}add/", form)
    assert page.status_code == 200
    assert b"rule.where.all[0].op" in page.content
    assert b"rule.where.all[1].not: Must be an object." in page.content
    assert not Segment.objects.exists()
