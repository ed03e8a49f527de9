"""The pool over real TLS, against a server that checks every byte and misbehaves on request."""

import asyncio
import socket
import ssl
import struct
import time
from collections import Counter
from contextlib import aclosing

import pytest

from delivery.providers.wire import Answer, Endpoint, Policy, Pool, Uncertain, Unsent, frames
from tests.delivery.providers.wire.peers import (
    accept,
    collect,
    pooling,
    requests,
    run,
    serving,
    setting,
    until,
)


def scenario(certificates, behave=accept, *, server=None, **policy):
    """Run a coroutine function with a server and a pool."""

    def decorate(test):
        async def body():
            async with (
                serving(certificates, behave, **(server or {})) as there,
                pooling(certificates, there.port, **policy) as pool,
            ):
                await test(there, pool)

        run(body())

    return decorate


def statuses(got):
    return [result.status for result in got.values()]


# -- the ordinary


def test_many_requests_are_each_answered_once(certificates):
    def behave(peer, asked):
        gone = asked.number % 10 == 3
        peer.answer(asked, 410 if gone else 200, b'{"reason":"Unregistered"}' if gone else b"")

    @scenario(certificates, behave)
    async def _(server, pool):
        got = await collect(pool, requests(3000))
        assert [n for n, result in got.items() if result.status == 410] != []
        assert all((got[n].status == 410) == (n % 10 == 3) for n in got)
        assert all(got[n].body for n in got if n % 10 == 3)
        assert server.most <= 100
        assert sorted(asked.number for asked in server.asked) == list(range(3000))
        assert server.asked[-1].headers[b":authority"] == b"localhost:%d" % server.port


def test_an_empty_send_ends_at_once(certificates):
    @scenario(certificates)
    async def _(server, pool):
        assert await collect(pool, []) == {}
        assert pool.stats.opened == 0


def test_bodies_of_any_size_arrive_whole_through_small_windows(certificates):
    small = setting(MAX_CONCURRENT_STREAMS=50, INITIAL_WINDOW_SIZE=300)

    @scenario(certificates, server={"settings": small})
    async def _(server, pool):
        bodies = [bytes([n]) * size for n, size in enumerate([0, 1, 299, 300, 301, 5000, 90_000])]
        asked = [requests(1, body=body, first=n)[0] for n, body in enumerate(bodies)]
        got = await collect(pool, asked)
        assert statuses(got) == [200] * len(bodies)
        assert {asked.number: asked.body for asked in server.asked} == dict(enumerate(bodies))


def test_two_sends_share_a_connection_fairly(certificates):
    def behave(peer, asked):
        peer.later(0.002, peer.answer, asked)

    @scenario(
        certificates,
        behave,
        server={"settings": setting(MAX_CONCURRENT_STREAMS=10)},
        max_connections=1,
    )
    async def _(server, pool):
        ends = {}

        async def send(name, asked):
            await collect(pool, asked)
            ends[name] = len(server.asked)

        big = asyncio.create_task(send("big", requests(2000)))
        await until(lambda: len(server.asked) > 100)
        before = len(server.asked)
        await send("small", requests(20, first=5000))
        assert ends["small"] - before < 100, "the small send was not kept waiting by the big one"
        await big
        assert pool.stats.opened == 1


def test_headers_of_plain_answers_are_there_for_who_asks(certificates):
    def behave(peer, asked):
        peer.answer(asked, headers=[("apns-unique-id", f"u{asked.number}")])

    @scenario(certificates, behave, want_headers=True)
    async def _(server, pool):
        got = await collect(pool, requests(20))
        assert [got[n].headers[b"apns-unique-id"] for n in range(20)] == [
            b"u%d" % n for n in range(20)
        ]


def test_uvloop_carries_the_same_traffic(certificates):
    import uvloop

    async def body():
        async with serving(certificates) as server, pooling(certificates, server.port) as pool:
            return statuses(await collect(pool, requests(1000)))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(asyncio.wait_for(body(), 20)) == [200] * 1000


# -- warm-up, limits, growth


