"""A truthful double of the provider, for the demonstration, tests and benchmarks.

It knows the truth (`world`, made of `lives`), shows it as the provider would (`publication`: late, partial, corrected;
`api`, `lists`), lets itself be changed as the provider's page says (`operations`, `changes`), can be made to fail
(`faults`, by a `script`), and tells what is true (`truth`) and what was asked (`control`). The same seed makes the same
lives at the same time. What a bucket holds that has ended never changes. It must not know anything of the exporter.
"""

from exporter.simulator.faults import FAULTS, Fault
from exporter.simulator.options import SimulatorOptions
from exporter.simulator.script import load_faults
from exporter.simulator.server import build_app, serve

__all__ = ["FAULTS", "Fault", "SimulatorOptions", "build_app", "load_faults", "serve"]
