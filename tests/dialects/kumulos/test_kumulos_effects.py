"""What each kind of device event changes, row by row of the tables in contracts/kumulos §2.1."""

from datetime import UTC, datetime

import pytest

from crm.models import DeviceToken, Event, Install, User
from delivery.models import InboxItem, Open

HEX = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"
TRACKED = {
    "app": {"bundle": "com.example.app", "version": "1.2.3", "target": 2},
    "sdk": {"id": 2, "version": "15.0.1"},
    "runtime": {"id": 1, "version": "10"},
    "os": {"id": 3, "version": "10"},
    "device": {"name": "Pixel 3", "tz": "Europe/Berlin", "isSimulator": False, "locale": "en-GB"},
}


@pytest.fixture
def tell(device, event):
    """Tell one event, and give the install as it is then; its event is stored in any case."""

    def told(kind, data=None, **members):
        before = Event.objects.count()
        answer = device.tell(event(kind, data, **members))
        assert answer.status_code == 202, answer.content
        assert Event.objects.count() == before + 1
        return Install.objects.select_related("user").get(uid="install-1")

    return told


@pytest.fixture
def register(tell):
    """Register a token, and give the install's live ones."""

    def registered(**data):
        install = tell("k.push.deviceRegistered", data)
        return list(install.device_tokens.filter(state=DeviceToken.State.ALIVE))

    return registered


# -- install details


def test_details_of_an_install_are_kept(tell):
    install = tell("k.stats.installTracked", TRACKED)
    assert (install.os, install.os_version) == ("Android", "10")
    assert (install.sdk_type, install.sdk_version) == ("Android/Java", "15.0.1")
    assert (install.app_version, install.device_model) == ("1.2.3", "Pixel 3")
    assert (install.timezone, install.locale) == ("Europe/Berlin", "en-GB")
    assert install.details == {**TRACKED, "runtimeName": "native"}


