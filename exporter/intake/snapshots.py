"""A record and a machine become the snapshot that is shown."""

from msgspec.structs import replace

from exporter.counting import Series, Spell, leave
from exporter.fleet import CpuUsage, InterfaceTraffic, Machine, Outcome, SpellView, Vm
from exporter.intake.arrears import owed_ms
from exporter.intake.folding import idle_after_ms
from exporter.ledger import InterfaceAccount, VmRecord

__all__ = ["answered", "outcome_after_answer", "outcome_after_listing", "shown"]


def shown(
    record: VmRecord,
    machine: Machine,
    *,
    account: str,
    stale_after_s: float,
    ahead_s: float,
    cpu_outcome: Outcome,
    traffic_outcome: Outcome,
) -> Vm:
    """The snapshot of a VM. `ahead_s`: by how much the provider's clock is ahead of ours."""
    keep_s = stale_after_s - ahead_s
    return Vm(
        account=account,
        machine=machine,
        renames=record.renames,
        status_changes=record.status_changes,
        lock=_spell(record.lock),
        suspension=_spell(record.suspension),
        cpu=_cpu(record, keep_s),
        interfaces=_interfaces(record, keep_s),
        cpu_outcome=cpu_outcome,
        traffic_outcome=traffic_outcome,
    )


def answered(
    vm: Vm, record: VmRecord, collector: str, *, outcome: Outcome | None, stale_after_s: float, ahead_s: float
) -> Vm:
    """The snapshot after an answer to one of the collectors of statistics: what the other one shows stands. `outcome`:
    how that collector fares now; None: as before.
    """
    keep_s = stale_after_s - ahead_s
    if collector == "cpu":
        return replace(vm, cpu=_cpu(record, keep_s), cpu_outcome=outcome or vm.cpu_outcome)
    return replace(vm, interfaces=_interfaces(record, keep_s), traffic_outcome=outcome or vm.traffic_outcome)


def outcome_after_answer(*, running: bool, has_statistics: bool) -> Outcome:
    """How a collector fares with a VM that has just been answered."""
    if not running:
        return Outcome.IDLE
    return Outcome.OK if has_statistics else Outcome.WAITING


def outcome_after_listing(outcome: Outcome, *, running: bool, has_statistics: bool) -> Outcome:
    """How a collector fares after a listing that says whether the VM runs."""
    if not running:
        return Outcome.IDLE
    if outcome in {Outcome.IDLE, Outcome.STALE}:  # Whether it is stale is judged anew.
        return Outcome.OK if has_statistics else Outcome.WAITING
    return outcome


def _cpu(record: VmRecord, keep_s: float) -> CpuUsage | None:
    if record.cpu is None:
        return None
    series = record.cpu.series
    return CpuUsage(
        busy_s=leave(series.exposed),
        until_at=series.newest_ms / 1000,
        ratio=_rate(series, record.running_since_ms),
        stale_seen_at=_believed_until_at(series) + keep_s,
        overcounted_s=leave(series.exposed - series.true),
        owed_s=owed_ms(record.cpu) / 1000,
    )


def _interfaces(record: VmRecord, keep_s: float) -> tuple[InterfaceTraffic, ...]:
    return tuple(
        _interface(interface_id, interface, record.running_since_ms, keep_s)
        for interface_id, interface in record.interfaces.items()
    )


def _interface(
    interface_id: str, account: InterfaceAccount, running_since_ms: int | None, keep_s: float
) -> InterfaceTraffic:
    return InterfaceTraffic(
        interface_id=interface_id,
        network_id=account.network_id,
        public=account.public,
        receive_bytes=leave(account.receive.exposed),
        transmit_bytes=leave(account.transmit.exposed),
        until_at=account.receive.newest_ms / 1000,
        receive_bytes_per_s=_rate(account.receive, running_since_ms),
        transmit_bytes_per_s=_rate(account.transmit, running_since_ms),
        stale_seen_at=_believed_until_at(account.receive) + keep_s,
        overcounted_bytes=sum(leave(series.exposed - series.true) for series in (account.receive, account.transmit)),
        owed_s=owed_ms(account) / 1000,
    )


def _rate(series: Series, running_since_ms: int | None) -> float | None:
    """The newest complete bucket over its width, per second; None where it is of before the machine was started."""
    bucket = series.newest
    if bucket is None or bucket.end_ms != series.newest_ms:
        return None
    if running_since_ms is not None and bucket.end_ms <= running_since_ms:
        return None
    return leave(bucket.value) / ((bucket.end_ms - bucket.start_ms) / 1000)


def _believed_until_at(series: Series) -> float:
    """The end of what the series speaks of, in the provider's time.

    Zeros that may not be filled yet are no news, but while they come the answers are not old either: an idle VM, whose
    zeros wait to be believed, must not look stale for that.
    """
    last = series.last
    if last is None or last.end_ms <= series.newest_ms or last.value:
        return series.newest_ms / 1000
    waiting_ms = idle_after_ms(width_ms=last.end_ms - last.start_ms, late_ms=0)
    return min(series.newest_ms + waiting_ms, last.end_ms) / 1000


def _spell(spell: Spell) -> SpellView:
    return SpellView(spell.since_seen_at, spell.begun, spell.lasted_s)
