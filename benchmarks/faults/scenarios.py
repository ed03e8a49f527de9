"""The faults, in the simulator's words (docs/simulator.md)."""

from typing import Any, NamedTuple

APNS = ("ours.apns", "aioapns")
FCM = ("ours.fcm", "firebase-admin", "firebase-admin async")


class Scenario(NamedTuple):
    """What a provider does while so many pushes are sent to it."""

    name: str
    senders: tuple[str, ...]
    rules: tuple[dict[str, Any], ...] = ()
    settings: dict[str, Any] = {}
    pushes: int = 300

    def script(self) -> dict[str, Any]:
        """Give the script for the simulator."""
        provider = "apns" if self.senders is APNS else "fcm"
        rules = [{"match": {"provider": provider}, **rule} for rule in self.rules]
        settings = {provider: self.settings}
        return {"rules": rules, "settings": settings}


OPEN_DOOR = {"initial_max_streams": 1000}
"""Apple without its first-push rule, so that another fault is seen alone."""


def _apns(
    name: str, action: dict[str, Any] | None = None, *, pushes: int = 300, **said: Any
) -> Scenario:
    """Give a scenario of Apple's; what begins with `when_` is of the rule, the rest settings."""
    return _scenario(f"apns: {name}", APNS, action, pushes, OPEN_DOOR | said)


def _fcm(
    name: str, action: dict[str, Any] | None = None, *, pushes: int = 300, **said: Any
) -> Scenario:
    """Give a scenario of Google's."""
    return _scenario(f"fcm: {name}", FCM, action, pushes, said)


def _scenario(
    name: str, senders: tuple[str, ...], action: Any, pushes: int, said: dict[str, Any]
) -> Scenario:
    when = {key.removeprefix("when_"): said[key] for key in said if key.startswith("when_")}
    settings = {key: said[key] for key in said if not key.startswith("when_")}
    rules = () if action is None else ({**when, "action": action},)
    return Scenario(name, senders, rules, settings, pushes)


SCENARIOS = (
    _apns("nothing is wrong"),
    _apns("one stream until a push was accepted", initial_max_streams=1, latency_ms=50),
    _apns(
        "a rejected push drops the limit to one",
        {"reason": "BadDeviceToken"},
        when_after=150,
        when_times=1,
        latency_ms=20,
        strict_stream_limit_after_reject=True,
        over_limit="refuse",
    ),
    _apns(
        "GOAWAY Shutdown in mid-burst, four times",
        {"goaway": {"last": "this", "order": "before"}},
        latency_ms=50,
        when_after=20,
        when_every=60,
        when_times=4,
    ),
    _apns("every 10th stream is reset", {"wire": "reset", "code": 2}, when_every=10),
    _apns("every 7th stream is refused", {"wire": "refuse"}, when_every=7),
    _apns(
        "every 100th push is taken and the connection cut",
        {"wire": "disconnect", "accept": True},
        when_every=100,
    ),
    _apns("every 20th push is never answered", {"wire": "stall"}, when_every=20),
    _apns(
        "the connection falls silent",
        {"wire": "stall_connection"},
        when_after=100,
        when_times=1,
    ),
    _apns("every 10th answer lacks its apns-id", {"apns_id": "missing"}, when_every=10),
    _apns("every 10th answer is an empty 503", {"status": 503, "body": "empty"}, when_every=10),
    _apns("every 50th answer is a web page", {"status": 503, "body": "html"}, when_every=50),
    _apns("2,000 answers of 410", {"reason": "Unregistered"}, pushes=2000),
    _apns("windows open 60 ms late", pushes=600, latency_ms=60, window_update_delay_ms=60),
    _fcm("nothing is wrong"),
    _fcm("503 for everybody", {"reason": "UNAVAILABLE"}, pushes=60),
    _fcm("503, Retry-After 3", {"reason": "UNAVAILABLE", "retry_after": 3}, pushes=60),
    _fcm(
        "every 20th message is taken and the connection cut",
        {"wire": "disconnect", "accept": True},
        when_every=20,
    ),
    _fcm("every 20th message is never answered", {"wire": "stall"}, when_every=20),
    _fcm("401 for 100 messages, once", {"reason": "UNAUTHENTICATED"}, when_times=100),
    _fcm("THIRD_PARTY_AUTH_ERROR for everybody", {"reason": "THIRD_PARTY_AUTH_ERROR"}, pushes=100),
    _fcm(
        "one error is a string",
        {"status": 400, "text": '{"error": "a string"}'},
        when_after=100,
        when_times=1,
    ),
    _fcm("every 20th 200 has no name", {"status": 200, "text": "{}"}, when_every=20),
    _fcm("the token endpoint is away", {"status": 503}, when_match={"provider": "oauth"}),
)
