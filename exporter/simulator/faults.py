"""What goes wrong on purpose: one table of kinds. A new kind is a function and its line in the table."""

import asyncio
import email.utils
import json
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from types import MappingProxyType
from typing import Any

from aiohttp import web

from exporter.simulator.access import Access
from exporter.simulator.answers import not_allowed
from exporter.simulator.options import Clock

__all__ = ["FAULTS", "Allowance", "Fault", "Occasion"]

_PAGING = ("X-Page", "X-Per-Page", "X-Total", "X-Total-Pages")
_TOO_MANY = 429
_HUGE_BYTES = 80 * 2**20
_SLOW_PIECES = 10
_NO_BUCKETS_VALUES = (-5, float("nan"), 1e300, "lots", True)


class Allowance:
    """A token bucket: how many requests may be let through now. Full at first."""

    __slots__ = ("_at_s", "_left")

    def __init__(self) -> None:
        self._left = math.inf
        self._at_s = 0.0

    def take(self, now_s: float, *, per_second: float, burst: float) -> bool:
        self._left = min(burst, self._left + max(0.0, now_s - self._at_s) * per_second)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`kind` is of the table. The rest says when it strikes, None for always: which endpoint (last word of the path),
    VM and account, between which seconds after the start, by which probability, each how-many-th time, how often at
    most. `status`, `retry_after` (seconds, or `date:30`), `seconds`, `per_second` and `burst` (a second's worth, if it
    is not said) are for the kinds that use them. `allowance`: what is left of those two.
    """

    kind: str
    endpoint: str | None = None
    vm: str | None = None
    account: str | None = None
    since: float | None = None
    until: float | None = None
    probability: float | None = None
    every: int | None = None
    times: int | None = None
    status: int = 503
    retry_after: str | None = None
    seconds: float = 30.0
    per_second: float = 10.0
    burst: float | None = None
    allowance: Allowance = field(default_factory=Allowance, init=False, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Occasion:
    """A request that is struck. `then`: what would answer it; `now_s`: the provider's clock."""

    request: web.Request
    then: Callable[[web.Request], Awaitable[web.StreamResponse]]
    clock: Clock
    now_s: float
    access: Access

    async def answer(self) -> web.StreamResponse:
        return await self.then(self.request)


_Strike = Callable[[Fault, Occasion], Awaitable[web.StreamResponse]]


async def _status(fault: Fault, occasion: Occasion) -> web.StreamResponse:
    return _refusal(fault, occasion, fault.status)


async def _limit(fault: Fault, occasion: Occasion) -> web.StreamResponse:
    """429 for what is more than so many a second."""
    burst = max(1.0, fault.per_second) if fault.burst is None else fault.burst
    if fault.allowance.take(occasion.now_s, per_second=fault.per_second, burst=burst):
        return await occasion.answer()
    return _refusal(fault, occasion, _TOO_MANY)


def _refusal(fault: Fault, occasion: Occasion, status: int) -> web.Response:
    headers = {}
    if fault.retry_after is not None:
        kind, _, seconds = fault.retry_after.rpartition(":")
        date = email.utils.formatdate(occasion.now_s + float(seconds), usegmt=True)
        headers["Retry-After"] = date if kind == "date" else seconds
    page = f"<html><body><h1>{status}</h1>Sorry, something went wrong.</body></html>"
    return web.Response(status=status, text=page, content_type="text/html", headers=headers)


async def _hang(fault: Fault, occasion: Occasion) -> web.StreamResponse:
    await occasion.clock.sleep(fault.seconds)
    return await occasion.answer()


