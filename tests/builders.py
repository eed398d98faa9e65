"""What tests are made of, with defaults: each says only what its case is about."""

from typing import Any

from msgspec.structs import replace

from exporter.counting import Strip, Window, enter, leave
from exporter.fleet import CpuUsage, InterfaceTraffic, Machine, Outcome, SpellView, Vm

__all__ = ["cpu", "interface", "machine", "strip", "vm", "window"]


def window(text: str, *, start: int = 0, width: int = 10, asked: int | None = None) -> Window:
    """`window("1 2 _ 0")`: buckets of whole units from `start`, `_` for one that the answer lacks. Seconds."""
    values = tuple(None if word == "_" else enter(float(word)) for word in text.split())
    end = start + width * len(values)
    return Window(start * 1000, width * 1000, values, (end if asked is None else asked) * 1000)


def strip(text: str, *, start: int = 0, of: int | None = None, asked: int | None = None) -> Strip:
    """The same before its width is known: what an answer shows of the `of` seconds from `start`."""
    shown = window(text, start=start, asked=asked)
    last = max((number for number, value in enumerate(shown.values) if value is not None), default=-1)
    end_ms = shown.end_ms if of is None else (start + of) * 1000
    told = tuple(value and leave(value) for value in shown.values[: last + 1])
    return Strip(start * 1000, end_ms, told, shown.asked_ms)


def machine(**fields: Any) -> Machine:
    defaults = {"vm_id": "24", "label": "web-1", "hostname": "web-1", "status": "online"}
    return Machine(**(defaults | fields))


def cpu(**fields: Any) -> CpuUsage:
    return replace(CpuUsage(busy_s=120.5, until_at=1_000.0, ratio=0.25, stale_seen_at=2_000.0), **fields)


def interface(**fields: Any) -> InterfaceTraffic:
    usual = InterfaceTraffic(
        interface_id="45",
        network_id="1",
        public=True,
        receive_bytes=1_000.0,
        transmit_bytes=2_000.0,
        until_at=1_000.0,
        receive_bytes_per_s=10.0,
        transmit_bytes_per_s=20.0,
        stale_seen_at=2_000.0,
    )
    return replace(usual, **fields)


def vm(account: str = "production", *, lock: SpellView | None = None, **fields: Any) -> Vm:
    """A VM with the given fields of `Vm`; the rest go to its machine."""
    own = {name: fields.pop(name) for name in ("cpu", "interfaces", "renames", "suspension") if name in fields}
    return Vm(
        account=account,
        machine=machine(**fields),
        lock=lock or SpellView(),
        cpu_outcome=Outcome.OK,
        traffic_outcome=Outcome.OK,
        **own,
    )
