import asyncio

from delivery.message import Message
from delivery.providers.contract import Outcome, Push, Target, Transport, Verdict
from delivery.providers.memory import Memory

PUSH = Push(
    message=Message(title="Hello", body="World"),
    notification_id=7,
    occurrence_id=70,
    transport=Transport.FCM,
)


def ask(provider: Memory, *addresses: str) -> list[Outcome]:
    async def run() -> list[Outcome]:
        targets = [Target(number, address) for number, address in enumerate(addresses)]
        return [outcome async for chunk in provider.deliver(PUSH, targets) for outcome in chunk]

    return asyncio.run(run())


def verdicts(provider: Memory, *addresses: str) -> list[Verdict]:
    return [outcome.verdict for outcome in ask(provider, *addresses)]


def test_without_a_script_everything_is_accepted() -> None:
    assert verdicts(Memory(), "a", "b") == [Verdict.ACCEPTED, Verdict.ACCEPTED]


def test_each_address_hears_its_lines_in_turn_and_the_last_for_ever() -> None:
    provider = Memory({"a": "throttled:30 accepted"})
    assert ask(provider, "a")[0][:2] == (0, Verdict.THROTTLED)
    assert verdicts(provider, "a", "a") == [Verdict.ACCEPTED, Verdict.ACCEPTED]


def test_a_line_may_name_a_wait() -> None:
    assert ask(Memory({"a": "unavailable:2.5"}), "a")[0].retry_after == 2.5


def test_the_star_speaks_for_those_not_named() -> None:
    provider = Memory({"*": "unregistered", "b": "accepted"})
    assert verdicts(provider, "a", "b") == [Verdict.UNREGISTERED, Verdict.ACCEPTED]


def test_what_was_asked_is_remembered_in_order() -> None:
    provider = Memory()
    ask(provider, "a", "b")
    assert list(provider.sent) == [(PUSH.push_id(0), "a"), (PUSH.push_id(1), "b")]
