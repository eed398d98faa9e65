"""What is asked again and when, what slows an account, and how long and how large an answer may be."""

import asyncio
import gzip
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from aiohttp import web

from exporter.clock import SystemClock
from exporter.gigas import (
    BodyTooLarge,
    ConnectionFailed,
    Credentials,
    Forbidden,
    GigasError,
    InvalidAnswer,
    NotFound,
    ServerError,
    Throttled429,
    TimedOut,
    UnexpectedStatus,
)
from tests.processes import free_port
from tests.unit.gigas.clients import Asked, asked, key, paged, server, session, simulated, whole
from tests.unit.gigas.doubles import SlowClock, SwiftClock
from tests.waiting import eventually

LIST = "virtual_machines"


def statuses(*codes: int, **headers: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Answers of these statuses in turn, then a list of one VM."""
    left = iter(codes)

    async def answer(request: web.Request) -> web.Response:
        status = next(left, 200)
        if status == 200:
            return paged(request, ["24"], total=1)
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text="<html>Sorry</html>", headers=told)

    return answer


async def fails(asked_: Asked) -> GigasError:
    with pytest.raises(GigasError) as caught:
        await asked_.client.list_machines({}, whole)
    return caught.value


# What is worth asking again


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_what_may_pass_is_asked_again_until_it_has_passed(status: int) -> None:
    async with server(statuses(status, status, status)) as provider, asked(provider.url) as client:
        assert len((await client.client.list_machines({}, whole)).machines) == 1
        assert client.codes() == [*[str(status)] * 3, "200"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_what_does_not_pass_is_given_up_after_four_attempts(status: int) -> None:
    async with (
        simulated(faults=f'[{{"kind": "status", "status": {status}}}]') as provider,
        asked(provider.url) as client,
    ):
        error = await fails(client)
        assert str(error) == f"account production: virtual_machines: HTTP {status} after 4 attempts"
        assert type(error) is (Throttled429 if status == 429 else ServerError)
        assert client.codes() == [str(status)] * 4
        assert (await provider.requests())["endpoints"] == {LIST: 4}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (300, UnexpectedStatus),
        (304, UnexpectedStatus),
        (400, UnexpectedStatus),
        (403, Forbidden),
        (404, NotFound),
        (410, UnexpectedStatus),
        (418, UnexpectedStatus),
        (501, ServerError),
        (505, ServerError),
    ],
)
async def test_what_will_not_pass_is_asked_once(status: int, kind: type[GigasError]) -> None:
    async with server(statuses(status)) as provider, asked(provider.url) as client:
        error = await fails(client)
        assert type(error) is kind
        assert str(error) == f"account production: virtual_machines: HTTP {status}"
        assert client.codes() == [str(status)]
        assert len(provider.seen) == 1


@pytest.mark.parametrize("fault", ["reset", "truncate"])
async def test_each_try_over_a_broken_connection_is_one_request_and_is_told_as_one(fault: str) -> None:
    async with simulated(faults=f'[{{"kind": "{fault}"}}]') as provider, asked(provider.url) as client:
        error = await fails(client)
        assert isinstance(error, ConnectionFailed)
        assert client.codes() == ["connection"] * 4
        assert (await provider.requests())["endpoints"] == {LIST: 4}


@pytest.mark.parametrize("fault", ["reset", "truncate"])
async def test_a_connection_that_broke_is_replaced(fault: str) -> None:
    async with simulated(faults=f'[{{"kind": "{fault}", "times": 2}}]') as provider, asked(provider.url) as client:
        assert len((await client.client.list_machines({}, whole)).machines) == 14
        assert client.codes() == ["connection", "connection", "200"]


async def test_nobody_there_is_a_connection_error_that_says_so() -> None:
    async with asked(f"http://127.0.0.1:{free_port()}") as client:
        assert str(await fails(client)) == (
            "account production: virtual_machines: the connection failed (Connection refused) after 4 attempts"
        )
        assert client.codes() == ["connection"] * 4


async def test_a_name_that_nobody_knows_is_a_connection_error_that_says_so() -> None:
    async with asked("http://api.gigas.invalid", attempts=1) as client:
        assert "the name cannot be resolved" in str(await fails(client))
        assert client.codes() == ["connection"]


@pytest.mark.parametrize("host", ["exa..mple.com", ".example.com", f"{'a' * 64}.com"])
async def test_a_name_that_cannot_be_one_is_a_connection_error_that_says_so(host: str) -> None:
    async with asked(f"http://{host}", attempts=1) as client:
        assert str(await fails(client)).endswith(": the name of the host cannot be one")
        assert client.codes() == ["connection"]


async def test_an_answer_that_is_not_http_is_a_connection_error_that_quotes_nothing() -> None:
    async def speaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH s3cret\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(speaks, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        async with asked(f"http://127.0.0.1:{port}", attempts=2) as client:
            error = await fails(client)
            assert str(error) == "account production: virtual_machines: the answer is not HTTP after 2 attempts"
            assert error.__cause__ is None
            assert client.codes() == ["connection"] * 2


@pytest.mark.parametrize(
    "body", [b"[", b"{}", b"<html>", b"", b'{"data": "yes"}'], ids=["cut", "object", "html", "empty", "other"]
)
async def test_an_answer_that_is_not_understood_is_told_as_invalid_and_not_asked_again(body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async with server(answer) as provider, asked(provider.url) as client:
        error = await fails(client)
        assert type(error) is InvalidAnswer
        assert "is not understood" in str(error)
        assert client.codes() == ["invalid"]


async def test_an_answer_that_cannot_be_decompressed_is_told_as_invalid_and_not_asked_again() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b"not gzip at all", headers={"Content-Encoding": "gzip"})

    async with server(answer) as provider, asked(provider.url) as client:
        assert "cannot be decompressed" in str(await fails(client))
        assert client.codes() == ["invalid"]


# When it is asked again


async def test_waits_grow_exponentially_and_are_jittered_over_their_whole_length() -> None:
    clock = SwiftClock()
    async with (
        server(statuses(*[500] * 7)) as provider,
        asked(provider.url, clock=clock, chances=(0.5, 0.999, 0.001, 0.25, 0.75, 0.5, 0.5), attempts=8) as client,
    ):
        await client.client.list_machines({}, whole)
        assert clock.sleeps_s == [0.5 * 1, 0.999 * 2, 0.001 * 4, 0.25 * 8, 0.75 * 16, 0.5 * 30, 0.5 * 30]
        assert client.throttled_s() == 0


@pytest.mark.parametrize(("asked_for", "waited_s"), [("7", 7), ("0", 0.5), ("3600", 60), ("soon", 0.5)])
async def test_the_wait_that_a_server_asks_for_is_kept_up_to_a_minute(asked_for: str, waited_s: float) -> None:
    async with server(statuses(503, Retry_After=asked_for)) as provider, asked(provider.url) as client:
        await client.client.list_machines({}, whole)
        assert client.clock.sleeps_s == [waited_s]
        assert client.throttled_s() == (waited_s if waited_s >= 1 else 0)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_until_a_date_is_by_the_providers_clock(status: int) -> None:
    clock = SwiftClock()
    faults = f'[{{"kind": "status", "status": {status}, "retry_after": "date:30", "times": 1}}]'
    async with (
        simulated(clock=clock, skew_s=-3600.0, faults=faults) as provider,
        asked(provider.url, clock=clock) as client,
    ):
        await client.client.list_machines({}, whole)
        assert clock.sleeps_s == [pytest.approx(30, abs=2.1)]  # Both dates are cut to whole seconds.
        assert client.throttled_s() == pytest.approx(30, abs=2.2)


# What slows an account


async def test_a_429_holds_the_whole_account_and_no_other() -> None:
    hold_s = 5.0
    refuse = asyncio.Event()
    refuse.set()

    async def answer(request: web.Request) -> web.Response:
        if refuse.is_set() and request.path.endswith("/24/cpu_stats"):
            refuse.clear()
            return web.Response(status=429, headers={"Retry-After": f"{hold_s:g}"})
        return web.json_response({"data": []})

    async with server(answer) as provider, asked(provider.url) as client, asked(provider.url) as other:
        at_s = client.clock.monotonic_s()
        await client.client.cpu_stats("24", "-1H")
        assert client.codes() == ["429", "200"]
        assert client.clock.monotonic_s() - at_s >= hold_s
        refuse.set()
        async with asyncio.TaskGroup() as group:
            first = group.create_task(client.client.cpu_stats("24", "-1H"))
            await eventually(lambda: cleared(refuse))
            group.create_task(client.client.cpu_stats("25", "-1H"))
            await first
        assert client.codes() == ["429", "200", "429", "200", "200"]
        assert client.throttled_s() == pytest.approx(2 * hold_s, abs=0.5)
        await other.client.cpu_stats("25", "-1H")
        assert other.throttled_s() == 0
        assert other.clock.sleeps_s == []


async def cleared(event: asyncio.Event) -> bool:
    return not event.is_set()


async def test_a_429_of_a_login_holds_the_account_too() -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/token" and len(provider.asked_for("token")) == 1:
            return web.Response(status=429, headers={"Retry-After": "9"})
        return web.json_response({"token": "t"}) if request.path == "/token" else paged(request, ["24"], total=1)

    async with server(answer) as provider, asked(provider.url, session()) as client:
        await client.client.list_machines({}, whole)
        assert client.codes() == ["429", "200", "200"]
        assert client.throttled_s() == pytest.approx(9, abs=0.5)


async def test_429s_without_a_time_wait_longer_each() -> None:
    async with server(statuses(429, 429, 429)) as provider, asked(provider.url) as client:
        await client.client.list_machines({}, whole)
        assert client.clock.sleeps_s == [pytest.approx(each, abs=0.5) for each in (1.5, 3, 6)]


class Crowd:
    """A provider that counts how many requests it has at once, and takes its time with each."""

    def __init__(self, *, takes_s: float = 0.02) -> None:
        self.takes_s = takes_s
        self.now = self.most = 0

    async def __call__(self, request: web.Request) -> web.Response:
        self.now += 1
        self.most = max(self.most, self.now)
        await SystemClock().sleep(self.takes_s)
        self.now -= 1
        return web.json_response({"token": "t"}) if request.path == "/token" else paged(request, ["24"], total=1)


@pytest.mark.parametrize("ceiling", [1, 4])
@pytest.mark.parametrize("way", [key, session])
async def test_no_more_requests_are_under_way_than_the_ceiling_says(
    way: Callable[[], Credentials], ceiling: int
) -> None:
    crowd = Crowd()
    async with server(crowd) as provider, asked(provider.url, way(), max_concurrency=ceiling) as client:
        async with asyncio.TaskGroup() as group:
            for _ in range(24):
                group.create_task(client.client.list_machines({}, whole))
        assert crowd.most == ceiling
        assert client.codes(LIST) == ["200"] * 24
        assert client.throttled_s() > 0


async def test_requests_are_spaced_as_the_rate_says_also_those_that_waited_for_a_login() -> None:
    """A login takes longer here than all turns together: none of them may be saved up for its end."""
    count, gap_s = 8, 0.05
    came_s: list[float] = []
    clock = SystemClock()

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/token":
            await clock.sleep(2 * count * gap_s)
            came_s.append(clock.monotonic_s())
            return web.json_response({"token": "t"})
        return paged(request, ["24"], total=1)

    async with (
        server(answer) as provider,
        asked(provider.url, session(), clock=SlowClock(), requests_per_second=1 / gap_s) as client,
    ):
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(client.client.list_machines({}, whole))
        assert clock.monotonic_s() - came_s[0] >= (count - 1) * gap_s
        assert client.codes() == ["200"] * (count + 1)


# How long, and how large


@contextmanager
def deaf() -> Iterator[int]:
    """A port at which no connection comes about: its queue is full and nobody takes from it."""
    with socket.socket() as listening, socket.socket() as first, socket.socket() as second:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for each in (first, second):
            each.settimeout(0)
            each.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


async def test_a_connection_that_does_not_come_about_is_a_timeout() -> None:
    with deaf() as port:
        async with asked(f"http://127.0.0.1:{port}", timeout_s=0.2, attempts=2) as client:
            error = await fails(client)
            assert isinstance(error, TimedOut)
            assert "no connection in time" in str(error)
            assert client.codes() == ["timeout"] * 2


@pytest.mark.parametrize("fault", ["hang", "slow"], ids=["nothing comes", "too slow as a whole"])
async def test_an_answer_that_does_not_come_in_time_is_a_timeout_and_asked_for_again(fault: str) -> None:
    faults = f'[{{"kind": "{fault}", "seconds": 2.5, "times": 2}}]'
    async with (
        simulated(clock=SystemClock(), faults=faults) as provider,
        asked(provider.url, timeout_s=0.8) as client,
    ):
        assert len((await client.client.list_machines({}, whole)).machines) == 14
        assert client.codes() == ["timeout", "timeout", "200"]


async def test_waiting_for_our_own_ceilings_is_not_within_the_timeout() -> None:
    crowd = Crowd(takes_s=0.2)
    async with server(crowd) as provider, asked(provider.url, max_concurrency=1, timeout_s=0.8) as client:
        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(client.client.list_machines({}, whole))
        assert client.codes() == ["200"] * 8


@pytest.mark.parametrize("compressed", [False, True])
async def test_a_body_above_the_ceiling_is_refused_also_where_it_came_small(*, compressed: bool) -> None:
    async def answer(_: web.Request) -> web.Response:
        body = b"[" + b" " * 2_000_000 + b"]"
        if not compressed:
            return web.Response(body=body)
        return web.Response(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})

    async with server(answer) as provider, asked(provider.url, max_body_bytes=1_000_000) as client:
        error = await fails(client)
        assert isinstance(error, BodyTooLarge)
        assert str(error) == "account production: virtual_machines: more than 1000000 bytes"
        assert client.codes() == ["invalid"]


async def test_a_body_just_below_the_ceiling_is_read() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=b"[" + b" " * 999_998 + b"]", headers={"X-Total": "0"})

    async with server(answer) as provider, asked(provider.url, max_body_bytes=1_000_000) as client:
        assert (await client.client.list_machines({}, whole)).machines == ()
