"""The provider's answers as typed documents, straight from bytes: tolerant of what we do not know, strict about what
we use.

What the API gives away (passwords, notes) is in none of them, and no complaint quotes what was received.
"""

from exporter.gigas.answers.cpu import CpuStats, read_cpu_stats
from exporter.gigas.answers.machines import BrokenMachine, Keep, KnownMachines, MachineDocument, Machines, read_machines
from exporter.gigas.answers.tokens import OpenIdToken, SessionToken, read_openid_token, read_session_token
from exporter.gigas.answers.traffic import BwStats, InterfaceTraffic, read_bw_stats
from exporter.gigas.answers.understanding import NotUnderstood

__all__ = [
    "BrokenMachine",
    "BwStats",
    "CpuStats",
    "InterfaceTraffic",
    "Keep",
    "KnownMachines",
    "MachineDocument",
    "Machines",
    "NotUnderstood",
    "OpenIdToken",
    "SessionToken",
    "read_bw_stats",
    "read_cpu_stats",
    "read_machines",
    "read_openid_token",
    "read_session_token",
]
