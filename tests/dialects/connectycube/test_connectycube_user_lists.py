"""Lists of users, in both versions of the API (contracts/connectycube §5)."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from connectycube_calls import errors
from django.utils import timezone

from crm.models import User
from gateway.connectycube.users.filters import MOST_VALUES


@pytest.fixture
def crowd(cube, person, phones):
    """Give an application's session; it has four people, and an install without any."""
    phones.install("nobody")
    for said in (
        {"login": "gabby", "full_name": "Gabrielle Corcoran", "tags": ["vip", "accountant"]},
        {"login": "dacia", "full_name": "Dacia Kail", "email": "d@example.com"},
        {"login": "pavalli", "full_name": "Pallavi Purushottam", "tags": ["accountant"]},
        {"login": "smith", "external_id": "crm-17", "profile": {"phone": "5464579"}},
    ):
        person(**said)
    User.objects.filter(login="dacia").update(external_user_id=77)
    return cube.of(None)


def page(caller, path):
    answer = caller.ask("GET", path)
    assert answer.status_code == 200, answer.content
    said = answer.json()
    assert list(said) == ["current_page", "per_page", "total_entries", "items"]
    assert said["total_entries"] >= len(said["items"])
    return [item["user"]["login"] for item in said["items"]]


def logins(caller, query=""):
    answer = caller.ask("GET", f"/users/v2?{query}")
    assert answer.status_code == 200, answer.content
    said = answer.json()
    assert list(said) == ["limit", "skip", "total_entries", "items"]
    return [item["login"] for item in said["items"]]


ALL = ["gabby", "dacia", "pavalli", "smith"]


def test_the_first_version_comes_in_pages(crowd):
    assert page(crowd, "/users") == ALL
    assert page(crowd, "/users.json?per_page=3&page=2") == ["smith"]
    assert page(crowd, "/users?per_page=0&page=-5") == ["gabby"]
    said = crowd.ask("GET", "/users?per_page=1000").json()
    assert (said["per_page"], said["total_entries"]) == (100, 4)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("filter[]=string+login+in+dacia,smith", ["dacia", "smith"]),
        ("filter[]=string+login+eq+dacia", ["dacia"]),
        ("filter[in]=number+external_user_id+in+77,78", ["dacia"]),
        ("filter[]=string+email+eq+d@example.com&filter[]=string+login+eq+smith", []),
        ("filter[]=number+id+in+", []),
        ("filter[]=number+id+in", []),
        ("filter[]=number+id+eq+x", []),
        ("filter[]=string+password+eq+x", ALL),
        ("filter[]=nonsense&filter[]=a+b&order=by+whatever", ALL),
        ("filter=x&order=z", ALL),
        ("order=asc+string+login", sorted(ALL)),
        ("order=desc+string+login", sorted(ALL, reverse=True)),
        ("order=desc+date+created_at", ALL[::-1]),
    ],
)
def test_the_first_version_filters_and_sorts_as_far_as_it_is_understood(crowd, query, expected):
    assert page(crowd, f"/users?{query}") == expected


def test_a_value_of_the_first_version_may_hold_spaces_and_a_single_one_commas(crowd):
    User.objects.filter(login="gabby").update(login="two words")
    User.objects.filter(login="smith").update(login="a,b")
    assert page(crowd, "/users?filter[]=string+login+eq+two+words") == ["two words"]
    assert page(crowd, "/users?filter[]=string+login+in+dacia,two+words") == ["two words", "dacia"]
    assert page(crowd, "/users?filter[]=string+login+eq+a,b") == ["a,b"]


def test_people_are_found_by_any_of_their_tags(crowd):
    assert page(crowd, "/users/by_tags?tags=vip") == ["gabby"]
    assert page(crowd, "/users/by_tags.json?tags=vip,accountant") == ["gabby", "pavalli"]
    assert page(crowd, "/users/by_tags?tags=VIP") == []
    assert page(crowd, "/users/by_tags?tags=") == []