def test_a_cold_start_sends_one_request_before_the_limit_rises(certificates):
    def behave(peer, asked):
        if not peer.answered:
            assert len(peer.unanswered) == 1
            peer.change(MAX_CONCURRENT_STREAMS=500)
        peer.later(0.02, peer.answer, asked)

    @scenario(certificates, behave, server={"settings": setting(MAX_CONCURRENT_STREAMS=1)})
    async def _(server, pool):
        started = time.monotonic()
        assert statuses(await collect(pool, requests(200))) == [200] * 200
        assert time.monotonic() - started < 5
        assert server.most > 50
        assert pool.stats.opened == 1


def test_a_rejection_that_refuses_everything_beside_it_costs_nothing_but_time(certificates):
    """Apple's way with a bad token: limit 1, REFUSED_STREAM for the rest, until one is accepted."""

    def behave(peer, asked):
        peer.later(0.002, decide, peer, asked)

    def decide(peer, asked):
        if asked.stream not in peer.unanswered:
            return
        bad = asked.number % 50 == 7
        peer.answer(asked, 400 if bad else 200, b'{"reason":"BadDeviceToken"}' if bad else b"")
        if bad:
            peer.change(MAX_CONCURRENT_STREAMS=1)
            for stream in sorted(peer.unanswered):
                peer.conn.reset_stream(stream, 7)
            peer.unanswered.clear()
            peer.pending.clear()
        else:
            peer.change(MAX_CONCURRENT_STREAMS=200)

    @scenario(
        certificates,
        behave,
        server={"settings": setting(MAX_CONCURRENT_STREAMS=200)},
        max_connections=1,
    )
    async def _(server, pool):
        got = await collect(pool, requests(1000))
        assert sum(result.status == 400 for result in got.values()) == 20
        assert sum(result.status == 200 for result in got.values()) == 980
        assert pool.stats.refused == pool.stats.resent_unsent > 0
        assert pool.stats.opened == 1


def test_a_second_connection_is_opened_only_when_the_first_is_full(certificates):
    held = []

    def behave(peer, asked):
        if peer.answered:
            held.append((peer, asked))
        else:
            peer.answer(asked)

    @scenario(
        certificates,
        behave,
        server={"settings": setting(MAX_CONCURRENT_STREAMS=10)},
        max_connections=3,
    )
    async def _(server, pool):
        await collect(pool, requests(1))
        task = asyncio.create_task(collect(pool, requests(10, first=1)))
        await until(lambda: len(held) == 10)
        await asyncio.sleep(0.1)
        assert pool.stats.opened == 1
        more = asyncio.create_task(collect(pool, requests(60, first=20)))
        await until(lambda: pool.stats.opened == 3)
        await asyncio.sleep(0.1)
        assert pool.stats.opened == 3, "never more than allowed"
        assert pool.stats.in_flight == 30
        for peer, asked in iter(lambda: held.pop() if held else None, None):
            peer.answer(asked)
            await asyncio.sleep(0)
        while not more.done():
            while held:
                held[0][0].answer(held.pop(0)[1])
            await asyncio.sleep(0.001)
        assert statuses(await task) + statuses(await more) == [200] * 70
        assert server.most <= 10


@pytest.mark.parametrize(("streams", "connections"), [(100, 10), (500, 2)])
def test_a_large_send_has_as_many_connections_as_few_streams_on_each_ask_for(
    certificates, streams, connections
):
    limits = {"settings": setting(MAX_CONCURRENT_STREAMS=streams)}

    def late(peer, asked):
        peer.later(0.2, peer.answer, asked)

    @scenario(certificates, late, server=limits)
    async def _(server, pool):
        while pool.stats.opened < connections:
            await collect(pool, requests(1000))
        await collect(pool, requests(1000))
        assert pool.stats.opened == connections, "a batch has room, and no more is opened"
        assert server.most <= streams


