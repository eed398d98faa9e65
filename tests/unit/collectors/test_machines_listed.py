"""A VM's document in our terms."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.collectors.inventory import machine_of
from exporter.fleet import Machine
from exporter.gigas import MachineDocument

ZONES = ("UTC", "Europe/Madrid", "America/Bogota", "Asia/Kathmandu")


def listed(*, timezone: str = "UTC", memory_unit: str = "MiB", **fields: Any) -> Machine:
    document = MachineDocument(**({"id": "24", "status": "online"} | fields))
    return machine_of(document, timezone=ZoneInfo(timezone), memory_unit=memory_unit)


@given(at=st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1)), zone=st.sampled_from(ZONES))  # noqa: DTZ001 - as sent
@example(at=datetime(2026, 3, 29, 2, 30), zone="Europe/Madrid")  # noqa: DTZ001 - an hour that was skipped
@example(at=datetime(2026, 10, 25, 2, 30), zone="Europe/Madrid")  # noqa: DTZ001 - an hour that came twice
def test_a_time_without_a_zone_is_of_the_zone_that_is_set(at: datetime, zone: str) -> None:
    assert listed(created_at=at, timezone=zone).created_at == at.replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize("zone", ZONES)
def test_a_time_with_a_zone_is_what_it_says_whatever_zone_is_set(zone: str) -> None:
    at = datetime(2018, 5, 29, 8, 20, 49, tzinfo=UTC) + timedelta(microseconds=250_000)
    assert listed(updated_at=at, timezone=zone).updated_at == 1527582049.25


@pytest.mark.parametrize(("unit", "memory_bytes"), [("MiB", 256 * 2**20), ("MB", 256_000_000)])
def test_memory_is_in_the_unit_that_is_set(unit: str, memory_bytes: int) -> None:
    assert listed(memory=256, memory_unit=unit).memory_bytes == memory_bytes


def test_what_is_absent_is_an_empty_text_or_none() -> None:
    assert listed() == Machine(vm_id="24", label="", hostname="", status="online")


@pytest.mark.parametrize(
    "field",
    [
        "status",
        "type",
        "cpu_type",
        "operating_system",
        "operating_system_distro",
        "hypervisor_id",
        "location_id",
        "template_id",
        "boot_type",
    ],
)
def test_a_text_that_many_vms_have_is_one_text(field: str) -> None:
    words = ("a", "text")
    told = [" ".join(words) for _ in range(2)]
    assert told[0] is not told[1]
    first, second = (getattr(listed(**{field: each}), field) for each in told)
    assert first == told[0]
    assert first is second
