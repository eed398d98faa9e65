"""What each kind of fault does to who asks: `STRUCK`, by kind."""

import json
from collections.abc import Awaitable, Callable, Mapping

import aiohttp
import pytest

from tests.unit.simulator.made import START
from tests.unit.simulator.served import LIST, LOGIN, Api, struck, vm_path

__all__ = ["STRUCK"]


async def ids(simulated: Api, path: str) -> list[str]:
    return [vm["id"] for vm in await simulated.get(path)]


async def _status(simulated: Api) -> None:
    response, body = await struck(simulated)
    assert (response.status, response.content_type) == (503, "text/html")
    assert body.startswith(b"<html>")


async def _limit(simulated: Api) -> None:
    statuses = [(await struck(simulated))[0].status for _ in range(12)]
    assert statuses == [200] * 10 + [429] * 2
    simulated.clock.now_s += 0.25
    assert [(await struck(simulated))[0].status for _ in range(3)] == [200, 200, 429]
    simulated.clock.now_s += 60
    assert [(await struck(simulated))[0].status for _ in range(11)] == [200] * 10 + [429]
    told = '[{"kind": "limit", "per_second": 0.5, "burst": 2, "retry_after": 7, "endpoint": "virtual_machines"}]'
    await simulated.status("PUT", "/simulator/faults", data=told)
    answers = [(await struck(simulated))[0] for _ in range(3)]
    assert [(each.status, each.headers.get("Retry-After")) for each in answers] == [(200, None)] * 2 + [(429, "7")]


async def _hang(simulated: Api) -> None:
    assert len(await simulated.get(LIST)) == 14
    assert simulated.clock.slept_s == [30]


async def _slow(simulated: Api) -> None:
    response, body = await struck(simulated)
    assert len(json.loads(body)) == 14
    assert response.headers["X-Total"] == "14"
    assert simulated.clock.slept_s == [3] * 10


async def _reset(simulated: Api) -> None:
    with pytest.raises(aiohttp.ClientConnectionError):
        await struck(simulated)


async def _truncate(simulated: Api) -> None:
    _, body = await struck(simulated)
    assert body.endswith(b"<cut>")


async def _redirect(simulated: Api) -> None:
    response, _ = await struck(simulated)
    assert response.status == 302
    assert response.headers["Location"] == "http://elsewhere.invalid/account/17893/virtual_machines"


async def _huge(simulated: Api) -> None:
    _, body = await struck(simulated)
    assert len(body) > 80 * 2**20


async def _invalid_json(simulated: Api) -> None:
    response, body = await struck(simulated)
    assert response.status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


async def _wrong_types(simulated: Api) -> None:
    _, body = await struck(simulated)
    assert json.loads(body) == {"data": "yes", "traffic": 5}


async def _garbage_values(simulated: Api) -> None:
    async def values() -> list[object]:
        _, body = await struck(simulated, vm_path("178931011500", "/cpu_stats?period=-1H"))
        told: list[object] = json.loads(body)["data"]
        return told

    bad = await values()
    assert "lots" in bad
    assert -5 in bad
    assert 1e300 in bad
    assert any(value != value for value in bad)  # noqa: PLR0124 - that is how NaN is told
    assert sum(isinstance(value, float) and 0 <= value <= 100 for value in bad) >= 6


async def _bad_login(simulated: Api) -> None:
    response, body = await struck(simulated)
    assert (response.status, json.loads(body)) == (401, {"error": "not authorised"})


async def _token_revoked(simulated: Api) -> None:
    await simulated.status("PUT", "/simulator/faults", data="[]")
    async with simulated.ask("POST", "/token", json=LOGIN, headers={}) as response:
        session = {"Authorization": (await response.json())["token"]}
    assert (await struck(simulated, headers=session))[0].status == 200
    await simulated.status("PUT", "/simulator/faults", data="[{kind: token_revoked, times: 1}]")
    for _ in range(2):
        assert (await struck(simulated, headers=session))[0].status == 401
    assert (await struck(simulated))[0].status == 200


async def _old_token(simulated: Api) -> None:
    async with simulated.ask("POST", "/token", json=LOGIN, headers={}) as response:
        told = await response.json()
    assert set(told) == {"token", "expires"}
    assert told["expires"] == str(int(START + 1_800))


async def _no_paging_headers(simulated: Api) -> None:
    response, _ = await struck(simulated)
    assert not [name for name in response.headers if name.startswith("X-")]


async def _wrong_total(simulated: Api) -> None:
    response, _ = await struck(simulated)
    assert response.headers["X-Total"] == "21"


async def _page_skips_one(simulated: Api) -> None:
    whole = await ids(simulated, LIST)
    first, second = await ids(simulated, f"{LIST}?limit=5"), await ids(simulated, f"{LIST}?limit=5&offset=5")
    assert first + second == whole[:5] + whole[6:11]


async def _page_repeats_one(simulated: Api) -> None:
    whole = await ids(simulated, LIST)
    first, second = await ids(simulated, f"{LIST}?limit=5"), await ids(simulated, f"{LIST}?limit=5&offset=5")
    assert first + second == whole[:5] + whole[4:9]


async def _one_broken(simulated: Api) -> None:
    listed = await simulated.get(LIST)
    assert [vm["status"] is None for vm in listed] == [True] + [False] * 13


async def _one_twice(simulated: Api) -> None:
    listed = await ids(simulated, LIST)
    assert (len(listed), len(set(listed))) == (15, 14)


async def _one_missing(simulated: Api) -> None:
    assert len(await simulated.get(LIST)) == 13


STRUCK: Mapping[str, Callable[[Api], Awaitable[None]]] = {
    "status": _status,
    "limit": _limit,
    "hang": _hang,
    "slow": _slow,
    "reset": _reset,
    "truncate": _truncate,
    "redirect": _redirect,
    "huge": _huge,
    "invalid_json": _invalid_json,
    "wrong_types": _wrong_types,
    "garbage_values": _garbage_values,
    "bad_login": _bad_login,
    "token_revoked": _token_revoked,
    "old_token": _old_token,
    "no_paging_headers": _no_paging_headers,
    "wrong_total": _wrong_total,
    "page_skips_one": _page_skips_one,
    "page_repeats_one": _page_repeats_one,
    "one_broken": _one_broken,
    "one_twice": _one_twice,
    "one_missing": _one_missing,
}
