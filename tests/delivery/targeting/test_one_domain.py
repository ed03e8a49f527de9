"""One person with the apps of both vendors: one audience, whatever names them."""

import pytest

from crm.models import Segment, User
from delivery.audience import Devices

pytestmark = pytest.mark.django_db


@pytest.fixture
def segment(app):
    def of(**where):
        name = f"segment {Segment.objects.count()}"
        return Segment.objects.create(app=app, name=name, rule={"version": 1, "where": where}).pk

    return of


def test_a_user_is_reached_on_a_kumulos_install_and_a_connectycube_device(phones, reached, segment):
    kumulos = phones.ring("phone", user="mark")
    kumulos.install.os = "iOS"
    kumulos.install.save()
    cube = phones.subscribe("mark", platform="ios")
    android = phones.subscribe("mark", udid="tablet", platform="android", transport="fcm", topic="")
    phones.ring("another's", user="anna")
    phones.subscribe("anna", platform="android", transport="fcm", topic="")
    User.objects.filter(uid="mark").update(tags=["vip"], attributes={"plan": "gold"})
    mark = kumulos.install.user
    all_of_mark = {kumulos.pk, cube.pk, android.pk}

    gold = segment(field="attribute", name="plan", op="equals", value="gold")
    iphones = segment(field="platform", op="equals", value="ios")

    assert set(reached(user_uids=("mark",))) == all_of_mark
    assert set(reached(external_ids=("mark",))) == all_of_mark
    assert set(reached(user_ids=(mark.pk,))) == all_of_mark
    assert set(reached(any_tags=("vip",))) == all_of_mark
    assert set(reached(segment_ids=(gold,))) == all_of_mark
    assert set(reached(segment_ids=(iphones,))) == {kumulos.pk, cube.pk}
    assert set(
        reached(segment_ids=(gold,), except_install_uids=("phone", android.install.uid))
    ) == {cube.pk}
    fcm = Devices(transports=("fcm",), environment="production")
    assert set(reached(user_uids=("mark",), devices=fcm)) == {android.pk}
