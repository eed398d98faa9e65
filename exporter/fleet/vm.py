"""Frozen snapshots of a VM: what the list says of it, and what its statistics have come to."""

import enum
import math

from msgspec import Struct

__all__ = ["CpuUsage", "InterfaceTraffic", "Machine", "Outcome", "SpellView", "Vm", "is_running"]

_NOT_RUNNING = frozenset({"offline", "unbuilt"})


def is_running(status: str) -> bool:
    """Whether a VM of that status can have CPU and traffic. Unknown statuses can: the provider's set is open."""
    return status not in _NOT_RUNNING


class Outcome(enum.StrEnum):
    """How a collector fares with one VM (label `outcome` of `gigas_exporter_vms`)."""

    OK = "ok"
    WAITING = "waiting"
    FAILING = "failing"
    STALE = "stale"
    IDLE = "idle"


class Machine(Struct, frozen=True, gc=False, kw_only=True):
    """A VM as the list shows it. Absent texts are `""`, absent numbers None; `…_at` are UNIX seconds."""

    vm_id: str
    label: str
    hostname: str
    status: str
    type: str = ""
    cpu_type: str = ""
    operating_system: str = ""
    operating_system_distro: str = ""
    hypervisor_id: str = ""
    location_id: str = ""
    template_id: str = ""
    boot_type: str = ""
    cpus: int | None = None
    cpu_shares: int | None = None
    memory_bytes: int | None = None
    created_at: float | None = None
    updated_at: float | None = None
    locked: bool = False
    suspended: bool = False
    error: bool = False
    cdrom_attached: bool = False

    @property
    def name(self) -> str:
        """The value of the label `vm`: the VM's label, or its hostname where it has none."""
        return self.label or self.hostname


class SpellView(Struct, frozen=True, gc=False):
    """The locks (or suspensions) of a VM: `since_seen_at` is None while there is none."""

    since_seen_at: float | None = None
    begun: int = 0
    lasted_s: float = 0.0


class CpuUsage(Struct, frozen=True, gc=False):
    """`ratio` is of the chunk that ends at `until_at`; None while there is nothing to show. `busy_s` only grows.

    `stale_seen_at` is the instant of our clock from which `ratio` is too old to be shown. `overcounted_s`: by how much
    `busy_s` is more than there turned out to be; `owed_s`: how much time waits for a longer period.
    """

    busy_s: float
    until_at: float
    ratio: float | None
    stale_seen_at: float
    overcounted_s: float = 0.0
    owed_s: float = 0.0


class InterfaceTraffic(Struct, frozen=True, gc=False):
    """Totals only grow. The rates are those of the bucket that ends at `until_at`; None while there is none to show.
    `overcounted_bytes`, of both directions, and `owed_s` as for CPU.
    """

    interface_id: str
    network_id: str
    public: bool
    receive_bytes: float
    transmit_bytes: float
    until_at: float
    receive_bytes_per_s: float | None
    transmit_bytes_per_s: float | None
    stale_seen_at: float
    overcounted_bytes: float = 0.0
    owed_s: float = 0.0

    @property
    def shows_rates(self) -> bool:
        return self.receive_bytes_per_s is not None or self.transmit_bytes_per_s is not None


class Vm(Struct, frozen=True, gc=False, kw_only=True):
    """Everything that is exposed of one VM."""

    account: str
    machine: Machine
    renames: int = 0
    status_changes: int = 0
    lock: SpellView = SpellView()
    suspension: SpellView = SpellView()
    cpu: CpuUsage | None = None
    interfaces: tuple[InterfaceTraffic, ...] = ()
    cpu_outcome: Outcome = Outcome.WAITING
    traffic_outcome: Outcome = Outcome.WAITING
    ages_at: float = math.inf
    """The instant of our clock at which time alone changes this snapshot (`fleet.expiry`)."""

    @property
    def is_running(self) -> bool:
        return is_running(self.machine.status)

    def counted_until_at(self, collector: str) -> float | None:
        """The end of the newest bucket that is counted, of whichever interface; None while none is."""
        if collector == "cpu":
            return None if self.cpu is None else self.cpu.until_at
        return max((interface.until_at for interface in self.interfaces), default=None)
