import json
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from rest_framework.renderers import JSONRenderer

from gateway.rest.rendering import Response, json_of


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        [{"id": 1, "title": "Grüße 👋", "data": None}],
        {"wide": 1 << 70, "price": Decimal("1.50")},
        {"at": datetime(2026, 5, 1, 12, 30, tzinfo=UTC), "uuid": UUID(int=7)},
        {1: "a number for a key"},
    ],
)
def test_an_answer_reads_as_it_always_did(answer):
    rendered, usual = json_of(answer), JSONRenderer().render(answer)

    assert rendered == usual or json.loads(rendered) == json.loads(usual)


def test_an_answer_is_compact_and_not_escaped():
    assert json_of({"a": ["ü", 1]}) == '{"a":["ü",1]}'.encode()


def test_an_answer_without_a_body_has_no_type():
    assert "Content-Type" not in Response(status=204)
    assert Response([], headers={"Retry-After": "1"}).items() >= {
        ("Content-Type", "application/json"),
        ("Retry-After", "1"),
    }
