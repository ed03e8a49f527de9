"""A credential's pace, kept by all processes of a worker together, as the provider sees it."""

import pytest

pytestmark = pytest.mark.chaos

PACE = 400
PUSHES = 1_600
BURST = 1.5 * PACE
"""What a bucket holds when nothing was sent for a while."""

QUIET = 4


def moments(scene):
    """Give when the provider was asked, in seconds since the first time."""
    asked = sorted(record["at"] for record in scene.received() if record["provider"] == "fcm")
    return [at - asked[0] for at in asked]


def test_a_broadcast_keeps_its_pace_whatever_the_number_of_processes(scene):
    scene.desk.store("fcm", pace=PACE)
    notification = scene.broadcast(PUSHES, provider="fcm")

    occurrence = scene.settled("a pace is kept", notification, provider="fcm")

    assert occurrence["accepted"] == PUSHES
    asked = moments(scene)
    assert len(asked) == PUSHES
    for count, at in enumerate(asked):
        # a batch is sent whole, once there is room for all of it
        assert count <= BURST + PACE * (at + 1), f"{count} in {at:.1f} s"
    assert asked[-1] >= (PUSHES - BURST) / PACE - 1


@pytest.mark.parametrize(
    ("quota", "quiet"), [("QUOTA_EXCEEDED", True), ("DEVICE_QUOTA_EXCEEDED", False)]
)
def test_a_quota_of_the_project_keeps_the_next_broadcast_back_and_a_devices_does_not(
    scene, quota, quiet
):
    refusal = {"reason": quota, "retry_after": QUIET}
    scene.script({"times": 1, "action": refusal}, provider="fcm")
    first = scene.broadcast(50, provider="fcm")
    scene.postponed(first)  # all but one have it

    second = scene.stack.broadcast()

    assert scene.settled(f"{quota}, once", second, provider=None)["accepted"] == 50
    assert scene.well_again(f"{quota}, once", first, provider=None)["accepted"] == 50
    records = scene.received()
    [refused_at] = [record["at"] for record in records if record["status"] == 429]
    begins_at = min(record["at"] for record in records if record["notification_id"] == second)
    assert (begins_at - refused_at >= QUIET) == quiet
