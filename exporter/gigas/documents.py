"""The provider's documents, validated straight from bytes: tolerant of what we do not use, strict about what we do.

Fields and habits: the provider's page on virtual machines. Secrets that an answer gives away (`initial_password`,
`remote_access_password`) and `note` have no field here, so they end with the bytes.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

__all__ = [
    "BrokenMachine",
    "BwStats",
    "CpuStats",
    "InterfaceTraffic",
    "MachineDocument",
    "MachinePage",
    "MalformedDocumentError",
    "parse_bw_stats",
    "parse_cpu_stats",
    "parse_machines",
]

_LARGEST = 2.0**60
"""A bucket that holds more is refused (contract)."""


class MalformedDocumentError(ValueError):
    """Bytes that are not the document; says where and what kind of mistake, never what stands there."""


def _text(value: object) -> str | None:
    """Ids and codes come as texts in one document and as numbers in another."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _required_text(value: object) -> str:
    text = _text(value)
    if not text:
        raise ValueError("missing")
    return text


def _count(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number < _LARGEST else None


def _number(value: object) -> float | None:
    """A number that is none of NaN, infinite, negative or a truth value; texts that hold one count."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


_WORDS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}


def _flag(value: object) -> bool:
    """0/1 in one place, true/false in another; null is no. Anything else is not understood."""
    if value is None:
        return False
    known = _WORDS.get(str(value).strip().lower())
    if known is None:
        raise ValueError("neither yes nor no")
    return known


def _lenient_flag(value: object) -> bool:
    return bool(value) and _WORDS.get(str(value).strip().lower(), False)


def _instant(value: object) -> datetime | None:
    """ISO 8601, mostly naive (the caller knows the zone), or UNIX seconds."""
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    number = _number(value)
    try:
        return None if number is None else datetime.fromtimestamp(number, UTC)
    except (OverflowError, ValueError, OSError):
        return None


_Text = Annotated[str | None, BeforeValidator(_text)]
_Count = Annotated[int | None, BeforeValidator(_count)]
_LenientFlag = Annotated[bool, BeforeValidator(_lenient_flag)]
_Instant = Annotated[datetime | None, BeforeValidator(_instant)]


class MachineDocument(BaseModel):
    """A VM of the list. An unusable optional field is absent; id, status and the lock must be readable."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: Annotated[str, BeforeValidator(_required_text)]
    status: Annotated[str, BeforeValidator(_required_text)]
    locked: Annotated[bool, BeforeValidator(_flag)] = False
    suspended: Annotated[bool, BeforeValidator(_flag)] = False
    error: _LenientFlag = False
    cdrom: _LenientFlag = False
    label: _Text = None
    hostname: _Text = None
    type: _Text = None
    cpu_type: _Text = None
    disk_type: _Text = None
    operating_system: _Text = None
    operating_system_distro: _Text = None
    hypervisor_id: _Text = None
    location_id: _Text = None
    template_id: _Text = None
    boot_type: _Text = None
    cpus: _Count = None
    cpu_shares: _Count = None
    memory: _Count = None
    created_at: _Instant = None
    updated_at: _Instant = None


@dataclass(frozen=True, slots=True)
class BrokenMachine:
    """An entry of the list that could not be understood; its id, if that much could."""

    machine_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class MachinePage:
    """The entries of one page, understood or not, in their order."""

    entries: tuple[MachineDocument | BrokenMachine, ...]


@dataclass(frozen=True, slots=True)
class CpuStats:
    """Percent by chunk, oldest first; None where there is nothing usable. `refused`: values that were no good."""

    time_units: str | None
    lapse: str | None
    values: tuple[float | None, ...]
    refused: int


@dataclass(frozen=True, slots=True)
class InterfaceTraffic:
    """Buckets by index: (traffic_in, traffic_out)."""

    interface_id: str
    network_id: str
    public: bool
    buckets: Mapping[int, tuple[float | None, float | None]]


@dataclass(frozen=True, slots=True)
class BwStats:
    """`date_from` and `date_to` in UNIX seconds. `duplicates`: interfaces that were there before in the same answer."""

    date_from: float | None
    date_to: float | None
    interfaces: tuple[InterfaceTraffic, ...]
    refused: int
    duplicates: int


_T = TypeVar("_T")

_machines = TypeAdapter(list[MachineDocument])
_entries = TypeAdapter(list[dict[str, Any]])
_machine = TypeAdapter(MachineDocument)
_mapping = TypeAdapter(dict[str, Any])


def parse_machines(body: bytes) -> MachinePage:
    """One page of the list; an entry that cannot be understood costs that VM. Raises MalformedDocumentError."""
    try:
        return MachinePage(tuple(_machines.validate_json(body)))
    except ValidationError:
        return MachinePage(tuple(_one_by_one(_validated(_entries, body))))


def _one_by_one(entries: list[dict[str, Any]]) -> Iterator[MachineDocument | BrokenMachine]:
    for entry in entries:
        try:
            yield _machine.validate_python(entry)
        except ValidationError as error:
            yield BrokenMachine(_text(entry.get("id")) or None, _where(error))


def parse_cpu_stats(body: bytes) -> CpuStats:
    """The answer of cpu_stats. Raises MalformedDocumentError."""
    document = _validated(_mapping, body)
    told = list(_flattened(document.get("data")))
    values = tuple(_usable(value) for value in told)
    refused = sum(value is None and raw is not None for value, raw in zip(values, told, strict=True))
    return CpuStats(_text(document.get("time_units")), _text(document.get("lapse")), values, refused)


def parse_bw_stats(body: bytes) -> BwStats:
    """The answer of bw_stats. Raises MalformedDocumentError."""
    document = _validated(_mapping, body)
    interfaces: dict[str, InterfaceTraffic] = {}
    refused = duplicates = 0
    for told in _flattened(document.get("traffic")):
        interface_id = _text(told.get("interface_id")) if isinstance(told, dict) else None
        if not interface_id:
            raise MalformedDocumentError("traffic: an interface without an id")
        if interface_id in interfaces:
            duplicates += 1
            continue
        buckets, bad = _buckets(told.get("data"))
        refused += bad
        public = _lenient_flag(told.get("is_public"))
        interfaces[interface_id] = InterfaceTraffic(interface_id, _text(told.get("network_id")) or "", public, buckets)
    date_from, date_to = _number(document.get("date_from")), _number(document.get("date_to"))
    if interfaces and (date_from is None or date_to is None or date_to <= date_from):
        raise MalformedDocumentError("date_from, date_to: no span of time")
    return BwStats(date_from, date_to, tuple(interfaces.values()), refused, duplicates)


def _buckets(told: object) -> tuple[dict[int, tuple[float | None, float | None]], int]:
    """Buckets by number ("10" follows "9"), and how many values were refused."""
    buckets: dict[int, tuple[float | None, float | None]] = {}
    refused = 0
    pairs = told.items() if isinstance(told, dict) else enumerate(told) if isinstance(told, list) else ()
    for key, bucket in pairs:
        index = _index(key)
        if index is None or not isinstance(bucket, dict):
            refused += bucket is not None
            continue
        raw = bucket.get("traffic_in"), bucket.get("traffic_out")
        values = _usable(raw[0]), _usable(raw[1])
        refused += sum(value is None and given is not None for value, given in zip(values, raw, strict=True))
        buckets[index] = values
    return buckets, refused


_MOST_BUCKETS = 100_000
"""A key beyond it is garbage, not a bucket: memory follows from the highest one."""


def _index(key: object) -> int | None:
    text = str(key)
    return (
        int(text)
        if text.isascii() and text.isdigit() and len(text) <= len(str(_MOST_BUCKETS)) and int(text) < _MOST_BUCKETS
        else None
    )


def _usable(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and number <= _LARGEST else None


def _flattened(told: object) -> Iterator[Any]:
    """What is listed, however lists are nested; a mapping of numbers to values by number; `{}` and null are nothing."""
    if isinstance(told, list):
        for each in told:
            if isinstance(each, list):
                yield from _flattened(each)
            else:
                yield each
    elif isinstance(told, dict) and all(_index(key) is not None for key in told):
        yield from _flattened([told[key] for key in sorted(told, key=int)])
    elif told is not None:
        raise MalformedDocumentError("data: neither a list nor empty")


def _validated(adapter: TypeAdapter[_T], body: bytes) -> _T:
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        raise MalformedDocumentError(_where(error)) from None  # its text quotes the answer


def _where(error: ValidationError) -> str:
    """The place and kind of the first mistake. Neither pydantic's text nor the input: they may hold a secret."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the document"
    return f"{place}: {first['type']}"
