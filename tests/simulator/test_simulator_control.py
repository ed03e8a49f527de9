"""The control API, the page with the phones, and the way a simulator starts and stops."""

import http.client
import json
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from simulator import launch
from simulator.records import Ledger, Record
from simulator.wire.messages import Peer, Request

TOKEN = "77" * 32
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def test_the_facts_are_all_there(simulator):
    facts = simulator.facts
    assert set(facts) == {
        *("apns_url", "fcm_url", "token_uri", "ca_file", "control_url", "phones_url"),
        *("apns", "fcm", "tokens"),
    }
    apns = {"key_file", "key_id", "team_id", "topic", "certificate_file"}
    assert set(facts["apns"]) == apns
    assert set(facts["fcm"]) == {"service_account_file", "project_id"}
    assert {len(facts["apns"][name]) for name in ("key_id", "team_id")} == {10}
    kinds = {f"apns_{k}" for k in ("ok", "gone", "other_topic")}
    assert set(facts["tokens"]) == kinds | {f"fcm_{k}" for k in ("ok", "gone", "foreign")}
    assert simulator.control.get("/health")["ok"] is True


def test_secrets_are_for_their_owner_only(simulator):
    for name in ("key_file", "certificate_file"):
        mode = Path(simulator.facts["apns"][name]).stat().st_mode
        assert not mode & (stat.S_IRWXG | stat.S_IRWXO)


def test_records_say_everything(simulator, apple, push_id):
    apple.push(TOKEN, {"aps": {"alert": "x"}}, apns_id=push_id)
    (record,) = simulator.received(provider="apns", token=TOKEN)
    assert record["payload"] == {"aps": {"alert": "x"}}
    assert record["headers"]["apns-id"] == push_id
    assert (record["verdict"], record["accepted"], record["status"]) == ("accepted", True, 200)
    assert (record["topic"], record["http"]) == ("com.example.demo", "2")
    assert record["stream"] == 1
    assert abs(record["at"] - time.time()) < 10


def test_records_can_be_followed(simulator, apple):
    for _ in range(5):
        apple.push(TOKEN)
    first = simulator.received(limit=2)
    rest = simulator.received(since=first[-1]["number"])
    assert (len(first), len(rest)) == (2, 3)
    assert simulator.received(token="88" * 32) == []
    with pytest.raises(launch.ControlError, match="400"):
        simulator.received(since="yesterday")


def test_duplicates_are_found_by_id_and_by_notification(simulator, apple, google, push_id):
    payload = {"aps": {}, "custom": {"a": {"k.message": {"type": 1, "data": {"id": 9}}}}}
    apple.push(TOKEN, payload, apns_id=push_id)
    assert simulator.summary["duplicates"]["which"] == []
    apple.push(TOKEN, payload, apns_id=push_id)
    custom = json.dumps(payload["custom"])
    for _ in range(3):
        google.send(data={"custom": custom})
    simulator.rule({"reason": "BadDeviceToken"})
    apple.push(TOKEN, payload, apns_id=push_id)  # refused: no duplicate
    duplicates = simulator.summary["duplicates"]
    assert (duplicates["by_apns_id"], duplicates["by_notification_id"]) == (1, 3)
    assert {"token": TOKEN, "apns_id": push_id, "times": 2} in duplicates["which"]
    assert {"token": TOKEN, "notification_id": "9", "times": 2} in duplicates["which"]
    times = {entry["times"] for entry in duplicates["which"]}
    assert times == {2, 3}


def test_the_summary_counts_and_forgets(simulator, apple, google):
    apple.push(TOKEN)
    apple.push("bad")
    google.send()
    summary = simulator.summary
    assert summary["accepted"] == {"apns": 1, "fcm": 1}
    assert summary["answers"]["apns"] == {"BadDeviceToken": 1, "accepted": 1}
    assert summary["token_requests"] == 1
    assert summary["traffic"]["apns"]["connections_opened"] == 1
    assert summary["traffic"]["apns"]["max_streams_seen"] == 1
    simulator.control.delete("/received")
    assert simulator.summary["received"] == 0
    assert simulator.received() == []


def test_reset_makes_everything_as_new(simulator, apple):
    simulator.rule({"status": 500})
    simulator.settings("apns", max_streams=7)
    (token,) = simulator.control.post("/tokens", {"provider": "apns"})["tokens"]
    apple.push(TOKEN)
    simulator.control.post("/reset")
    script = simulator.control.get("/script")
    assert script["rules"] == []
    assert script["settings"]["apns"]["max_streams"] == 1000
    assert simulator.summary["received"] == 0
    with pytest.raises(launch.ControlError, match="404"):
        simulator.control.get(f"/tokens/{token}")
    assert simulator.control.get(f"/tokens/{simulator.facts['tokens']['apns_ok']}")


def record(number: int) -> Record:
    request = Request(Peer(1, "2"), number, "POST", "/3/device/x", [(b"a", b"b")], b"{}")
    return Record(0, 0.0, "apns", request, "x", "t", True, "accepted", 200, None, None, number)


