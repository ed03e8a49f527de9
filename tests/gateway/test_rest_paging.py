"""Pages of long lists: both parameters read strictly, both refused at once."""

import pytest
from rest_framework.exceptions import ValidationError

from gateway.rest.paging import FURTHEST, LARGEST, Page, read_page


def test_both_parameters_name_the_page() -> None:
    page = read_page({"currentPage": "3", "numberPerPage": "20"}, required=True)
    assert page == Page(number=3, size=20)
    assert page.offset == 40
    assert page.rows == slice(40, 60)


def test_what_is_left_out_is_the_first_fifty() -> None:
    assert read_page({}, required=False) == Page(number=1, size=50)


def test_a_list_that_requires_them_names_both() -> None:
    with pytest.raises(ValidationError) as refusal:
        read_page({}, required=True)
    assert refusal.value.detail == {
        "currentPage": ["This field is required."],
        "numberPerPage": ["This field is required."],
    }


def test_the_largest_values_are_taken() -> None:
    said = {"currentPage": str(FURTHEST), "numberPerPage": str(LARGEST)}
    assert read_page(said, required=True) == Page(FURTHEST, LARGEST)
    assert Page(FURTHEST, LARGEST).offset < 2**63


@pytest.mark.parametrize(
    "wrong", ["", "0", "-1", "1.0", "one", " 1", "1_0", "٣", "9" * 5000, "1\n"]
)
def test_anything_but_a_positive_number_is_refused_at_both_keys(wrong: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        read_page({"currentPage": wrong, "numberPerPage": wrong}, required=False)
    assert refusal.value.detail == {
        "currentPage": [f"Must be a whole number from 1 to {FURTHEST}."],
        "numberPerPage": [f"Must be a whole number from 1 to {LARGEST}."],
    }


def test_more_than_a_thousand_per_page_is_refused() -> None:
    with pytest.raises(ValidationError, match="from 1 to 1000"):
        read_page({"numberPerPage": "1001"}, required=False)
