import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from delivery.arrays import numbers, texts

pytestmark = pytest.mark.django_db

anything = st.text(st.characters(exclude_characters="\0", codec="utf-8"))
quick = settings(deadline=None, suppress_health_check=list(HealthCheck))


def back(array, kind):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT %s::{kind}[]", [array])
        return cursor.fetchone()[0]


@quick
@given(st.lists(anything))
def test_any_texts_come_back_as_they_were(values):
    assert back(texts(values), "text") == values


@quick
@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)))
def test_any_numbers_and_nothings_come_back_as_they_were(values):
    assert back(numbers(values), "bigint") == values


def test_the_word_for_nothing_is_a_text_like_any_other():
    assert back(texts(["NULL", "", "{}", '"', "\\", ","]), "text") == [
        *("NULL", "", "{}", '"', "\\", ",")
    ]
