"""Snapshots as lines of the text format. Sample lines are the same bytes in text 0.0.4 and OpenMetrics 1.0.

Formats: https://prometheus.io/docs/instrumenting/exposition_formats/ and https://prometheus.io/docs/specs/om/.
"""

from collections.abc import Iterable, Sequence

from prometheus_client.utils import floatToGoString

from exporter.fleet import AccountView, Vm
from exporter.metrics.catalogue import VM_LABELS, AccountFamily, Family, VmFamily

__all__ = ["account_lines", "openmetrics_header", "text_header", "vm_blocks"]


def text_header(family: Family) -> bytes:
    """The header of a family in text 0.0.4."""
    return f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.type}\n".encode()


def openmetrics_header(family: Family) -> bytes:
    """The header of a family in OpenMetrics 1.0, where a counter's family is named without `_total`."""
    name = family.name.removesuffix("_total") if family.type == "counter" else family.name
    unit = f"# UNIT {name} {family.unit}\n" if family.unit else ""
    return f"# HELP {name} {family.help}\n# TYPE {name} {family.type}\n{unit}".encode()


def vm_blocks(families: Sequence[VmFamily], vms: Sequence[Vm]) -> dict[str, bytes]:
    """The lines of some VMs, for each family that has any, by the family's name."""
    identities = [_labels(VM_LABELS, (vm.account, vm.machine.vm_id, vm.machine.name)) for vm in vms]
    blocks = {}
    for family in families:
        lines = [
            f"{family.name}{{{identity}{',' if family.labels else ''}{_labels(family.labels, values)}}}"
            f" {floatToGoString(number)}\n"
            for vm, identity in zip(vms, identities, strict=True)
            for values, number in family.samples(vm)
        ]
        if lines:
            blocks[family.name] = "".join(lines).encode(errors="replace")
    return blocks


def account_lines(family: AccountFamily, account: AccountView, vms: Iterable[Vm]) -> bytes:
    """One account's lines of a family."""
    own = family.own_labels(account)
    names = (*family.labels, *own)
    return "".join(
        f"{family.name}{{{_labels(names, (*values, *own.values()))}}} {floatToGoString(number)}\n"
        for values, number in family.samples(account, vms)
    ).encode(errors="replace")


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    return ",".join(f'{name}="{_escape(value)}"' for name, value in zip(names, values, strict=True))


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