def test_details_are_replaced_by_newer_ones(tell):
    tell("k.stats.installTracked", TRACKED)
    install = tell("k.stats.installTracked", {**TRACKED, "app": {"version": "2"}, "device": {}})
    assert (install.app_version, install.device_model, install.timezone) == ("2", "", "")


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (1, "iOS"),
        (2, "macOS"),
        (3, "Android"),
        (4, "Windows Phone"),
        (5, "Windows"),
        ("3", "Android"),
        (99, ""),
        (None, ""),
        (True, ""),
        ([], ""),
        (10**30, ""),
    ],
)
def test_operating_systems_have_names(tell, number, name):
    assert tell("k.stats.installTracked", {**TRACKED, "os": {"id": number}}).os == name


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (1, "Objective-C"),
        (2, "Android/Java"),
        (3, "C#"),
        (4, "Swift"),
        (6, "Cordova"),
        (7, "Xamarin"),
        (9, "React Native"),
        (10, "Web"),
        (11, "Flutter"),
        (101, "Optimove iOS"),
        (102, "Optimove Android"),
        (104, "Optimove Web"),
        (99, ""),
    ],
)
def test_sdks_have_names(tell, number, name):
    assert tell("k.stats.installTracked", {**TRACKED, "sdk": {"id": number}}).sdk_type == name


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (1, "native"),
        (2, "Xamarin"),
        (3, "Cordova"),
        (4, "JVM"),
        (7, "React Native"),
        (8, "browser"),
        (9, "Flutter"),
    ],
)
def test_runtimes_have_names(tell, number, name):
    install = tell("k.stats.installTracked", {**TRACKED, "runtime": {"id": number}})
    assert install.details["runtimeName"] == name


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/120.0 Mobile", "Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15", "iOS"),
        ("Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X)", "iOS"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", "macOS"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "Windows"),
        ("Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950)", "Windows Phone"),
        ("Mozilla/5.0 (X11; Linux x86_64)", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_browsers_system_is_read_from_its_user_agent(tell, agent, name):
    web = {**TRACKED, "os": {"id": 0}, "device": {"name": agent}}
    assert tell("k.stats.installTracked", web).os == name


@pytest.mark.parametrize(
    "zone", [None, "", "Mars/Olympus", "europe/berlin", 5, [], "x" * 500, "../x"]
)
def test_an_unknown_time_zone_is_none(tell, zone):
    device = {**TRACKED["device"], "tz": zone}
    assert tell("k.stats.installTracked", {**TRACKED, "device": device}).timezone == ""


@pytest.mark.parametrize(
    ("zone", "locale", "country"),
    [
        ("Europe/Berlin", "en-GB", "DE"),
        ("Atlantic/Reykjavik", None, "IS"),
        ("Etc/UTC", "en-GB", "GB"),
        ("Mars/Olympus", "en_GB", "GB"),
        (None, "zh-Hant-TW", "TW"),
        (None, "zh_TW_#Hant", "TW"),
        (None, "zh-yue-HK", "HK"),
        (None, "de-at-u-co-phonebk", "AT"),
        (None, "en", ""),
        (None, "es-419", ""),
        (None, "en-XA", ""),
        (None, "en-u-gb", ""),
        (None, "en-GBR", ""),
        (None, "x" * 500, ""),
        (None, 5, ""),
        (None, None, ""),
    ],
)
def test_a_device_is_where_its_clock_is_or_its_language_comes_from(tell, zone, locale, country):
    device = {"name": "Pixel 3", "tz": zone, "locale": locale}
    assert tell("k.stats.installTracked", {**TRACKED, "device": device}).country == country


def test_texts_too_long_are_cut_and_numbers_spelled_out(tell):
    install = tell(
        "k.stats.installTracked",
        {
            "os": {"id": 3, "version": 10},
            "sdk": {"id": 2, "version": "9" * 300},
            "app": {"version": 1.5},
            "device": {"name": "x" * 300, "locale": "y" * 300},
        },
    )
    assert (install.os_version, install.app_version) == ("10", "1.5")
    assert len(install.sdk_version) == 64
    assert len(install.device_model) == 255
    assert len(install.locale) == 64


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"os": None},
        {"os": 5, "sdk": [], "app": "x", "device": True, "runtime": {"id": {}}},
        {"os": {"id": {}}, "device": {"name": ["x"], "tz": {}, "locale": 5, "version": True}},
    ],
)
def test_details_of_the_wrong_kind_do_no_harm(tell, data):
    assert tell("k.stats.installTracked", data).os == ""


def test_ios_capabilities_are_kept_among_the_details(tell):
    ios = {"hasGroup": True, "push": {"scheduled": False, "timeSensitive": False}}
    assert tell("k.stats.installTracked", {**TRACKED, "ios": ios}).details["ios"] == ios


# -- who


def test_a_user_is_created_with_their_attributes(tell):
    install = tell("k.stats.userAssociated", {"id": "member-1", "attributes": {"name": "Mark"}})
    assert (install.user.uid, install.user.anonymous) == ("member-1", False)
    assert install.user.attributes == {"name": "Mark"}


def test_attributes_replace_all_or_are_kept(tell):
    tell("k.stats.userAssociated", {"id": "m", "attributes": {"a": 1, "b": 2}})
    install = tell("k.stats.userAssociated", {"id": "m", "attributes": {"b": 3}})
    assert install.user.attributes == {"b": 3}
    for data in ({"id": "m"}, {"id": "m", "attributes": None}, {"id": "m", "attributes": [1]}):
        assert tell("k.stats.userAssociated", data).user.attributes == {"b": 3}
    assert tell("k.stats.userAssociated", {"id": "m", "attributes": {}}).user.attributes == {}


@pytest.mark.parametrize("uid", [None, "", 5, [], {}, "x" * 3000, "é" * 1500])
def test_nobody_is_signed_in_under_a_name_that_cannot_be_kept_whole(tell, uid):
    install = tell("k.stats.userAssociated", {"id": uid})
    assert install.user.uid == "install-1"
    assert User.objects.count() == 1