def test_where_connections_have_streams_in_plenty_few_of_them_are_enough(certificates):
    limits = {"settings": setting(MAX_CONCURRENT_STREAMS=20)}

    def late(peer, asked):
        peer.later(0.02, peer.answer, asked)

    @scenario(certificates, late, server=limits, max_streams=60)
    async def _(_server, pool):
        await collect(pool, requests(600))
        assert pool.stats.opened == 3, "three times 20 are the 60 asked for"


def test_streams_that_a_small_window_leaves_no_use_for_are_not_counted_as_room(certificates):
    def read_late(peer, asked):
        peer.conn.acknowledge_received_data(len(asked.body), asked.stream)
        peer.answer(asked)

    def late(peer, asked):
        peer.later(0.05, read_late, peer, asked)

    limits = {"settings": setting(MAX_CONCURRENT_STREAMS=1000), "acknowledge": False}

    @scenario(certificates, late, server=limits, max_connections=6)
    async def _(server, pool):
        while pool.stats.opened < 6:  # four have streams for 4,000, and windows for 64 of these
            await collect(pool, requests(300, body=b"x" * 4000))
        assert server.most <= 17


def test_connections_in_reserve_are_opened_without_being_asked_for(certificates):
    @scenario(certificates, min_connections=2, ping_idle=0.4)
    async def _(server, pool):
        await collect(pool, requests(1))
        await until(lambda: pool.stats.connections == 2)


# -- endings


def test_a_refused_request_is_sent_again_until_the_budget_is_spent(certificates):
    @scenario(certificates, lambda peer, asked: peer.refuse(asked), max_resend=3, max_connections=1)
    async def _(server, pool):
        got = await collect(pool, requests(1))
        assert got == {0: Unsent("REFUSED_STREAM")}
        assert len(server.asked) == 4
        assert pool.stats.resent_unsent == 3


def test_a_connection_that_refuses_everything_is_replaced(certificates):
    def behave(peer, asked):
        if peer.number == 0 and peer.answered >= 20:
            peer.refuse(asked)
        else:
            peer.answer(asked)

    @scenario(certificates, behave, max_connections=1)
    async def _(server, pool):
        assert statuses(await collect(pool, requests(50))) == [200] * 50
        assert len(server.peers) == 2


def test_other_resets_are_uncertain_and_touch_nobody_else(certificates):
    def behave(peer, asked):
        if asked.number == 5:
            peer.refuse(asked, code=8)
        else:
            peer.answer(asked)

    @scenario(certificates, behave)
    async def _(server, pool):
        got = await collect(pool, requests(20))
        assert got.pop(5) == Uncertain("RST_STREAM CANCEL")
        assert statuses(got) == [200] * 19


def test_a_request_without_an_answer_is_uncertain_in_time_and_its_siblings_are_not(certificates):
    late = []

    def behave(peer, asked):
        if asked.number == 3:
            late.append(asked)
            peer.later(0.6, peer.conn.send_data, asked.stream, b"late")
        else:
            peer.answer(asked)

    def cautious(peer, asked):
        if asked.number == 3:
            late.append((peer, asked))
        else:
            peer.answer(asked)

    @scenario(certificates, cautious, request_timeout=0.3)
    async def _(server, pool):
        started = time.monotonic()
        got = await collect(pool, requests(10))
        assert 0.3 <= time.monotonic() - started < 10
        assert got.pop(3) == Uncertain("no answer in 0.3 s")
        assert statuses(got) == [200] * 9
        await until(lambda: late[0][0].resets == 1)
        peer, asked = late[0]
        peer.raw(frames.frame(0, 1, asked.stream, b"far too late"))
        assert statuses(await collect(pool, requests(10, first=20))) == [200] * 10
        assert pool.stats.opened == 1


