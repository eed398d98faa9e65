"""The simulation's page in the documentation says everything."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from exporter.simulator import FAULTS, Fault, SimulatorOptions, build_app
from tests.unit.simulator.served import HandClock

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "simulator.md"


def own_paths() -> Iterator[str]:
    for route in build_app(SimulatorOptions(vms=0), clock=HandClock()).router.routes():
        path = route.resource.canonical if route.resource else ""
        if path.startswith(("/simulator", "/truth")):
            yield f"{route.method} {path.replace('{vm}', '<vm_id>')}"


def test_every_fault_key_option_and_own_address_is_documented() -> None:
    text = DOCUMENTATION.read_text()
    keys = [each.name for kind in (Fault, SimulatorOptions) for each in fields(kind) if each.init]
    names = [*FAULTS, *keys]
    missing = [
        name for name in [*names, *(path for path in own_paths() if "HEAD" not in path)] if f"`{name}" not in text
    ]
    assert missing == []
