"""What goes wrong on purpose: one table of kinds, and when each strikes."""

import asyncio
import email.utils
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

import yaml
from aiohttp import web

from exporter.simulator.lives import chance
from exporter.simulator.options import Clock

__all__ = ["FAULTS", "Fault", "Faults", "load_faults"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`kind` is of the table. The rest says when it strikes, None for always: which endpoint (last word of the path),
    VM and account, between which seconds after the start, by which probability, each how-many-th time, how often at
    most. `status`, `retry_after` (seconds, or `date:30`) and `seconds` are for the kinds that use them.
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


def load_faults(text: str) -> tuple[Fault, ...]:
    """Read a list of faults, YAML or JSON. Raises ValueError with a line that says what is wrong."""
    try:
        told = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError("faults: not valid YAML") from error
    if not isinstance(told, list | None):
        raise ValueError("faults: not a list; write `- kind: status`")
    return tuple(_fault(position, each) for position, each in enumerate(told or []))


def _fault(position: int, told: object) -> Fault:
    known = {each.name: each.type for each in fields(Fault)}
    if not isinstance(told, dict):
        raise ValueError(f"faults.{position}: not a mapping; write `kind: status`")
    for key in told:
        if key not in known:
            raise ValueError(f"faults.{position}.{key}: no such key; known are {', '.join(known)}")
    if told.get("kind") not in FAULTS:
        raise ValueError(f"faults.{position}.kind: no such kind; known are {', '.join(FAULTS)}")
    texts = {"kind", "endpoint", "vm", "account", "retry_after"}
    values: dict[str, Any] = {}
    for key, value in told.items():
        try:
            number = int if key in {"every", "times", "status"} else float
            values[key] = None if value is None else str(value) if key in texts else number(value)
        except (TypeError, ValueError):
            raise ValueError(f"faults.{position}.{key}: not a number") from None
    return Fault(**values)


Next = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Strike = Callable[[Fault, web.Request, Next, Clock], Awaitable[web.StreamResponse]]


async def _status(fault: Fault, _: web.Request, __: Next, clock: Clock) -> web.StreamResponse:
    headers = {}
    if fault.retry_after is not None:
        kind, _colon, after = fault.retry_after.rpartition(":")
        date = email.utils.formatdate(clock.wall_s() + float(after), usegmt=True)
        headers["Retry-After"] = date if kind == "date" else fault.retry_after
    page = f"<html><body><h1>{fault.status}</h1>Sorry, something went wrong.</body></html>"
    return web.Response(status=fault.status, text=page, content_type="text/html", headers=headers)


async def _hang(fault: Fault, request: web.Request, then: Next, clock: Clock) -> web.StreamResponse:
    await clock.sleep(fault.seconds)
    return await then(request)


async def _reset(_: Fault, request: web.Request, __: Next, ___: Clock) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    raise asyncio.CancelledError


async def _redirect(_: Fault, request: web.Request, __: Next, ___: Clock) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": f"http://elsewhere.invalid{request.path_qs}"})


def _body(change: Callable[[bytes], bytes]) -> _Strike:
    async def strike(_: Fault, request: web.Request, then: Next, __: Clock) -> web.StreamResponse:
        answer = await then(request)
        if not isinstance(answer, web.Response) or not isinstance(answer.body, bytes) or answer.status >= 400:
            return answer
        headers = {name: value for name, value in answer.headers.items() if name.startswith(("X-", "Date"))}
        return web.Response(body=change(answer.body), content_type="application/json", headers=headers)

    return strike


def _documents(change: Callable[[Any], Any]) -> _Strike:
    return _body(lambda body: json.dumps(change(json.loads(body))).encode())


async def _truncate(_: Fault, request: web.Request, then: Next, ___: Clock) -> web.StreamResponse:
    answer = await then(request)
    assert isinstance(answer, web.Response)  # noqa: S101 - every handler here answers so
    assert isinstance(answer.body, bytes)  # noqa: S101
    cut = web.StreamResponse(headers={"Content-Length": str(len(answer.body) + 10)})
    await cut.prepare(request)
    await cut.write(answer.body[: len(answer.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return cut


async def _no_paging(_: Fault, request: web.Request, then: Next, __: Clock) -> web.StreamResponse:
    answer = await then(request)
    for name in ("X-Page", "X-Per-Page", "X-Total", "X-Total-Pages"):
        answer.headers.popall(name, None)
    return answer


async def _wrong_total(_: Fault, request: web.Request, then: Next, __: Clock) -> web.StreamResponse:
    answer = await then(request)
    if "X-Total" in answer.headers:
        answer.headers["X-Total"] = str(int(answer.headers["X-Total"]) + 7)
    return answer


def _one_broken(listed: Any) -> Any:
    return [{**listed[0], "status": None, "locked": {}}, *listed[1:]] if isinstance(listed, list) and listed else listed


def _one_twice(listed: Any) -> Any:
    return [*listed, listed[0]] if isinstance(listed, list) and listed else listed


def _garbage(body: bytes) -> bytes:
    """Some of the numbers become ones that no bucket can hold."""
    bad = iter([b"-5", b"NaN", b"1e300", b'"lots"', b"true"] * 1_000)
    return re.sub(rb"(?<=[:\[ ])\d+\.\d+", lambda found: next(bad) if found.start() % 3 == 0 else found[0], body)


FAULTS: Mapping[str, _Strike] = MappingProxyType(
    {
        "status": _status,
        "hang": _hang,
        "reset": _reset,
        "redirect": _redirect,
        "truncate": _truncate,
        "no_paging_headers": _no_paging,
        "wrong_total": _wrong_total,
        "invalid_json": _body(lambda body: body[:-1] + b"<oops>"),
        "wrong_types": _documents(lambda _: {"data": "yes", "traffic": 5}),
        "huge": _body(lambda body: body + b" " * (80 * 2**20)),
        "one_broken": _documents(_one_broken),
        "one_twice": _documents(_one_twice),
        "one_missing": _documents(lambda listed: listed[1:] if isinstance(listed, list) else listed),
        "garbage_values": _body(_garbage),
    }
)


class Faults:
    """Those in force, and how often each has been met and has struck."""

    def __init__(self, faults: tuple[Fault, ...], *, seed: int) -> None:
        self._seed = seed
        self.put(faults)

    def put(self, faults: tuple[Fault, ...]) -> None:
        """Replace them all."""
        self._faults = [replace(fault) for fault in faults]
        self._met = [0] * len(faults)
        self._struck = [0] * len(faults)

    def find(self, *, endpoint: str, account: str | None, vm: str | None, after_s: float) -> Fault | None:
        """The first that strikes now."""
        for position, fault in enumerate(self._faults):
            if self._fits(fault, endpoint, account, vm, after_s) and self._strikes(position, fault):
                return fault
        return None

    @staticmethod
    def _fits(fault: Fault, endpoint: str, account: str | None, vm: str | None, after_s: float) -> bool:
        return (
            fault.endpoint in (None, endpoint)
            and fault.account in (None, account)
            and fault.vm in (None, vm)
            and (fault.since is None or after_s >= fault.since)
            and (fault.until is None or after_s < fault.until)
        )

    def _strikes(self, position: int, fault: Fault) -> bool:
        self._met[position] += 1
        met = self._met[position]
        if fault.times is not None and self._struck[position] >= fault.times:
            return False
        if fault.every is not None and met % fault.every:
            return False
        if fault.probability is not None and chance(self._seed, "fault", position, met)[0] >= fault.probability:
            return False
        self._struck[position] += 1
        return True