def test_goaway_resends_what_was_not_seen_and_waits_for_the_rest(certificates):
    waiting = []

    def behave(peer, asked):
        if peer.number == 0 and asked.number:
            waiting.append((peer, asked))
        else:
            peer.answer(asked)

    told = []

    @scenario(
        certificates,
        behave,
        server={"settings": setting(MAX_CONCURRENT_STREAMS=50)},
        max_connections=1,
        on_goaway=told.append,
    )
    async def _(server, pool):
        task = asyncio.create_task(collect(pool, requests(101)))
        await until(lambda: len(waiting) == 50)
        peer = server.peers[0]
        last = sorted(asked.stream for _, asked in waiting)[29]
        words = b'{"reason":"Shutdown"}'
        peer.say_goodbye(last, 0, words)
        await until(lambda: len(server.peers) == 2)
        for _, asked in waiting:
            if asked.stream <= last:
                peer.answer(asked)
        got = await task
        assert statuses(got) == [200] * 101
        times = [asked.number for asked in server.asked]
        twice = {number for number in times if times.count(number) == 2}
        assert twice == {asked.number for _, asked in waiting if asked.stream > last}
        assert pool.stats.goaways == 1
        assert pool.stats.last_goaway.debug == words
        assert [str(t) for t in told] == ['GOAWAY NO_ERROR {"reason":"Shutdown"}']
        await until(lambda: peer.gone)


def test_what_a_draining_connection_never_answers_is_uncertain(certificates):
    def behave(peer, asked):
        if asked.number < 5:
            peer.answer(asked)
        elif asked.number == 9:
            peer.say_goodbye(asked.stream, 0, b'{"reason":"Shutdown"}')
            peer.later(0.05, peer.drop)

    @scenario(certificates, behave)
    async def _(server, pool):
        got = await collect(pool, requests(10))
        assert statuses({n: got[n] for n in range(5)}) == [200] * 5
        for n in range(5, 10):
            assert isinstance(got[n], Uncertain)
            assert "Shutdown" in got[n].reason
        assert len(server.asked) == 10


def test_goaway_on_every_connection_is_no_reconnect_storm(certificates):
    def behave(peer, asked):
        peer.say_goodbye(0, 0, b'{"reason":"Shutdown"}')

    @scenario(certificates, behave, backoff_first=0.1, connect_attempts=4)
    async def _(server, pool):
        started = time.monotonic()
        got = await collect(pool, requests(5))
        assert all(
            isinstance(result, Unsent) and "Shutdown" in result.reason for result in got.values()
        )
        assert len(server.peers) <= 5
        assert time.monotonic() - started > 0.3


def test_goaway_with_an_error_is_told_and_backed_off_from(certificates):
    told = []

    def refuse(peer):
        peer.flush()
        peer.say_goodbye(0, 2, b'{"reason":"BadCertificate"}')

    @scenario(
        certificates,
        server={"on_connect": refuse},
        on_goaway=told.append,
        connect_attempts=2,
        backoff_first=0.1,
    )
    async def _(server, pool):
        got = await collect(pool, requests(3))
        assert all("BadCertificate" in result.reason for result in got.values())
        assert all(isinstance(result, Unsent) for result in got.values())
        assert len(told) == len(server.peers) == 2
        assert pool.stats.last_goaway.code == 2


def test_one_goaway_after_a_while_of_use_costs_no_waiting(certificates):
    def behave(peer, asked):
        peer.answer(asked)
        if peer.answered == 150:
            peer.say_goodbye(asked.stream)

    @scenario(certificates, behave, backoff_first=60.0)  # a scenario has less than that
    async def _(server, pool):
        assert statuses(await collect(pool, requests(1000))) == [200] * 1000
        assert len(server.asked) == 1000


def test_a_connection_cut_leaves_the_written_uncertain_and_the_rest_is_sent_elsewhere(certificates):
    def behave(peer, asked):
        if peer.number == 0 and asked.number == 4:
            peer.drop()
        elif asked.number != 3:
            peer.answer(asked)

    @scenario(
        certificates,
        behave,
        server={"settings": setting(MAX_CONCURRENT_STREAMS=4)},
        max_connections=1,
    )
    async def _(server, pool):
        got = await collect(pool, requests(30))
        lost = {n for n, result in got.items() if isinstance(result, Uncertain)}
        assert 3 in lost
        assert 4 in lost
        assert len(lost) <= 5, "no more than could be in flight"
        assert all(got[n].status == 200 for n in got if n not in lost)
        numbers = [asked.number for asked in server.asked]
        assert len(numbers) == len(set(numbers)), "nothing was sent twice"