def test_old_records_go_but_counts_and_duplicates_stay_exact():
    ledger = Ledger(keep=10)
    for _ in range(2):
        for number in range(100):
            ledger.note(record(number))
    assert len(ledger.select(provider=None, token=None, since=0, limit=1000)) == 10
    summary = ledger.summary()
    assert summary["accepted"]["apns"] == 200
    assert summary["duplicates"]["by_notification_id"] == 100


@pytest.mark.parametrize("body", [b"not json", b"[]"])
def test_a_body_that_is_no_object_is_refused(simulator, body):
    request = urllib.request.Request(f"{simulator.facts['control_url']}/script", body, method="PUT")
    with pytest.raises(urllib.error.HTTPError) as refusal, OPENER.open(request, timeout=5):
        pass
    assert refusal.value.code == 400
    refusal.value.close()


def test_a_page_from_elsewhere_may_not_control_it(simulator):
    request = urllib.request.Request(
        f"{simulator.facts['control_url']}/reset",
        b"",
        {"Origin": "https://evil.example"},
        method="POST",
    )
    with pytest.raises(urllib.error.HTTPError) as refusal, OPENER.open(request, timeout=5):
        pass
    assert refusal.value.code == 403
    refusal.value.close()


@pytest.mark.parametrize("path", ["/", "/phones/page"])
def test_the_page_is_self_contained_under_a_strict_policy(simulator, path):
    with OPENER.open(simulator.facts["control_url"] + path, timeout=5) as answer:
        page, policy = answer.read().decode(), answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http://" not in page
    assert "https://" not in page
    for name, kind in (("phones.css", "text/css"), ("phones.js", "text/javascript")):
        url = f"{simulator.facts['control_url']}/static/{name}"
        assert f"/static/{name}" in page
        with OPENER.open(url, timeout=5) as answer:
            assert answer.headers.get_content_type() == kind
            assert b"innerHTML" not in answer.read()


def events(stream):
    """Read the next event of a stream of server-sent events."""
    while not (line := stream.readline()).startswith(b"data: "):
        assert line, "the stream ended"
    return json.loads(line.removeprefix(b"data: "))


def test_the_page_is_told_what_happens(simulator, apple):
    where = urlsplit(simulator.facts["control_url"]).netloc
    connection = http.client.HTTPConnection(where, timeout=5)
    connection.request("GET", "/phones/stream")
    stream = connection.getresponse()
    assert stream.headers.get_content_type() == "text/event-stream"
    assert events(stream)["counts"]["phones"] == 0
    keys = {"gateway": "http://127.0.0.1:9", "api_key": "k", "secret_key": "s"}
    order = keys | {"platform": "ios", "count": 70}
    phones = simulator.control.post("/phones", order)["phones"]
    update = events(stream)
    while len(update["phones"]) == 0:
        update = events(stream)
    assert (update["counts"]["phones"], update["shown"], len(update["phones"])) == (70, 60, 60)
    assert "secret" not in json.dumps(update)
    apple.push(phones[3]["token"], {"aps": {"alert": "<b>hi</b>"}})
    update = events(stream)
    while update["counts"]["landed"] == 0:
        update = events(stream)
    (phone,) = update["phones"]
    assert phone["pushes"][0]["body"] == "<b>hi</b>"
    connection.close()


def test_identity_outlives_a_restart_and_facts_do_not_outlive_the_end(tmp_path):
    with launch.start(tmp_path) as first:
        before = first.facts
        ca = Path(before["ca_file"]).read_bytes()
        server = (tmp_path / "server.pem").read_bytes()
    assert first.process.returncode == 0
    assert not (tmp_path / "facts.json").exists()
    with launch.start(tmp_path) as second:
        after = second.facts
        assert json.loads((tmp_path / "facts.json").read_text()) == after
        account = json.loads(Path(after["fcm"]["service_account_file"]).read_text())
        assert account["token_uri"] == after["token_uri"]
    assert after["tokens"] == before["tokens"]
    assert after["apns"] == before["apns"]
    assert Path(after["ca_file"]).read_bytes() == ca
    assert (tmp_path / "server.pem").read_bytes() == server


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_even_with_a_page_open(tmp_path, number):
    running = launch.start(tmp_path)
    where = urlsplit(running.facts["control_url"]).netloc
    connection = http.client.HTTPConnection(where, timeout=5)
    connection.request("GET", "/phones/stream")
    events(connection.getresponse())
    began = time.monotonic()
    running.process.send_signal(number)
    assert running.process.wait(30) == 0
    assert time.monotonic() - began < 10
    running.stop()
    connection.close()
    assert (tmp_path / "simulator.log").read_text() == ""


def test_a_port_that_is_taken_stops_the_start_with_a_reason(simulator, tmp_path):
    with pytest.raises(RuntimeError, match="did not start"):
        launch.start(tmp_path, apns_port=simulator.port("apns"))


def test_the_command_line_explains_itself():
    command = [sys.executable, "-m", "simulator", "--help"]
    text = subprocess.check_output(command, text=True, cwd=launch.ROOT, timeout=30)
    assert "--advertise" in text
