"""A truthful double of the provider, for the demonstration, tests and benchmarks.

It knows the truth (`world`), shows it as the provider would (`publication`: late, partial, corrected), can be made to
fail (`faults`), and tells both what is true and what was asked (`control`). The same seed makes the same lives. It
must not know anything of the exporter.
"""

from exporter.simulator.faults import FAULTS, Fault, load_faults
from exporter.simulator.options import SimulatorOptions
from exporter.simulator.server import build_app, serve

__all__ = ["FAULTS", "Fault", "SimulatorOptions", "build_app", "load_faults", "serve"]