def test_after_a_cut_a_connection_risks_no_more_than_it_has_proved(certificates):
    def behave(peer, asked):
        peer.asked = getattr(peer, "asked", 0) + 1
        if peer.asked == 20:
            peer.drop()
        elif peer.asked < 20:
            peer.answer(asked)

    @scenario(certificates, behave, max_connections=1)
    async def _(server, pool):
        got = await collect(pool, requests(400))
        lost = sum(isinstance(result, Uncertain) for result in got.values())
        later = len(server.peers) - 1
        assert later > 5, "the first risked all the server allows, the others less"
        assert lost <= 100 + later * (1 + 19)


def test_last_words_are_read_even_where_the_server_has_already_hung_up(certificates):
    """GOAWAY, close, and our next write answered by a TCP reset: nothing known is thrown away."""
    held = []

    def behave(peer, asked):
        if peer.number or not asked.number:
            peer.answer(asked)
        else:
            held.append(asked)

    @scenario(certificates, behave, max_connections=1)
    async def _(server, pool):
        await collect(pool, requests(1))
        task = asyncio.create_task(collect(pool, requests(10, first=1)))
        await until(lambda: len(held) == 10)
        [link], [peer] = pool._fleet.links, server.peers
        link._transport.pause_reading()
        for asked in held[:5]:
            peer.answer(asked)
        peer.say_goodbye(held[4].stream, 0, b"enough")
        raw = peer.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.drop()
        await until(lambda: peer.gone)
        await asyncio.sleep(0.02)
        link.core.ping()
        link._flush()
        assert statuses(await task) == [200] * 10
        assert [asked.number for asked in server.asked] == [*range(11), *range(6, 11)]
        assert pool.stats.last_goaway.debug == b"enough"


def test_a_connection_tampered_with_is_replaced(certificates):
    def behave(peer, asked):
        if peer.number == 0 and asked.number == 1:
            # beneath TLS: a record of application data that no key has sealed
            peer.transport._ssl_protocol._transport.write(b"\x17\x03\x03\x00\x20" + bytes(32))
        else:
            peer.answer(asked)

    @scenario(certificates, behave, max_connections=1)
    async def _(server, pool):
        got = await collect(pool, requests(2))
        assert got[0].status == 200
        assert isinstance(got[1], Uncertain)
        assert got[1].reason.startswith("TLS: ")
        assert statuses(await collect(pool, requests(5, first=10))) == [200] * 5
        assert len(server.peers) == 2


def test_a_connection_that_breaks_the_protocol_is_replaced(certificates):
    def behave(peer, asked):
        if peer.number == 0 and asked.number == 1:
            peer.raw(frames.frame(0, 1, 0, b"DATA on stream 0"))
        else:
            peer.answer(asked)

    @scenario(certificates, behave, max_connections=1)
    async def _(server, pool):
        got = await collect(pool, requests(50))
        assert isinstance(got[1], Uncertain)
        assert sum(isinstance(result, Answer) for result in got.values()) >= 1
        await until(lambda: server.peers[0].goaway)
        assert server.peers[0].goaway.error_code == 1
        assert statuses(await collect(pool, requests(5, first=100))) == [200] * 5


# -- silence


def test_a_silent_connection_is_pinged_and_replaced(certificates):
    def behave(peer, asked):
        if peer.number == 0 and asked.number == 5:
            peer.deaf = True
        else:
            peer.answer(asked)

    @scenario(
        certificates,
        behave,
        ping_idle=0.2,
        ping_timeout=0.2,
        request_timeout=20.0,
        max_connections=1,
    )
    async def _(server, pool):
        started = time.monotonic()
        got = await collect(pool, requests(6))
        assert time.monotonic() - started < 10
        assert got[5] == Uncertain("no answer to PING")
        assert pool.stats.pings_lost == 1
        assert statuses(await collect(pool, requests(10, first=10))) == [200] * 10
        assert len(server.peers) == 2


