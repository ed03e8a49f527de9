"""The pool against servers nobody here wrote: nghttp2's nghttpd and nginx."""

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest

from delivery.providers.wire import Answer
from tests.delivery.providers.wire.peers import collect, pooling, requests, run

NGHTTPD, NGINX = shutil.which("nghttpd"), shutil.which("nginx")
with_nghttpd = pytest.mark.skipif(not NGHTTPD, reason="nghttpd (Debian: nghttp2-server) is missing")
with_nginx = pytest.mark.skipif(not NGINX, reason="nginx is missing")

NGINX_CONF = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log {folder}/access.log; keepalive_requests {keepalive};
  http2_max_concurrent_streams {streams};
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl http2; ssl_certificate {chain}; ssl_certificate_key {key};
    location /ok {{ return 200; }}
    location /gone {{ default_type application/json; return 410 '{{"reason":"Unregistered"}}'; }}
  }}
}}
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(command, port, log):
    """Run a server until the block ends."""
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as process,
    ):
        try:
            deadline = time.monotonic() + 5
            while not accepts(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, "the server did not start"
                time.sleep(0.02)
            yield
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def nghttpd(certificates, folder, *options):
    port = free_port()
    command = [NGHTTPD, "-a", "127.0.0.1", "--echo-upload", "-d", folder, *options]
    with running([*command, str(port), certificates.key, certificates.chain], port, folder / "log"):
        yield port


@contextmanager
def nginx(certificates, folder, *, keepalive=1_000_000, streams=128):
    port = free_port()
    (folder / "nginx.conf").write_text(
        NGINX_CONF.format(
            folder=folder,
            port=port,
            chain=certificates.chain,
            key=certificates.key,
            keepalive=keepalive,
            streams=streams,
        )
    )
    command = [NGINX, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"]
    with running(command, port, folder / "log"):
        yield port


def exchange(certificates, port, asked, **policy):
    async def body():
        async with pooling(certificates, port, **policy) as pool:
            return await collect(pool, asked), pool.stats

    return run(body())


@with_nghttpd
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-m", "1"),
        ("-m", "20", "-w", "8", "-W", "16"),
        ("--padding", "50"),
        ("--encoder-header-table-size", "0"),
        ("-c", "0"),
        ("-c", "100"),
    ],
    ids=" ".join,
)
def test_nghttpd_echoes_every_body(certificates, tmp_path, options):
    asked = [
        requests(1, first=n, body=b"%d " % n * (n * 37 % 900 + 1), path=b"/echo/%d")[0]
        for n in range(300)
    ]
    with nghttpd(certificates, tmp_path, *options) as port:
        got, stats = exchange(certificates, port, asked)
    assert {n: (result.status, result.body) for n, result in got.items()} == {
        request.tag: (200, request.body) for request in asked
    }
    assert stats.refused == stats.goaways == 0


@with_nghttpd
def test_nghttpd_takes_a_body_larger_than_all_its_windows(certificates, tmp_path):
    body = bytes(range(256)) * 200
    with nghttpd(certificates, tmp_path, "-w", "10", "-W", "12") as port:
        got, _ = exchange(certificates, port, requests(3, body=body, path=b"/echo/%d"))
    assert [got[n].body for n in range(3)] == [body] * 3


@with_nghttpd
def test_nghttpd_understands_a_crowd_of_header_tuples(certificates, tmp_path):
    asked = []
    for n in range(600):
        fields = tuple((b"x-field-%d" % k, b"%d" % (n % 97) * 30) for k in range(n % 6))
        asked += requests(1, first=n, fields=fields, path=b"/echo/%d", body=b"%d" % n)
    with nghttpd(certificates, tmp_path, "-c", "600") as port:
        got, _ = exchange(certificates, port, asked)
    assert [got[n].body for n in range(600)] == [b"%d" % n for n in range(600)]


@with_nginx
def test_nginx_answers_thousands(certificates, tmp_path):
    asked = requests(2000, path=b"/ok/%d") + requests(500, first=5000, path=b"/gone/%d")
    with nginx(certificates, tmp_path) as port:
        got, stats = exchange(certificates, port, asked)
    assert all(got[n] == Answer(200, got[n].headers, b"") for n in range(2000))
    assert all(
        (got[n].status, got[n].body) == (410, b'{"reason":"Unregistered"}')
        for n in got
        if n >= 5000
    )
    assert stats.refused == 0


@with_nginx
def test_nginx_ends_its_connections_and_nothing_is_lost_or_sent_twice(certificates, tmp_path):
    with nginx(certificates, tmp_path, keepalive=150) as port:
        got, stats = exchange(
            certificates,
            port,
            requests(2000, path=b"/ok/%d"),
            max_connections=2,
            backoff_first=0.01,
        )
        served = (tmp_path / "access.log").read_text().count("POST /ok/")
    assert [type(result) for result in got.values()] == [Answer] * 2000
    assert stats.goaways >= 10
    assert served == 2000
