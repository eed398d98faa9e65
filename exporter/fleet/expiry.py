"""What time alone makes stale: a pure look at one snapshot."""

import math

from msgspec.structs import replace

from exporter.fleet.vm import CpuUsage, InterfaceTraffic, Outcome, Vm, is_running

__all__ = ["aged"]


def aged(vm: Vm, *, now_s: float) -> Vm:
    """Return the snapshot without the ratios and rates that nobody should believe any more at `now_s` (our clock).

    They are withdrawn when they are too old, and while the VM is off, so that nothing reads as idleness. Counters and
    their timestamps stand still. `ages_at` is when to look again.
    """
    until_s = now_s if is_running(vm.machine.status) else math.inf
    cpu = vm.cpu and _cpu_aged(vm.cpu, until_s)
    interfaces = tuple(_traffic_aged(interface, until_s) for interface in vm.interfaces)
    fresh = [interface.stale_seen_at for interface in interfaces if interface.shows_rates]
    if cpu and cpu.ratio is not None:
        fresh.append(cpu.stale_seen_at)
    return replace(
        vm,
        cpu=cpu,
        interfaces=interfaces,
        ages_at=min(fresh, default=math.inf),
        cpu_outcome=_outcome_aged(vm.cpu_outcome, [cpu] if cpu else [], now_s),
        traffic_outcome=_outcome_aged(vm.traffic_outcome, interfaces, now_s),
    )


def _cpu_aged(cpu: CpuUsage, now_s: float) -> CpuUsage:
    return cpu if cpu.ratio is None or now_s < cpu.stale_seen_at else replace(cpu, ratio=None)


def _traffic_aged(interface: InterfaceTraffic, now_s: float) -> InterfaceTraffic:
    if not interface.shows_rates or now_s < interface.stale_seen_at:
        return interface
    return replace(interface, receive_bytes_per_s=None, transmit_bytes_per_s=None)


def _outcome_aged(outcome: Outcome, statistics: list[CpuUsage] | tuple[InterfaceTraffic, ...], now_s: float) -> Outcome:
    """A collector that is answered, but with nothing new, is stale; one quiet interface among others is not."""
    stale = bool(statistics) and all(each.stale_seen_at <= now_s for each in statistics)
    return Outcome.STALE if outcome is Outcome.OK and stale else outcome