def test_nothing_more_is_entrusted_to_a_connection_that_has_fallen_silent(certificates):
    """A request may be given up before the silence is proved; the next must not follow it."""

    def behave(peer, asked):
        if peer.number == 0 and asked.number == 5:
            peer.deaf = True
        else:
            peer.answer(asked)

    @scenario(certificates, behave, ping_idle=0.2, ping_timeout=0.6, request_timeout=0.4)
    async def _(server, pool):
        got = await collect(pool, requests(6))
        assert got[5] == Uncertain("no answer in 0.4 s")
        assert statuses(await collect(pool, requests(10, first=10))) == [200] * 10
        assert len(server.peers) == 2


def test_a_slow_answer_on_a_living_connection_is_waited_for(certificates):
    def behave(peer, asked):
        peer.later(0.6, peer.answer, asked)

    @scenario(certificates, behave, ping_idle=0.1, ping_timeout=0.2)
    async def _(server, pool):
        assert statuses(await collect(pool, requests(1))) == [200]
        assert server.peers[0].pings >= 2
        assert pool.stats.pings_lost == 0


def test_after_a_long_silence_a_ping_must_come_back_before_a_request_is_risked(certificates):
    @scenario(certificates, probe_after=0.1, ping_timeout=0.2, ping_idle=0.2, max_connections=1)
    async def _(server, pool):
        await collect(pool, requests(1))
        await asyncio.sleep(0.2)
        assert statuses(await collect(pool, requests(1, first=1))) == [200]
        assert server.peers[0].pings == 1
        server.peers[0].deaf = True
        await asyncio.sleep(0.2)
        assert statuses(await collect(pool, requests(5, first=2))) == [200] * 5
        assert len(server.peers) == 2
        assert pool.stats.pings_lost == 1


def test_an_unused_connection_is_pinged_now_and_then(certificates):
    @scenario(certificates, ping_unused=0.2, ping_idle=0.1, ping_timeout=0.1)
    async def _(server, pool):
        await collect(pool, requests(1))
        await until(lambda: server.peers[0].pings >= 2)
        assert pool.stats.connections == 1


# -- connecting


def test_a_server_that_cannot_be_reached_leaves_everything_unsent(certificates):
    async def body():
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        async with pooling(certificates, port, connect_attempts=2) as pool:
            got = await collect(pool, requests(20))
            assert all(
                isinstance(result, Unsent) and "connect" in result.reason for result in got.values()
            )
            assert pool.stats.failed == 2

    run(body())


def test_a_peer_that_accepts_tcp_but_not_tls_is_given_up_on(certificates):
    async def body():
        with socket.create_server(("127.0.0.1", 0)) as mute:
            async with pooling(
                certificates, mute.getsockname()[1], connect_timeout=0.3, connect_attempts=1
            ) as pool:
                started = time.monotonic()
                got = await collect(pool, requests(3))
                assert time.monotonic() - started < 10
                assert all(isinstance(result, Unsent) for result in got.values())

    run(body())


def test_a_server_that_never_sends_settings_is_given_up_on(certificates):
    @scenario(certificates, server={"greet": False}, connect_timeout=0.3, connect_attempts=1)
    async def _(server, pool):
        got = await collect(pool, requests(3))
        assert all(isinstance(result, Unsent) for result in got.values())
        assert server.asked == []


@pytest.mark.parametrize("protocols", [(), ("http/1.1",)])
def test_http2_must_be_agreed_on(certificates, protocols):
    async def body():
        options = {"protocols": protocols}
        async with serving(certificates, **options) as server:
            offered = ("h2", "http/1.1")
            async with pooling(
                certificates, server.port, protocols=offered, connect_attempts=1
            ) as pool:
                got = await collect(pool, requests(2))
                assert all("ALPN" in result.reason for result in got.values())

    run(body())


