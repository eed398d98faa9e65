"""`virtual_machines`: the list, of which one broken VM costs that VM."""

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from exporter.clock import Stint
from exporter.gigas.answers.understanding import NotUnderstood, is_encodable, text

__all__ = ["BrokenMachine", "Keep", "KnownMachines", "MachineDocument", "Machines", "read_machines"]

T = TypeVar("T")

_AT_ONCE_BYTES = 512 * 1024
"""To take that much apart takes half a millisecond. A page of 200 VMs has half of it; only a server that ignores
`limit` sends more.
"""
_YEARS = range(1970, 9999)
"""Outside, a zone's offset may leave what a datetime can hold."""


def _null_is_false(told: object) -> object:
    return False if told is None else told


def _aware_in_utc(at: datetime) -> datetime:
    if at.year not in _YEARS:
        raise ValueError("not a time of a VM")
    return at if at.tzinfo is None else at.astimezone(UTC)


_Truth = Annotated[bool, BeforeValidator(_null_is_false)]
_Count = Annotated[int, Field(ge=0, le=2**53)]
_Time = Annotated[datetime, AfterValidator(_aware_in_utc)]


class MachineDocument(BaseModel):
    """What we use of a VM. Passwords and notes are not among it, so they end here. A time without a zone stays so."""

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True)

    id: Annotated[str, Field(min_length=1)]
    status: Annotated[str, Field(min_length=1)]
    locked: _Truth = False
    suspended: _Truth = False
    error: _Truth = False
    cdrom: _Truth = False
    label: str | None = None
    hostname: str | None = None
    type: str | None = None
    memory: _Count | None = None
    cpus: _Count | None = None
    cpu_shares: _Count | None = None
    cpu_type: str | None = None
    operating_system: str | None = None
    operating_system_distro: str | None = None
    hypervisor_id: str | None = None
    location_id: str | None = None
    template_id: str | None = None
    boot_type: str | None = None
    disk_type: str | None = None
    created_at: _Time | None = None
    updated_at: _Time | None = None


_STRICT = frozenset({"id", "status", "locked", "suspended"})
"""Without these a VM cannot be shown as it is; any other field that is unusable is as if it were not there."""


@dataclass(frozen=True, slots=True)
class BrokenMachine:
    """A VM that is there and cannot be understood; `reason` names the field."""

    machine_id: str | None
    reason: str


Keep = Callable[[MachineDocument], T | None]
"""What is kept of a VM, if anything is: a document is too large to be kept for each of them."""


@dataclass(frozen=True, slots=True)
class Machines(Generic[T]):
    """A list, or a page of one: the id of each VM, with what is kept of it."""

    machines: tuple[tuple[str, T | None], ...]
    broken: tuple[BrokenMachine, ...] = ()


_DIGEST_BYTES = 16


class KnownMachines(Generic[T]):
    """What was kept of VMs, by the digest of all that a list said of each. Most of a list says what the last one did:
    to understand that anew takes six times as long as to recognise it.

    It belongs to one way of keeping: what is kept must follow from the document alone.
    """

    def __init__(self) -> None:
        self._before: dict[bytes, tuple[str, T | None]] = {}
        self._now: dict[bytes, tuple[str, T | None]] = {}

    def next_listing(self) -> None:
        """What the list that has begun last did not have is forgotten."""
        self._before, self._now = self._now, {}

    def of(self, entry: bytes, keep: Keep[T]) -> tuple[str, T | None] | BrokenMachine:
        """The VM's id and what is kept of it. One that cannot be understood is not remembered."""
        digest = blake2b(entry, digest_size=_DIGEST_BYTES).digest()
        known = self._before.pop(digest, None) or self._now.get(digest)
        if known is None:
            read = _kept(_read_one(entry), keep)
            if isinstance(read, BrokenMachine):
                return read
            known = read
        self._now[digest] = known
        return known


_APART = msgspec.json.Decoder(list[msgspec.Raw])


