"""The proxy's example, run by nginx itself in front of a door that tells what it was told."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from devstack.ports import free_port
from tests.production import files

pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")

WHOLE = """
{user}
daemon off;
pid {base}/nginx.pid;
error_log {base}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {base}/body;
    proxy_temp_path {base}/proxy;
    fastcgi_temp_path {base}/fastcgi;
    uwsgi_temp_path {base}/uwsgi;
    scgi_temp_path {base}/scgi;
    include {base}/gateway.conf;
}}
"""


class Door(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = len(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        told = {"path": self.path, "length": length, "headers": dict(self.headers)}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 - as the library spells it

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    """Give the two addresses of a running proxy: plain and TLS."""
    base = tmp_path_factory.mktemp("nginx")
    base.chmod(0o755)
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    words += ["-nodes", "-days", "1", "-subj", "/CN=localhost"]
    words += ["-keyout", base / "tls_key", "-out", base / "tls_certificate"]
    subprocess.run(words, check=True, capture_output=True)
    door = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=door.serve_forever, daemon=True).start()
    plain, tls = free_port(), free_port()
    conf = (files.DOCKER / "nginx/gateway.conf").read_text()
    for there, here in (
        ("web:8000", f"127.0.0.1:{door.server_port}"),
        ("listen 8080", f"listen 127.0.0.1:{plain}"),
        ("listen 8443", f"listen 127.0.0.1:{tls}"),
        ("/run/secrets", str(base)),
    ):
        assert there in conf
        conf = conf.replace(there, here)
    (base / "gateway.conf").write_text(conf)
    # its workers would be somebody who may not enter the folders of tests
    user = "user root;" if os.geteuid() == 0 else ""
    (base / "nginx.conf").write_text(WHOLE.format(base=base, user=user))
    started = ["nginx", "-c", base / "nginx.conf", "-p", base, "-e", base / "error.log"]
    subprocess.run([*started, "-t"], check=True, capture_output=True)
    server = subprocess.Popen(started)
    _await(tls)
    yield f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{tls}"
    server.terminate()
    server.wait(10)
    door.shutdown()
    door.server_close()


def _await(port):
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nginx did not start")


def ask(url, *, data=None, **headers):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context), _NoRedirects()
    )
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with opener.open(urllib.request.Request(url, data, names), timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args, **_options):
        return None


def test_what_a_client_says_of_itself_is_not_believed(proxy):
    lies = {"X_Forwarded_Proto": "http", "X_Forwarded_For": "8.8.8.8"}
    status, _, body = ask(f"{proxy[1]}/notifications", data=b"{}", **lies)
    told = json.loads(body)["headers"]
    assert status == 200
    assert told["X-Forwarded-Proto"] == "https"
    assert told["X-Forwarded-For"] == "127.0.0.1"
    assert told["Host"] == "127.0.0.1"
    assert re.fullmatch("[0-9a-f]{32}", told["X-Request-Id"])


def test_a_body_at_the_gateways_own_limit_reaches_it(proxy):
    status, _, body = ask(f"{proxy[1]}/x", data=b"x" * ((8 << 20) + 1))
    assert (status, json.loads(body)["length"]) == (200, (8 << 20) + 1)
    assert ask(f"{proxy[1]}/x", data=b"x" * (10 << 20))[0] == 413


def test_over_plain_http_a_program_is_refused_and_a_person_led_on(proxy):
    status, _, body = ask(f"{proxy[0]}/notifications", data=b"{}")
    assert (status, json.loads(body)) == (403, {"error": "Use https."})
    status, headers, _ = ask(f"{proxy[0]}/admin/login/?next=/admin/")
    assert status == 301
    assert headers["Location"] == "https://127.0.0.1/admin/login/?next=/admin/"


@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
def test_what_is_for_those_inside_is_not_outside(proxy, path):
    assert ask(f"{proxy[1]}{path}")[0] == 404


def test_http2_is_offered(proxy):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    host, port = proxy[1].removeprefix("https://").split(":")
    with (
        socket.create_connection((host, int(port))) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as line,
    ):
        assert line.selected_alpn_protocol() == "h2"
