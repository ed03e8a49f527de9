"""What some devices were lately sent, and by which names the providers know it."""

import pytest
from django.utils import timezone

from delivery import dispatch, fanout
from delivery.history import lately_sent
from delivery.models import Delivery
from delivery.providers.contract import push_id_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("whole_day", [False, True])
def test_a_push_is_told_with_the_name_its_provider_knows_it_by(
    app, phones, sends, memory, whole_day
):
    iphone, android, late = phones.ring("i"), phones.ring("a", transport="fcm"), phones.ring("l")
    memory()
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    while dispatch.deliver_next("bulk"):
        pass
    Delivery.objects.filter(token_id=iphone.pk).update(provider_ref="")
    Delivery.objects.filter(token_id=android.pk).update(provider_ref="projects/p/messages/1")
    Delivery.objects.filter(token_id=late.pk).update(provider_ref="", verdict="expired")

    day = timezone.now().date() if whole_day else None
    found = lately_sent([iphone.pk, android.pk, late.pk], app_id=app.pk, day=day)

    assert {received.token_id: received.provider_id for received in found} == {
        iphone.pk: push_id_of(occurrence.pk, iphone.pk),
        android.pk: "projects/p/messages/1",
        late.pk: "",
    }