@pytest.mark.parametrize("data", [None, {"oldUserIdentifier": None}, {"oldUserIdentifier": "x"}])
def test_signing_out_leaves_the_anonymous_user(tell, data):
    tell("k.stats.userAssociated", {"id": "member-1"})
    install = tell("k.stats.userAssociationCleared", data, userId="somebody-else")
    assert install.user.uid == "install-1"
    assert not User.objects.filter(uid="somebody-else").exists()


def test_a_user_of_two_apps_is_two_users(tell, other_device, event):
    tell("k.stats.userAssociated", {"id": "m", "attributes": {"a": 1}})
    other_device.tell(event("k.stats.userAssociated", {"id": "m", "attributes": {"a": 2}}))
    assert sorted(User.objects.filter(uid="m").values_list("attributes__a", flat=True)) == [1, 2]


# -- push addresses


@pytest.mark.parametrize(
    ("build", "environment", "known"),
    [
        (2, "sandbox", True),
        ("2", "sandbox", True),
        (1, "production", True),
        (3, "production", True),
        (None, "production", False),
        (7, "production", False),
        ({}, "production", False),
    ],
)
def test_an_apple_token_lives_in_the_world_of_its_build(register, build, environment, known):
    [token] = register(type=1, token=HEX, iosTokenType=build, bundleId="com.example.app")
    assert (token.transport, token.environment) == ("apns", environment)
    assert token.environment_known is known
    assert (token.topic, token.value) == ("com.example.app", HEX)


@pytest.mark.parametrize("bundle", [None, ""])
def test_an_old_apple_token_has_no_topic(register, bundle):
    [token] = register(type=1, token=HEX.upper(), bundleId=bundle)
    assert (token.topic, token.value, token.environment) == ("", HEX, "production")


def test_an_android_token_says_whether_notifications_are_allowed(register):
    [token] = register(
        type=2, token="a:APA91b", package="com.example", areNotificationsEnabled=False
    )
    assert (token.transport, token.environment, token.topic) == ("fcm", "production", "")
    assert (token.value, token.enabled) == ("a:APA91b", False)
    assert token.details == {"package": "com.example"}


@pytest.mark.parametrize(
    ("number", "transport"), [(2, "fcm"), ("2", "fcm"), (5, "hcm"), ("5", "hcm")]
)
def test_a_bare_token_and_type_are_enough(register, number, transport):
    [token] = register(type=number, token="abc")
    assert (token.transport, token.value, token.enabled) == (transport, "abc", True)


def test_a_browsers_subscription_is_its_endpoint_and_keys(register):
    keys = {"p256dh": "BNc", "auth": "tBH"}
    subscription = {"endpoint": "https://push.example/1", "expirationTime": None, "keys": keys}
    [token] = register(type=3, token=subscription)
    assert (token.transport, token.value) == ("web", "https://push.example/1")
    assert token.details == {"keys": keys, "expirationTime": None}


def test_a_safari_token_keeps_its_site(register):
    [token] = register(type=4, token=HEX, bundleId="web.com.example")
    assert (token.transport, token.topic, token.value) == ("safari", "web.com.example", HEX)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"type": 1},
        {"token": HEX},
        {"type": 9, "token": HEX},
        {"type": True, "token": HEX},
        {"type": [], "token": HEX},
        {"type": 1, "token": None},
        {"type": 1, "token": ""},
        {"type": 1, "token": 5},
        {"type": 1, "token": {"endpoint": "x"}},
        {"type": 1, "token": "a/b"},
        {"type": 1, "token": "a\r\nb: c"},
        {"type": 1, "token": HEX * 50},
        {"type": 1, "token": HEX, "bundleId": "x" * 300},
        {"type": 1, "token": HEX, "bundleId": 5},
        {"type": 2, "token": "x" * 3000},
        {"type": 2, "token": ["x"]},
        {"type": 3, "token": "https://push.example/1"},
        {"type": 3, "token": {}},
        {"type": 3, "token": {"endpoint": 5}},
        {"type": 4, "token": HEX, "bundleId": {"a": 1}},
    ],
)
def test_what_is_no_address_registers_nothing(register, data):
    assert register(**data) == []
    assert not DeviceToken.objects.exists()


