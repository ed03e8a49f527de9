"""The sink's own clock: what a latency ends with."""

import ssl
import time

import httpx
import pytest

from benchmarks.sink import Arrivals, Missing, running


@pytest.fixture
def sink(tmp_path):
    try:
        with running("-a", str(tmp_path / "arrivals")) as there:
            yield there
    except Missing as why:
        pytest.skip(str(why))


def push(sink, path, body):
    trust = ssl.create_default_context(cafile=str(sink.identity.ca_file))
    with httpx.Client(http2=True, verify=trust, trust_env=False) as client:
        assert client.post(f"{sink.url}{path}", json=body).status_code == 200


def test_pushes_to_either_provider_are_written_down_as_they_come(sink, tmp_path):
    arrivals = Arrivals(sink, tmp_path / "arrivals")
    before = time.time() * 1e6
    push(sink, f"/3/device/{'0a' * 32}", {"aps": {}})
    push(sink, "/v1/projects/p/messages:send", {"message": {"token": f"x:{'0b' * 32}"}})
    push(sink, f"/3/device/{'0a' * 32}", {"aps": {}})
    a, b, c = (int(byte * 8, 16) for byte in ("0a", "0b", "0c"))
    came = arrivals.news((a, b, c))
    assert [len(came[token]) for token in (a, b, c)] == [2, 1, 0]
    assert before <= came[a][0] <= came[b][0] <= came[a][1] <= time.time() * 1e6


def test_what_was_told_once_is_not_told_again(sink, tmp_path):
    arrivals = Arrivals(sink, tmp_path / "arrivals")
    token = int("0a" * 8, 16)
    push(sink, f"/3/device/{'0a' * 32}", {"aps": {}})
    assert len(arrivals.news((token,))[token]) == 1
    assert arrivals.news((token,))[token] == []