async def read_machines(body: bytes, keep: Keep[T], stint: Stint, *, known: KnownMachines[T]) -> Machines[T]:
    """Raises NotUnderstood where it is no list at all. What takes long is done bit by bit, so that others may run."""
    machines: list[tuple[str, T | None]] = []
    broken: list[BrokenMachine] = []
    for read in _read(body, keep, known):
        await stint.part_done()
        if isinstance(read, BrokenMachine):
            broken.append(read)
        else:
            machines.append(read)
    return Machines(tuple(machines), tuple(broken))


def _read(body: bytes, keep: Keep[T], known: KnownMachines[T]) -> Iterable[tuple[str, T | None] | BrokenMachine]:
    """One by one. To take a list apart is the lesser part of it, if it is not large and all is well."""
    if len(body) <= _AT_ONCE_BYTES:
        with contextlib.suppress(msgspec.MsgspecError, RecursionError):
            return (known.of(bytes(entry), keep) for entry in _APART.decode(body))
    return (_kept(_machine(entry), keep) for entry in _entries(body))


def _kept(read: MachineDocument | BrokenMachine, keep: Keep[T]) -> tuple[str, T | None] | BrokenMachine:
    return read if isinstance(read, BrokenMachine) else (read.id, keep(read))


def _read_one(body: bytes) -> MachineDocument | BrokenMachine:
    try:
        return MachineDocument.model_validate_json(body)
    except ValidationError:
        try:
            return _machine(json.loads(body.decode("utf-8", errors="replace")))
        except (ValueError, RecursionError):
            return BrokenMachine(None, "json_invalid")


def _machine(told: Any) -> MachineDocument | BrokenMachine:
    if not isinstance(told, dict):
        return BrokenMachine(None, "dict_type")
    if _UNREADABLE in str(told.get("id")):
        return BrokenMachine(None, "id: string_unicode")
    told = {field: value for field, value in told.items() if not isinstance(value, str) or is_encodable(value)}
    wrong = {}
    try:
        return MachineDocument.model_validate(told)
    except ValidationError as error:
        for each in error.errors(include_url=False, include_context=False, include_input=False):
            wrong[str(each["loc"][0]) if each["loc"] else ""] = each["type"]
    lacking = sorted(_STRICT & wrong.keys())
    if lacking:
        return BrokenMachine(text(told.get("id")) or None, f"{lacking[0]}: {wrong[lacking[0]]}")
    return MachineDocument.model_validate({field: value for field, value in told.items() if field not in wrong})


_UNREADABLE = "\N{REPLACEMENT CHARACTER}"
"""What a byte that is no UTF-8 becomes. An id with one in it could be any VM's."""
_SPACE = re.compile(r"[ \t\r\n]*")


def _entries(body: bytes) -> Iterator[Any]:
    """The elements of a JSON list, one by one. A byte that is no UTF-8 costs itself, not the list."""
    document = body.decode("utf-8", errors="replace")
    at = _skip(document, 0)
    if document[at : at + 1] != "[":
        raise NotUnderstood("list_type")
    at = _skip(document, at + 1)
    if document[at : at + 1] == "]":
        return _ended(document, at)
    decoder = json.JSONDecoder()
    while True:
        try:
            told, at = decoder.raw_decode(document, at)
        except (ValueError, RecursionError):
            at = -1
        if at < 0:
            raise NotUnderstood("json_invalid")
        yield told
        at = _skip(document, at)
        if document[at : at + 1] == "]":
            return _ended(document, at)
        if document[at : at + 1] != ",":
            raise NotUnderstood("json_invalid")
        at = _skip(document, at + 1)


def _skip(document: str, at: int) -> int:
    space = _SPACE.match(document, at)
    return space.end() if space is not None else at


def _ended(document: str, at: int) -> None:
    if _skip(document, at + 1) != len(document):
        raise NotUnderstood("json_invalid")
