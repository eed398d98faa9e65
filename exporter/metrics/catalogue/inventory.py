"""What the list of VMs says, and what following it from listing to listing has shown."""

from collections.abc import Iterable

from exporter.fleet import Vm
from exporter.metrics.catalogue.family import AccountFamily, Family, Sample, TallyFamily, VmFamily, always

__all__ = ["INVENTORY"]

_STATUSES = ("offline", "online", "recovery", "unbuilt")
"""The statuses that the provider documents; any other is shown beside them while a VM has it."""


def _of_status(present: str) -> Iterable[Sample]:
    statuses = _STATUSES if present in _STATUSES else (*_STATUSES, present)
    return tuple(((status,), float(status == present)) for status in statuses)


_OF_STATUS = {status: _of_status(status) for status in _STATUSES}


def _status(vm: Vm) -> Iterable[Sample]:
    present = vm.machine.status
    return _OF_STATUS.get(present) or _of_status(present)


def _info(vm: Vm) -> Iterable[Sample]:
    machine = vm.machine
    yield (
        (
            machine.hostname,
            machine.type,
            machine.cpu_type,
            machine.operating_system,
            machine.operating_system_distro,
            machine.hypervisor_id,
            machine.location_id,
            machine.template_id,
            machine.boot_type,
        ),
        1.0,
    )


INVENTORY: tuple[Family, ...] = (
    AccountFamily(
        name="gigas_up",
        type="gauge",
        help="Whether the last listing of the account's VMs succeeded (1) or failed after its retries (0).",
        collector="inventory",
        labels=("account",),
        samples=lambda account: () if account.up is None else (((account.name,), float(account.up)),),
    ),
    TallyFamily(
        name="gigas_vms",
        type="gauge",
        help="How many VMs of the account have each status (field status), as last listed.",
        collector="inventory",
        labels=("account", "status"),
        tally=lambda vm: (((vm.machine.status,), 1.0),),
        zeros=tuple((status,) for status in _STATUSES),
    ),
    AccountFamily(
        name="gigas_account_info",
        type="gauge",
        help="The account's id in the provider's addresses, and the labels that the operator gave it; always 1.",
        collector="inventory",
        labels=("account", "account_id"),
        samples=lambda account: (((account.name, account.account_id), 1.0),),
        own_labels=lambda account: account.labels,
    ),
    AccountFamily(
        name="gigas_account_credential_expiry_timestamp_seconds",
        type="gauge",
        unit="seconds",
        help="When the account's credential ends, UNIX seconds: a token as the provider told, an API key as configured "
        "(api_key_expires). Absent if neither is known.",
        collector="inventory",
        labels=("account",),
        samples=lambda account: (
            () if account.credential_expires_at is None else (((account.name,), account.credential_expires_at),)
        ),
    ),
    VmFamily(
        name="gigas_vm_info",
        type="gauge",
        help="What the list says of the VM in words (fields hostname, type, cpu_type, operating_system, "
        "operating_system_distro, hypervisor_id, location_id, template_id, boot_type); always 1.",
        collector="inventory",
        labels=(
            "hostname",
            "type",
            "cpu_type",
            "operating_system",
            "operating_system_distro",
            "hypervisor_id",
            "location_id",
            "template_id",
            "boot_type",
        ),
        samples=_info,
    ),
    VmFamily(
        name="gigas_vm_status",
        type="gauge",
        help="1 for the VM's present status (field status), 0 for each other known one.",
        collector="inventory",
        labels=("status",),
        samples=_status,
    ),
    VmFamily(
        name="gigas_vm_cpus",
        type="gauge",
        help="How many CPUs the VM has (field cpus).",
        collector="inventory",
        samples=lambda vm: always(vm.machine.cpus),
    ),
    VmFamily(
        name="gigas_vm_cpu_shares",
        type="gauge",
        help="The share of the hypervisor's CPU that the VM is guaranteed (field cpu_shares).",
        collector="inventory",
        samples=lambda vm: always(vm.machine.cpu_shares),
    ),
    VmFamily(
        name="gigas_vm_memory_bytes",
        type="gauge",
        unit="bytes",
        help="The VM's memory in bytes (field memory, taken for MiB unless configured otherwise).",
        collector="inventory",
        samples=lambda vm: always(vm.machine.memory_bytes),
    ),
    VmFamily(
        name="gigas_vm_created_timestamp_seconds",
        type="gauge",
        unit="seconds",
        help="When the VM was created, UNIX seconds (field created_at).",
        collector="inventory",
        samples=lambda vm: always(vm.machine.created_at),
    ),
    VmFamily(
        name="gigas_vm_updated_timestamp_seconds",
        type="gauge",
        unit="seconds",
        help="When the VM was last updated, UNIX seconds (field updated_at).",
        collector="inventory",
        samples=lambda vm: always(vm.machine.updated_at),
    ),
    VmFamily(
        name="gigas_vm_error",
        type="gauge",
        help="Whether the provider marks the VM as in error (field error).",
        collector="inventory",
        samples=lambda vm: always(vm.machine.error),
    ),
    VmFamily(
        name="gigas_vm_cdrom_attached",
        type="gauge",
        help="Whether the VM has a CD-ROM device (field cdrom).",
        collector="inventory",
        samples=lambda vm: always(vm.machine.cdrom_attached),
    ),
    VmFamily(
        name="gigas_vm_locked",
        type="gauge",
        help="Whether the VM is busy with an operation (field locked).",
        collector="inventory",
        samples=lambda vm: always(vm.machine.locked),
    ),
    VmFamily(
        name="gigas_vm_locked_since_timestamp_seconds",
        type="gauge",
        unit="seconds",
        help="When the present lock was first seen, UNIX seconds (field locked). Absent while the VM is not locked.",
        collector="inventory",
        samples=lambda vm: always(vm.lock.since_seen_at),
    ),
    VmFamily(
        name="gigas_vm_locks_total",
        type="counter",
        help="How many locks were seen to begin (field locked).",
        collector="inventory",
        samples=lambda vm: always(vm.lock.begun),
    ),
    VmFamily(
        name="gigas_vm_locked_seconds_total",
        type="counter",
        unit="seconds",
        help="For how many seconds the VM was seen locked (field locked), from listing to listing.",
        collector="inventory",
        samples=lambda vm: always(vm.lock.lasted_s),
    ),
    VmFamily(
        name="gigas_vm_suspended",
        type="gauge",
        help="Whether the VM is suspended (field suspended).",
        collector="inventory",
        samples=lambda vm: always(vm.machine.suspended),
    ),
    VmFamily(
        name="gigas_vm_suspended_since_timestamp_seconds",
        type="gauge",
        unit="seconds",
        help="When the present suspension was first seen, UNIX seconds (field suspended). Absent while there is none.",
        collector="inventory",
        samples=lambda vm: always(vm.suspension.since_seen_at),
    ),
    VmFamily(
        name="gigas_vm_renames_total",
        type="counter",
        help="How often the VM's name (field label, or hostname where that is empty) was seen to change.",
        collector="inventory",
        samples=lambda vm: always(vm.renames),
    ),
    VmFamily(
        name="gigas_vm_status_changes_total",
        type="counter",
        help="How often the VM's status (field status) was seen to change, from listing to listing.",
        collector="inventory",
        samples=lambda vm: always(vm.status_changes),
    ),
)
