"""The only room that builds objects and joins them: start, reload, stop in order.

`watch` is one account as it is looked at, `core` what a collection needs from intake to the page, `once` one
collection, `daemon` the one that goes on, `memory` what keeps that small; `checking` only looks, and `units` is what it
makes of what it saw.
"""

from exporter.app.checking import findings
from exporter.app.daemon import Daemon
from exporter.app.memory import share_one_heap, spare_what_is_loaded
from exporter.app.once import collect_once
from exporter.app.units import Finding

__all__ = ["Daemon", "Finding", "collect_once", "findings", "share_one_heap", "spare_what_is_loaded"]
