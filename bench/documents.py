"""The provider's documents, made at once from the truth: the server must not be what is measured."""

import json
import math
from dataclasses import dataclass
from functools import lru_cache, partial

from bench import truth

__all__ = ["bw_stats", "cpu_stats", "machine"]

_STEPS = {"-1H": (12, 1), "-1day": (48, 6), "-1M": (373, 24), "-1Y": (366, 288), "-30days": (30, 288)}
"""How many buckets a period shows, and of how many steps each (docs/simulator.md)."""
_ABSENT, _NULL = 1, 2
"""How the newest bucket of each third VM looks until it is published; of the others it is the documented 0."""
_KEPT = 4_096
"""So many documents: who polls a few VMs as fast as possible shall not wait for them to be written again and again."""
_MACHINE = {
    "updated_at": "2018-05-29T08:20:49",
    "suspended": 0,
    "location_id": "178931012",
    "template_label": None,
    "is_deletion_machine": False,
    "custom": False,
    "note": "a note that nobody else may read",
    "local_remote_access_port": None,
    "boot_type": "bios",
    "memory": 2048,
    "type": "standard",
    "virtualization_type": None,
    "status": "online",
    "initial_password": "Rt0123456789x",
    "console_lang": "en",
    "operating_system_distro": "debian",
    "booted_from": "hd",
    "cpus": 2,
    "strict_virtual_machine_id": None,
    "cdrom": 0,
    "user_id": "178931011324",
    "disk_type": "vd",
    "operating_system": "linux",
    "locked": 0,
    "created_at": "2018-05-29T08:12:13",
    "remote_access_password": "RaRt0123456789x",
    "cpu_type": "standard",
    "error": 0,
    "template_id": "178931014",
    "cpu_shares": 100,
    "account_id": int(truth.ACCOUNT),
}


def machine(number: int) -> bytes:
    """A VM as the list shows it."""
    vm = truth.vm_id(number)
    own = {
        "id": vm,
        "label": f"web-{number}",
        "hostname": f"web-{number}.example.com",
        "identifier": f"vm{vm}",
        "hypervisor_id": str(178_931_010 + number % 8),
    }
    return json.dumps(_MACHINE | own).encode()


@dataclass(frozen=True, slots=True)
class _Window:
    """What one answer shows: `count` buckets of `steps` steps before the bucket `last`; the newest perhaps not yet."""

    number: int
    step_s: int
    steps: int
    count: int
    last: int
    shown: bool

    @property
    def width_s(self) -> int:
        return self.step_s * self.steps

    @property
    def first(self) -> int:
        return self.last - self.count

    @property
    def unfilled(self) -> str:
        return "null" if self.number % 3 == _NULL else "0"


def cpu_stats(number: int, period: str, now_s: float, step_s: int) -> bytes:
    """Chunks without times, oldest first."""
    return _cpu_stats(_window(number, period, now_s, step_s))


def bw_stats(number: int, period: str, now_s: float, step_s: int) -> bytes:
    """Buckets by number for each interface."""
    return _bw_stats(_window(number, period, now_s, step_s))


def _window(number: int, period: str, now_s: float, step_s: int) -> _Window:
    """A bucket is published when the last of its steps is."""
    count, steps = _STEPS[period]
    last = int(now_s // (step_s * steps))
    return _Window(number, step_s, steps, count, last, now_s >= truth.published_at(number, last * steps - 1, step_s))


@lru_cache(_KEPT)
def _cpu_stats(window: _Window) -> bytes:
    number, steps = window.number, window.steps
    if steps == 1:
        texts = list(map(repr, truth.percents(number, window.first, window.count)))
    else:
        chunks = range(window.first, window.last)
        texts = [repr(100 * truth.busy_ratio(number, chunk * steps, steps) / steps) for chunk in chunks]
    if not window.shown:
        texts[-1] = window.unfilled
    return (
        f'{{"lapse": "last hour", "machine_id": {truth.FIRST_VM + number}, "data": [{", ".join(texts)}], '
        f'"time_units": "{window.width_s} seconds"}}'
    ).encode()


@lru_cache(_KEPT)
def _bw_stats(window: _Window) -> bytes:
    interfaces = ", ".join(f"[{_interface(window, interface)}]" for interface in truth.INTERFACES)
    return (
        f'{{"date_from": {window.first * window.width_s}, "traffic": [{interfaces}], '
        f'"date_to": {window.last * window.width_s}}}'
    ).encode()


def _interface(window: _Window, interface: str) -> str:
    out, into = (_texts(window, interface, way) for way in ("out", "in"))
    if not window.shown:
        out[-1] = into[-1] = window.unfilled
    is_absent = not window.shown and window.number % 3 == _ABSENT
    buckets = ", ".join(
        f'"{place}": {{"traffic_out": {out[place]}, "traffic_in": {into[place]}}}'
        for place in range(window.count - is_absent)
    )
    is_public = "true" if interface == truth.INTERFACES[0] else "false"
    return (
        f'{{"network_id": {interface}0, "is_public": {is_public}, "data": {{{buckets}}}, "interface_id": {interface}}}'
    )


def _texts(window: _Window, interface: str, way: str) -> list[str]:
    steps, of = window.steps, partial(truth.traffic, window.number, interface, way)
    if steps == 1:
        return list(map(repr, of(window.first, window.count)))
    return [repr(math.fsum(of(bucket * steps, steps))) for bucket in range(window.first, window.last)]