def test_an_install_has_one_token_at_a_time(register):
    register(type=2, token="old")
    assert [token.value for token in register(type=2, token="new")] == ["new"]


def test_a_token_seen_on_a_second_install_moves_there(register, device, event):
    register(type=2, token="shared")
    again = event("k.push.deviceRegistered", {"type": 2, "token": "shared"})
    device.tell(again, install="install-2")
    token = DeviceToken.objects.get(value="shared")
    assert (token.install.uid, token.state) == ("install-2", DeviceToken.State.ALIVE)


@pytest.mark.parametrize("data", [None, {}])
def test_unsubscribing_drops_the_token(register, tell, data):
    register(type=2, token="a")
    install = tell("k.push.deviceUnsubscribed", data)
    assert not install.device_tokens.reachable().exists()


def test_switching_notifications_off_and_on_keeps_the_token(register, tell):
    register(type=2, token="a")
    install = tell("k.push.notificationEnablementChanged", {"notificationsEnabled": False})
    assert not install.device_tokens.reachable().exists()
    for strange in (None, {}, {"notificationsEnabled": 1}, {"notificationsEnabled": "true"}):
        tell("k.push.notificationEnablementChanged", strange)
    assert not install.device_tokens.reachable().exists()
    tell("k.push.notificationEnablementChanged", {"notificationsEnabled": True})
    assert install.device_tokens.reachable().count() == 1


# -- the rest


def test_in_app_consent_is_the_users(tell):
    assert tell("k.inApp.statusUpdated", {"consented": True}).user.in_app_enabled is True
    assert tell("k.inApp.statusUpdated", {"consented": False}).user.in_app_enabled is False
    for strange in (None, {}, {"consented": 1}, {"consented": "yes"}):
        assert tell("k.inApp.statusUpdated", strange).user.in_app_enabled is False


@pytest.mark.parametrize("kind", ["k.message.opened", "k.message.read", "k.message.inbox.deleted"])
def test_what_is_told_of_a_message_nobody_has_is_stored(tell, kind):
    assert tell(kind, {"type": 2, "id": 5})
    assert not InboxItem.objects.exists()
    assert not Open.objects.exists()


@pytest.mark.parametrize("kind", ["k.fg", "k.bg"])
def test_a_session_is_activity(tell, kind):
    Install.objects.all().delete()
    tell("buy")
    Install.objects.update(last_active_at=datetime(2000, 1, 1, tzinfo=UTC))
    install = tell(kind)
    assert install.last_active_at == datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)
    assert install.user.last_active_at == install.last_active_at


def test_the_last_location_is_kept(tell):
    install = tell("k.engage.locationUpdated", {"lat": 52.5, "lng": 13})
    assert (install.latitude, install.longitude) == (52.5, 13.0)


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"lat": 1},
        {"lat": "1", "lng": "2"},
        {"lat": 91, "lng": 0},
        {"lat": 0, "lng": -181},
        {"lat": True, "lng": 0},
        {"lat": None, "lng": None},
        {"lat": 10**15, "lng": 0},
    ],
)
def test_a_place_that_is_not_on_earth_is_no_location(tell, data):
    assert tell("k.engage.locationUpdated", data).latitude is None


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("k.engage.beaconEnteredProximity", {"type": 1, "uuid": "u", "major": "1", "minor": 2}),
        ("k.engage.beaconEnteredProximity", {"type": 2, "namespace": "n", "instance": "i"}),
        ("k.deepLink.matched", {"url": "https://example.com", "wasDeferred": False}),
        ("k.pageViewed", {"title": "t", "path": "/", "query": ""}),
        ("k.crash.loggedException", {"report": {"frames": []}}),
        ("k.something.new", {"a": 1}),
        ("buy", {"sku": "a"}),
    ],
)
def test_other_events_are_stored_and_change_nothing(tell, kind, data):
    before = Install.objects.get(pk=tell("buy").pk)
    install = tell(kind, data)
    assert Event.objects.get(type=kind, data=data)
    assert install.user_id == before.user_id
    assert install.details == before.details
    assert install.last_active_at == before.last_active_at
