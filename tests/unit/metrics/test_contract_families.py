"""The names that dashboards and rules rely on, written down by hand: a change of the catalogue alone changes none."""

from exporter.fleet import AccountView
from exporter.metrics import FAMILIES, Own
from exporter.metrics.catalogue import VM_LABELS, AccountFamily, OwnFamily, VmFamily
from exporter.metrics.render import account_lines, openmetrics_header, text_header
from tests.exposition import text_of

VM = "account vm_id vm"
INTERFACE = f"{VM} interface_id network_id public"
IN_WORDS = (
    "hostname type cpu_type operating_system operating_system_distro hypervisor_id location_id template_id boot_type"
)
CONTRACT = {
    "gigas_up": ("gauge", "account"),
    "gigas_vm_info": ("gauge", f"{VM} {IN_WORDS}"),
    "gigas_vm_status": ("gauge", f"{VM} status"),
    "gigas_vm_cpus": ("gauge", VM),
    "gigas_vm_cpu_shares": ("gauge", VM),
    "gigas_vm_memory_bytes": ("gauge", VM),
    "gigas_vm_created_timestamp_seconds": ("gauge", VM),
    "gigas_vm_updated_timestamp_seconds": ("gauge", VM),
    "gigas_vm_error": ("gauge", VM),
    "gigas_vm_cdrom_attached": ("gauge", VM),
    "gigas_vm_locked": ("gauge", VM),
    "gigas_vm_locked_since_timestamp_seconds": ("gauge", VM),
    "gigas_vm_locks_total": ("counter", VM),
    "gigas_vm_locked_seconds_total": ("counter", VM),
    "gigas_vm_renames_total": ("counter", VM),
    "gigas_vm_suspended": ("gauge", VM),
    "gigas_vm_suspended_since_timestamp_seconds": ("gauge", VM),
    "gigas_vm_cpu_usage_ratio": ("gauge", VM),
    "gigas_vm_cpu_usage_timestamp_seconds": ("gauge", VM),
    "gigas_vm_cpu_busy_seconds_total": ("counter", VM),
    "gigas_vm_network_receive_bytes_total": ("counter", INTERFACE),
    "gigas_vm_network_transmit_bytes_total": ("counter", INTERFACE),
    "gigas_vm_network_receive_bytes_per_second": ("gauge", INTERFACE),
    "gigas_vm_network_transmit_bytes_per_second": ("gauge", INTERFACE),
    "gigas_vm_network_timestamp_seconds": ("gauge", INTERFACE),
    "gigas_vms": ("gauge", "account status"),
    "gigas_account_info": ("gauge", "account account_id"),
    "gigas_account_credential_expiry_timestamp_seconds": ("gauge", "account"),
    "gigas_exporter_build_info": ("gauge", "version python"),
    "gigas_exporter_vms": ("gauge", "account collector outcome"),
    "gigas_exporter_collector_success": ("gauge", "account collector"),
    "gigas_exporter_collector_duration_seconds": ("gauge", "account collector"),
    "gigas_exporter_collector_last_success_timestamp_seconds": ("gauge", "account collector"),
    "gigas_exporter_api_requests_total": ("counter", "account endpoint code"),
    "gigas_exporter_api_request_duration_seconds": ("histogram", "endpoint"),
    "gigas_exporter_api_throttled_seconds_total": ("counter", "account"),
    "gigas_exporter_lost_seconds_total": ("counter", "account collector"),
    "gigas_exporter_duplicates_total": ("counter", "account collector"),
    "gigas_exporter_active": ("gauge", ""),
    "gigas_exporter_config_last_reload_successful": ("gauge", ""),
    "gigas_exporter_config_last_reload_success_timestamp_seconds": ("gauge", ""),
}


def test_every_family_of_the_contract_is_in_the_catalogue() -> None:
    declared = {}
    for family in FAMILIES:
        labels = (*VM_LABELS, *family.labels) if isinstance(family, VmFamily) else family.labels
        declared[family.name] = (family.type, " ".join(labels))
    assert CONTRACT.items() <= declared.items()


def test_what_prometheus_client_tells_of_the_process_is_there() -> None:
    own = text_of(Own(version="1.2.3"))
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "python_info"):
        assert f"# TYPE {name} " in own


def test_a_help_text_needs_no_escaping_in_either_format() -> None:
    for family in FAMILIES:
        assert not {"\\", '"', "\n"} & set(family.help), family.name


def test_a_family_has_the_same_header_whoever_renders_it() -> None:
    own = Own(version="1.2.3")
    for family in FAMILIES:
        if isinstance(family, OwnFamily):
            assert text_header(family).decode() in text_of(own)
            assert openmetrics_header(family).decode() in text_of(own, openmetrics=True)


def test_entries_that_could_not_be_understood_are_told_once_there_is_a_listing() -> None:
    (family,) = (each for each in FAMILIES if each.name == "gigas_exporter_unreadable_vms")
    assert isinstance(family, AccountFamily)
    view = AccountView(name="production", account_id="17893", listed=True, broken=2)
    assert account_lines(family, view) == b'gigas_exporter_unreadable_vms{account="production"} 2.0\n'
    assert account_lines(family, AccountView(name="production", account_id="17893", up=False)) == b""
