import pytest

from delivery import breaker
from delivery.providers.contract import Outcome, Verdict

pytestmark = pytest.mark.django_db


def deaths(count):
    return [
        Outcome(n, Verdict.UNREGISTERED, reason="BadDeviceToken", proven=False)
        for n in range(count)
    ]


def judged(credential, count, *, accepted):
    credential.refresh_from_db()
    outcomes = breaker.judge(credential, deaths(count), accepted=accepted)
    return {(o.verdict, o.proven) for o in outcomes}


@pytest.fixture
def apns(credentials):
    return credentials["apns"]


def test_a_few_deaths_among_accepted_pushes_are_believed(apns):
    assert judged(apns, 5, accepted=95) == {(Verdict.UNREGISTERED, True)}


def test_a_single_death_is_believed(apns):
    assert judged(apns, 1, accepted=0) == {(Verdict.UNREGISTERED, True)}


def test_a_whole_app_called_dead_points_at_the_credential(apns):
    assert judged(apns, 1000, accepted=0) == {(Verdict.MISCONFIGURED, False)}


def test_deaths_one_by_one_add_up_until_a_push_is_accepted(apns):
    for _ in range(breaker.MANY - 1):
        assert judged(apns, 1, accepted=0) == {(Verdict.UNREGISTERED, True)}
    assert judged(apns, 1, accepted=0) == {(Verdict.MISCONFIGURED, False)}

    judged(apns, 0, accepted=1)

    assert judged(apns, 1, accepted=0) == {(Verdict.UNREGISTERED, True)}


def test_more_deaths_than_acceptances_fail_the_pushes_and_keep_the_tokens(apns):
    assert judged(apns, 60, accepted=40) == {(Verdict.REJECTED, False)}
