"""What is known now: frozen snapshots of every VM, replaced whole.

Nothing here asks, counts or renders. A snapshot is never edited; whoever holds one has a consistent picture of that VM.
Subscribers are told which accounts changed in membership and which VMs changed in content.
"""

from exporter.fleet.expiry import aged
from exporter.fleet.fleet import AccountView, Change, Fleet
from exporter.fleet.phase import phase_of
from exporter.fleet.vm import CpuUsage, InterfaceTraffic, Machine, Outcome, SpellView, Vm, is_running

__all__ = [
    "AccountView",
    "Change",
    "CpuUsage",
    "Fleet",
    "InterfaceTraffic",
    "Machine",
    "Outcome",
    "SpellView",
    "Vm",
    "aged",
    "is_running",
    "phase_of",
]