def test_people_are_found_by_part_of_their_name(crowd):
    assert page(crowd, "/users/by_full_name?full_name=COR") == ["gabby"]
    assert page(crowd, "/users/by_full_name?full_name=nobody%25") == []
    assert "full_name" in errors(crowd.ask("GET", "/users/by_full_name"), 422)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ALL),
        ("login=dacia", ["dacia"]),
        ("login[eq]=dacia", ["dacia"]),
        ("login[in][]=dacia&login[in][]=smith", ["dacia", "smith"]),
        ("login[nin][]=dacia", ["gabby", "pavalli", "smith"]),
        ("full_name[start_with]=GABR", ["gabby"]),
        ("external_id=crm-17", ["smith"]),
        ("external_user_id=77", ["dacia"]),
        ("phone=5464579", ["smith"]),
        ("email=d%40example.com&login=dacia", ["dacia"]),
        ("email=d%40example.com&login=smith", []),
        ("user_tags=vip", ["gabby"]),
        ("user_tags[nin][]=accountant", ["dacia", "smith"]),
        ("unknown=1&unknown2[in][]=2", ALL),
        ("created_at[gt]=2001-01-01T00:00:00Z", ALL),
        ("created_at[lt]=1000000000", []),
        ("sort_asc=login", sorted(ALL)),
        ("sort_desc=id", ALL[::-1]),
        ("sort_desc=password", ALL),
        ("limit=2&offset=1", ["dacia", "pavalli"]),
        ("limit=0", ["gabby"]),
        ("offset=100", []),
    ],
)
def test_the_second_version_filters_sorts_and_cuts(crowd, query, expected):
    assert logins(crowd, query) == expected
    assert crowd.ask("GET", f"/users/v2.json?{query}").status_code == 200


def test_the_second_version_counts_all_of_them(crowd):
    said = crowd.ask("GET", "/users/v2?limit=1&offset=2").json()
    assert (said["limit"], said["skip"], said["total_entries"]) == (1, 2, 4)
    assert crowd.ask("GET", "/users/v2?limit=1000").json()["limit"] == 100


def test_moments_are_compared_by_the_second_they_are_shown_with(crowd):
    moment = datetime(2024, 5, 1, 12, 0, 0, 500_000, tzinfo=UTC)
    User.objects.filter(login="dacia").update(updated_at=moment, last_active_at=moment)
    shown = quote("2024-05-01T12:00:00Z")
    assert logins(crowd, f"updated_at[lte]={shown}") == ["dacia"]
    assert logins(crowd, f"last_request_at[gte]={shown}") == ["dacia"]
    assert logins(crowd, f"last_request_at[gt]={shown}") == []
    assert logins(crowd, f"updated_at={shown}") == ["dacia"]
    later = int((timezone.now() + timedelta(days=1)).timestamp())
    assert logins(crowd, f"updated_at[gt]={later}") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("id=x", "id"),
        ("id[start_with]=1", "id"),
        ("login[gt]=a", "login"),
        ("created_at[gt]=soon", "created_at"),
        ("created_at[gt]=99999999999999", "created_at"),
        ("created_at[gt]=253402300799", "created_at"),
        ("created_at[in][]=9999-12-31T23:59:59Z", "created_at"),
        ("login[like]=a", "login"),
        ("login[in][a]=b", "login"),
        ("limit=x", "limit"),
        ("offset=x", "offset"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_under_its_field(crowd, query, field):
    assert errors(crowd.ask("GET", f"/users/v2?{query}"), 422) == {field: ["is invalid"]}


def test_the_values_of_one_call_are_bounded(crowd):
    many = "&".join(f"id[in][]={n}" for n in range(MOST_VALUES))
    assert crowd.ask("GET", f"/users/v2?{many}").status_code == 200
    refused = errors(crowd.ask("GET", f"/users/v2?{many}&id[in][]=1"), 422)
    assert refused == {"id": [f"is too long (maximum is {MOST_VALUES} items)"]}


def test_the_values_of_one_filter_of_the_first_version_are_bounded(crowd):
    many = ",".join(str(n) for n in range(MOST_VALUES))
    assert crowd.ask("GET", f"/users?filter[]=number+id+in+{many}").status_code == 200
    refused = errors(crowd.ask("GET", f"/users?filter[]=number+id+in+{many},1"), 422)
    assert refused == {"id": [f"is too long (maximum is {MOST_VALUES} items)"]}


def test_a_query_that_is_none_is_a_bad_request(crowd):
    for query in ("a=%", "a=%zz", "id=1&id[in][]=2", "a=%00"):
        assert errors(crowd.ask("GET", f"/users/v2?{query}"), 400) == ["Bad request"]
