"""Which units the provider's answers support, as sentences with the figures. Asks nothing itself."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from exporter.counting import (
    Balance,
    Load,
    TrafficUnit,
    Window,
    bucket_width,
    entered,
    percent_of,
    to_ms,
    traffic_unit,
    weigh,
)
from exporter.fleet import Machine
from exporter.gigas import Answer, BwStats, CpuStats

__all__ = ["Finding", "Windows", "cores_of", "cpu_finding", "traffic_evidence", "traffic_finding", "windows_of"]

_TRAFFIC = "collect.traffic.unit"
_CPU = "collect.cpu.percent_of"


@dataclass(frozen=True, slots=True)
class Finding:
    """A line for the operator. `wrong`: so configured, the exporter would not work, or count wrongly."""

    text: str
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Windows:
    """What the answers about one period show, by VM, interface and direction; `width_ms` is None where that is nothing.

    The buckets of a period are alike: a VM that was stopped, of which only a few are left, has them as wide as others.
    """

    period: str
    width_ms: int | None
    series: Mapping[tuple[str, str, int], Window]

    def __str__(self) -> str:
        return self.period if self.width_ms is None else f"{self.width_ms / 1000:g} s ({self.period})"

    def moved(self, machine: Machine) -> int:
        """What a VM received and sent, in quanta of whatever the values are."""
        return sum(
            value or 0 for key, window in self.series.items() if key[0] == machine.vm_id for value in window.values
        )


def windows_of(period: str, answers: Mapping[Machine, Answer[BwStats]]) -> Windows:
    """The answers of one period in terms of counting, values as they are shown."""
    votes = Counter(width_ms for each in answers.values() if (width_ms := _bucket_width_ms(each.document)))
    if not votes:
        return Windows(period, None, {})
    # Buckets go missing, which makes the others look wider, and do not come twice.
    width_ms = max(votes, key=lambda width_ms: (votes[width_ms], -width_ms))
    series = {
        (machine.vm_id, interface_id, way): window
        for machine, answer in answers.items()
        for interface_id, way, window in _series(answer, width_ms)
    }
    return Windows(period, width_ms, series)


def _bucket_width_ms(document: BwStats) -> int | None:
    if document.date_from is None or document.date_to is None:
        return None
    width_s = bucket_width(from_s=document.date_from, to_s=document.date_to, count=document.count)
    return None if width_s is None else to_ms(width_s)


def _series(answer: Answer[BwStats], width_ms: int) -> Iterator[tuple[str, int, Window]]:
    document = answer.document
    if document.date_from is None:
        return
    start_ms, asked_ms = to_ms(document.date_from), to_ms(answer.asked_at)
    for interface in document.interfaces:
        for way, shown in enumerate((interface.traffic_in, interface.traffic_out)):
            yield interface.interface_id, way, Window(start_ms, width_ms, entered(shown), asked_ms)


def traffic_evidence(finer: Windows, coarser: Windows) -> tuple[TrafficUnit | None, str]:
    """Compare windows of different resolution of the same VMs: which unit they support, if any, and the figures."""
    both = finer.series.keys() & coarser.series.keys()
    balance = sum((weigh(finer.series[key], coarser.series[key]) for key in both), Balance())
    if not balance.sums:
        return None, f"no bucket of {coarser} that holds traffic is covered by narrower ones of {finer}"
    share, mean = balance.coarse / balance.sums, balance.means / balance.sums
    figures = (
        f"{balance.buckets} bucket(s) of {coarser} hold {share:.3f} times what those of {finer} in them add up to "
        f"(bytes: 1, bytes_per_second: {mean:.3f})"
    )
    return traffic_unit(balance), figures


def traffic_finding(account: str, *, configured: str, found: TrafficUnit | None, figures: str) -> Finding:
    """Say whether the configured unit is what the comparison found."""
    if found is None:
        return Finding(f"account {account}: cannot tell whether {_TRAFFIC}: {configured} is right: {figures}")
    if found == configured:
        return Finding(f"account {account}: {_TRAFFIC}: {configured} is right: {figures}")
    return _set(account, _TRAFFIC, configured, found, figures)


def cores_of(machine: Machine) -> int:
    return max(1, machine.cpus or 1)


def cpu_finding(account: str, *, configured: str, usage: Mapping[Machine, Answer[CpuStats]]) -> Finding:
    """Say whether the configured meaning of 100 % is what the VMs' chunks support."""
    found, load = percent_of([_load(machine, answer.document) for machine, answer in usage.items()])
    unsure = f"account {account}: cannot tell whether {_CPU}: {configured} is right: "
    if load is None:
        return Finding(f"{unsure}no VM of several cores had CPU usage, and of one core both are the same")
    of_vm = f"VM {load.vm!r} of {load.cores} cores"
    if found == "core":
        figures = f"up to {load.highest:.1f} % on {of_vm}, more than there is of a whole VM"
        if found == configured:
            return Finding(f"account {account}: {_CPU}: {configured} is right: {figures}")
        return _set(account, _CPU, configured, found, figures)
    if found == "vm":
        figures = f"up to {load.highest:.1f} % on {of_vm}, chunk after chunk, and none above, which supports vm"
        return Finding(f"{unsure}{figures}, but one busy core would look the same")
    if load.excessive:
        return Finding(f"{unsure}{load.highest:.1f} % on {of_vm} is more than either allows")
    return Finding(f"{unsure}at most {load.highest:.1f} %, on {of_vm}, may be of either")


def _load(machine: Machine, document: CpuStats) -> Load:
    return Load(machine.name, cores_of(machine), tuple(value for value in document.values if value is not None))


def _set(account: str, setting: str, configured: str, found: str, figures: str) -> Finding:
    told = f"account {account}: {setting} is {configured}, but the values say {found}: {figures}"
    return Finding(f"{told}; set {setting}: {found}", wrong=True)