def test_a_certificate_nobody_vouches_for_is_refused(certificates):
    async def body():
        async with serving(certificates) as server:
            context = ssl.create_default_context()
            context.set_alpn_protocols(["h2"])
            endpoint = Endpoint("127.0.0.1", server.port, context, "localhost")
            pool = Pool(endpoint, policy=Policy(connect_attempts=1))
            got = await collect(pool, requests(2))
            assert all("CERTIFICATE_VERIFY_FAILED" in result.reason for result in got.values())
            assert all(isinstance(result, Unsent) for result in got.values())
            await pool.close()

    run(body())


def test_a_pool_recovers_when_the_server_comes_back(certificates):
    async def body():
        async with serving(certificates) as server:
            port = server.port
        async with pooling(certificates, port, connect_attempts=50, backoff_cap=0.1) as pool:
            task = asyncio.create_task(collect(pool, requests(10)))
            await until(lambda: pool.stats.failed >= 2)
            loop = asyncio.get_running_loop()
            from tests.delivery.providers.wire.peers import Peer, Server

            state = Server(accept, setting(MAX_CONCURRENT_STREAMS=100))
            again = await loop.create_server(
                lambda: Peer(state), "127.0.0.1", port, ssl=certificates.server()
            )
            assert statuses(await task) == [200] * 10
            again.close()

    run(body())


def test_requests_that_find_no_room_are_unsent_after_the_queue_timeout(certificates):
    @scenario(
        certificates,
        server={"settings": setting(MAX_CONCURRENT_STREAMS=0)},
        queue_timeout=0.3,
        max_connections=1,
    )
    async def _(server, pool):
        got = await collect(pool, requests(5))
        assert all(isinstance(result, Unsent) for result in got.values())
        assert pool.stats.connections == 1


def test_a_server_that_crawls_leaves_the_rest_unsent_after_the_send_timeout(certificates):
    def behave(peer, asked):
        peer.later(0.1, peer.answer, asked)

    @scenario(
        certificates,
        behave,
        server={"settings": setting(MAX_CONCURRENT_STREAMS=1)},
        send_timeout=0.5,
        max_connections=1,
    )
    async def _(server, pool):
        got = await collect(pool, requests(50))
        kinds = Counter(type(result) for result in got.values())
        assert set(kinds) == {Answer, Unsent}
        assert len(server.asked) == kinds[Answer] < 20


# -- age


def test_a_connection_of_age_is_replaced_without_a_gap(certificates):
    @scenario(certificates, max_age=0.4, max_connections=1, probe_after=60.0)
    async def _(server, pool):
        sent = 0
        while len(server.peers) < 3:
            await collect(pool, requests(1, first=sent))
            sent += 1
            await asyncio.sleep(0.01)
        assert [asked.number for asked in server.asked] == list(range(sent))
        await until(lambda: len(server.open) <= 1)


def test_a_connection_is_replaced_before_it_has_carried_too_much(certificates):
    @scenario(certificates, max_requests=200, max_connections=2)
    async def _(server, pool):
        assert statuses(await collect(pool, requests(2000))) == [200] * 2000
        assert len(server.peers) >= 10
        assert all(peer.answered <= 200 for peer in server.peers)
        assert len(server.asked) == 2000


def test_renewing_moves_to_new_connections(certificates):
    def behave(peer, asked):
        peer.later(0.1, peer.answer, asked)

    @scenario(certificates, behave)
    async def _(server, pool):
        task = asyncio.create_task(collect(pool, requests(1)))
        await until(lambda: pool.stats.in_flight == 1)
        pool.renew()
        assert statuses(await collect(pool, requests(1, first=1))) == [200]
        assert statuses(await task) == [200]
        assert [asked.number for asked in server.asked] == [0, 1]
        assert len(server.peers) == 2


# -- stopping


