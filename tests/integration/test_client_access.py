"""How the client is let in: the three ways, tokens that end, and credentials that are refused."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from exporter.gigas import (
    ApiKey,
    CredentialRefused,
    Credentials,
    CredentialUnreadable,
    GigasError,
    OpenIdLogin,
    ServerError,
    SessionLogin,
)
from tests.unit.gigas.clients import Asked, asked, key, openid, paged, server, session, simulated, whole
from tests.unit.gigas.doubles import SwiftClock, Text
from tests.waiting import eventually

WAYS = pytest.mark.parametrize("way", [key, session, openid])
LOGINS = pytest.mark.parametrize("way", [session, openid])
TOKENS = "token"
LIST = "virtual_machines"


def secret_of(credentials: Credentials) -> Text:
    secret = credentials.key if isinstance(credentials, ApiKey) else credentials.password
    assert isinstance(secret, Text)
    return secret


def is_login(request: web.Request) -> bool:
    return request.path in {"/token", "/auth/api/openid-connect/token"}


def tokens(number: int, **more: Any) -> web.Response:
    """Whatever is asked for: both kinds of login find what they need."""
    return web.json_response({"token": f"t{number}", "access_token": f"t{number}", "expires_in": 1800} | more)


class Gate:
    """A provider of one VM that gives out tokens t1, t2, … and takes those that it is told to take.

    A login waits while the gate is closed.
    """

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.logins = 0
        self.refused: set[str] = set()
        self.takes: Callable[[str], bool] = lambda header: header.removeprefix("Bearer ") not in self.refused
        self.login: Callable[[web.Request, int], web.Response] = lambda _, number: tokens(number)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if is_login(request):
            self.logins += 1
            number = self.logins
            await self.open.wait()
            return self.login(request, number)
        if not self.takes(request.headers.get("Authorization", "")):
            return web.Response(status=401)
        return paged(request, ["24"], total=1)


async def fails(asked_: Asked) -> GigasError:
    with pytest.raises(GigasError) as caught:
        await asked_.client.list_machines({}, whole)
    return caught.value


async def logging_in(gate: Gate, *, logins: int) -> None:
    """Wait until so many logins have arrived."""

    async def arrived() -> bool:
        return gate.logins == logins

    await eventually(arrived)


# The three ways


@WAYS
async def test_each_way_to_authenticate_is_let_in(way: Callable[[], Credentials]) -> None:
    async with simulated() as provider, asked(provider.url, way()) as client:
        assert len((await client.client.list_machines({}, whole)).machines) == 14


async def test_an_api_key_is_shown_as_bearer_and_nobody_logs_in() -> None:
    gate = Gate()
    async with server(gate) as provider, asked(provider.url, key("the-key")) as client:
        await client.client.list_machines({}, whole)
        assert [each.authorization for each in provider.seen] == ["Bearer the-key"]
        assert client.client.credential_expires_at is None


async def test_a_session_is_asked_for_that_can_change_nothing_and_its_token_is_shown_bare() -> None:
    async with server(Gate()) as provider, asked(provider.url, session("pass word")) as client:
        await client.client.list_machines({}, whole)
        login, listing = provider.seen
        assert (login.method, login.path, login.authorization) == ("POST", "/token", None)
        assert login.body == '{"login": "demo", "password": "pass word", "readonly": true}'
        assert login.headers["Content-Type"].startswith("application/json")
        assert (listing.method, listing.authorization) == ("GET", "t1")


async def test_an_openid_token_is_asked_for_by_form_and_shown_as_bearer() -> None:
    async with server(Gate()) as provider, asked(provider.url, openid("pass word&")) as client:
        await client.client.list_machines({}, whole)
        login, listing = provider.seen
        assert (login.method, login.path, login.authorization) == ("POST", "/auth/api/openid-connect/token", None)
        assert login.body == "client_id=external&grant_type=password&username=demo&password=pass+word%26"
        assert login.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
        assert listing.authorization == "Bearer t1"


@pytest.mark.parametrize(("secret", "pattern"), [("123456", "123456"), ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "")])
async def test_with_two_factors_a_one_time_code_is_sent_too(secret: str, pattern: str) -> None:
    async with server(Gate()) as provider, asked(provider.url, openid(totp=secret)) as client:
        await client.client.list_machines({}, whole)
        name, _, code = provider.seen[0].body.rpartition("&")[2].partition("=")
        assert name == "totp"
        assert code.isdecimal()
        assert len(code) == 6
        assert pattern in code


# When a token ends


@pytest.mark.parametrize(
    ("life_s", "margin_s"), [(1800.0, 60.0), (600.0, 60.0), (300.0, 30.0), (100.0, 10.0)], ids=lambda each: f"{each:g}"
)
@LOGINS
async def test_a_token_is_renewed_a_tenth_of_its_life_before_its_end_at_most_a_minute(
    way: Callable[[], Credentials], life_s: float, margin_s: float
) -> None:
    clock = SwiftClock()
    async with (
        simulated(clock=clock, token_lifetime_s=life_s) as provider,
        asked(provider.url, way(), clock=clock) as client,
    ):
        await client.client.list_machines({}, whole)
        clock.pass_by(life_s - margin_s - 3)  # `expires` is in whole seconds: two are the clock's and the test's own.
        await client.client.list_machines({}, whole)
        assert client.codes(TOKENS) == ["200"]
        clock.pass_by(3)
        await client.client.list_machines({}, whole)
        assert client.codes(TOKENS) == ["200", "200"]
        assert client.codes(LIST) == ["200", "200", "200"]


async def test_an_openid_token_is_renewed_by_refreshing_it() -> None:
    gate = Gate()
    gate.login = lambda _, number: tokens(number, refresh_token=f"r{number}", refresh_expires_in=0)
    async with server(gate) as provider, asked(provider.url, openid()) as client:
        for _ in range(3):
            await client.client.list_machines({}, whole)
            client.clock.pass_by(1790)
        bodies = [each.body for each in provider.asked_for(TOKENS)]
        assert bodies[1:] == [
            f"client_id=external&grant_type=refresh_token&refresh_token=r{number}" for number in (1, 2)
        ]
        assert provider.seen[-1].authorization == "Bearer t3"


async def test_a_refresh_token_that_has_ended_is_not_shown() -> None:
    gate = Gate()
    gate.login = lambda _, number: tokens(number, refresh_token="r", refresh_expires_in=1795)
    async with server(gate) as provider, asked(provider.url, openid()) as client:
        await client.client.list_machines({}, whole)
        client.clock.pass_by(1796)
        await client.client.list_machines({}, whole)
        assert ["grant_type=password" in each.body for each in provider.asked_for(TOKENS)] == [True, True]


@pytest.mark.parametrize("refusal", [web.Response(status=400), web.Response(text="no JSON")], ids=["400", "invalid"])
async def test_where_refreshing_is_refused_the_password_is_shown_in_the_same_breath(refusal: web.Response) -> None:
    gate = Gate()

    def login(_: web.Request, number: int) -> web.Response:
        return tokens(number, refresh_token="r") if number != 2 else refusal

    gate.login = login
    async with server(gate) as provider, asked(provider.url, openid()) as client:
        await client.client.list_machines({}, whole)
        client.clock.pass_by(1801)
        await client.client.list_machines({}, whole)
        kinds = ["refresh_token" in each.body for each in provider.asked_for(TOKENS)]
        assert kinds == [False, True, False]


async def test_a_refresh_that_the_server_cannot_answer_is_not_what_the_next_login_builds_on() -> None:
    gate = Gate()

    def login(_: web.Request, number: int) -> web.Response:
        return tokens(number, refresh_token="r") if number in {1, 6} else web.Response(status=500)

    gate.login = login
    async with server(gate) as provider, asked(provider.url, openid()) as client:
        await client.client.list_machines({}, whole)
        client.clock.pass_by(1801)
        assert isinstance(await fails(client), ServerError)
        client.clock.pass_by(6)
        await client.client.list_machines({}, whole)
        kinds = ["refresh_token" in each.body for each in provider.asked_for(TOKENS)]
        assert kinds == [False, True, True, True, True, False]


async def test_where_refreshed_tokens_are_refused_the_password_is_shown_next() -> None:
    gate = Gate()
    gate.login = lambda _, number: tokens(number, refresh_token="r")
    gate.refused = {"t2"}
    async with server(gate) as provider, asked(provider.url, openid()) as client:
        await client.client.list_machines({}, whole)
        gate.refused = {"t1", "t2"}
        assert isinstance(await fails(client), CredentialRefused)
        client.clock.pass_by(31)
        await client.client.list_machines({}, whole)
        kinds = ["refresh_token" in each.body for each in provider.asked_for(TOKENS)]
        assert kinds == [False, True, False]


@pytest.mark.parametrize("told", [{}, {"expires": None}, {"expires": "soon"}, {"expires": 1000}])
async def test_a_token_whose_end_is_not_told_lasts_half_an_hour(told: dict[str, object]) -> None:
    gate = Gate()
    gate.login = lambda _, number: web.json_response({"token": f"t{number}", **told})
    async with server(gate) as provider, asked(provider.url, session()) as client:
        for passed_s, logins in ((1735, 1), (10, 2)):
            await client.client.list_machines({}, whole)
            client.clock.pass_by(passed_s)
            await client.client.list_machines({}, whole)
            assert len(provider.asked_for(TOKENS)) == logins


async def test_the_older_answer_with_its_end_as_text_is_understood() -> None:
    clock = SwiftClock()
    async with (
        simulated(clock=clock, faults='[{"kind": "old_token"}]', token_lifetime_s=600.0) as provider,
        asked(provider.url, session(), clock=clock) as client,
    ):
        await client.client.list_machines({}, whole)
        ends_at = client.client.credential_expires_at
        assert ends_at is not None
        assert abs(ends_at - clock.wall_s() - 600) < 5


async def test_the_end_of_a_token_is_told_by_the_providers_clock() -> None:
    clock = SwiftClock()
    async with (
        simulated(clock=clock, token_lifetime_s=600.0, skew_s=7200.0) as provider,
        asked(provider.url, session(), clock=clock) as client,
    ):
        await client.client.list_machines({}, whole)
        clock.pass_by(530)
        await client.client.list_machines({}, whole)
        assert client.codes(TOKENS) == ["200"]
        clock.pass_by(20)
        await client.client.list_machines({}, whole)
        assert client.codes(TOKENS) == ["200", "200"]


@LOGINS
async def test_a_token_that_ends_early_is_renewed_once_and_the_request_goes_on(way: Callable[[], Credentials]) -> None:
    async with simulated() as provider, asked(provider.url, way()) as client:
        await client.client.list_machines({}, whole)
        await provider.faults({"kind": "token_revoked", "endpoint": LIST, "times": 1})
        assert len((await client.client.list_machines({}, whole)).machines) == 14
        assert client.codes(LIST) == ["200", "401", "200"]


@LOGINS
async def test_a_new_token_that_is_refused_as_well_is_not_followed_by_a_third(way: Callable[[], Credentials]) -> None:
    gate = Gate()
    gate.takes = lambda _: False
    async with server(gate) as provider, asked(provider.url, way()) as client:
        error = await fails(client)
        assert str(error) == "account production: virtual_machines: a new token was refused (HTTP 401)"
        assert client.codes() == ["200", "401", "200", "401"]
        for _ in range(20):
            assert isinstance(await fails(client), CredentialRefused)
        assert len(provider.seen) == 4
        client.clock.pass_by(59)  # A token that is refused is no refused password.
        gate.takes = lambda _: True
        await client.client.list_machines({}, whole)


# One login, however many wait


@LOGINS
async def test_however_many_requests_wait_one_logs_in(way: Callable[[], Credentials]) -> None:
    gate = Gate()
    gate.open.clear()
    async with server(gate) as provider, asked(provider.url, way()) as client, asyncio.TaskGroup() as group:
        listings = [group.create_task(client.client.list_machines({}, whole)) for _ in range(40)]
        await logging_in(gate, logins=1)
        gate.open.set()
        assert {len((await each).machines) for each in listings} == {1}
        assert gate.logins == 1
        assert client.codes(LIST) == ["200"] * 40
        assert len(provider.asked_for(TOKENS)) == 1


@LOGINS
async def test_a_wave_of_refused_tokens_is_followed_by_one_login(way: Callable[[], Credentials]) -> None:
    gate = Gate()
    async with server(gate) as provider, asked(provider.url, way()) as client:
        await client.client.list_machines({}, whole)
        gate.refused.add("t1")
        async with asyncio.TaskGroup() as group:
            for _ in range(30):
                group.create_task(client.client.list_machines({}, whole))
        assert gate.logins == 2
        assert client.codes(LIST).count("200") == 31
        assert len(provider.asked_for(TOKENS)) == 2


async def test_while_a_token_is_renewed_the_others_go_on_with_the_old_one() -> None:
    gate = Gate()
    async with server(gate) as provider, asked(provider.url, session()) as client, asyncio.TaskGroup() as group:
        await client.client.list_machines({}, whole)
        client.clock.pass_by(1750)
        gate.open.clear()
        renewing = group.create_task(client.client.list_machines({}, whole))
        await logging_in(gate, logins=2)
        await client.client.list_machines({}, whole)
        assert [each.authorization for each in provider.asked_for(LIST)] == ["t1", "t1"]
        gate.open.set()
        await renewing
        assert provider.seen[-1].authorization == "t2"


async def test_a_login_that_is_cancelled_is_made_by_the_next_that_waits() -> None:
    gate = Gate()
    gate.open.clear()
    async with server(gate) as provider, asked(provider.url, session()) as client, asyncio.TaskGroup() as group:
        first, second = (group.create_task(client.client.list_machines({}, whole)) for _ in range(2))
        await logging_in(gate, logins=1)
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first
        gate.open.set()
        await second
        assert len(provider.asked_for(TOKENS)) == 2


async def test_a_login_that_fails_fails_for_all_that_wait_without_a_try_of_each() -> None:
    gate = Gate()
    gate.login = lambda *_: web.Response(status=500)
    async with server(gate) as provider, asked(provider.url, session()) as client:
        errors = await asyncio.gather(*(fails(client) for _ in range(20)))
        assert {str(error) for error in errors} == {"account production: token: HTTP 500 after 4 attempts"}
        assert [each.path for each in provider.seen] == ["/token"] * 4
        gate.login = lambda _, number: tokens(number)
        client.clock.pass_by(5.1)
        await client.client.list_machines({}, whole)


async def test_a_token_that_cannot_be_renewed_is_used_to_its_end() -> None:
    gate = Gate()
    gate.login = lambda _, number: tokens(number) if number == 1 else web.Response(status=500)
    async with server(gate) as provider, asked(provider.url, session()) as client:
        await client.client.list_machines({}, whole)
        client.clock.pass_by(1745)
        for _ in range(3):
            await client.client.list_machines({}, whole)
        assert [each.authorization for each in provider.asked_for(LIST)] == ["t1"] * 4
        client.clock.pass_by(60)
        assert isinstance(await fails(client), ServerError)


# A credential that is refused


@WAYS
async def test_a_refused_credential_is_shown_again_after_pauses_that_grow_to_five_minutes(
    way: Callable[[str], Credentials],
) -> None:
    shown_s: list[float] = []
    async with simulated() as provider, asked(provider.url, way("wrong")) as client:
        start_s = client.clock.monotonic_s()
        while client.clock.monotonic_s() < start_s + 1800:
            before = len(client.codes())
            assert isinstance(await fails(client), CredentialRefused)
            shown_s += [client.clock.monotonic_s()] * (len(client.codes()) - before)
            client.clock.pass_by(2)
        gaps_s = [later - earlier for earlier, later in itertools.pairwise(shown_s)]
        assert gaps_s[:5] == pytest.approx([10, 20, 40, 80, 160], abs=3)
        assert gaps_s[5:] == pytest.approx([286] * 5, abs=3)
        assert set(client.codes()) == {"401"}


@WAYS
async def test_a_changed_secret_is_shown_at_once(way: Callable[[str], Credentials]) -> None:
    credentials = way("wrong")
    async with simulated() as provider, asked(provider.url, credentials) as client:
        for _ in range(50):
            await fails(client)
            client.clock.pass_by(5)
        secret_of(credentials).text = "demo-key" if way is key else "demo-password"
        client.clock.pass_by(1)  # It is read once a second at most.
        assert len((await client.client.list_machines({}, whole)).machines) == 14


async def test_a_key_that_was_replaced_a_moment_ago_is_read_again_before_anyone_is_told_that_it_was_refused() -> None:
    credentials = key("old")
    gate = Gate()
    async with server(gate) as provider, asked(provider.url, credentials) as client:
        await client.client.list_machines({}, whole)
        gate.takes = lambda header: header == "Bearer new"
        secret_of(credentials).text = "new"
        assert len((await client.client.list_machines({}, whole)).machines) == 1
        assert [each.authorization for each in provider.seen] == ["Bearer old", "Bearer old", "Bearer new"]


@WAYS
async def test_a_credential_that_is_taken_again_is_forgiven(way: Callable[[], Credentials]) -> None:
    async with simulated() as provider, asked(provider.url, way()) as client:
        for _ in range(2):
            await provider.faults({"kind": "bad_login"})
            if way is not key:  # What it has may still be taken otherwise.
                client.clock.pass_by(1801)
            assert isinstance(await fails(client), CredentialRefused)
            await provider.faults()
            client.clock.pass_by(10)
            await client.client.list_machines({}, whole)


async def test_after_a_pause_one_request_shows_a_refused_key_and_the_others_wait_for_how_it_ends() -> None:
    gate = Gate()
    gate.takes = lambda _: False
    async with server(gate) as provider, asked(provider.url, key()) as client:
        await fails(client)
        client.clock.pass_by(10)
        await asyncio.gather(*(fails(client) for _ in range(20)))
        assert len(provider.seen) == 2


async def test_the_one_request_may_be_retried_while_the_others_wait() -> None:
    statuses = iter([401, 500, 500, 200])

    async def answer(request: web.Request) -> web.Response:
        status = next(statuses)
        return paged(request, ["24"], total=1) if status == 200 else web.Response(status=status)

    async with server(answer) as provider, asked(provider.url, key()) as client:
        await fails(client)
        client.clock.pass_by(10)
        await client.client.list_machines({}, whole)
        assert client.codes() == ["401", "500", "500", "200"]


async def test_requests_that_wait_for_their_turn_do_not_show_a_key_that_is_refused_meanwhile() -> None:
    gate = Gate()
    gate.takes = lambda _: False
    async with server(gate) as provider, asked(provider.url, key(), max_concurrency=1) as client:
        await asyncio.gather(*(fails(client) for _ in range(20)))
        assert len(provider.seen) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 422])
@LOGINS
async def test_each_refusal_of_a_login_names_the_login_as_the_cause(
    way: Callable[[], Credentials], status: int
) -> None:
    gate = Gate()
    gate.login = lambda *_: web.Response(status=status, text="demo-password")
    async with server(gate) as provider, asked(provider.url, way()) as client:
        assert str(await fails(client)) == f"account production: token: the login was refused (HTTP {status})"
        assert str(await fails(client)) == "account production: token: the login was refused; not asked again yet"
        assert len(provider.seen) == 1


@pytest.mark.parametrize("status", [404, 405])
async def test_an_address_without_logins_is_no_refused_password(status: int) -> None:
    gate = Gate()
    gate.login = lambda *_: web.Response(status=status)
    async with server(gate) as provider, asked(provider.url, session()) as client:
        error = await fails(client)
        assert not isinstance(error, CredentialRefused)
        assert str(error) == f"account production: token: HTTP {status}"


# Secrets that cannot be had


@pytest.mark.parametrize(
    ("secret", "cause"),
    [
        (Text("", FileNotFoundError(2, "No such file or directory", "/run/key")), "cannot be read: No such file"),
        (Text("", PermissionError(13, "Permission denied")), "cannot be read: Permission denied$"),
        (Text("", UnicodeDecodeError("utf-8", b"s3cret", 0, 1, "bad")), "is not text$"),
        (Text("", ValueError("is too large for a secret")), "is too large for a secret$"),
        (Text(""), "is empty$"),
    ],
)
@pytest.mark.parametrize("way", [ApiKey, lambda secret: SessionLogin("demo", secret)])
async def test_a_secret_that_cannot_be_had_is_said_and_nothing_is_asked(
    way: Callable[[Text], Credentials], secret: Text, cause: str
) -> None:
    async with server(Gate()) as provider, asked(provider.url, way(secret)) as client:
        with pytest.raises(CredentialUnreadable, match=cause) as caught:
            await client.client.list_machines({}, whole)
        assert "s3cret" not in repr(caught.value)
        assert not isinstance(caught.value.__context__, UnicodeError)
        assert provider.seen == []


async def test_a_secret_that_can_be_had_again_heals() -> None:
    secret = Text("demo-key", OSError(5, "Input/output error"))
    async with simulated() as provider, asked(provider.url, ApiKey(secret)) as client:
        assert str(await fails(client)) == (
            "account production: virtual_machines: the secret cannot be read: Input/output error"
        )
        secret.error = None
        await client.client.list_machines({}, whole)


async def test_a_secret_is_read_once_a_second_however_many_requests_show_it() -> None:
    secret = Text("demo-key")
    async with simulated() as provider, asked(provider.url, ApiKey(secret)) as client:
        await asyncio.gather(*(client.client.list_machines({}, whole) for _ in range(20)))
        assert secret.reads == 1
        client.clock.pass_by(1)
        await client.client.list_machines({}, whole)
        assert secret.reads == 2


@pytest.mark.parametrize("text", ["caf\N{LATIN SMALL LETTER E WITH ACUTE}", "two\nlines"])
async def test_a_key_that_cannot_stand_in_a_header_is_not_sent(text: str) -> None:
    async with server(Gate()) as provider, asked(provider.url, key(text)) as client:
        error = await fails(client)
        assert isinstance(error, CredentialUnreadable)
        assert text not in str(error)
        assert provider.seen == []


async def test_a_second_factor_that_is_none_is_said_without_being_quoted() -> None:
    async with server(Gate()) as provider, asked(provider.url, openid(totp="0therwise!")) as client:
        assert str(await fails(client)) == (
            "account production: token: the secret for one-time codes is neither a code of digits nor a key in base32"
        )
        assert provider.seen == []


async def test_a_changed_second_factor_is_shown_at_once() -> None:
    gate = Gate()
    gate.login = lambda _, number: tokens(number) if number == 2 else web.Response(status=401)
    credentials = OpenIdLogin("demo", Text("demo-password"), Text("123456"))
    async with server(gate) as provider, asked(provider.url, credentials) as client:
        assert isinstance(await fails(client), CredentialRefused)
        assert isinstance(credentials.totp, Text)
        credentials.totp.text = "654321"
        client.clock.pass_by(1)
        await client.client.list_machines({}, whole)
        assert [each.body[-6:] for each in provider.asked_for(TOKENS)] == ["123456", "654321"]
