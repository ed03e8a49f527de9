"""The example of docs/webhooks.md verifies what we sign, and nothing else."""

import re
import time
from pathlib import Path

from delivery.models.webhook import Topic
from delivery.webhooks.patience import WAITS
from delivery.webhooks.signing import new_secret, sign

PAGE = (Path(__file__).parent.parent / "docs" / "webhooks.md").read_text()
BODY = b'{"type":"events","data":[]}'


def _verify():
    [example] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = {}
    exec(example, names)
    return names["verify"]


def test_the_example_verifies_a_signature():
    verify, old, new = _verify(), new_secret(), new_secret()
    headers = sign(BODY, id_="msg_1", at=int(time.time()), secrets=[new, old])

    assert verify(headers, BODY, [old])
    assert verify(headers, BODY, [new])
    assert not verify(headers, BODY, [new_secret()])
    assert not verify(headers, BODY + b" ", [new])
    assert not verify({**headers, "webhook-id": "msg_2"}, BODY, [new])
    late = sign(BODY, id_="msg_1", at=int(time.time()) - 400, secrets=[new])
    assert not verify(late, BODY, [new])


def test_a_signature_is_the_one_of_the_specification():
    """The specification's own example, of its libraries' tests."""
    headers = sign(
        b'{"test": 2432232314}',
        id_="msg_p5jXN8AQM9LWM0D4loKWxJek",
        at=1614265330,
        secrets=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_page_names_every_type_and_the_waits():
    assert set(Topic.values) == set(re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", PAGE, re.MULTILINE))
    hours = [int(wait.total_seconds() / 3600) for wait in WAITS[5:]]
    assert "5 s, 15 s, 1 min, 5 min, 30 min" in PAGE
    assert ", ".join(f"{n} h" for n in hours[:-1]) + f" and {hours[-1]} h" in PAGE
    assert len(WAITS) + 1 == 13
