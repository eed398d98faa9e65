"""Worlds for tests of the simulation, with defaults."""

from typing import Any

from exporter.simulator.options import SimulatorOptions
from exporter.simulator.publication import Publication
from exporter.simulator.world import Machine, World, build_world

__all__ = ["START", "machine_of", "machines_of", "published", "world"]

START = 1_700_000_000.0
"""A boundary of the steps that tests use, but not of 300 s."""


def world(*, now_s: float = START, **options: Any) -> World:
    return build_world(SimulatorOptions(**({"vms": 25, "step_s": 10.0} | options)), now_s)


def published(**options: Any) -> tuple[World, Publication]:
    made = world(**options)
    return made, Publication(made)


def machines_of(made: World) -> list[Machine]:
    return [machine for account in made.accounts.values() for machine in account.machines.values()]


def machine_of(made: World, kind: str) -> Machine:
    """The first VM whose hostname begins so."""
    return next(machine for machine in machines_of(made) if machine.hostname.startswith(kind))