async def _slow(fault: Fault, occasion: Occasion) -> web.StreamResponse:
    """The headers at once, then the body a piece at a time."""
    answer = await occasion.answer()
    body = _bytes_of(answer)
    slowly = web.StreamResponse(status=answer.status, headers=_kept(answer))
    slowly.content_length = len(body)
    await slowly.prepare(occasion.request)
    size = max(1, -(-len(body) // _SLOW_PIECES))
    for start in range(0, len(body), size):
        await occasion.clock.sleep(fault.seconds / _SLOW_PIECES)
        await slowly.write(body[start : start + size])
    return slowly


async def _reset(_: Fault, occasion: Occasion) -> web.StreamResponse:
    if occasion.request.transport is not None:
        occasion.request.transport.abort()
    raise asyncio.CancelledError


async def _truncate(_: Fault, occasion: Occasion) -> web.StreamResponse:
    answer = await occasion.answer()
    body = _bytes_of(answer)
    cut = web.StreamResponse(status=answer.status, headers=_kept(answer))
    cut.content_length = len(body) + 10
    await cut.prepare(occasion.request)
    await cut.write(body[: len(body) // 2])
    if occasion.request.transport is not None:
        occasion.request.transport.close()
    return cut


async def _redirect(_: Fault, occasion: Occasion) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": f"http://elsewhere.invalid{occasion.request.path_qs}"})


async def _bad_login(_: Fault, __: Occasion) -> web.StreamResponse:
    return not_allowed(401)


async def _token_revoked(_: Fault, occasion: Occasion) -> web.StreamResponse:
    """All sessions end, long before the time that was told."""
    occasion.access.revoke_tokens()
    return await occasion.answer()


async def _no_paging(_: Fault, occasion: Occasion) -> web.StreamResponse:
    answer = await occasion.answer()
    for name in _PAGING:
        answer.headers.popall(name, None)
    return answer


async def _wrong_total(_: Fault, occasion: Occasion) -> web.StreamResponse:
    answer = await occasion.answer()
    if "X-Total" in answer.headers:
        answer.headers["X-Total"] = str(int(answer.headers["X-Total"]) + 7)
    return answer


def _moved(by: int) -> _Strike:
    """Later pages begin elsewhere than the earlier ones end, as if VMs had gone or come in between."""

    async def strike(_: Fault, occasion: Occasion) -> web.StreamResponse:
        offset = occasion.request.query.get("offset", "0")
        if not offset.isdigit() or not int(offset):
            return await occasion.answer()
        address = occasion.request.rel_url.update_query(offset=str(int(offset) + by))
        return await occasion.then(occasion.request.clone(rel_url=address))

    return strike


def _body(change: Callable[[bytes], bytes]) -> _Strike:
    async def strike(_: Fault, occasion: Occasion) -> web.StreamResponse:
        answer = await occasion.answer()
        if answer.status >= 400:
            return answer
        headers = _kept(answer)
        return web.Response(body=change(_bytes_of(answer)), status=answer.status, headers=headers)

    return strike


def _documents(change: Callable[[Any], Any]) -> _Strike:
    return _body(lambda body: json.dumps(change(json.loads(body))).encode() if body else body)


def _bytes_of(answer: web.StreamResponse) -> bytes:
    return answer.body if isinstance(answer, web.Response) and isinstance(answer.body, bytes) else b""


def _kept(answer: web.StreamResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith(("X-", "Content-Type"))}


def _one_broken(listed: Any) -> Any:
    return [{**listed[0], "status": None, "locked": {}}, *listed[1:]] if isinstance(listed, list) and listed else listed


def _one_twice(listed: Any) -> Any:
    return [*listed, listed[0]] if isinstance(listed, list) and listed else listed


def _one_missing(listed: Any) -> Any:
    return listed[1:] if isinstance(listed, list) else listed


def _old_token(told: Any) -> Any:
    """What the page's older version answers."""
    return {"token": told["token"], "expires": str(told["expires"])} if "token" in told else told


def _garbage(told: Any) -> Any:
    """Each third fraction becomes something that no bucket can hold."""
    bad, count = cycle(_NO_BUCKETS_VALUES), iter(range(10**9))
    return _with_garbage(told, bad, count)


def _with_garbage(told: Any, bad: Iterator[object], count: Iterator[int]) -> Any:
    match told:
        case dict():
            return {key: _with_garbage(value, bad, count) for key, value in told.items()}
        case list():
            return [_with_garbage(value, bad, count) for value in told]
        case float():
            return next(bad) if next(count) % 3 == 0 else told
        case _:
            return told


FAULTS: Mapping[str, _Strike] = MappingProxyType(
    {
        "status": _status,
        "limit": _limit,
        "hang": _hang,
        "slow": _slow,
        "reset": _reset,
        "truncate": _truncate,
        "redirect": _redirect,
        "huge": _body(lambda body: body + b" " * _HUGE_BYTES),
        "invalid_json": _body(lambda body: body[:-1] + b"<oops>"),
        "wrong_types": _documents(lambda _: {"data": "yes", "traffic": 5}),
        "garbage_values": _documents(_garbage),
        "bad_login": _bad_login,
        "token_revoked": _token_revoked,
        "old_token": _documents(_old_token),
        "no_paging_headers": _no_paging,
        "wrong_total": _wrong_total,
        "page_skips_one": _moved(1),
        "page_repeats_one": _moved(-1),
        "one_broken": _documents(_one_broken),
        "one_twice": _documents(_one_twice),
        "one_missing": _documents(_one_missing),
    }
)
