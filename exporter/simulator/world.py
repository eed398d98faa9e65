"""The VMs of the simulation: who they are, what was done to them, and so what each bucket truly holds."""

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

from exporter.simulator.lives import LIVES, chance
from exporter.simulator.options import SimulatorOptions

__all__ = ["PUBLIC_NETWORK_ID", "Account", "Interface", "Machine", "World", "build_world"]

PUBLIC_NETWORK_ID = 1
_Forced = TypeVar("_Forced")

_GIB = 1_024
_SPECIAL = (
    "web",
    "stuck",
    "suspended",
    "offline",
    "database",
    "unbuilt",
    "error",
    "young",
    "recovery",
    "batch",
    "idle",
)
_AWKWARD = ('quoted "web"', "back\\slash", "two\nlines", "café ☕ 🚀", "", " spaces ")


@dataclass(frozen=True, slots=True)
class Interface:
    """`since_at`: when it was attached; it has no traffic of before."""

    id: int
    network_id: int
    public: bool
    since_at: float = 0.0


@dataclass(slots=True, eq=False)  # by identity: what was computed of a VM is kept by it
class Machine:
    """A VM. `spans`: when it ran. `forced_…`: from when on its life is what a person says (None: its own again).

    `locked_until_at`: when the operation in hand ends; None while locked: never. `doomed`: it is gone by then.
    `built_status`: what it is once it is built.
    """

    id: str
    index: int
    life: str
    label: str | None
    hostname: str
    status: str
    created_at: float
    updated_at: float
    memory: int
    cpus: int
    interfaces: list[Interface]
    locked: bool = False
    locked_until_at: float | None = None
    suspended: bool = False
    error: bool = False
    cdrom: bool = False
    disk_gb: int = 20
    cpu_shares: int = 1
    doomed: bool = False
    built_status: str = "online"
    cpu_type: str = "intel"
    type: str = "standard"
    boot_type: str = "default"
    template_id: str = "1789310154"
    note: str | None = None
    segregated: set[str] = field(default_factory=set)
    spans: list[tuple[float, float | None]] = field(default_factory=list)
    forced_cpu: list[tuple[float, float | None]] = field(default_factory=list)
    forced_traffic: list[tuple[float, tuple[float, float] | None]] = field(default_factory=list)

    def runs_at(self, at_s: float) -> bool:
        return any(begin <= at_s and (end is None or at_s < end) for begin, end in self.spans)

    def set_status(self, status: str, now_s: float) -> None:
        """Change it, and with it whether the VM runs."""
        ran, runs = self.status not in {"offline", "unbuilt"}, status not in {"offline", "unbuilt"}
        if ran and not runs and self.spans:
            self.spans[-1] = (self.spans[-1][0], now_s)
        elif runs and not ran:
            self.spans.append((now_s, None))
        self.status = status


@dataclass(slots=True)
class Account:
    id: str
    machines: dict[str, Machine]
    next_index: int


class World:
    """Tells the truth about any bucket that has ended. Bucket n covers `[n * step, (n + 1) * step)`."""

    def __init__(self, options: SimulatorOptions, accounts: dict[str, Account], started_at: float) -> None:
        self.options = options
        self.accounts = accounts
        self.started_at = started_at
        self.first_bucket = int(started_at // options.step_s) - options.history_steps
        # CPU and both interfaces of a VM ask for the same bucket one after the other.
        self._luck = lru_cache(maxsize=2**14)(lambda vm_id, bucket: chance(options.seed, vm_id, bucket))

    def cpu_ratio(self, machine: Machine, bucket: int) -> float | None:
        """CPU usage in a bucket, 1 = the whole VM; None where the VM did not run."""
        if not self._lived(machine, bucket):
            return None
        forced = _in_force(machine.forced_cpu, bucket * self.options.step_s)
        if forced is not None:
            return round(forced, 12)
        ratio, _, _ = self._life(machine, bucket)
        return round(ratio, 12)

    def traffic(self, machine: Machine, interface: Interface, bucket: int) -> tuple[float, float] | None:
        """Bytes in and out over an interface in a bucket; None where the VM did not run."""
        if not self._lived(machine, bucket) or interface.since_at >= (bucket + 1) * self.options.step_s:
            return None
        forced = _in_force(machine.forced_traffic, bucket * self.options.step_s)
        _, received, sent = (0.0, *forced) if forced is not None else self._life(machine, bucket)
        if not interface.public:  # What comes in from the world goes on to the inside, a part of it.
            received, sent = 0.3 * sent, 0.2 * received
        return round(received * self.options.step_s, 8), round(sent * self.options.step_s, 8)

    def _lived(self, machine: Machine, bucket: int) -> bool:
        return bucket >= self.first_bucket and machine.runs_at((bucket + 1) * self.options.step_s - 1e-6)

    def _life(self, machine: Machine, bucket: int) -> tuple[float, float, float]:
        return LIVES[machine.life](bucket * self.options.step_s, self._luck(machine.id, bucket))


def _in_force(forced: Sequence[tuple[float, _Forced]], at_s: float) -> _Forced | None:
    if not forced:
        return None
    index = bisect.bisect_right([since for since, _ in forced], at_s) - 1
    return forced[index][1] if index >= 0 else None


def build_world(options: SimulatorOptions, now_s: float) -> World:
    """Make the accounts. The first VMs are the special ones, so that a small fleet has them too."""
    accounts = {}
    for position, account_id in enumerate(options.accounts):
        made = (build_machine(options, position, index, now_s) for index in range(options.vms))
        machines = {machine.id: machine for machine in made}
        accounts[account_id] = Account(account_id, machines, options.vms)
    return World(options, accounts, now_s)


def build_machine(options: SimulatorOptions, account: int, index: int, now_s: float) -> Machine:
    """The VM of that number, in the state in which the simulation begins."""
    kind = _SPECIAL[index] if index < len(_SPECIAL) else ("web", "web", "database", "batch", "idle")[index % 5]
    life = kind if kind in LIVES else ("web", "batch", "idle")[index % 3]
    luck = chance(options.seed, "vm", account, index)
    young = kind == "young"
    created_at = now_s - (3.5 * options.step_s if young else (40 + 300 * luck[0]) * 86_400)
    awkward = index - len(_SPECIAL)
    label = _AWKWARD[awkward] if 0 <= awkward < len(_AWKWARD) else f"{kind}-{index + 1}"
    machine = Machine(
        id=str(178_931_011_500 + account * 100_000_000 + index),
        index=index,
        life=life,
        label=label,
        hostname=f"{kind}-{index + 1}",
        status={"offline": "offline", "unbuilt": "unbuilt", "recovery": "recovery"}.get(kind, "online"),
        created_at=float(int(created_at)),
        updated_at=float(int(now_s - 3_600 * luck[1])),
        memory=_GIB * 2 ** int(4 * luck[2]),
        cpus=2 ** int(3 * luck[3]),
        interfaces=list(_interfaces(account, index)),
        locked=kind in {"stuck", "unbuilt"},
        suspended=kind == "suspended",
        error=kind == "error",
        cdrom=kind == "recovery",
        disk_gb=20 + int(80 * luck[0]),
        cpu_shares=1 + index % 4,
    )
    if machine.status not in {"offline", "unbuilt"}:
        machine.spans.append((machine.created_at, None))
    return machine


def _interfaces(account: int, index: int) -> Iterator[Interface]:
    first = account * 100_000_000 + 2 * index + 45
    yield Interface(first, PUBLIC_NETWORK_ID, public=True)
    if index % 4 != 3:
        yield Interface(first + 1, 709 + account, public=False)
