"""What goes over the wire: only what cannot change a VM, only to the provider, and no secret anywhere else."""

import asyncio
import contextlib
import email.utils
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from exporter.clock import SystemClock
from exporter.gigas import (
    AccountClient,
    ConnectionFailed,
    Credentials,
    GigasError,
    InvalidAnswer,
    RedirectRefused,
    RequestDone,
)
from exporter.simulator import FAULTS
from tests.processes import free_port
from tests.unit.gigas.clients import Answering, Asked, asked, key, openid, paged, server, session, simulated, whole
from tests.unit.gigas.doubles import SwiftClock, settled

LIST = "virtual_machines"
LOGINS = {"token": "t", "access_token": "t", "expires_in": 1800, "refresh_token": "r"}
WAYS = pytest.mark.parametrize("way", [key, session, openid])


async def provider(request: web.Request) -> web.Response:
    """A provider of one VM."""
    endpoint = request.path.rpartition("/")[2]
    if endpoint == "token":
        return web.json_response(LOGINS)
    if endpoint == LIST:
        return paged(request, ["24"], total=1)
    return web.json_response({"data": [], "traffic": {}})


def to(location: str | None, status: int = 302) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A provider that says that the list is elsewhere."""

    async def answer(request: web.Request) -> web.Response:
        if request.path.endswith(f"/account/17893/{LIST}"):
            return web.Response(status=status, headers={} if location is None else {"Location": location})
        return await provider(request)

    return answer


async def fails(client: AccountClient) -> GigasError:
    with pytest.raises(GigasError) as caught:
        await client.list_machines({}, whole)
    return caught.value


# Nothing that could change a VM


@WAYS
async def test_whatever_is_asked_is_a_get_or_a_post_to_a_token_address(way: Callable[[], Credentials]) -> None:
    async with server(provider) as there, asked(there.url, way()) as client:
        await client.client.list_machines({}, whole)
        await client.client.cpu_stats("24", "-1H")
        client.clock.pass_by(1801)
        await client.client.bw_stats("24", "-1H")
        for each in there.seen:
            if each.path in {"/token", "/auth/api/openid-connect/token"}:
                assert each.method == "POST"
            else:
                assert (each.method, each.body) == ("GET", "")
        assert sum(each.method == "POST" for each in there.seen) == (0 if way is key else 2)


async def test_a_request_says_who_asks_and_what_it_takes() -> None:
    async with server(provider) as there, asked(f"{there.url}/below", user_agent="gigas-exporter/1.2") as client:
        await client.client.list_machines({}, whole)
        (request,) = there.seen
        assert request.path == f"/below/account/17893/{LIST}"
        assert request.headers["User-Agent"] == "gigas-exporter/1.2"
        assert request.headers["Accept"] == "application/json"
        assert "gzip" in request.headers["Accept-Encoding"]


async def test_an_id_cannot_lead_to_another_address() -> None:
    paths: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.raw_path)
        return await provider(request)

    async with server(answer) as there, asked(there.url) as client:
        await client.client.cpu_stats("24/../25?x=#y", "-1H")
        assert paths == ["/account/17893/virtual_machine/24%2F..%2F25%3Fx%3D%23y/cpu_stats?period=-1H"]


# Connections


async def test_a_connection_is_used_again_also_after_an_error() -> None:
    statuses = iter([200, 404, 500, 503, 429, 401])

    async def answer(request: web.Request) -> web.Response:
        status = next(statuses, 200)
        return await provider(request) if status == 200 else web.Response(status=status, text="<html>Sorry</html>")

    async with server(answer) as there, asked(there.url, attempts=1) as client:
        for _ in range(6):
            await asyncio.gather(client.client.list_machines({}, whole), return_exceptions=True)
            client.clock.pass_by(60)
        assert len(there.seen) == 6
        assert {each.connection for each in there.seen} == {0}


async def test_cookies_are_not_kept() -> None:
    async def answer(request: web.Request) -> web.Response:
        response = await provider(request)
        response.set_cookie("session", "s3cret")
        return response

    async with server(answer) as there, asked(there.url.replace("127.0.0.1", "localhost")) as client:
        for _ in range(2):
            await client.client.list_machines({}, whole)
        assert all("Cookie" not in each.headers for each in there.seen)


async def test_the_proxy_that_the_environment_names_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(provider) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with asked("http://api.gigas.invalid") as client:
            assert len((await client.client.list_machines({}, whole)).machines) == 1
        monkeypatch.setenv("no_proxy", "api.gigas.invalid")
        async with asked("http://api.gigas.invalid", attempts=1) as client:
            assert isinstance(await fails(client.client), ConnectionFailed)
        assert len(proxy.seen) == 1


async def test_a_proxy_that_is_not_there_is_the_cause_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://user:s3cret@127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with asked("http://api.gigas.invalid", attempts=1) as client:
        assert str(await fails(client.client)) == (
            "account production: virtual_machines: the proxy cannot be reached (Connection refused)"
        )


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@WAYS
async def test_a_redirect_to_another_host_is_refused_and_nothing_is_sent_there(
    way: Callable[[], Credentials], status: int
) -> None:
    async with server(provider) as other, server(to(f"{other.url}/x?token=abc", status)) as there:
        async with asked(there.url, way()) as client:
            error = await fails(client.client)
            assert isinstance(error, RedirectRefused)
            assert str(error) == f"account production: virtual_machines: HTTP {status} to {other.url}, refused"
            assert client.codes(LIST) == [str(status)]
        assert other.seen == []


@pytest.mark.parametrize(
    "location",
    [
        None,
        "",
        "//elsewhere.invalid/x",
        "https://127.0.0.1/x",
        "ftp://127.0.0.1/x",
        "http://[broken/x",
        "mailto:someone",
        "http://user:password@{authority}/x",
        "http://{authority}.elsewhere.invalid/x",
    ],
)
async def test_a_redirect_to_nowhere_or_to_anyone_else_is_refused(location: str | None) -> None:
    told: list[str | None] = [location]

    async def answer(request: web.Request) -> web.Response:
        return await to(told[0])(request)

    async with server(answer) as there, asked(there.url) as client:
        if location is not None:
            told[0] = location.replace("{authority}", there.url.removeprefix("http://"))
        error = await fails(client.client)
        assert isinstance(error, RedirectRefused)
        assert "password" not in str(error)
        assert len(there.seen) == 1


@pytest.mark.parametrize("location", ["/v2/list?limit=200&offset=0", "{url}/v2/list?limit=200&offset=0"])
@WAYS
async def test_a_redirect_on_the_same_host_is_followed(way: Callable[[], Credentials], location: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/v2/list":
            return paged(request, ["24"], total=1)
        return await to(location.replace("{url}", there.url))(request)

    async with server(answer) as there, asked(there.url, way()) as client:
        assert len((await client.client.list_machines({}, whole)).machines) == 1
        moved, followed = there.seen[-2:]
        assert followed.path == "/v2/list"
        assert followed.authorization == moved.authorization is not None
        assert client.codes(LIST) == ["302", "200"]


async def test_redirects_in_a_circle_come_to_an_end() -> None:
    async with server(to(f"/account/17893/{LIST}")) as there, asked(there.url) as client:
        error = await fails(client.client)
        assert isinstance(error, InvalidAnswer)
        assert str(error) == "account production: virtual_machines: too many redirects"
        assert client.codes() == ["302"] * 4


@pytest.mark.parametrize("location", ["/elsewhere", "http://elsewhere.invalid/token"])
@pytest.mark.parametrize("way", [session, openid])
async def test_a_login_follows_no_redirect_not_even_on_the_same_host(
    way: Callable[[], Credentials], location: str
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": location})

    async with server(answer) as there, asked(there.url, way()) as client:
        assert isinstance(await fails(client.client), RedirectRefused)
        assert [each.path.rpartition("/")[2] for each in there.seen] == ["token"]


# The provider's clock


@pytest.mark.parametrize("skew_s", [-86_400.0, -30.0, 30.0, 3600.0])
async def test_when_an_answer_was_asked_for_is_told_by_the_providers_clock_and_by_ours(skew_s: float) -> None:
    async with simulated(skew_s=skew_s) as simulation, asked(simulation.url) as client:
        for _ in range(3):
            listing = await client.client.list_machines({}, whole)
            assert listing.asked_at - listing.asked_seen_at == pytest.approx(skew_s, abs=1.1)
            assert listing.asked_seen_at == pytest.approx(client.clock.wall_s(), abs=5)


async def test_where_the_clocks_may_agree_our_time_is_taken_as_it_is() -> None:
    async with simulated() as simulation, asked(simulation.url) as client:
        listing = await client.client.list_machines({}, whole)
        assert listing.asked_at == listing.asked_seen_at


@pytest.mark.parametrize("headers", [{"Date": "yesterday"}, {"Date": email.utils.formatdate(0), "Age": "9"}])
async def test_a_date_that_is_none_or_a_caches_tells_nothing(headers: dict[str, str]) -> None:
    async def answer(request: web.Request) -> web.Response:
        response = await provider(request)
        response.headers.update(headers)
        return response

    async with server(answer) as there, asked(there.url) as client:
        listing = await client.client.list_machines({}, whole)
        assert listing.asked_at == listing.asked_seen_at


# Events


@pytest.mark.parametrize("kind", sorted(FAULTS))
@WAYS
async def test_whatever_goes_wrong_each_request_that_arrives_is_told_once(
    way: Callable[[], Credentials], kind: str
) -> None:
    async with simulated() as simulation, asked(simulation.url, way(), max_body_bytes=2**20, page_size=5) as client:
        vm_id = next(iter(await simulation.vms()))
        await simulation.faults({"kind": kind, "every": 2, "seconds": 0.1})
        for _ in range(3):
            for call in (
                client.client.list_machines({}, whole),
                client.client.cpu_stats(vm_id, "-1H"),
                client.client.bw_stats(vm_id, "-1H"),
            ):
                with contextlib.suppress(GigasError):
                    await call
            client.clock.pass_by(1801)
        done = Counter(event.endpoint for event in client.events if isinstance(event, RequestDone))
        assert done == (await simulation.requests())["endpoints"]
        assert done[LIST] >= 3


async def test_a_request_that_is_cancelled_leaves_its_place_to_the_next() -> None:
    stuck = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        if request.path.endswith("cpu_stats"):
            stuck.set()
            await SystemClock().sleep(30)
        return await provider(request)

    async with server(answer) as there, asked(there.url, max_concurrency=1) as client, asyncio.TaskGroup() as group:
        first = group.create_task(client.client.cpu_stats("24", "-1H"))
        await stuck.wait()
        second = group.create_task(client.client.list_machines({}, whole))
        await settled()
        assert not second.done()
        first.cancel()
        assert len((await second).machines) == 1


async def test_how_long_a_request_took_is_told_without_the_time_that_it_waited() -> None:
    clock = SwiftClock()
    statuses = iter([503, 200])

    async def answer(request: web.Request) -> web.Response:
        clock.pass_by(3)
        if next(statuses) == 503:
            return web.Response(status=503, headers={"Retry-After": "50"})
        return await provider(request)

    async with server(answer) as there, asked(there.url, clock=clock) as client:
        await client.client.list_machines({}, whole)
        durations_s = [event.duration_s for event in client.events if hasattr(event, "duration_s")]
        assert durations_s == pytest.approx([3, 3], abs=0.5)


# Secrets

SECRETS = ("s3cret-key", "s3cret-password", "s3cret-token", "s3cret-refresh", "s3cret-answer", "GEZDGNBVGY3TQOJQ")


def everything(client: Asked, error: BaseException | None) -> str:
    """All that a log, a page or a debugger could show of a failure."""
    shown = [repr(event) for event in client.events]
    while error is not None:
        shown += [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
        error = error.__cause__ or error.__context__
    return "\n".join(shown)


GIVEN = {"token": "s3cret-token", "access_token": "s3cret-token", "refresh_token": "s3cret-refresh"}


async def _refused(request: web.Request) -> web.Response:
    return web.Response(status=401, text=f"s3cret-answer {request.headers['Authorization']}")


async def _failed(request: web.Request) -> web.Response:
    return web.Response(status=500, text=f"s3cret-answer {request.headers['Authorization']}")


async def _elsewhere(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "http://elsewhere.invalid/?s3cret-answer"})


async def _other(_: web.Request) -> web.Response:
    return web.json_response({"initial_password": "s3cret-answer"})


async def _broken(_: web.Request) -> web.Response:
    return web.json_response([{"id": "24", "status": ["s3cret-answer"], "note": "s3cret-answer"}, "s3cret-answer"])


async def _cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_length = 100
    await response.prepare(request)
    await response.write(b"s3cret-answer")
    assert request.transport is not None
    request.transport.close()
    return response


async def _not_http(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.write(b"s3cret-answer\r\n\r\n")
    return await _cut(request)


async def _login_refused(_: web.Request) -> web.Response:
    return web.json_response({"error": "s3cret-password s3cret-answer"}, status=401)


async def _login_not_understood(_: web.Request) -> web.Response:
    return web.json_response({**GIVEN, "token": ["s3cret-token"], "access_token": "s3cret-answer \u00e9"})


async def _given(_: web.Request) -> web.Response:
    return web.json_response(GIVEN)


@pytest.mark.parametrize(
    "way",
    [
        lambda: key("s3cret-key"),
        lambda: session("s3cret-password"),
        lambda: openid("s3cret-password", totp="GEZDGNBVGY3TQOJQ"),
    ],
    ids=["key", "session", "openid"],
)
@pytest.mark.parametrize(
    ("login", "listing"),
    [
        (_given, _refused),
        (_given, _failed),
        (_given, _elsewhere),
        (_given, _other),
        (_given, _broken),
        (_given, _cut),
        (_given, _not_http),
        (_login_refused, _other),
        (_login_not_understood, _other),
    ],
)
async def test_no_failure_shows_a_secret(way: Callable[[], Credentials], login: Answering, listing: Answering) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await (login if request.path.endswith("token") else listing)(request)

    credentials = way()
    async with server(answer) as there, asked(there.url, credentials) as client:
        failure, listed = None, None
        try:
            listed = await client.client.list_machines({}, whole)
        except GigasError as error:
            failure = error
        assert (failure is None) == (listing is _broken)
        shown = [everything(client, failure), repr([credentials, client.client, listed])]
        assert [secret for secret in SECRETS if secret in "".join(shown)] == []


@WAYS
async def test_passwords_that_the_api_gives_away_are_in_no_listing(way: Callable[[], Credentials]) -> None:
    async with simulated() as simulation, asked(simulation.url, way()) as client:
        listing = await client.client.list_machines({}, whole)
        path = f"{simulation.url}/account/17893/{LIST}"
        async with simulation.session.get(path, headers={"Authorization": "Bearer demo-key"}) as response:
            told = await response.json()
        passwords = [vm[name] for vm in told for name in ("initial_password", "remote_access_password") if vm[name]]
        assert len(passwords) > 14
        shown = repr(listing) + "".join(machine.model_dump_json() for machine in listing.machines)
        assert [password for password in passwords if password in shown] == []
