import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.audience import Audience, Devices
from delivery.errors import NobodyNamed

texts = st.lists(st.text(max_size=5), max_size=3).map(tuple)
numbers = st.lists(st.integers(), max_size=3).map(tuple)
devices = st.none() | st.builds(
    Devices, transports=texts.filter(bool), environment=st.text(), unless_transport=st.text()
)


def test_tags_and_ids_name_somebody():
    for said in (
        {"user_ids": (1,)},
        {"external_ids": ("a",)},
        {"any_tags": ("a",)},
        {"all_tags": ("a",)},
        {"except_tags": ("a",)},
    ):
        assert Audience(**said)


def test_devices_alone_name_nobody_and_must_not_be_none():
    with pytest.raises(NobodyNamed):
        Audience(devices=Devices(transports=("apns",)))
    with pytest.raises(NobodyNamed):
        Devices(transports=())


def test_all_but_some_tags_are_everybody_where_nobody_else_is_named():
    assert Audience(except_tags=("a",)).everybody
    assert not Audience(except_tags=("a",), user_ids=(1,)).everybody
    assert not Audience(except_tags=("a",), any_tags=("b",)).everybody
    assert not Audience(except_tags=("a",), segment_ids=(1,)).everybody
    assert Audience(everyone=True, user_ids=(1,)).everybody


def test_a_number_is_named_only_where_all_are_named_one_by_one():
    ids = {"user_ids": (1, 2), "external_ids": ("a",), "user_uids": ("b",), "install_uids": ("c",)}

    assert Audience(**ids, except_tags=("x",)).named == 5
    assert Audience(**ids, any_tags=("x",)).named is None
    assert Audience(**ids, all_tags=("x",)).named is None
    assert Audience(except_tags=("x",)).named is None


@given(
    said=st.fixed_dictionaries(
        {
            f.name: {"everyone": st.just(True), "devices": devices}.get(
                f.name, numbers if f.name.endswith("_ids") else texts
            )
            for f in fields(Audience)
        }
        | {"external_ids": texts}
    )
)
def test_an_audience_is_read_back_as_it_was_stored(said):
    audience = Audience(**said)

    assert Audience.from_json(json.loads(json.dumps(audience.as_json()))) == audience


def test_what_was_stored_before_there_were_tags_is_read():
    stored = {"install_uids": ["a"], "channel_ids": [1], "except_install_uids": ["b"]}

    assert Audience.from_json(stored) == Audience(
        install_uids=("a",), channel_ids=(1,), except_install_uids=("b",)
    )


def test_what_was_not_said_of_devices_is_not_stored():
    audience = Audience(everyone=True, devices=Devices(transports=("apns",)))

    assert audience.as_json() == {"everyone": True, "devices": {"transports": ("apns",)}}
