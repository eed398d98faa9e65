"""Every family that is exposed, declared once: pages, headers, the reference and its tests follow from it.

A VM family's labels follow `VM_LABELS`; its `samples` give, for one snapshot, the values of its own labels and the
number. Naming: https://prometheus.io/docs/practices/naming/.
"""

from exporter.metrics.catalogue.family import (
    VM_LABELS,
    VM_PARTS,
    AccountFamily,
    Family,
    OwnFamily,
    Sample,
    Tally,
    TallyFamily,
    VmFamily,
)
from exporter.metrics.catalogue.inventory import INVENTORY
from exporter.metrics.catalogue.own import OWN
from exporter.metrics.catalogue.statistics import CPU, TRAFFIC

__all__ = [
    "FAMILIES",
    "VM_LABELS",
    "VM_PARTS",
    "AccountFamily",
    "Family",
    "OwnFamily",
    "Sample",
    "Tally",
    "TallyFamily",
    "VmFamily",
]

FAMILIES: tuple[Family, ...] = (*INVENTORY, *CPU, *TRAFFIC, *OWN)
"""In the order of the page."""
