"""What `cpu_stats` and `bw_stats` have come to."""

from collections.abc import Callable, Iterable

from exporter.fleet import InterfaceTraffic, Vm
from exporter.metrics.catalogue.family import Family, Sample, VmFamily, always

__all__ = ["CPU", "TRAFFIC"]

_INTERFACE = ("interface_id", "network_id", "public")
_PUBLIC = {True: "true", False: "false"}


def _per_interface(value: Callable[[InterfaceTraffic], float | None]) -> Callable[[Vm], Iterable[Sample]]:
    def samples(vm: Vm) -> Iterable[Sample]:
        return [
            ((interface.interface_id, interface.network_id, _PUBLIC[interface.public]), number)
            for interface in vm.interfaces
            if (number := value(interface)) is not None
        ]

    return samples


CPU: tuple[Family, ...] = (
    VmFamily(
        name="gigas_vm_cpu_usage_ratio",
        type="gauge",
        unit="ratio",
        help="CPU usage in the newest complete chunk (data of cpu_stats), 1 = the whole VM. Absent while the VM is off "
        "or the chunk is too old.",
        collector="cpu",
        samples=lambda vm: always(vm.cpu.ratio if vm.cpu else None),
    ),
    VmFamily(
        name="gigas_vm_cpu_usage_timestamp_seconds",
        type="gauge",
        unit="seconds",
        help="The end of the newest complete chunk (data of cpu_stats), UNIX seconds of the provider's clock.",
        collector="cpu",
        samples=lambda vm: always(vm.cpu.until_at if vm.cpu else None),
    ),
    VmFamily(
        name="gigas_vm_cpu_busy_seconds_total",
        type="counter",
        unit="seconds",
        help="Seconds of the whole VM that were busy, each chunk (data of cpu_stats) counted once; its rate is the "
        "usage ratio.",
        collector="cpu",
        samples=lambda vm: always(vm.cpu.busy_s if vm.cpu else None),
    ),
)

TRAFFIC: tuple[Family, ...] = (
    VmFamily(
        name="gigas_vm_network_receive_bytes_total",
        type="counter",
        unit="bytes",
        help="Bytes received, each bucket (traffic_in of bw_stats) counted once.",
        collector="traffic",
        labels=_INTERFACE,
        samples=_per_interface(lambda interface: interface.receive_bytes),
    ),
    VmFamily(
        name="gigas_vm_network_transmit_bytes_total",
        type="counter",
        unit="bytes",
        help="Bytes sent, each bucket (traffic_out of bw_stats) counted once.",
        collector="traffic",
        labels=_INTERFACE,
        samples=_per_interface(lambda interface: interface.transmit_bytes),
    ),
    VmFamily(
        name="gigas_vm_network_receive_bytes_per_second",
        type="gauge",
        unit="bytes_per_second",
        help="Bytes received in the newest complete bucket (traffic_in of bw_stats) over its width. Absent while the "
        "VM is off or the bucket is too old.",
        collector="traffic",
        labels=_INTERFACE,
        samples=_per_interface(lambda interface: interface.receive_bytes_per_s),
    ),
    VmFamily(
        name="gigas_vm_network_transmit_bytes_per_second",
        type="gauge",
        unit="bytes_per_second",
        help="Bytes sent in the newest complete bucket (traffic_out of bw_stats) over its width. Absent while the VM "
        "is off or the bucket is too old.",
        collector="traffic",
        labels=_INTERFACE,
        samples=_per_interface(lambda interface: interface.transmit_bytes_per_s),
    ),
    VmFamily(
        name="gigas_vm_network_timestamp_seconds",
        type="gauge",
        unit="seconds",
        help="The end of the newest complete bucket (date_from, date_to of bw_stats), UNIX seconds of the provider's "
        "clock.",
        collector="traffic",
        labels=_INTERFACE,
        samples=_per_interface(lambda interface: interface.until_at),
    ),
)