def test_stopping_a_send_early_cancels_it_and_nothing_else(certificates):
    answering = []

    def behave(peer, asked):
        if asked.number < 5 or asked.number >= 1000:
            peer.answer(asked)
        else:
            answering.append(asked)

    @scenario(
        certificates,
        behave,
        server={"settings": setting(MAX_CONCURRENT_STREAMS=30)},
        max_connections=1,
    )
    async def _(server, pool):
        seen = []
        async with aclosing(pool.send(requests(500))) as batches:
            async for batch in batches:
                seen += batch
                if len(seen) >= 5:
                    await until(lambda: len(answering) == 30)
                    break
        assert pool.stats.sends == pool.stats.in_flight == 0
        assert statuses(await collect(pool, requests(50, first=1000))) == [200] * 50
        assert server.peers[0].resets == 30
        assert len(server.peers) == 1
        assert max(asked.number for asked in server.asked if asked.number < 1000) < 40


def test_cancelling_the_task_that_sends_is_safe(certificates):
    def behave(peer, asked):
        if asked.number >= 100:
            peer.answer(asked)

    @scenario(certificates, behave, warm_up=False)
    async def _(server, pool):
        task = asyncio.create_task(collect(pool, requests(10)))
        await until(lambda: len(server.asked) == 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert statuses(await collect(pool, requests(10, first=100))) == [200] * 10
        assert server.peers[0].resets == 10
        assert len(server.peers) == 1


def test_closing_settles_everything(certificates):
    @scenario(
        certificates,
        lambda peer, asked: None,
        server={"settings": setting(MAX_CONCURRENT_STREAMS=5)},
        warm_up=False,
        max_connections=1,
    )
    async def _(server, pool):
        task = asyncio.create_task(collect(pool, requests(20)))
        await until(lambda: len(server.asked) == 5)
        await pool.close()
        got = await task
        assert [type(got[n]) for n in range(20)] == [Uncertain] * 5 + [Unsent] * 15
        assert all(isinstance(r, Unsent) for r in (await collect(pool, requests(3))).values())
        await until(lambda: server.peers[0].gone)
        assert server.peers[0].goaway.error_code == 0


def test_draining_lets_what_was_asked_finish(certificates):
    def behave(peer, asked):
        peer.later(0.02, peer.answer, asked)

    @scenario(certificates, behave)
    async def _(server, pool):
        task = asyncio.create_task(collect(pool, requests(300)))
        await until(lambda: len(server.asked) > 10)
        await pool.drain(5)
        assert statuses(await task) == [200] * 300


def test_draining_has_an_end(certificates):
    @scenario(certificates, lambda peer, asked: None)
    async def _(server, pool):
        task = asyncio.create_task(collect(pool, requests(3)))
        await until(lambda: server.asked)
        await pool.drain(0.2)
        assert {type(result) for result in (await task).values()} == {Uncertain, Unsent}


# -- load


def test_two_thousand_refusals_on_one_connection_keep_flowing(certificates):
    """aioapns stops after 65 535 bytes of answers it never acknowledged."""

    def behave(peer, asked):
        peer.answer(asked, 410, b'{"reason":"Unregistered","timestamp":1700000000000}')

    @scenario(certificates, behave, max_connections=1, recv_window=65_535)
    async def _(server, pool):
        assert statuses(await collect(pool, requests(2000))) == [410] * 2000
        assert pool.stats.opened == 1


def test_a_server_that_stops_reading_is_not_written_to_for_ever(certificates):
    @scenario(
        certificates,
        server={"settings": setting(MAX_CONCURRENT_STREAMS=1000, INITIAL_WINDOW_SIZE=2**31 - 1)},
        ping_idle=0.3,
        ping_timeout=0.3,
        max_connections=1,
        connect_attempts=1,
        queue_timeout=1.0,
    )
    async def _(server, pool):
        await collect(pool, requests(1))
        peer = server.peers[0]
        peer.conn.increment_flow_control_window(2**31 - 1 - 65_535 - 100)
        peer.flush()
        await asyncio.sleep(0.05)
        peer.transport.pause_reading()
        asked = requests(3000, body=b"x" * 16_000, first=1)
        server.behave = lambda peer, asked: peer.answer(asked)
        got = await collect(pool, asked)
        kinds = {type(result) for result in got.values()}
        assert Uncertain in kinds
        assert pool.stats.pings_lost >= 1
        assert sum(isinstance(result, Uncertain) for result in got.values()) <= 1000
